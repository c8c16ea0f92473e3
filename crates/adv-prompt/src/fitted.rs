//! Templates as tokens.

use crate::PromptError;
use crate::template::Template;
use adv_models::text::{Encoded, Overlong, TextConfig, Tokenizer, Tokens};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// A template in the tokens of a model.
#[derive(Debug, Clone)]
pub struct FittedTemplate {
    template: Template,
    tokenizer: Tokenizer,
    /// The text of the tokenizer's mask.
    mask_text: String,
    /// Tokens up to the sentence, and from behind it to the end; special tokens included.
    before: Vec<u32>,
    after: Vec<u32>,
    mask: MaskPlace,
    /// Tokens of the longest sentence that the model takes.
    room: usize,
}

/// Where the mask is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MaskPlace {
    /// From the first token on.
    FromFirst(usize),
    /// From the last one back.
    FromLast(usize),
}

impl FittedTemplate {
    /// The template for a tokenizer and a model.
    ///
    /// Errors: no mask token, words that become one token with the sentence, no room for a sentence.
    pub fn new(template: Template, tokenizer: &Tokenizer, config: &TextConfig) -> Result<Self, PromptError> {
        let mask = tokenizer.mask().and_then(|id| Some((id, tokenizer.token(id)?)));
        let (mask, mask_text) = mask.ok_or(PromptError::NoMask)?;
        // Sentences that begin and end with different letters: the template's own tokens must not depend on them.
        let probes = ["so", "a big 7"].map(|probe| template.around(probe, &mask_text));
        let found = tokenizer.encode_around(&probes)?;
        let merged = || PromptError::Merged {
            template: template.to_string(),
        };
        if found.iter().any(|one| one.is_shared) {
            return Err(merged());
        }
        let parts = found.iter().map(|one| {
            let (ids, part) = (&one.encoded.ids, &one.tokens);
            (ids[..part.start].to_vec(), ids[part.end..].to_vec(), part.len())
        });
        let parts: Vec<_> = parts.collect();
        let [(before, after, one), (before_2, after_2, other)] = &parts[..] else {
            return Err(merged());
        };
        if (before, after) != (before_2, after_2) || *one == 0 || *other == 0 {
            return Err(merged());
        }
        let place = |ids: &[u32]| ids.iter().position(|&id| id == mask);
        let mask = match (place(before), place(after)) {
            (Some(place), None) => MaskPlace::FromFirst(place),
            (None, Some(place)) => MaskPlace::FromLast(after.len() - 1 - place),
            _ => return Err(merged()),
        };
        let tokens = before.len() + after.len();
        let Some(room) = config.longest().checked_sub(tokens).filter(|room| *room > 0) else {
            return Err(PromptError::NoRoom {
                template: template.to_string(),
                tokens,
                longest: config.longest(),
            });
        };
        Ok(Self {
            before: before.clone(),
            after: after.clone(),
            tokenizer: tokenizer.clone(),
            mask_text,
            mask,
            room,
            template,
        })
    }

    /// The template as text.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Its tokens without a sentence, special ones included.
    pub fn alone(&self) -> Vec<u32> {
        [self.before.as_slice(), &self.after].concat()
    }

    /// Tokens up to the sentence.
    pub fn before(&self) -> usize {
        self.before.len()
    }

    /// Tokens of the template.
    pub fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Never: a template has a mask.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Tokens of the longest sentence that the model takes.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Sentences within the template, each cut to `longest` tokens before that, and how many were cut. Flags of special tokens are 1 for
    /// everything but the sentence: what leaves special tokens alone leaves the template alone.
    ///
    /// Errors: a text that the tokenizer refuses.
    pub fn fill(&self, sentences: &[&str], longest: usize) -> Result<(Vec<Encoded>, Overlong), PromptError> {
        let wholes = sentences
            .iter()
            .map(|text| self.template.around(text, &self.mask_text));
        let found = self.tokenizer.encode_around(&wholes.collect::<Vec<_>>())?;
        let longest = longest.min(self.room);
        let mut overlong = Overlong {
            cut: 0,
            texts: sentences.len(),
        };
        let filled = found.iter().map(|one| {
            let ids = one.encoded.ids.as_slice();
            // All between the template's own tokens: a token of a blank alone has no place in the text.
            let between = ids.strip_prefix(self.before.as_slice());
            let between = between.and_then(|rest| rest.strip_suffix(self.after.as_slice()));
            let sentence = between.unwrap_or(&ids[one.tokens.clone()]);
            overlong.cut += usize::from(sentence.len() > longest);
            self.around(&sentence[..sentence.len().min(longest)])
        });
        Ok((filled.collect(), overlong))
    }

