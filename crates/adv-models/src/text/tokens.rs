//! A batch of sentences as token ids on a device.

use super::{TextConfig, TextError};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, s};
use std::collections::BTreeMap;

/// One sentence, or a pair of them, as token ids with their special tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Token types: 0 for the first sentence, 1 for the second.
    pub types: Vec<u32>,
    /// 1 for the special tokens that the tokenizer put around the sentences.
    pub special: Vec<u32>,
}

impl Encoded {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True if there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Sentences of a batch, padded at the right to the longest: `B` sentences of `T` tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub(crate) ids: Tensor<2, Int>,
    pub(crate) types: Tensor<2, Int>,
    /// 1 for tokens, 0 for padding.
    pub(crate) mask: Tensor<2>,
    /// 1 for special tokens.
    special: Tensor<2>,
    /// The place of the last token of each sentence in the batch read row by row, `[B]`.
    pub(crate) last: Tensor<1, Int>,
    /// The ids that occur, each once, `[U]`.
    pub(crate) distinct: Tensor<1, Int>,
    /// The place of each id in `distinct`, `[B, T]`.
    pub(crate) place: Tensor<2, Int>,
    /// The rows of the position table, `[B, T]`, where they are not the usual ones.
    pub(crate) positions: Option<Tensor<2, Int>>,
    /// The tokens of each sentence.
    lengths: Vec<usize>,
}

impl Tokens {
    /// The sentences on a device.
    ///
    /// Errors: no sentence, an empty or too long one, an id or a type that the embedding does not have. Any of them would
    /// panic in the middle of a pass.
    pub fn new(sentences: &[Encoded], config: &TextConfig, device: &Device) -> Result<Self, TextError> {
        Self::padded(sentences, 0, config, device)
    }

    /// The same, padded to at least `length` tokens.
    pub fn padded(
        sentences: &[Encoded],
        length: usize,
        config: &TextConfig,
        device: &Device,
    ) -> Result<Self, TextError> {
        for (index, sentence) in sentences.iter().enumerate() {
            check(sentence, config).map_err(|problem| TextError::Sentence { index, problem })?;
        }
        let longest = sentences
            .iter()
            .map(Encoded::len)
            .max()
            .ok_or(TextError::Sentence {
                index: 0,
                problem: "a batch needs at least one".into(),
            })?
            .max(length.min(config.longest()));
        let shape = [sentences.len(), longest];
        // Padding is masked everywhere, so any id that exists does.
        let padded = |row: &[u32]| -> Vec<i64> {
            let own = row.iter().map(|&id| i64::from(id));
            own.chain(std::iter::repeat(0)).take(longest).collect()
        };
        let flags = |row: &dyn Fn(&Encoded) -> Vec<f32>| -> Tensor<2> {
            let rows = sentences.iter().flat_map(|sentence| {
                let own = row(sentence);
                own.into_iter().chain(std::iter::repeat(0.0)).take(longest)
            });
            Tensor::from_data(TensorData::new(rows.collect::<Vec<f32>>(), shape), device)
        };
        let whole = |values: Vec<i64>| Tensor::<2, Int>::from_data(TensorData::new(values, shape), device);

        let ids: Vec<i64> = sentences
            .iter()
            .flat_map(|sentence| padded(&sentence.ids))
            .collect();
        let types = sentences
            .iter()
            .flat_map(|sentence| padded(&sentence.types))
            .collect();
        let mut places: BTreeMap<i64, i64> = ids.iter().map(|&id| (id, 0)).collect();
        for (place, slot) in places.values_mut().enumerate() {
            *slot = place as i64;
        }
        let distinct: Vec<i64> = places.keys().copied().collect();
        let count = distinct.len();
        let ends = sentences.iter().enumerate();
        let ends = ends.map(|(row, sentence)| (row * longest + sentence.len() - 1) as i64);
        let ends: Vec<i64> = ends.collect();
        let place = ids.iter().map(|id| places[id]).collect();
        Ok(Self {
            types: whole(types),
            mask: flags(&|sentence| vec![1.0; sentence.len()]),
            special: flags(&|sentence| sentence.special.iter().map(|&flag| flag as f32).collect()),
            distinct: Tensor::from_data(TensorData::new(distinct, [count]), device),
            last: Tensor::from_data(TensorData::new(ends, [sentences.len()]), device),
            place: whole(place),
            ids: whole(ids),
            positions: None,
            lengths: sentences.iter().map(Encoded::len).collect(),
        })
    }

