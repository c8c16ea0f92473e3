//! How a model lies in its folder, for models of any kind.

use super::config::Family;
use super::head::HeadKind;
use super::lstm_config::LstmConfig;
use super::names;
use super::text_config::TextConfig;
use serde_json::{Map, Value, json};

/// Names of an LSTM: ours, and those of its file. The rest of a name is the same on both sides.
const LSTM: [(&str, &str); 6] = [
    ("encoder.words", "embedding.weight"),
    ("encoder.frequencies", "embedding.frequencies"),
    ("encoder.weight_", "lstm.weight_"),
    ("encoder.bias_", "lstm.bias_"),
    ("head.decoder.", "lm_head."),
    ("head.", "classifier."),
];

impl TextConfig {
    /// The name in a file of a whole model of one of our tensors.
    pub(super) fn name_in_file(&self, head: HeadKind, ours: &str) -> String {
        match self {
            TextConfig::Transformer(config) => names::in_file(config, head, ours),
            TextConfig::Lstm(_) => {
                let hit = LSTM.iter().find_map(|(mine, theirs)| {
                    let rest = ours.strip_prefix(mine)?;
                    Some(format!("{theirs}{rest}"))
                });
                hit.unwrap_or_else(|| ours.into())
            }
        }
    }

    /// The name under which a model with this head saves it: a bare encoder has no prefix.
    pub(super) fn saved_name(&self, head: HeadKind, ours: &str) -> String {
        let name = self.name_in_file(head, ours);
        match self {
            TextConfig::Transformer(config) if head == HeadKind::None => {
                name.trim_start_matches(config.family.prefix()).into()
            }
            TextConfig::Transformer(_) | TextConfig::Lstm(_) => name,
        }
    }

    /// The name as a file of a whole model has it.
    pub(super) fn whole_name(&self, name: &str) -> String {
        match self {
            TextConfig::Transformer(config) => names::whole(config.family, name),
            TextConfig::Lstm(_) => name.into(),
        }
    }

    /// Whether a tensor that a model does not have may be in its file.
    pub(super) fn may_be_left_over(&self, whole: &str) -> bool {
        match self {
            TextConfig::Transformer(config) => names::may_be_left_over(config.family, whole),
            TextConfig::Lstm(_) => ["classifier.", "lm_head."]
                .iter()
                .any(|start| whole.starts_with(start)),
        }
    }

    /// The class that a folder is for: of `transformers`, or of a program of the reader's own.
    pub(super) fn class(&self, head: HeadKind) -> String {
        let raw = self.raw();
        let name = match raw.get("model_type").and_then(Value::as_str) {
            Some("roberta") => "Roberta",
            Some("xlm-roberta") => "XLMRoberta",
            Some("camembert") => "Camembert",
            Some("albert") => "Albert",
            Some(LstmConfig::TYPE) => "MiyatoLstm",
            _ => "Bert",
        };
        match head {
            HeadKind::None => format!("{name}Model"),
            HeadKind::MaskedLm => format!("{name}ForMaskedLM"),
            HeadKind::NextToken => format!("{name}ForCausalLM"),
            HeadKind::Classes(_) | HeadKind::Regression => format!("{name}ForSequenceClassification"),
        }
    }

    /// The file as it was read, with what the caller may have changed.
    pub(super) fn current(&self) -> Map<String, Value> {
        let mut raw = self.raw().clone();
        let mut set = |key: &str, value: f64| raw.insert(key.into(), json!(value));
        match self {
            TextConfig::Transformer(config) => {
                set("hidden_dropout_prob", config.hidden_dropout);
                set("attention_probs_dropout_prob", config.attention_dropout);
                let head = match config.family {
                    Family::Albert => "classifier_dropout_prob",
                    Family::Bert | Family::Roberta => "classifier_dropout",
                };
                set(head, config.classifier_dropout);
            }
            TextConfig::Lstm(config) => {
                set("embedding_dropout", config.embedding_dropout);
                set("classifier_dropout", config.classifier_dropout);
                let sizes = [
                    ("vocab_size", config.vocabulary),
                    ("embedding_size", config.embedding),
                    ("hidden_size", config.hidden),
                    ("classifier_size", config.classifier),
                ];
                for (key, size) in sizes {
                    raw.insert(key.into(), json!(size));
                }
            }
        }
        raw
    }
}
