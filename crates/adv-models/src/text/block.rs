//! One layer of a transformer encoder.

use super::config::{Activation, EncoderConfig, Family};
use super::maker::Maker;
use crate::Dropout;
use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, gelu_approximate, silu, softmax};

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

    /// `[B, T, H]` to `[B, T, H]`. `bias`, `[B, 1, 1, T]`, is added to the attention scores. `turn` tells the uses of a
    /// shared layer apart.
    pub(super) fn forward(&self, x: Tensor<3>, bias: Tensor<4>, turn: u32) -> Tensor<3> {
        let [batch, length, hidden] = x.dims();
        let rows = x.reshape([batch * length, hidden]);
        let attended = self.attend(rows.clone(), bias, [batch, length, hidden], turn);
        let attended = linear(&self.attention_output, attended);
        let attended = self.hidden_dropout.apply(attended, turn);
        let rows = self.attention_norm.forward(attended + rows);

        let inner = activate(self.activation, linear(&self.intermediate, rows.clone()));
        let out = self.output_dropout.apply(linear(&self.output, inner), turn);
        let rows = self.output_norm.forward(out + rows);
        rows.reshape([batch, length, hidden])
    }

    /// Scaled dot-product attention: rows `[B * T, H]` to rows.
    fn attend(&self, rows: Tensor<2>, bias: Tensor<4>, shape: [usize; 3], turn: u32) -> Tensor<2> {
        let [batch, length, hidden] = shape;
        let width = hidden / self.heads;
        let split = |layer: &Linear| {
            let parts = linear(layer, rows.clone()).reshape([batch, length, self.heads, width]);
            parts.swap_dims(1, 2)
        };
        let query = split(&self.query).mul_scalar((width as f64).sqrt().recip());
        let scores = query.matmul(split(&self.key).transpose()) + bias;
        let shares = self.attention_dropout.apply(softmax(scores, 3), turn);
        let mixed = shares.matmul(split(&self.value)).swap_dims(1, 2);
        mixed.reshape([batch * length, hidden])
    }
}

/// A linear layer on rows: `[N, I]` to `[N, O]`. Of rank 2, since Burn makes the weight gradient of a tensor of rank 3 batch row
/// by batch row.
pub(super) fn linear(layer: &Linear, rows: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    burn::tensor::module::linear(rows, layer.weight.val(), bias)
}

/// The non-linearity.
pub(super) fn activate<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_approximate(x),
        Activation::Relu => adv_ops::relu(x),
        Activation::Silu => silu(x),
    }
}
