//! One layer of a transformer encoder.

use super::config::{Activation, EncoderConfig, Family};
use super::maker::Maker;
use super::norm::LayerNorm;
use crate::Dropout;
use adv_ops::masked_softmax;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{gelu_approximate, silu};
use burn::tensor::{Int, Tensor, s};

/// Self-attention and feed-forward part, each with a residual and layer normalisation behind it (Vaswani et al. 2017; BERT's
/// order).
#[derive(Module, Debug)]
pub struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    attention_dropout: Dropout,
    hidden_dropout: Dropout,
    output_dropout: Dropout,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    activation: Activation,
}

impl Block {
    pub(super) fn new(maker: &mut Maker<'_>, config: &EncoderConfig) -> Self {
        let (hidden, inner) = (config.hidden, config.intermediate);
        Self {
            query: maker.linear(hidden, hidden),
            key: maker.linear(hidden, hidden),
            value: maker.linear(hidden, hidden),
            attention_output: maker.linear(hidden, hidden),
            attention_norm: maker.norm(hidden, config.norm_epsilon),
            intermediate: maker.linear(hidden, inner),
            output: maker.linear(inner, hidden),
            output_norm: maker.norm(hidden, config.norm_epsilon),
            attention_dropout: maker.dropout(config.attention_dropout),
            hidden_dropout: maker.dropout(config.hidden_dropout),
            // ALBERT's has none there in `transformers`.
            output_dropout: maker.dropout(match config.family {
                Family::Albert => 0.0,
                Family::Bert | Family::Roberta => config.hidden_dropout,
            }),
            heads: config.heads,
            activation: config.activation,
        }
    }

    /// `[B, T, H]` to `[B, T, H]`. `mask`, `[B, T]`, is 1 at tokens and 0 at padding. `turn` tells the uses of a shared layer apart.
    pub(super) fn forward(&self, x: Tensor<3>, mask: Tensor<2>, turn: u32) -> Tensor<3> {
        let [batch, length, hidden] = x.dims();
        let rows = x.reshape([batch * length, hidden]);
        let out = self.rows(rows.clone(), rows, mask, length, turn);
        out.reshape([batch, length, hidden])
    }

    /// The same for one token of each sentence alone, `asked`, `[B, T, H]` to `[B, H]`: all that a head on it needs of the last layer.
    /// It still sees all tokens.
    pub(super) fn one(&self, x: Tensor<3>, asked: Tensor<2>, mask: Tensor<2>, turn: u32) -> Tensor<2> {
        let [batch, length, hidden] = x.dims();
        self.rows(asked, x.reshape([batch * length, hidden]), mask, 1, turn)
    }

    /// `asked` rows of each sentence, which attend to `seen`, all of its rows.
    fn rows(
        &self,
        asked: Tensor<2>,
        seen: Tensor<2>,
        mask: Tensor<2>,
        of_each: usize,
        turn: u32,
    ) -> Tensor<2> {
        let attended = self.attend(asked.clone(), seen, mask, of_each, turn);
        let attended = linear(&self.attention_output, attended);
        let attended = self.hidden_dropout.apply(attended, turn);
        let rows = self.attention_norm.forward(attended + asked);

        let inner = activate(self.activation, linear(&self.intermediate, rows.clone()));
        let out = self.output_dropout.apply(linear(&self.output, inner), turn);
        self.output_norm.forward(out + rows)
    }

    /// Scaled dot-product attention: rows `[B * A, H]` and `[B * T, H]` to rows `[B * A, H]`.
    fn attend(
        &self,
        asked: Tensor<2>,
        seen: Tensor<2>,
        mask: Tensor<2>,
        of_each: usize,
        turn: u32,
    ) -> Tensor<2> {
        let [batch, length] = mask.dims();
        let [count, hidden] = asked.dims();
        let width = hidden / self.heads;
        let split = |layer: &Linear, rows: Tensor<2>, of_each: usize| {
            let parts = linear(layer, rows).reshape([batch, of_each, self.heads, width]);
            parts.swap_dims(1, 2)
        };
        let query = split(&self.query, asked, of_each);
        let scores = query.matmul(split(&self.key, seen.clone(), length).transpose());
        let shares = masked_softmax(scores, mask, (width as f64).sqrt().recip());
        let shares = self.attention_dropout.apply(shares, turn);
        let mixed = shares.matmul(split(&self.value, seen, length)).swap_dims(1, 2);
        mixed.reshape([count, hidden])
    }
}

/// The first row of each sentence: `[B, T, H]` to `[B, H]`.
pub(super) fn first_rows(x: Tensor<3>) -> Tensor<2> {
    let [batch, _, hidden] = x.dims();
    let first: Tensor<3> = x.slice(s![.., 0..1, ..]);
    first.reshape([batch, hidden])
}

/// The rows at these places of a batch read row by row: `[B, T, H]` and `[N]` to `[N, H]`.
pub(super) fn rows_at(x: Tensor<3>, places: Tensor<1, Int>) -> Tensor<2> {
    let [batch, length, hidden] = x.dims();
    x.reshape([batch * length, hidden]).select(0, places)
}

/// A linear layer on rows: `[N, I]` to `[N, O]`. Of rank 2, since Burn makes the weight gradient of a tensor of rank 3 batch row
/// by batch row.
pub(super) fn linear(layer: &Linear, rows: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    adv_ops::linear(rows, layer.weight.val(), bias)
}

/// The non-linearity.
pub(super) fn activate<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::Gelu => adv_ops::gelu(x),
        Activation::GeluTanh => gelu_approximate(x),
        Activation::Relu => adv_ops::relu(x),
        Activation::Silu => silu(x),
    }
}
