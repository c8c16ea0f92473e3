//! Model folders in the layout of Hugging Face: writing them.

use super::config::{EncoderConfig, Family};
use super::head::HeadKind;
use super::{TextError, TextModel, names};
use crate::ModelError;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The bytes of `model.safetensors` with the names of `transformers`.
pub(super) fn encode(
    model: &TextModel,
    config: &EncoderConfig,
    head: HeadKind,
) -> Result<Vec<u8>, TextError> {
    let failed = |detail: String| ModelError::Encode(detail);
    let mut buffers = Vec::new();
    for tensor in model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
        let mut name = names::in_file(config, head, &tensor.name);
        if head == HeadKind::None {
            // A bare encoder has no prefix.
            name = name.trim_start_matches(config.family.prefix()).to_string();
        }
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

/// The class of `transformers` that a folder is for.
fn class(config: &EncoderConfig, head: HeadKind) -> String {
    let name = match config.raw.get("model_type").and_then(Value::as_str) {
        Some("roberta") => "Roberta",
        Some("xlm-roberta") => "XLMRoberta",
        Some("camembert") => "Camembert",
        Some("albert") => "Albert",
        _ => "Bert",
    };
    match head {
        HeadKind::None => format!("{name}Model"),
        HeadKind::MaskedLm => format!("{name}ForMaskedLM"),
        HeadKind::Classes(_) | HeadKind::Regression => format!("{name}ForSequenceClassification"),
    }
}

/// `config.json`: what was read, with class, labels and kind of problem of this head.
pub(super) fn saved_config(config: &EncoderConfig, head: HeadKind, labels: Option<&[String]>) -> Vec<u8> {
    let mut raw = config.raw.clone();
    raw.insert("architectures".into(), json!([class(config, head)]));
    // What the caller may have changed, and what the weights are written as.
    raw.insert("hidden_dropout_prob".into(), json!(config.hidden_dropout));
    raw.insert(
        "attention_probs_dropout_prob".into(),
        json!(config.attention_dropout),
    );
    let head_dropout = match config.family {
        Family::Albert => "classifier_dropout_prob",
        Family::Bert | Family::Roberta => "classifier_dropout",
    };
    raw.insert(head_dropout.into(), json!(config.classifier_dropout));
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
            HeadKind::Classes(_) | HeadKind::MaskedLm | HeadKind::None => "single_label_classification",
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
