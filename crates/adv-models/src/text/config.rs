//! What `config.json` of a model folder says.

use super::TextError;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The families of encoders. They differ in names, in the first position, and in what layers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// RoBERTa (Liu et al. 2019), with XLM-RoBERTa and CamemBERT: positions begin behind that of the padding token.
    Roberta,
    /// ALBERT (Lan et al. 2020): all layers share their weights, the embedding is narrower than the layers.
    Albert,
}

impl Family {
    /// `model_type` values and what they are.
    const TYPES: [(&'static str, Family); 5] = [
        ("bert", Family::Bert),
        ("roberta", Family::Roberta),
        ("xlm-roberta", Family::Roberta),
        ("camembert", Family::Roberta),
        ("albert", Family::Albert),
    ];

    /// The prefix of the encoder's tensors in a file of a whole model.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Family::Bert => "bert.",
            Family::Roberta => "roberta.",
            Family::Albert => "albert.",
        }
    }
}

/// The non-linearity of the feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, exact.
    Gelu,
    /// `x Φ(x)` by the hyperbolic tangent: `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x σ(x)`.
    Silu,
}

impl Activation {
    const NAMES: [(&'static str, Activation); 8] = [
        ("gelu", Activation::Gelu),
        ("gelu_python", Activation::Gelu),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_fast", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("swish", Activation::Silu),
    ];
}

/// Sizes and details of an encoder, as `config.json` has them.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// The family.
    pub family: Family,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Width of the word embedding.
    pub embedding: usize,
    /// Width of the layers.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate: usize,
    /// Its non-linearity.
    pub activation: Activation,
    /// Epsilon of layer normalisation.
    pub norm_epsilon: f64,
    /// Rows of the position table.
    pub positions: usize,
    /// The row of the first token.
    pub first_position: usize,
    /// Token types (sentence A, sentence B).
    pub types: usize,
    /// Dropout behind embeddings and layers.
    pub hidden_dropout: f64,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
    /// Dropout before a classification head.
    pub classifier_dropout: f64,
    /// Standard deviation of first weights.
    pub initializer_range: f64,
    /// The whole file: what is not read here is kept when a model is saved.
    pub raw: Map<String, Value>,
}

/// Reads keys of one file, with errors that name both.
pub(super) struct Keys<'a> {
    pub(super) path: &'a Path,
    pub(super) map: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn wrong(&self, key: &str, expected: &'static str) -> TextError {
        TextError::Config {
            path: self.path.to_path_buf(),
            key: key.into(),
            expected,
            found: self.map.get(key).map_or("nothing".into(), Value::to_string),
        }
    }

    pub(super) fn count(&self, key: &str) -> Result<usize, TextError> {
        let value = self.map.get(key).and_then(Value::as_u64);
        let value = value
            .and_then(|value| usize::try_from(value).ok())
            .filter(|&value| value > 0);
        value.ok_or_else(|| self.wrong(key, "a whole number of at least 1"))
    }

    fn count_or(&self, key: &str, default: usize) -> Result<usize, TextError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(default),
            // 0 is legal where there may be none: the padding token, say.
            Some(value) => match value.as_u64().and_then(|value| usize::try_from(value).ok()) {
                Some(value) => Ok(value),
                None => Err(self.wrong(key, "a whole number")),
            },
        }
    }

    pub(super) fn share_or(&self, key: &str, default: f64) -> Result<f64, TextError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => match value.as_f64() {
                Some(value) if (0.0..1.0).contains(&value) => Ok(value),
                _ => Err(self.wrong(key, "a number from 0 to below 1")),
            },
        }
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        key: &str,
        names: &[(&'static str, T)],
        default: Option<T>,
    ) -> Result<T, TextError> {
        let found = match (self.map.get(key), default) {
            (None | Some(Value::Null), Some(default)) => return Ok(default),
            (value, _) => value.and_then(Value::as_str),
        };
        let hit = found.and_then(|found| names.iter().find(|(name, _)| *name == found));
        hit.map(|(_, value)| *value).ok_or_else(|| TextError::Unknown {
            path: self.path.to_path_buf(),
            key: key.into(),
            found: found.unwrap_or("nothing").into(),
            known: names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        })
    }
}

impl EncoderConfig {
    /// Reads `config.json` of a model folder.
    ///
    /// Errors: no such file, no JSON, a family or activation that is not built here, a size that is missing or no number,
    /// a width that its heads do not divide.
    pub fn read(folder: &Path) -> Result<Self, TextError> {
        let path = folder.join("config.json");
        Self::from_json(object(&path)?, &path)
    }

