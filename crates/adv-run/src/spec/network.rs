//! The kind of network of a run on text.

use super::method_name::MethodName;
use super::place::ModelPlace;
use super::settings::Settings;
use crate::usage::UsageError;
use adv_models::text::{LstmConfig, TextConfig};
use std::path::Path;

/// The kind of network of a run on text. Its embeddings have other lengths, so usual radii, steps and rates depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextNetwork {
    /// A transformer encoder: pretrained, or a small one.
    Transformer,
    /// The LSTM of Miyato et al. 2017: new, or from a folder of one.
    Lstm,
}

impl TextNetwork {
    /// The word for `--model`.
    pub(super) const LSTM: &'static str = "lstm";

    /// By `--model`, else by the folder, else by the method. A folder that cannot be read says nothing here: reading its weights will
    /// say more.
    pub(super) fn of(s: &Settings) -> Result<Self, UsageError> {
        match s.model.as_deref() {
            Some(Self::LSTM) => Ok(Self::Lstm),
            Some(other) => Err(UsageError(format!(
                "--model {other}: on text there is `{}`; a pretrained encoder is named by --model-dir, a small one needs no name",
                Self::LSTM
            ))),
            None if s.method == Some(MethodName::Lm) => Ok(Self::Lstm),
            None if s
                .model_dir
                .as_ref()
                .and_then(ModelPlace::local)
                .is_some_and(holds_lstm) =>
            {
                Ok(Self::Lstm)
            }
            None => Ok(Self::Transformer),
        }
    }

    /// Refuses a folder that holds the other kind.
    pub fn check(self, config: &TextConfig, folder: &Path) -> Result<(), UsageError> {
        let (wanted, found) = match (self, config) {
            (Self::Lstm, TextConfig::Transformer(_)) => ("an LSTM", "a transformer"),
            (Self::Transformer, TextConfig::Lstm(_)) => ("a transformer", "an LSTM"),
            _ => return Ok(()),
        };
        Err(UsageError(format!(
            "--model-dir {} holds {found}, and the other settings are those of {wanted}: see --model and --method",
            folder.display()
        )))
    }
}

fn holds_lstm(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    config["model_type"] == LstmConfig::TYPE
}
