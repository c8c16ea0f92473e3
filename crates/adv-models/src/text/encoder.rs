//! The encoder: from token ids to one vector per token.

use super::block::{Block, first_rows, linear};
use super::config::{EncoderConfig, Family};
use super::maker::Maker;
use super::norm::LayerNorm;
use super::tokens::Tokens;
use crate::Dropout;
use adv_ops::embedding;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Tensor, s};

/// Where a perturbation is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// To the output of the word embedding, `[B, T, E]`: positions, types, normalisation and dropout follow (FreeLB's). Of an LSTM
    /// it is the normalised embedding, behind its dropout (the program of Miyato et al. 2017).
    #[default]
    Words,
    /// To the sum of word, position and type embedding, `[B, T, E]`; normalisation and dropout follow. Not of an LSTM.
    Sum,
    /// To the rows of the word table that occur in the batch, `[1, U, E]`: all occurrences of a word move alike. With a
    /// norm over the whole tensor this is the FGM that perturbs the embedding matrix, since all other rows have no gradient. Of an
    /// LSTM the rows are the normalised ones, before dropout.
    Table,
}

/// A perturbation and its place.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    pub(super) place: Place,
    pub(super) values: Tensor<3>,
}

/// A transformer encoder of the BERT family (Devlin et al. 2019, Liu et al. 2019, Lan et al. 2020).
#[derive(Module, Debug)]
pub struct Encoder {
    words: Param<Tensor<2>>,
    positions: Param<Tensor<2>>,
    types: Param<Tensor<2>>,
    norm: LayerNorm,
    up: Option<Linear>,
    layer: Vec<Block>,
    dropout: Dropout,
    #[module(skip)]
    depth: usize,
    #[module(skip)]
    first_position: usize,
}

impl Encoder {
    pub(super) fn new(maker: &mut Maker<'_>, config: &EncoderConfig) -> Self {
        let width = config.embedding;
        let shared = config.family == Family::Albert;
        Self {
            words: maker.matrix([config.vocabulary, width]),
            positions: maker.matrix([config.positions, width]),
            types: maker.matrix([config.types.max(1), width]),
            norm: maker.norm(width, config.norm_epsilon),
            dropout: maker.dropout(config.hidden_dropout),
            up: shared.then(|| maker.linear(width, config.hidden)),
            layer: (0..if shared { 1 } else { config.layers })
                .map(|_| Block::new(maker, config))
                .collect(),
            depth: config.layers,
            first_position: config.first_position,
        }
    }

    /// The word table, `[V, E]`.
    pub fn words(&self) -> Tensor<2> {
        self.words.val()
    }

    /// Layers with weights of their own.
    pub(super) fn layers(&self) -> usize {
        self.layer.len()
    }

    /// Embedding and the first `layers` layers: `[B, T, H]`.
    pub(super) fn below(&self, tokens: &Tokens, delta: Option<Delta>, layers: usize) -> Tensor<3> {
        let x = self.embed(tokens, delta);
        self.run(x, tokens, 0..layers.min(self.depth))
    }

    /// All layers from number `layers` on.
    pub(super) fn above(&self, x: Tensor<3>, tokens: &Tokens, layers: usize) -> Tensor<3> {
        self.run(x, tokens, layers.min(self.depth)..self.depth)
    }

    /// The vector of the first token of each sentence, `[B, H]`, all layers from number `layers` on. The last layer is not run for
    /// the other tokens.
    pub(super) fn first_above(&self, x: Tensor<3>, tokens: &Tokens, layers: usize) -> Tensor<2> {
        self.one_above(x, tokens, layers, first_rows)
    }

    /// The vectors of the tokens that `pick` takes, one a sentence, likewise: `[B, T, H]` to `[B, H]`.
    pub(super) fn one_above(
        &self,
        x: Tensor<3>,
        tokens: &Tokens,
        layers: usize,
        pick: impl FnOnce(Tensor<3>) -> Tensor<2>,
    ) -> Tensor<2> {
        if layers >= self.depth {
            return pick(x);
        }
        let last = self.depth - 1;
        let x = self.run(x, tokens, layers..last);
        let asked = pick(x.clone());
        self.block(last).one(x, asked, tokens.mask.clone(), last as u32)
    }

    /// Shared layers are one block that takes every turn.
    fn block(&self, index: usize) -> &Block {
        &self.layer[index.min(self.layer.len() - 1)]
    }

    fn run(&self, mut x: Tensor<3>, tokens: &Tokens, layers: std::ops::Range<usize>) -> Tensor<3> {
        for index in layers {
            x = self.block(index).forward(x, tokens.mask.clone(), index as u32);
        }
        x
    }

    /// The embedding, normalised, with dropout, as wide as the layers: `[B, T, H]`.
    pub(super) fn embed(&self, tokens: &Tokens, delta: Option<Delta>) -> Tensor<3> {
        let [batch, length] = tokens.shape();
        let added = |here: Place, x: Tensor<3>| match &delta {
            Some(delta) if delta.place == here => x + delta.values.clone(),
            _ => x,
        };
        let words = match &delta {
            Some(delta) if delta.place == Place::Table => {
                let rows = self.words.val().select(0, tokens.distinct.clone());
                embedding(rows + delta.values.clone().squeeze_dim(0), tokens.place.clone())
            }
            _ => embedding(self.words.val(), tokens.ids.clone()),
        };
        let first = self.first_position;
        let positions: Tensor<3> = match &tokens.positions {
            Some(rows) => embedding(self.positions.val(), rows.clone()),
            None => {
                let rows: Tensor<2> = self.positions.val().slice(s![first..first + length, ..]);
                rows.unsqueeze()
            }
        };
        let types = embedding(self.types.val(), tokens.types.clone());
        let sum = added(Place::Words, words) + types + positions;
        let [_, _, width] = sum.dims();
        let rows = added(Place::Sum, sum).reshape([batch * length, width]);
        let rows = self.dropout.apply(self.norm.forward(rows), 0);
        let rows = match &self.up {
            None => rows,
            Some(up) => linear(up, rows),
        };
        let [_, hidden] = rows.dims();
        rows.reshape([batch, length, hidden])
    }
}
