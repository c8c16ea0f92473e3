//! The LSTM: from token ids to one vector per token.

use super::TextError;
use super::encoder::{Delta, Place};
use super::lstm_config::LstmConfig;
use super::maker::Maker;
use super::tokens::Tokens;
use crate::Dropout;
use burn::module::{Module, Param};
use burn::tensor::module::embedding;
use burn::tensor::{Tensor, TensorData, s};

/// What a variance is raised by before its root is taken, as in the original program.
const EPSILON: f64 = 1e-6;

/// A unidirectional LSTM on normalised word embeddings (Miyato et al. 2017, section 2 and eq. 1).
///
/// The embedding of a word is its row of the table less the mean, over the deviation, both over the vocabulary with the frequencies of
/// the words as shares: without it a model would make its embeddings large, and perturbations of a fixed length small. Dropout
/// takes the same entries at all steps of a sentence, as the original program does (Gal and Ghahramani 2016).
///
/// The weights have PyTorch's names and layout (`torch.nn.LSTM`).
#[derive(Module, Debug)]
pub struct Lstm {
    words: Param<Tensor<2>>,
    /// Shares that sum to 1. Never trained.
    frequencies: Param<Tensor<1>>,
    weight_ih_l0: Param<Tensor<2>>,
    weight_hh_l0: Param<Tensor<2>>,
    bias_ih_l0: Param<Tensor<1>>,
    bias_hh_l0: Param<Tensor<1>>,
    dropout: Dropout,
}

impl Lstm {
    /// The table begins uniform in [-1, 1] (the original program), the LSTM as PyTorch's, all words equally frequent.
    pub(super) fn new(maker: &mut Maker<'_>, config: &LstmConfig) -> Self {
        let (words, width, cells) = (config.vocabulary, config.embedding, config.hidden);
        let bound = (cells as f32).sqrt().recip();
        Self {
            words: maker.uniform([words, width], 1.0),
            frequencies: maker.constant(words, 1.0 / words as f32),
            weight_ih_l0: maker.uniform([4 * cells, width], bound),
            weight_hh_l0: maker.uniform([4 * cells, cells], bound),
            bias_ih_l0: maker.uniform([4 * cells], bound),
            bias_hh_l0: maker.uniform([4 * cells], bound),
            dropout: maker.dropout(config.embedding_dropout),
        }
    }

    /// The word table as it is trained, not normalised: `[V, E]`.
    pub fn words(&self) -> Tensor<2> {
        self.words.val()
    }

    /// The same with other frequencies, whatever they sum to.
    pub(super) fn with_frequencies(self, frequencies: &[f64]) -> Result<Self, TextError> {
        let wrong = |problem: String| Err(TextError::Frequencies { problem });
        let [wanted] = self.frequencies.dims();
        if frequencies.len() != wanted {
            return wrong(format!("{} for a vocabulary of {wanted}", frequencies.len()));
        }
        if let Some(place) = frequencies.iter().position(|f| !(f.is_finite() && *f >= 0.0)) {
            return wrong(format!("that of token {place} is {}", frequencies[place]));
        }
        let total = frequencies.iter().fold(0.0, |sum, f| sum + f);
        if total <= 0.0 {
            return wrong("all of them are 0".into());
        }
        let shares: Vec<f32> = frequencies.iter().map(|f| (f / total) as f32).collect();
        let shares = Tensor::from_data(TensorData::new(shares, [wanted]), &self.frequencies.device());
        Ok(Self {
            frequencies: Param::from_tensor(shares),
            ..self
        })
    }

    /// The normalised embedding with dropout, `[B, T, E]`. A perturbation of words is added to it as it comes out, that of table rows
    /// to the normalised rows.
    pub(super) fn embed(&self, tokens: &Tokens, delta: Option<Delta>) -> Tensor<3> {
        let table = self.words.val();
        let moments = adv_ops::weighted_moments(table.clone(), self.frequencies.val());
        let mean: Tensor<2> = moments.clone().slice(s![0..1, ..]);
        let variance: Tensor<2> = moments.slice(s![1..2, ..]);
        let deviation = variance.add_scalar(EPSILON).sqrt();
        // Each word once.
        let rows = (table.select(0, tokens.distinct.clone()) - mean) / deviation;
        let (rows, after) = match delta {
            Some(delta) if delta.place == Place::Table => (rows + delta.values.squeeze_dim(0), None),
            Some(delta) => (rows, Some(delta.values)),
            None => (rows, None),
        };
        let embedded = self.dropout.forward_steps(embedding(rows, tokens.place.clone()));
        match after {
            Some(values) => embedded + values,
            None => embedded,
        }
    }

    /// What an embedding brings to the gates: `[B, T, E]` to `[B, T, 4H]`.
    pub(super) fn project(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let bias = self.bias_ih_l0.val() + self.bias_hh_l0.val();
        let rows = x.reshape([batch * length, width]);
        let gates = adv_ops::linear(rows, self.weight_ih_l0.val().transpose(), Some(bias));
        let [_, out] = gates.dims();
        gates.reshape([batch, length, out])
    }

    /// The outputs of all steps: `[B, T, 4H]` to `[B, T, H]`.
    pub(super) fn recur(&self, gates: Tensor<3>) -> Tensor<3> {
        adv_ops::lstm(gates, self.weight_hh_l0.val())
    }
}
