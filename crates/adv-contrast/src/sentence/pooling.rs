//! From one vector per token to one per sentence.

use adv_models::text::{TextModel, Tokens};
use burn::tensor::Tensor;

/// How the vector of a sentence is made of its tokens'. Padding has no part in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// The first token's; of an LSTM the last one's.
    Cls,
    /// The mean.
    #[default]
    Mean,
    /// The largest of each dimension.
    Max,
    /// The sum over the square root of the number of tokens.
    MeanSqrtLength,
    /// The mean of the means over the first layer and over the last (`avg_first_last` of SimCSE's program).
    FirstLast,
    /// The mean over the tokens with this id, such as the mask token of a prompt. Zero where there is none.
    Token(u32),
}

impl Pooling {
    /// Vectors of sentences, `[B, H]`; `delta` is added at the model's place.
    pub fn vectors(self, model: &TextModel, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        match self {
            Pooling::Cls => model.sentence_vectors(tokens, delta),
            Pooling::Mean => mean(model.hidden(tokens, delta), tokens.mask()),
            Pooling::MeanSqrtLength => {
                let mask = tokens.mask();
                let length = mask.clone().sum_dim(1).sqrt();
                mean(model.hidden(tokens, delta), mask) * length
            }
            Pooling::Max => {
                let hidden = model.hidden(tokens, delta);
                // Below every value of a network in 32 bits that is still one.
                let padding = (tokens.mask() - 1.0).mul_scalar(1e30).unsqueeze_dim::<3>(2);
                (hidden + padding).max_dim(1).squeeze_dim(1)
            }
            Pooling::FirstLast => {
                let [first, last] = model.first_and_last(tokens, delta);
                mean((first + last).mul_scalar(0.5), tokens.mask())
            }
            Pooling::Token(id) => {
                let here = tokens.ids().equal_elem(i64::from(id)).float() * tokens.mask();
                mean(model.hidden(tokens, delta), here)
            }
        }
    }
}

/// The mean over the tokens where `mask` is 1, `[B, T, H]` and `[B, T]` to `[B, H]`; zero where there is none.
fn mean(hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
    let count = mask.clone().sum_dim(1).clamp_min(1.0);
    let weights = (mask / count).unsqueeze_dim::<3>(1);
    weights.matmul(hidden).squeeze_dim(1)
}
