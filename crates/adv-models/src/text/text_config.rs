//! The configuration of a model of any kind.

use super::config::{EncoderConfig, labels, object};
use super::{HeadKind, LstmConfig, TextError};
use serde_json::{Map, Value};
use std::path::Path;

/// The configuration of a text model: `config.json` of its folder.
#[derive(Debug, Clone, PartialEq)]
pub enum TextConfig {
    /// A transformer encoder of the BERT family.
    Transformer(EncoderConfig),
    /// An LSTM on normalised embeddings.
    Lstm(LstmConfig),
}

impl From<EncoderConfig> for TextConfig {
    fn from(config: EncoderConfig) -> Self {
        TextConfig::Transformer(config)
    }
}

impl From<LstmConfig> for TextConfig {
    fn from(config: LstmConfig) -> Self {
        TextConfig::Lstm(config)
    }
}

impl TextConfig {
    /// Reads `config.json` of a model folder.
    ///
    /// Errors: no such file, no JSON, a kind of model that is not built here, and those of the kind.
    pub fn read(folder: &Path) -> Result<Self, TextError> {
        let path = folder.join("config.json");
        Self::from_json(object(&path)?, &path)
    }

    /// The same from the object itself; `path` is for errors.
    pub fn from_json(raw: Map<String, Value>, path: &Path) -> Result<Self, TextError> {
        match raw.get("model_type").and_then(Value::as_str) {
            Some(LstmConfig::TYPE) => LstmConfig::from_json(raw, path).map(Self::from),
            _ => EncoderConfig::from_json(raw, path).map(Self::from),
        }
    }

    /// Tokens of the vocabulary.
    pub fn vocabulary(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.vocabulary,
            TextConfig::Lstm(config) => config.vocabulary,
        }
    }

    /// Width of the word embedding.
    pub fn embedding(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.embedding,
            TextConfig::Lstm(config) => config.embedding,
        }
    }

    /// Width of the vector of a token.
    pub fn hidden(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.hidden,
            TextConfig::Lstm(config) => config.hidden,
        }
    }

    /// Token types that may be named: an LSTM takes any two and makes no difference.
    pub(super) fn types(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.types.max(1),
            TextConfig::Lstm(_) => 2,
        }
    }

    /// The longest sequence of tokens, special ones included. An LSTM has no bound.
    pub fn longest(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.longest(),
            TextConfig::Lstm(_) => usize::MAX,
        }
    }

    /// The row of the position table that the first token has: RoBERTa's begin two rows late. An LSTM has none.
    pub fn first_position(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.first_position,
            TextConfig::Lstm(_) => 0,
        }
    }

    /// Rows of the position table; none of an LSTM.
    pub(super) fn position_rows(&self) -> usize {
        match self {
            TextConfig::Transformer(config) => config.positions,
            TextConfig::Lstm(_) => 0,
        }
    }

    /// The share of the multiply-adds that embedding and first layer make. Layers of a transformer are of one size; of an LSTM it is
    /// what the inputs bring to the gates. Heads are small beside them.
    pub fn first_layer_share(&self) -> f64 {
        match self {
            TextConfig::Transformer(config) => 1.0 / config.layers.max(1) as f64,
            TextConfig::Lstm(config) => config.embedding as f64 / (config.embedding + config.hidden) as f64,
        }
    }

    /// Whether a head goes with this kind of model.
    pub(super) fn takes(&self, head: HeadKind) -> Result<(), TextError> {
        match (self, head) {
            (TextConfig::Lstm(_), HeadKind::MaskedLm) => Err(TextError::Head {
                head: "hidden tokens",
                needs: "a transformer, which sees both sides of them; an LSTM guesses the next token",
            }),
            (TextConfig::Transformer(_), HeadKind::NextToken) => Err(TextError::Head {
                head: "the next token",
                needs: "an LSTM: a transformer of the BERT family sees what follows",
            }),
            _ => Ok(()),
        }
    }

    /// Standard deviation of first weights; those of an LSTM have rules of their own.
    pub(super) fn deviation(&self) -> f64 {
        match self {
            TextConfig::Transformer(config) => config.initializer_range,
            TextConfig::Lstm(_) => 0.0,
        }
    }

    /// The names of the classes of a classification head, in order; none where the file names none.
    pub fn labels(&self) -> Option<Vec<String>> {
        labels(self.raw())
    }

    /// The whole file.
    pub fn raw(&self) -> &Map<String, Value> {
        match self {
            TextConfig::Transformer(config) => &config.raw,
            TextConfig::Lstm(config) => &config.raw,
        }
    }
}
