//! What makes vectors of tokens: a transformer or an LSTM.

use super::block::rows_at;
use super::encoder::{Delta, Encoder};
use super::lstm::Lstm;
use super::maker::Maker;
use super::text_config::TextConfig;
use super::tokens::Tokens;
use burn::module::{Module, ParamGroup};
use burn::tensor::{Int, Tensor};

/// What makes vectors of tokens.
#[derive(Module, Debug)]
pub enum Body {
    /// A transformer encoder of the BERT family. A sentence is the vector of its first token.
    Transformer(Encoder),
    /// An LSTM on normalised embeddings. A sentence is the vector of its last token.
    Lstm(Lstm),
}

impl Body {
    pub(super) fn new(maker: &mut Maker<'_>, config: &TextConfig) -> Self {
        match config {
            TextConfig::Transformer(config) => Body::Transformer(Encoder::new(maker, config)),
            TextConfig::Lstm(config) => Body::Lstm(Lstm::new(maker, config)),
        }
    }

    /// The word table, `[V, E]`.
    pub fn words(&self) -> Tensor<2> {
        match self {
            Body::Transformer(encoder) => encoder.words(),
            Body::Lstm(lstm) => lstm.words(),
        }
    }

    /// The embedding and the first `layers` layers. The one layer of an LSTM ends where its gates begin, so that
    /// what it gives has their width.
    pub(super) fn below(&self, tokens: &Tokens, delta: Option<Delta>, layers: usize) -> Tensor<3> {
        match self {
            Body::Transformer(encoder) => encoder.below(tokens, delta, layers),
            Body::Lstm(lstm) if layers == 0 => lstm.embed(tokens, delta),
            Body::Lstm(lstm) => lstm.project(lstm.embed(tokens, delta)),
        }
    }

    /// One vector per token, `[B, T, H]`, from what comes out of the first `layers` layers.
    pub(super) fn above(&self, x: Tensor<3>, tokens: &Tokens, layers: usize) -> Tensor<3> {
        match self {
            Body::Transformer(encoder) => encoder.above(x, tokens, layers),
            Body::Lstm(lstm) if layers == 0 => lstm.recur(lstm.project(x)),
            Body::Lstm(lstm) => lstm.recur(x),
        }
    }

    /// One vector per sentence, `[B, H]`, likewise.
    pub(super) fn sentences_above(&self, x: Tensor<3>, tokens: &Tokens, layers: usize) -> Tensor<2> {
        match self {
            Body::Transformer(encoder) => encoder.first_above(x, tokens, layers),
            Body::Lstm(_) => rows_at(self.above(x, tokens, layers), tokens.last.clone()),
        }
    }

    /// The vectors of the tokens at these places of the batch read row by row, one a sentence, likewise.
    pub(super) fn vectors_above(
        &self,
        x: Tensor<3>,
        tokens: &Tokens,
        layers: usize,
        places: Tensor<1, Int>,
    ) -> Tensor<2> {
        match self {
            Body::Transformer(encoder) => encoder.one_above(x, tokens, layers, |x| rows_at(x, places)),
            Body::Lstm(_) => rows_at(self.above(x, tokens, layers), places),
        }
    }

    /// The parameters by depth: the embedding first, then each layer. Shared layers are one.
    pub(super) fn depths(&self) -> Vec<ParamGroup> {
        // The name of a variant is part of a path.
        let of = |variant: &str, parts: &[&str]| {
            let paths = parts.iter().map(|part| format!("encoder.{variant}.{part}"));
            ParamGroup::from_any_predicates(paths.collect())
        };
        match self {
            Body::Transformer(encoder) => {
                let of = |parts: &[&str]| of("Transformer", parts);
                let mut groups = vec![of(&["words", "positions", "types", "norm", "up"])];
                groups.extend((0..encoder.layers()).map(|layer| of(&[&format!("layer.{layer}.")])));
                groups
            }
            Body::Lstm(_) => vec![of("Lstm", &["words"]), of("Lstm", &["weight_", "bias_"])],
        }
    }
}
