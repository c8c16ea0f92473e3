//! What `config.json` of an LSTM's folder says.

use super::TextError;
use super::config::Keys;
use serde_json::{Map, Value};
use std::path::Path;

/// Sizes and details of the LSTM of Miyato et al. 2017, as `config.json` has them.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmConfig {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Width of the word embedding.
    pub embedding: usize,
    /// Cells of the LSTM.
    pub hidden: usize,
    /// Width of the layer between the LSTM and the outputs of a classifier.
    pub classifier: usize,
    /// Dropout of the embedding: one mask for all steps of a sentence.
    pub embedding_dropout: f64,
    /// Dropout before the outputs of a classifier.
    pub classifier_dropout: f64,
    /// The whole file: what is not read here is kept when a model is saved.
    pub raw: Map<String, Value>,
}

impl LstmConfig {
    /// `model_type` of these folders, which are of our own making.
    pub const TYPE: &'static str = "miyato_lstm";

    /// Reads the object of a `config.json`; `path` is for errors. What may be left out has the sizes of the paper.
    ///
    /// Errors: no size of the vocabulary, a size that is no number.
    pub fn from_json(raw: Map<String, Value>, path: &Path) -> Result<Self, TextError> {
        let keys = Keys { path, map: &raw };
        keys.one_of("model_type", &[(Self::TYPE, ())], None)?;
        let size = |key: &str, usual: usize| match raw.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(_) => keys.count(key),
        };
        Ok(Self {
            vocabulary: keys.count("vocab_size")?,
            embedding: size("embedding_size", 256)?,
            hidden: size("hidden_size", 1024)?,
            classifier: size("classifier_size", 30)?,
            embedding_dropout: keys.share_or("embedding_dropout", 0.5)?,
            classifier_dropout: keys.share_or("classifier_dropout", 0.0)?,
            raw: raw.clone(),
        })
    }
}