    /// The same tokens at other positions: for each sentence the rows of the position table that its tokens have, instead of one after the
    /// other from [`TextConfig::first_position`] on.
    ///
    /// Errors: another number of sentences or tokens, a row that the table does not have, a model without positions.
    pub fn with_positions(self, rows: &[Vec<usize>], config: &TextConfig) -> Result<Self, TextError> {
        let [_, longest] = self.shape();
        let table = config.position_rows();
        let wrong = |index: usize, problem: String| TextError::Sentence { index, problem };
        if rows.len() != self.lengths.len() {
            let problem = format!(
                "there are positions for {} sentences of {}",
                rows.len(),
                self.lengths.len()
            );
            return Err(wrong(0, problem));
        }
        for (index, (row, length)) in rows.iter().zip(&self.lengths).enumerate() {
            if row.len() != *length {
                return Err(wrong(
                    index,
                    format!("it has {length} tokens and {} positions", row.len()),
                ));
            }
            if let Some(beyond) = row.iter().find(|place| **place >= table) {
                return Err(wrong(
                    index,
                    format!("position {beyond} is not one of the {table} of the model"),
                ));
            }
        }
        let padded = rows.iter().flat_map(|row| {
            let own = row.iter().map(|&place| place as i64);
            own.chain(std::iter::repeat(0)).take(longest)
        });
        let values = TensorData::new(padded.collect::<Vec<i64>>(), self.shape());
        Ok(Self {
            positions: Some(Tensor::from_data(values, &self.ids.device())),
            ..self
        })
    }

    /// Some of the sentences, padded as before.
    ///
    /// # Panics
    ///
    /// If there are not as many.
    pub fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let length = self.shape()[1];
        let before = (rows.start * length) as i64;
        let range = || s![rows.clone(), ..];
        Self {
            ids: self.ids.clone().slice(range()),
            types: self.types.clone().slice(range()),
            mask: self.mask.clone().slice(range()),
            special: self.special.clone().slice(range()),
            last: self.last.clone().slice(s![rows.clone()]).sub_scalar(before),
            distinct: self.distinct.clone(),
            place: self.place.clone().slice(range()),
            positions: self.positions.as_ref().map(|all| all.clone().slice(range())),
            lengths: self.lengths[rows].to_vec(),
        }
    }

    /// The number of tokens of each sentence, without padding.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// `[B, T]`.
    pub fn shape(&self) -> [usize; 2] {
        self.ids.dims()
    }

    /// 1 for every token, 0 for padding: `[B, T]`.
    pub fn mask(&self) -> Tensor<2> {
        self.mask.clone()
    }

    /// 1 for tokens that are neither padding nor special, 0 elsewhere: `[B, T]`.
    pub fn words(&self) -> Tensor<2> {
        self.mask.clone() - self.special.clone()
    }

    /// The token ids, 0 at padding: `[B, T]`.
    pub fn ids(&self) -> Tensor<2, Int> {
        self.ids.clone()
    }

    /// The ids that occur, each once and in ascending order, that of padding included: `[U]`.
    pub fn distinct_ids(&self) -> Tensor<1, Int> {
        self.distinct.clone()
    }

    /// From one number a token, `[B, T]`, to one a distinct id, `[1, U]`: 1 where one of its tokens has 1.
    pub(super) fn of_distinct(&self, flags: Tensor<2>) -> Tensor<2> {
        let [batch, length] = self.shape();
        let count = self.distinct();
        let places = self.place.clone().reshape([1, batch * length]);
        let sums = Tensor::<2>::zeros([1, count], &flags.device()).scatter(
            1,
            places,
            flags.reshape([1, batch * length]),
            IndexingUpdateOp::Add,
        );
        sums.clamp_max(1.0)
    }

    /// The number of distinct ids.
    pub fn distinct(&self) -> usize {
        self.distinct.dims()[0]
    }
}

fn check(sentence: &Encoded, config: &TextConfig) -> Result<(), String> {
    let length = sentence.len();
    if length == 0 {
        return Err("it has no tokens".into());
    }
    if length > config.longest() {
        return Err(format!(
            "it has {length} tokens, the model takes at most {}: truncate it",
            config.longest()
        ));
    }
    if sentence.types.len() != length || sentence.special.len() != length {
        return Err("ids, types and special flags differ in number".into());
    }
    let largest = |row: &[u32]| row.iter().max().map_or(0, |&id| id as usize);
    if largest(&sentence.ids) >= config.vocabulary() {
        return Err(format!(
            "token id {} is not one of the {} of the vocabulary",
            largest(&sentence.ids),
            config.vocabulary()
        ));
    }
    if largest(&sentence.types) >= config.types() {
        return Err(format!(
            "token type {} is not one of the {} of the model",
            largest(&sentence.types),
            config.types()
        ));
    }
    Ok(())
}
