//! Model folders in the layout of Hugging Face: writing them.

use super::head::HeadKind;
use super::{TextConfig, TextError, TextModel};
use crate::ModelError;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};
use std::path::Path;

impl TextModel {
    /// The content of `model.safetensors`, with the names of `transformers`; of an LSTM with those of `torch.nn.LSTM`.
    ///
    /// Errors: a weight cannot be read from its device.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, TextError> {
        encode(self, self.config(), self.head())
    }

    /// Writes `config.json` and `model.safetensors`, which `transformers` loads but for an LSTM; each file is replaced in one step.
    /// `labels` are the names of the classes, in order. The tokenizer's files are [`copy_tokenizer`]'s part.
    ///
    /// Errors: the folder cannot be written, a weight cannot be read from its device.
    pub fn save(&self, folder: &Path, labels: Option<&[String]>) -> Result<(), TextError> {
        let weights = self.to_safetensors()?;
        let config = saved_config(self.config(), self.head(), labels);
        std::fs::create_dir_all(folder).map_err(|source| TextError::write(folder, source))?;
        replace(&folder.join("model.safetensors"), &weights)?;
        // Last: a folder with a configuration is one that can be loaded.
        replace(&folder.join("config.json"), &config)
    }
}

/// The bytes of `model.safetensors`.
fn encode(model: &TextModel, config: &TextConfig, head: HeadKind) -> Result<Vec<u8>, TextError> {
    let failed = |detail: String| ModelError::Encode(detail);
    let mut buffers = Vec::new();
    for tensor in model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
        let name = config.saved_name(head, &tensor.name);
        let bytes = tensor
            .to_bytes()
            .map_err(|error| failed(format!("{name}: {error}")))?;
        buffers.push((name, tensor.shape.to_vec(), bytes));
    }
    let views: Vec<(&str, TensorView<'_>)> = buffers
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
                .map_err(|error| failed(format!("{name}: {error}")))?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<_, ModelError>>()?;
    // What PyTorch's own tools write, and `transformers` insists on.
    let metadata = [("format".to_string(), "pt".to_string())].into();
    safetensors::serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()).into())
}

/// `config.json`: what was read, with class, labels and kind of problem of this head.
fn saved_config(config: &TextConfig, head: HeadKind, labels: Option<&[String]>) -> Vec<u8> {
    let mut raw = config.current();
    raw.insert("architectures".into(), json!([config.class(head)]));
    // What the weights are written as.
    for key in ["dtype", "torch_dtype"] {
        if raw.contains_key(key) {
            raw.insert(key.into(), json!("float32"));
        }
    }
    if let Some(outputs) = head.outputs() {
        let known = labels.filter(|labels| labels.len() == outputs);
        let name = |id: usize| known.map_or_else(|| format!("LABEL_{id}"), |labels| labels[id].clone());
        let names: Map<String, Value> = (0..outputs).map(|id| (id.to_string(), json!(name(id)))).collect();
        let ids: Map<String, Value> = (0..outputs).map(|id| (name(id), json!(id))).collect();
        raw.insert("id2label".into(), names.into());
        raw.insert("label2id".into(), ids.into());
        let problem = match head {
            HeadKind::Regression => "regression",
            HeadKind::Classes(_) | HeadKind::MaskedLm | HeadKind::NextToken | HeadKind::None => {
                "single_label_classification"
            }
        };
        raw.insert("problem_type".into(), json!(problem));
    }
    // A map of JSON values always has a text.
    let mut text = serde_json::to_vec_pretty(&raw).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Replaces a file in one step.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), TextError> {
    crate::write_atomically(path, bytes).map_err(|source| TextError::write(path, source))
}

/// The files that make a tokenizer, and the lists that go with it.
const TOKENIZER: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
];

/// Copies the tokenizer's files from one model folder to another, so that a saved model is complete.
///
/// Errors: a file cannot be read or written.
pub fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), TextError> {
    std::fs::create_dir_all(to).map_err(|source| TextError::write(to, source))?;
    for name in TOKENIZER {
        let path = from.join(name);
        if path.is_file() {
            let bytes = std::fs::read(&path).map_err(|source| TextError::read(&path, source))?;
            replace(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}
