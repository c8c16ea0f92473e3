//! Folders of sentence-transformers: what `modules.json` says.

use super::{Dense, Pooling, SentenceError};
use burn::tensor::Device;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a folder says beside the model: `modules.json` and the files that it names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SentenceSettings {
    /// How tokens become a sentence. The mean where the folder does not say, as in sentence-transformers.
    pub pooling: Pooling,
    /// The folder of a linear layer behind the pooling, below.
    pub dense: Option<PathBuf>,
    /// The folder of the model itself, below; empty: the folder is that of the model.
    pub model: PathBuf,
    /// Whether vectors are scaled to length 1.
    pub normalised: bool,
    /// The longest sentence in tokens, special ones included; that of the model where the folder does not say.
    pub longest: Option<usize>,
    /// Whether texts are put into lower case before anything else.
    pub lower_case: bool,
}

impl SentenceSettings {
    /// Reads a folder. One without `modules.json` is a plain model: mean over the tokens.
    ///
    /// Errors: files that are broken, modules that are not built here.
    pub fn read(folder: &Path) -> Result<Self, SentenceError> {
        let mut settings = Self::default();
        let path = folder.join("modules.json");
        if path.is_file() {
            let modules = json(&path)?;
            let modules = modules
                .as_array()
                .ok_or_else(|| wrong(&path, "must hold a list of modules"))?;
            for module in modules {
                settings.add(folder, &path, module)?;
            }
        }
        let path = settings.model_folder(folder).join("sentence_bert_config.json");
        if path.is_file() {
            let config = json(&path)?;
            settings.longest = match config.get("max_seq_length") {
                None | Some(Value::Null) => None,
                Some(value) => {
                    let number = value.as_u64().filter(|number| *number > 0);
                    let number = number
                        .ok_or_else(|| wrong(&path, "`max_seq_length` must be a whole number above 0"))?;
                    Some(number as usize)
                }
            };
            settings.lower_case = config.get("do_lower_case").and_then(Value::as_bool) == Some(true);
        }
        Ok(settings)
    }

    /// The folder of the model itself, of the folder that these are the settings of.
    pub fn model_folder(&self, folder: &Path) -> PathBuf {
        folder.join(&self.model)
    }

    fn add(&mut self, folder: &Path, path: &Path, module: &Value) -> Result<(), SentenceError> {
        let text = |key: &str| module.get(key).and_then(Value::as_str);
        let (Some(kind), Some(below)) = (text("type"), text("path")) else {
            return Err(wrong(path, "each module needs a `type` and a `path`"));
        };
        // A list from somewhere must not reach other folders.
        let below = Path::new(below);
        if below
            .components()
            .any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Err(wrong(
                path,
                &format!("`{}` is no folder of this one", below.display()),
            ));
        }
        // The packages of these classes have moved between versions.
        match kind.rsplit('.').next().unwrap_or(kind) {
            "Transformer" => self.model = below.into(),
            "Pooling" => self.pooling = pooling(&folder.join(below).join("config.json"))?,
            "Dense" if self.dense.is_none() => self.dense = Some(below.into()),
            "Normalize" => self.normalised = true,
            other => {
                return Err(SentenceError::Module {
                    path: path.into(),
                    module: other.into(),
                });
            }
        }
        Ok(())
    }

    /// The linear layer behind the pooling, if there is one.
    pub(super) fn head(&self, folder: &Path, device: &Device) -> Result<Option<Dense>, SentenceError> {
        let below = self.dense.as_ref();
        below
            .map(|below| Dense::load(&folder.join(below), device))
            .transpose()
    }
}

/// The pooling of a `1_Pooling/config.json`: flags in older folders, a name in newer ones.
fn pooling(path: &Path) -> Result<Pooling, SentenceError> {
    const FLAGS: [(&str, &str); 6] = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    let config = json(path)?;
    let named: Vec<String> = match config.get("pooling_mode") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            names.map(String::from).collect()
        }
        _ => {
            let set = |flag: &&(&str, &str)| config.get(flag.0).and_then(Value::as_bool) == Some(true);
            FLAGS
                .iter()
                .filter(set)
                .map(|(_, name)| (*name).to_string())
                .collect()
        }
    };
    match named.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cls"] => Ok(Pooling::Cls),
        ["mean"] => Ok(Pooling::Mean),
        ["max"] => Ok(Pooling::Max),
        ["mean_sqrt_len_tokens"] => Ok(Pooling::MeanSqrtLength),
        _ => Err(SentenceError::Pooling {
            path: path.into(),
            found: if named.is_empty() {
                "none".into()
            } else {
                named.join(" and ")
            },
        }),
    }
}

pub(super) fn json(path: &Path) -> Result<Value, SentenceError> {
    let text = std::fs::read_to_string(path).map_err(|source| read(path, source))?;
    serde_json::from_str(&text).map_err(|error| wrong(path, &format!("no valid JSON: {error}")))
}

pub(super) fn read(path: &Path, source: std::io::Error) -> SentenceError {
    SentenceError::Read {
        path: path.into(),
        source,
    }
}

pub(super) fn wrong(path: &Path, detail: &str) -> SentenceError {
    SentenceError::Json {
        path: path.into(),
        detail: detail.into(),
    }
}
