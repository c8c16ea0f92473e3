//! The average of static embeddings as the vector of a sentence, and what spoils it.

use super::TokenKinds;
use crate::PromptError;
use adv_contrast::sentence::Vectors;
use adv_models::text::{Encoded, TextModel, Tokenizer};

/// What is left out of the average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Special tokens alone.
    Nothing,
    /// The most frequent tokens.
    Frequent,
    /// Tokens that continue a word.
    Subwords,
    /// The difference of upper and lower case: what is left is put into lower case and made tokens of again.
    Case,
    /// Tokens without letter or digit.
    Punctuation,
    /// All of these.
    All,
}

impl Removed {
    /// All of them, in the order of the tables.
    pub const ALL: [Removed; 6] = [
        Removed::Nothing,
        Removed::Frequent,
        Removed::Subwords,
        Removed::Case,
        Removed::Punctuation,
        Removed::All,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Removed::Nothing => "all tokens",
            Removed::Frequent => "without frequent tokens",
            Removed::Subwords => "without subwords",
            Removed::Case => "without case",
            Removed::Punctuation => "without punctuation",
            Removed::All => "without all of these",
        }
    }

    fn is(self, one: Removed) -> bool {
        self == one || self == Removed::All
    }
}

/// Averages of static embeddings, the rows of the word table.
#[derive(Debug)]
pub struct StaticVectors<'a> {
    tokenizer: &'a Tokenizer,
    kinds: &'a TokenKinds,
    width: usize,
    table: Vec<f32>,
}

impl<'a> StaticVectors<'a> {
    /// Of the word table of a model.
    pub fn new(model: &TextModel, tokenizer: &'a Tokenizer, kinds: &'a TokenKinds) -> Self {
        let table = model.body().words().inner().into_data();
        Self {
            tokenizer,
            kinds,
            width: model.config().embedding(),
            table: table.iter::<f32>().collect(),
        }
    }

    /// The static embedding of a token.
    ///
    /// # Panics
    ///
    /// If there is no such token.
    pub fn row(&self, id: u32) -> &[f32] {
        &self.table[id as usize * self.width..][..self.width]
    }

    /// One average a text; zero where nothing is left of it.
    ///
    /// Errors: a text that the tokenizer refuses.
    pub fn of(&self, texts: &[&str], removed: Removed) -> Result<Vectors, PromptError> {
        let mut kept = self.kept(texts, removed)?;
        if removed.is(Removed::Case) {
            let lower: Vec<String> = kept
                .iter()
                .map(|ids| Ok(self.tokenizer.decode(ids)?.to_lowercase()))
                .collect::<Result<_, PromptError>>()?;
            let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
            kept = self.kept(&lower, removed)?;
        }
        let mut values = Vec::with_capacity(texts.len() * self.width);
        for ids in &kept {
            let mut mean = vec![0f32; self.width];
            for &id in ids {
                let row = mean.iter_mut().zip(self.row(id));
                row.for_each(|(sum, value)| *sum += value / ids.len() as f32);
            }
            values.extend(mean);
        }
        Ok(Vectors::new(values, self.width))
    }

    fn kept(&self, texts: &[&str], removed: Removed) -> Result<Vec<Vec<u32>>, PromptError> {
        let inputs: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (*text, None)).collect();
        let (encoded, _) = self.tokenizer.encode(&inputs)?;
        let keeps = |id: u32| {
            let kind = self.kinds.of(id);
            !(removed.is(Removed::Frequent) && kind.is_frequent
                || removed.is(Removed::Subwords) && kind.is_subword
                || removed.is(Removed::Punctuation) && kind.is_punctuation)
        };
        Ok(encoded
            .iter()
            .map(|text| words(text).filter(|id| keeps(*id)).collect())
            .collect())
    }

    /// The share of a text's tokens of each kind, in the order frequent, subword, upper case, punctuation.
    ///
    /// Errors: a text that the tokenizer refuses.
    pub fn shares(&self, texts: &[&str]) -> Result<Vec<[f64; 4]>, PromptError> {
        let inputs: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (*text, None)).collect();
        let (encoded, _) = self.tokenizer.encode(&inputs)?;
        Ok(encoded
            .iter()
            .map(|text| {
                let mut shares = [0.0; 4];
                let count = words(text).count().max(1) as f64;
                for kind in words(text).map(|id| self.kinds.of(id)) {
                    let flags = [
                        kind.is_frequent,
                        kind.is_subword,
                        kind.has_upper_case,
                        kind.is_punctuation,
                    ];
                    for (share, flag) in shares.iter_mut().zip(flags) {
                        *share += f64::from(u8::from(flag)) / count;
                    }
                }
                shares
            })
            .collect())
    }
}

