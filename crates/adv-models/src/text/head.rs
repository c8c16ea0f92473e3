//! What stands on the vectors of tokens: a classifier, a regression, or a language model.

use super::block::{activate, linear};
use super::config::{Activation, EncoderConfig, Family};
use super::lstm_config::LstmConfig;
use super::maker::Maker;
use super::norm::LayerNorm;
use super::text_config::TextConfig;
use crate::Dropout;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;

/// The kinds of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// Logits for this many classes.
    Classes(usize),
    /// One number.
    Regression,
    /// Logits for every token of the vocabulary, for tokens that were hidden; on a transformer.
    MaskedLm,
    /// The same for the token that follows; on an LSTM.
    NextToken,
    /// None: the vectors of the tokens are what is wanted.
    None,
}

impl HeadKind {
    /// The outputs of a head on a whole sentence; none for the others.
    pub(super) fn outputs(self) -> Option<usize> {
        match self {
            HeadKind::Classes(classes) => Some(classes),
            HeadKind::Regression => Some(1),
            HeadKind::MaskedLm | HeadKind::NextToken | HeadKind::None => None,
        }
    }
}

/// A head.
#[derive(Module, Debug)]
pub enum Head {
    /// On the vector of the first token.
    Sequence(SequenceHead),
    /// On the vector of the last token of an LSTM.
    Last(LastHead),
    /// On the vectors of single tokens.
    MaskedLm(MaskedLmHead),
    /// On the vectors of single tokens of an LSTM.
    NextToken(NextTokenHead),
}

impl Head {
    /// A head of this kind for a model that it goes with.
    pub(super) fn new(maker: &mut Maker<'_>, config: &TextConfig, kind: HeadKind) -> Option<Self> {
        Some(match (config, kind, kind.outputs()) {
            (TextConfig::Transformer(config), _, Some(outputs)) => {
                Head::Sequence(SequenceHead::new(maker, config, outputs))
            }
            (TextConfig::Transformer(config), HeadKind::MaskedLm, None) => {
                Head::MaskedLm(MaskedLmHead::new(maker, config))
            }
            (TextConfig::Lstm(config), _, Some(outputs)) => Head::Last(LastHead::new(maker, config, outputs)),
            (TextConfig::Lstm(config), HeadKind::NextToken, None) => {
                Head::NextToken(NextTokenHead::new(maker, config))
            }
            _ => return None,
        })
    }
}

/// A tanh layer on the first token (BERT's pooler), dropout and a linear layer.
///
/// RoBERTa has no pooler and another dropout before its own tanh layer.
#[derive(Module, Debug)]
pub struct SequenceHead {
    dense: Linear,
    out: Linear,
    before: Option<Dropout>,
    dropout: Dropout,
}

impl SequenceHead {
    pub(super) fn new(maker: &mut Maker<'_>, config: &EncoderConfig, outputs: usize) -> Self {
        let roberta = config.family == Family::Roberta;
        Self {
            dense: maker.linear(config.hidden, config.hidden),
            out: maker.linear(config.hidden, outputs),
            before: roberta.then(|| maker.dropout(config.classifier_dropout)),
            dropout: maker.dropout(config.classifier_dropout),
        }
    }

    /// Vectors of first tokens, `[B, H]`, to outputs `[B, O]`.
    pub(super) fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        let first = match &self.before {
            Some(dropout) => dropout.apply(first, 0),
            None => first,
        };
        let pooled = linear(&self.dense, first).tanh();
        linear(&self.out, self.dropout.apply(pooled, 0))
    }
}

/// A linear layer, a non-linearity, layer normalisation, and the word table as the last layer (tied), with a bias.
#[derive(Module, Debug)]
pub struct MaskedLmHead {
    dense: Linear,
    norm: LayerNorm,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl MaskedLmHead {
    pub(super) fn new(maker: &mut Maker<'_>, config: &EncoderConfig) -> Self {
        Self {
            dense: maker.linear(config.hidden, config.embedding),
            norm: maker.norm(config.embedding, config.norm_epsilon),
            bias: maker.vector(config.vocabulary),
            activation: match config.family {
                // Fixed there, whatever the layers use.
                Family::Roberta => Activation::Gelu,
                Family::Bert | Family::Albert => config.activation,
            },
        }
    }

    /// Vectors of tokens `[N, H]` and the word table `[V, E]` to logits `[N, V]`.
    pub(super) fn forward(&self, rows: Tensor<2>, words: Tensor<2>) -> Tensor<2> {
        let x = self
            .norm
            .forward(activate(self.activation, linear(&self.dense, rows)));
        x.matmul(words.transpose()) + self.bias.val().unsqueeze()
    }
}

/// A layer with ReLU, dropout and a linear layer (Miyato et al. 2017, section 4).
#[derive(Module, Debug)]
pub struct LastHead {
    dense: Linear,
    out: Linear,
    dropout: Dropout,
}

impl LastHead {
    pub(super) fn new(maker: &mut Maker<'_>, config: &LstmConfig, outputs: usize) -> Self {
        Self {
            dense: maker.fan_in_linear(config.hidden, config.classifier),
            out: maker.fan_in_linear(config.classifier, outputs),
            dropout: maker.dropout(config.classifier_dropout),
        }
    }

    /// Vectors of last tokens, `[B, H]`, to outputs `[B, O]`.
    pub(super) fn forward(&self, last: Tensor<2>) -> Tensor<2> {
        let inner = adv_ops::relu(linear(&self.dense, last));
        linear(&self.out, self.dropout.apply(inner, 0))
    }
}

/// A linear layer to the vocabulary.
#[derive(Module, Debug)]
pub struct NextTokenHead {
    decoder: Linear,
}

impl NextTokenHead {
    pub(super) fn new(maker: &mut Maker<'_>, config: &LstmConfig) -> Self {
        Self {
            decoder: maker.fan_in_linear(config.hidden, config.vocabulary),
        }
    }

    /// Vectors of tokens `[N, H]` to logits `[N, V]`.
    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let bias = self.decoder.bias.as_ref().map(|bias| bias.val());
        adv_ops::linear(rows, self.decoder.weight.val(), bias)
    }
}