    /// The same from the object itself; `path` is for errors.
    pub fn from_json(raw: Map<String, Value>, path: &Path) -> Result<Self, TextError> {
        let keys = Keys { path, map: &raw };
        let family = keys.one_of("model_type", &Family::TYPES, None)?;
        let hidden = keys.count("hidden_size")?;
        // Their own defaults, where a file is silent.
        let (activation, dropout, pad) = match family {
            Family::Albert => (Activation::GeluTanh, 0.0, 0),
            Family::Bert => (Activation::Gelu, 0.1, 0),
            Family::Roberta => (Activation::Gelu, 0.1, 1),
        };
        let pad = keys.count_or("pad_token_id", pad)?;
        let hidden_dropout = keys.share_or("hidden_dropout_prob", dropout)?;
        let config = Self {
            family,
            vocabulary: keys.count("vocab_size")?,
            embedding: match family {
                Family::Albert => keys.count("embedding_size")?,
                Family::Bert | Family::Roberta => hidden,
            },
            hidden,
            layers: keys.count("num_hidden_layers")?,
            heads: keys.count("num_attention_heads")?,
            intermediate: keys.count("intermediate_size")?,
            activation: keys.one_of("hidden_act", &Activation::NAMES, Some(activation))?,
            norm_epsilon: keys.share_or("layer_norm_eps", 1e-12)?,
            positions: keys.count("max_position_embeddings")?,
            first_position: match family {
                Family::Roberta => pad + 1,
                Family::Bert | Family::Albert => 0,
            },
            types: keys.count_or("type_vocab_size", 2)?,
            hidden_dropout,
            attention_dropout: keys.share_or("attention_probs_dropout_prob", dropout)?,
            classifier_dropout: match family {
                Family::Albert => keys.share_or("classifier_dropout_prob", 0.1)?,
                Family::Bert | Family::Roberta => keys.share_or("classifier_dropout", hidden_dropout)?,
            },
            initializer_range: keys.share_or("initializer_range", 0.02)?,
            raw: raw.clone(),
        };
        config.check(&keys)?;
        Ok(config)
    }

    fn check(&self, keys: &Keys<'_>) -> Result<(), TextError> {
        let rules = [
            (
                self.hidden.is_multiple_of(self.heads),
                "num_attention_heads",
                "a divisor of hidden_size",
            ),
            (
                self.positions > self.first_position,
                "max_position_embeddings",
                "more rows than the padding token takes",
            ),
        ];
        if let Some((_, key, expected)) = rules.into_iter().find(|(holds, ..)| !holds) {
            return Err(keys.wrong(key, expected));
        }
        // Relative positions, decoders and several weight groups would give wrong vectors without a word.
        for (key, only) in [
            ("position_embedding_type", "absolute"),
            ("num_hidden_groups", "1"),
            ("inner_group_num", "1"),
            ("is_decoder", "false"),
        ] {
            match self.raw.get(key) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    let found = value.as_str().map_or_else(|| value.to_string(), String::from);
                    if found != only {
                        return Err(TextError::Unknown {
                            path: keys.path.to_path_buf(),
                            key: key.into(),
                            found,
                            known: only.into(),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The longest sequence of tokens, special ones included.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }

    /// The names of the classes of a classification head, in order; none where the file names none.
    pub fn labels(&self) -> Option<Vec<String>> {
        labels(&self.raw)
    }
}

/// The object that a JSON file holds.
pub(super) fn object(path: &Path) -> Result<Map<String, Value>, TextError> {
    let text = std::fs::read_to_string(path).map_err(|source| TextError::read(path, source))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| TextError::json(path, &error))?;
    match value {
        Value::Object(raw) => Ok(raw),
        _ => Err(TextError::NotObject {
            path: path.to_path_buf(),
        }),
    }
}

/// The names of the classes, in order; none where there are none.
pub(super) fn labels(raw: &Map<String, Value>) -> Option<Vec<String>> {
    let names = raw.get("id2label")?.as_object()?;
    (0..names.len())
        .map(|id| names.get(&id.to_string())?.as_str().map(String::from))
        .collect()
}

/// Which files of a model folder hold weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WeightFiles {
    /// `model.safetensors`.
    One(PathBuf),
    /// The shards that `model.safetensors.index.json` names.
    Shards(Vec<PathBuf>),
    /// `pytorch_model.bin`.
    Pickle(PathBuf),
}
