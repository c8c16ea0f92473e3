//! What a folder of a prompted encoder says: `prompt.json`.

use crate::encoder::{BiasPositions, Denoising, Reading, Representation};
use crate::likely::Guesser;
use crate::{PromptError, Template};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How sentences become vectors by prompts, in words that a file can keep.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptSettings {
    /// The templates: of the first view and of use, and of the second view.
    pub templates: Vec<Template>,
    /// Whether the vectors of all templates are averaged in use, instead of taking the first one's.
    pub averaged: bool,
    /// How vectors are made.
    pub reading: Reading,
    /// Whether a sentence gets a full stop, in use, where it ends in none of `. ? " '`.
    pub full_stop: bool,
    /// The longest sentence in tokens, without the template; all that the model takes where nothing is said.
    pub longest: Option<usize>,
    /// Whether vectors are scaled to length 1.
    pub normalised: bool,
    /// Whether texts are put into lower case before anything else.
    pub lower_case: bool,
}

impl PromptSettings {
    /// One template and PromptBERT's usual rest: the mask's hidden state, a full stop, no denoising in use.
    pub fn new(template: Template) -> Self {
        Self {
            templates: vec![template],
            averaged: false,
            reading: Reading::default(),
            full_stop: true,
            longest: None,
            normalised: false,
            lower_case: false,
        }
    }

    /// The name of the file.
    pub const FILE: &'static str = "prompt.json";

    /// What a folder says; none if it is no folder of a prompted encoder.
    ///
    /// Errors: a file that cannot be read, or says something wrong.
    pub fn read(folder: &Path) -> Result<Option<Self>, PromptError> {
        let path = folder.join(Self::FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let wrong = |detail: String| PromptError::Settings {
            path: path.clone(),
            detail,
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if file.templates.is_empty() {
            return Err(wrong("`templates` must hold at least one".into()));
        }
        if file.likely_tokens == Some(0) {
            return Err(wrong("`likely_tokens` must be at least 1".into()));
        }
        Ok(Some(file.into()))
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // A structure of texts, numbers and flags always has a text.
        let mut text = serde_json::to_vec_pretty(&File::from(self)).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// The file as it stands on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    templates: Vec<Template>,
    #[serde(default)]
    averaged: bool,
    #[serde(default)]
    denoising: DenoisingName,
    #[serde(default)]
    likely_tokens: Option<usize>,
    #[serde(default)]
    guessed_by_word_table: bool,
    #[serde(default)]
    bias_positions_from_zero: bool,
    #[serde(default = "yes")]
    full_stop: bool,
    #[serde(default)]
    max_sentence_tokens: Option<usize>,
    #[serde(default)]
    normalised: bool,
    #[serde(default)]
    lower_case: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DenoisingName {
    Off,
    #[default]
    Training,
    Always,
}

impl From<&PromptSettings> for File {
    fn from(settings: &PromptSettings) -> Self {
        let reading = settings.reading;
        let likely = match reading.representation {
            Representation::Hidden => None,
            Representation::Likely(likely) => Some(likely),
        };
        Self {
            templates: settings.templates.clone(),
            averaged: settings.averaged,
            denoising: match reading.denoising {
                Denoising::Off => DenoisingName::Off,
                Denoising::Training => DenoisingName::Training,
                Denoising::Always => DenoisingName::Always,
            },
            likely_tokens: likely.map(|likely| likely.k),
            guessed_by_word_table: likely.is_some_and(|likely| likely.guesser == Guesser::WordTable),
            bias_positions_from_zero: reading.bias_positions == BiasPositions::Table,
            full_stop: settings.full_stop,
            max_sentence_tokens: settings.longest,
            normalised: settings.normalised,
            lower_case: settings.lower_case,
        }
    }
}

impl From<File> for PromptSettings {
    fn from(file: File) -> Self {
        let guesser = match file.guessed_by_word_table {
            true => Guesser::WordTable,
            false => Guesser::Head,
        };
        Self {
            templates: file.templates,
            averaged: file.averaged,
            reading: Reading {
                representation: Representation::of(file.likely_tokens, guesser),
                denoising: match file.denoising {
                    DenoisingName::Off => Denoising::Off,
                    DenoisingName::Training => Denoising::Training,
                    DenoisingName::Always => Denoising::Always,
                },
                bias_positions: match file.bias_positions_from_zero {
                    true => BiasPositions::Table,
                    false => BiasPositions::Model,
                },
            },
            full_stop: file.full_stop,
            longest: file.max_sentence_tokens,
            normalised: file.normalised,
            lower_case: file.lower_case,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likely::LikelyTokens;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(PromptSettings::read(folder.path()).unwrap(), None);
        let mut settings = PromptSettings::new(Template::first());
        settings.templates.push(Template::second());
        settings.longest = Some(32);
        for (k, guesser, denoising, bias_positions) in [
            (None, Guesser::Head, Denoising::Off, BiasPositions::Model),
            (Some(10), Guesser::Head, Denoising::Training, BiasPositions::Table),
            (
                Some(3),
                Guesser::WordTable,
                Denoising::Always,
                BiasPositions::Model,
            ),
        ] {
            settings.reading = Reading {
                representation: k.map_or(Representation::Hidden, |k| {
                    Representation::Likely(LikelyTokens { k, guesser })
                }),
                denoising,
                bias_positions,
            };
            std::fs::write(folder.path().join(PromptSettings::FILE), settings.to_json()).unwrap();
            assert_eq!(
                PromptSettings::read(folder.path()).unwrap(),
                Some(settings.clone())
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PromptSettings::FILE);
        for (text, part) in [
            ("{", "EOF"),
            ("{\"templates\": []}", "at least one"),
            ("{\"templates\": [\"[X]\"]}", "no mask"),
            ("{\"templates\": [\"[X] [MASK]\"], \"averagd\": true}", "averagd"),
            (
                "{\"templates\": [\"[X] [MASK]\"], \"likely_tokens\": 0}",
                "likely_tokens",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = PromptSettings::read(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains("prompt.json"),
                "{text}: {error}"
            );
        }
    }
}
