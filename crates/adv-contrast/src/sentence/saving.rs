//! Folders of sentence-transformers: writing them.

use super::{Embedder, Encoder, Pooling, SentenceError};
use adv_models::text::copy_tokenizer;
use serde_json::{Value, json};
use std::path::Path;

impl Embedder {
    /// Writes a folder that `SentenceTransformer(folder)` opens, with the same vectors. Each file is replaced in one step, the list of
    /// modules last.
    ///
    /// Errors: a pooling that such a folder cannot express; the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SentenceError> {
        let pooling = pooling(self.encoder.pooling(), self.encoder.model().config().hidden())?;
        self.encoder.model().save(folder, None)?;
        copy_tokenizer(&self.origin, folder)?;
        write_json(&folder.join("1_Pooling/config.json"), &pooling)?;
        let longest = match self.settings.longest {
            Some(longest) => json!(longest),
            None => Value::Null,
        };
        let settings = json!({"max_seq_length": longest, "do_lower_case": self.settings.lower_case});
        write_json(&folder.join("sentence_bert_config.json"), &settings)?;
        let mut modules = vec![("", "Transformer"), ("1_Pooling", "Pooling")];
        if let Some(head) = self.encoder.kept_head() {
            head.save(&folder.join("2_Dense"))?;
            modules.push(("2_Dense", "Dense"));
        }
        let normalise = format!("{}_Normalize", modules.len());
        if self.settings.normalised {
            modules.push((&normalise, "Normalize"));
        }
        let modules: Vec<Value> = modules
            .into_iter()
            .enumerate()
            .map(|(index, (path, kind))| {
                let kind = format!("sentence_transformers.models.{kind}");
                json!({"idx": index, "name": index.to_string(), "path": path, "type": kind})
            })
            .collect();
        // Last: a folder with a list of modules is one that can be loaded.
        write_json(&folder.join("modules.json"), &Value::from(modules))
    }
}

fn pooling(pooling: Pooling, width: usize) -> Result<Value, SentenceError> {
    let flag = match pooling {
        Pooling::Cls => "pooling_mode_cls_token",
        Pooling::Mean => "pooling_mode_mean_tokens",
        Pooling::Max => "pooling_mode_max_tokens",
        Pooling::MeanSqrtLength => "pooling_mode_mean_sqrt_len_tokens",
        Pooling::FirstLast | Pooling::Token(_) => {
            return Err(SentenceError::NotSaved {
                pooling: format!("{pooling:?}"),
            });
        }
    };
    let mut config = json!({
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
    });
    config[flag] = json!(true);
    Ok(config)
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<(), SentenceError> {
    // A JSON value always has a text.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    write(path, &text)
}

/// In one step: beside it first, then in its place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SentenceError> {
    let failed = |source| SentenceError::Write {
        path: path.into(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    adv_models::write_atomically(path, bytes).map_err(failed)
}