    /// The token ids of a sentence within the template.
    pub fn around(&self, sentence: &[u32]) -> Encoded {
        let ids = [self.before.as_slice(), sentence, &self.after].concat();
        let [before, after] = [&self.before, &self.after].map(|part| vec![1; part.len()]);
        Encoded {
            types: vec![0; ids.len()],
            special: [before, vec![0; sentence.len()], after].concat(),
            ids,
        }
    }

    /// The tokens of the sentence alone, of one that was filled in.
    pub fn sentence<'a>(&self, filled: &'a Encoded) -> &'a [u32] {
        &filled.ids[self.before.len()..filled.len() - self.after.len()]
    }

    /// The number of tokens of each sentence, of a filled batch.
    pub fn sentence_lengths(&self, filled: &Tokens) -> Vec<usize> {
        let lengths = filled.lengths().iter();
        lengths.map(|length| length.saturating_sub(self.len())).collect()
    }

    /// The place of each sentence's mask in a filled batch that is read row by row, `[B]`.
    pub fn mask_places(&self, filled: &Tokens) -> Tensor<1, Int> {
        let [_, length] = filled.shape();
        let places = filled.lengths().iter().enumerate().map(|(row, own)| {
            let within = match self.mask {
                MaskPlace::FromFirst(place) => place,
                MaskPlace::FromLast(back) => own - 1 - back,
            };
            (row * length + within) as i64
        });
        let places: Vec<i64> = places.collect();
        let count = places.len();
        Tensor::from_data(TensorData::new(places, [count]), &filled.mask().device())
    }

    /// The tokens of the template that a soft prompt takes the place of: all but special tokens and the mask, in order.
    pub(crate) fn trained(&self) -> Vec<usize> {
        let all = 0..self.len();
        let ends = [0, self.len() - 1];
        all.filter(|place| !ends.contains(place) && *place != self.mask_alone())
            .collect()
    }

    /// Their ids.
    pub(crate) fn trained_ids(&self) -> Vec<i64> {
        let alone = self.alone();
        self.trained()
            .into_iter()
            .map(|place| i64::from(alone[place]))
            .collect()
    }

    /// For each token of a filled batch, or of one without sentences, 0 if it stays, else the number of its trained vector, from 1:
    /// `[B, T]`.
    pub(crate) fn trained_places(&self, filled: &Tokens) -> Vec<i64> {
        let [rows, length] = filled.shape();
        let mut places = vec![0; rows * length];
        for (row, own) in filled.lengths().iter().enumerate() {
            let sentence = own.saturating_sub(self.len());
            for (number, place) in self.trained().into_iter().enumerate() {
                let place = if place < self.before.len() {
                    place
                } else {
                    place + sentence
                };
                places[row * length + place] = number as i64 + 1;
            }
        }
        places
    }

    /// The place of the mask in the template alone.
    fn mask_alone(&self) -> usize {
        match self.mask {
            MaskPlace::FromFirst(place) => place,
            MaskPlace::FromLast(back) => self.len() - 1 - back,
        }
    }

    /// The template without a sentence, a row for each of these lengths: positions behind the sentence's place are as if so many tokens
    /// stood there. `first` is the row of the position table that the first token has: the model's own, or 0, which is what PromptBERT's
    /// program has for RoBERTa, too.
    ///
    /// Errors: a length for which the model has no positions.
    pub fn without_sentence(
        &self,
        lengths: Range<usize>,
        first: usize,
        config: &TextConfig,
        device: &Device,
    ) -> Result<Tokens, PromptError> {
        let ids = self.alone();
        let row = Encoded {
            types: vec![0; ids.len()],
            special: vec![1; ids.len()],
            ids,
        };
        let places = |shift: usize| -> Vec<usize> {
            let own = 0..self.len();
            own.map(|place| first + place + if place >= self.before.len() { shift } else { 0 })
                .collect()
        };
        let positions: Vec<Vec<usize>> = lengths.clone().map(places).collect();
        let tokens = Tokens::new(&vec![row; lengths.len()], config, device)?;
        Ok(tokens.with_positions(&positions, config)?)
    }
}
