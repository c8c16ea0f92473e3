//! What a language model has to guess: hidden tokens, or the next one.

use super::{Answers, Encoded, TextError, Tokens};
use crate::Labels;
use burn::tensor::{Device, Tensor, TensorData};
use rand_core::Rng;

/// Which tokens are hidden, and what stands in their place (Devlin et al. 2019, section 3.1): of the chosen ones 80 % become the
/// mask token, 10 % a random token, and 10 % stay. Special tokens are never chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masking {
    share: f64,
    mask: u32,
    vocabulary: u32,
}

/// Sentences with tokens to be guessed, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenTokens {
    /// The sentences as the model sees them.
    pub sentences: Vec<Encoded>,
    /// Sentence and position of each vector that a token is guessed from: its own where it was hidden, else the one before.
    pub places: Vec<(usize, usize)>,
    /// What each of them was.
    pub tokens: Vec<u32>,
}

impl Masking {
    /// Hides a share of the tokens; 0.15 is published. `mask`: the id of the mask token.
    ///
    /// Errors: a share outside (0, 1], a mask token that the vocabulary does not have.
    pub fn new(share: f64, mask: u32, vocabulary: usize) -> Result<Self, TextError> {
        let size = u32::try_from(vocabulary).unwrap_or(u32::MAX);
        if !(share > 0.0 && share <= 1.0) || mask >= size {
            return Err(TextError::Masking {
                share,
                mask,
                vocabulary,
            });
        }
        Ok(Self {
            share,
            mask,
            vocabulary: size,
        })
    }

    /// Draws what is hidden. At least one token is, if there is one that may be.
    pub fn hide(&self, sentences: &[Encoded], rng: &mut impl Rng) -> HiddenTokens {
        let open: Vec<(usize, usize)> = sentences
            .iter()
            .enumerate()
            .flat_map(|(row, sentence)| {
                let words = sentence.special.iter().enumerate();
                words
                    .filter(|(_, special)| **special == 0)
                    .map(move |(at, _)| (row, at))
            })
            .collect();
        let mut places: Vec<(usize, usize)> =
            open.iter().copied().filter(|_| unit(rng) < self.share).collect();
        if places.is_empty() && !open.is_empty() {
            places.push(open[below(rng, open.len() as u32) as usize]);
        }
        let mut hidden = HiddenTokens {
            sentences: sentences.to_vec(),
            tokens: places.iter().map(|&(row, at)| sentences[row].ids[at]).collect(),
            places,
        };
        for &(row, at) in &hidden.places {
            let kind = unit(rng);
            // Drawn for each, so that no choice moves the draws that follow.
            let random = below(rng, self.vocabulary);
            let id = &mut hidden.sentences[row].ids[at];
            if kind < 0.8 {
                *id = self.mask;
            } else if kind < 0.9 {
                *id = random;
            }
        }
        hidden
    }
}

impl HiddenTokens {
    /// Nothing hidden: each token but the first of its sentence is to be guessed from those before it.
    pub fn next(sentences: &[Encoded]) -> Self {
        let rows = sentences.iter().enumerate();
        let places = rows.flat_map(|(row, sentence)| (1..sentence.len()).map(move |at| (row, at - 1)));
        let tokens = sentences
            .iter()
            .flat_map(|sentence| sentence.ids.iter().skip(1).copied());
        Self {
            sentences: sentences.to_vec(),
            places: places.collect(),
            tokens: tokens.collect(),
        }
    }

    /// The answers for `tokens`, which must be those of [`sentences`](Self::sentences).
    ///
    /// Errors: a token that is not in a vocabulary of this size; no hidden token.
    pub fn answers(&self, tokens: &Tokens, vocabulary: usize, device: &Device) -> Result<Answers, TextError> {
        if self.places.is_empty() {
            return Err(TextError::Sentence {
                index: 0,
                problem: "no sentence has a token to be guessed".into(),
            });
        }
        let [_, length] = tokens.shape();
        let flat: Vec<i64> = self
            .places
            .iter()
            .map(|(row, at)| (row * length + at) as i64)
            .collect();
        let count = flat.len();
        let places = Tensor::from_data(TensorData::new(flat, [count]), device);
        Ok(Answers::Hidden(
            places,
            Labels::new(self.tokens.iter().copied(), vocabulary, device)?,
        ))
    }
}

/// Uniform in [0, 1).
fn unit(rng: &mut impl Rng) -> f64 {
    f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0)
}

/// A number below `bound`; off from uniform by less than one in a hundred thousand for any vocabulary.
fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn sentences(count: usize) -> Vec<Encoded> {
        let one = Encoded {
            ids: (10..30).collect(),
            types: vec![0; 20],
            special: (0..20).map(|at| u32::from(at == 0 || at == 19)).collect(),
        };
        vec![one; count]
    }

    #[test]
    fn shares_are_those_of_the_paper_and_special_tokens_stay() {
        let masking = Masking::new(0.15, 4, 1000).unwrap();
        let clean = sentences(2000);
        let hidden = masking.hide(&clean, &mut ChaCha8Rng::seed_from_u64(1));
        let chosen = hidden.places.len() as f64;
        assert!((chosen / (2000.0 * 18.0) - 0.15).abs() < 0.01, "{chosen}");
        let share = |of: &dyn Fn(u32, u32) -> bool| {
            let hits = hidden.places.iter().zip(&hidden.tokens);
            hits.filter(|((row, at), was)| of(hidden.sentences[*row].ids[*at], **was))
                .count() as f64
                / chosen
        };
        assert!((share(&|now, _| now == 4) - 0.8).abs() < 0.02);
        assert!((share(&|now, was| now == was) - 0.1).abs() < 0.02);
        for (row, sentence) in hidden.sentences.iter().enumerate() {
            for (at, id) in sentence.ids.iter().enumerate() {
                let chosen = hidden.places.binary_search(&(row, at)).is_ok();
                assert!(chosen || *id == clean[row].ids[at], "{row} {at}");
                assert!(!(chosen && sentence.special[at] == 1));
            }
        }
        assert_eq!(hidden, masking.hide(&clean, &mut ChaCha8Rng::seed_from_u64(1)));
        assert_ne!(hidden, masking.hide(&clean, &mut ChaCha8Rng::seed_from_u64(2)));
    }

    #[test]
    fn one_token_is_hidden_at_least_and_wrong_numbers_are_refused() {
        let masking = Masking::new(1e-9, 4, 1000).unwrap();
        assert_eq!(
            masking
                .hide(&sentences(1), &mut ChaCha8Rng::seed_from_u64(1))
                .places
                .len(),
            1
        );
        for (share, mask) in [(0.0, 4), (1.1, 4), (f64::NAN, 4), (0.15, 1000)] {
            assert!(Masking::new(share, mask, 1000).is_err(), "{share} {mask}");
        }
    }
}