fn words(text: &Encoded) -> impl Iterator<Item = u32> + '_ {
    let all = text.ids.iter().zip(&text.special);
    all.filter(|(_, special)| **special == 0).map(|(id, _)| *id)
}

/// What the average of static embeddings is worth under a condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BiasRow {
    /// What was left out.
    pub removed: Removed,
    /// Spearman x 100 on the pairs.
    pub spearman: f64,
    /// The mean cosine of two different sentences, times 100.
    pub mean_cosine: f64,
}

/// How strongly the error on a pair goes with the share of a kind of tokens in it: Spearman's correlation. The error is how far the pair's
/// rank by cosine lies from its rank by people's score, our own measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Influence {
    /// Of frequent tokens.
    pub frequent: f64,
    /// Of subwords.
    pub subwords: f64,
    /// Of tokens with upper case.
    pub upper_case: f64,
    /// Of punctuation.
    pub punctuation: f64,
}

impl Influence {
    /// From cosines and scores of pairs, and the shares of both sentences of each.
    pub fn of(cosines: &[f64], scores: &[f64], shares: &[[[f64; 4]; 2]]) -> Self {
        let errors: Vec<f64> = ranks(cosines)
            .iter()
            .zip(ranks(scores))
            .map(|(by_cosine, by_score)| (by_cosine - by_score).abs())
            .collect();
        let of = |kind: usize| {
            let shares: Vec<f64> = shares.iter().map(|[a, b]| (a[kind] + b[kind]) / 2.0).collect();
            adv_data::metrics::spearman(&errors, &shares)
        };
        Self {
            frequent: of(0),
            subwords: of(1),
            upper_case: of(2),
            punctuation: of(3),
        }
    }
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let same = order[start..]
            .iter()
            .take_while(|&&at| values[at] == values[order[start]])
            .count();
        let mean = start as f64 + (same as f64 - 1.0) / 2.0;
        for &at in &order[start..start + same] {
            ranks[at] = mean;
        }
        start += same;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use adv_models::text::{HeadKind, TextConfig};
    use burn::tensor::Device;

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
    }

    #[test]
    fn what_goes_with_the_error_is_found() {
        let (cosines, scores) = ([0.1, 0.9, 0.5, 0.2], [1.0, 4.0, 2.0, 5.0]);
        // Only the last pair is far off, and it alone has subwords.
        let none = [[0.0; 4]; 2];
        let many = [[0.0, 1.0, 0.0, 0.0]; 2];
        let influence = Influence::of(&cosines, &scores, &[none, none, none, many]);
        assert!(influence.subwords > 0.7, "{influence:?}");
    }

    #[test]
    fn averages_leave_out_what_they_are_told_to() {
        let texts = ["the dog barks .", "the the the the", "."];
        let tokenizer = Tokenizer::of_words(texts).unwrap();
        let words = 5 + 4;
        let raw = serde_json::json!({
            "model_type": "bert", "vocab_size": words, "hidden_size": 4, "num_hidden_layers": 1,
            "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 16,
        });
        let raw = raw.as_object().unwrap().clone();
        let config = TextConfig::from_json(raw, "config.json".as_ref()).unwrap();
        let model = TextModel::new(config, HeadKind::None, 3, &Device::flex());
        let inputs: Vec<_> = texts.iter().map(|text| (*text, None)).collect();
        let (encoded, _) = tokenizer.encode(&inputs).unwrap();
        let kinds = TokenKinds::new(&tokenizer, words, &encoded, 1);
        let vectors = StaticVectors::new(&model, &tokenizer, &kinds);
        let mean = |words: &[&str]| -> Vec<f32> {
            let rows: Vec<&[f32]> = words
                .iter()
                .map(|word| vectors.row(tokenizer.id(word).unwrap()))
                .collect();
            (0..4)
                .map(|at| rows.iter().map(|row| row[at]).sum::<f32>() / rows.len() as f32)
                .collect()
        };
        for (removed, wanted) in [
            (Removed::Nothing, mean(&["the", "dog", "barks", "."])),
            (Removed::Frequent, mean(&["dog", "barks", "."])),
            (Removed::Subwords, mean(&["the", "dog", "barks", "."])),
            (Removed::Case, mean(&["the", "dog", "barks", "."])),
            (Removed::Punctuation, mean(&["the", "dog", "barks"])),
            (Removed::All, mean(&["dog", "barks"])),
        ] {
            let found = vectors.of(&texts, removed).unwrap();
            for (a, b) in found.row(0).iter().zip(&wanted) {
                assert!((a - b).abs() < 1e-6, "{removed:?}: {a} {b}");
            }
        }
        let found = vectors.of(&texts, Removed::All).unwrap();
        assert_eq!(found.row(1), [0.0; 4]);
        let shares = vectors.shares(&texts).unwrap();
        assert_eq!(shares[0], [0.25, 0.0, 0.0, 0.25]);
    }
}
