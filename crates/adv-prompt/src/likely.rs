//! The average of the tokens that a model finds likely at the mask.

use crate::PromptError;
use adv_models::text::{HeadKind, TextModel};
use adv_ops::embedding;
use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};
use std::path::PathBuf;

/// Who guesses the tokens at the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guesser {
    /// The model's masked-LM head.
    #[default]
    Head,
    /// The word table on the mask's hidden state, for a model whose head is lost. Our own stopgap: the published form has the head.
    WordTable,
}

/// The `k` likeliest tokens at the mask, whose static embeddings are averaged by their probabilities: `Σ p(v|h) w_v / Σ p(v|h)` over the
/// `k` (Jiang et al. 2022, Eq. 4, as a secondary source has it; its k is not known to us).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikelyTokens {
    /// How many, at least 1; all of the vocabulary if it has fewer.
    pub k: usize,
    /// Who guesses them.
    pub guesser: Guesser,
}

impl LikelyTokens {
    pub(crate) fn check(self, model: &TextModel) -> Result<(), PromptError> {
        let config = model.config();
        match self.guesser {
            Guesser::Head if model.head() != HeadKind::MaskedLm => Err(PromptError::NoHead {
                folder: PathBuf::from("memory"),
            }),
            Guesser::WordTable if config.embedding() != config.hidden() => Err(PromptError::Widths {
                embedding: config.embedding(),
                hidden: config.hidden(),
            }),
            _ => Ok(()),
        }
    }

    /// Ids of the likeliest tokens, `[B, k]`, and their logits, from the hidden states of masks, `[B, H]`.
    pub fn of(self, model: &TextModel, hidden: Tensor<2>) -> (Tensor<2, Int>, Tensor<2>) {
        let logits = match self.guesser {
            Guesser::Head => model.logits_of(hidden),
            Guesser::WordTable => hidden.matmul(model.body().words().transpose()),
        };
        let k = self.k.clamp(1, logits.dims()[1]);
        let (values, ids) = logits.topk_with_indices(k, 1);
        (ids, values)
    }

    /// Their average, `[B, H]` to `[B, E]`.
    pub fn average(self, model: &TextModel, hidden: Tensor<2>) -> Tensor<2> {
        let (ids, logits) = self.of(model, hidden);
        let rows = embedding(model.body().words(), ids);
        // Renormalised over the k: the softmax of their logits alone.
        let weights = softmax(logits, 1).unsqueeze_dim::<3>(1);
        weights.matmul(rows).squeeze_dim(1)
    }
}
