//! Folders of sentence-transformers: writing them.

use super::{DenseActivation, Embedder, Encoder, Pooling, SentenceError};
use adv_models::text::copy_tokenizer;
use safetensors::tensor::{Dtype, TensorView};
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
        if self.write_head(folder)? {
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

    /// The head, if vectors are used behind it.
    fn write_head(&self, folder: &Path) -> Result<bool, SentenceError> {
        let Some(head) = self.encoder.kept_head() else {
            return Ok(false);
        };
        let [inputs, outputs] = head.widths();
        let activation = match head.activation() {
            DenseActivation::Tanh => "torch.nn.modules.activation.Tanh",
            DenseActivation::Identity => "torch.nn.modules.linear.Identity",
        };
        let config = json!({
            "in_features": inputs, "out_features": outputs, "bias": true, "activation_function": activation,
        });
        write_json(&folder.join("2_Dense/config.json"), &config)?;
        let path = folder.join("2_Dense/model.safetensors");
        let failed = |error: safetensors::SafeTensorError| SentenceError::Weights {
            path: path.clone(),
            detail: error.to_string(),
        };
        let (weight, bias) = head.to_pytorch();
        let bytes = |values: &[f32]| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let (weight, bias) = (bytes(&weight), bytes(&bias));
        let views = [
            (
                "linear.weight",
                TensorView::new(Dtype::F32, vec![outputs, inputs], &weight).map_err(failed)?,
            ),
            (
                "linear.bias",
                TensorView::new(Dtype::F32, vec![outputs], &bias).map_err(failed)?,
            ),
        ];
        let metadata = [("format".to_string(), "pt".to_string())].into();
        write(
            &path,
            &safetensors::serialize(views, Some(metadata)).map_err(failed)?,
        )?;
        Ok(true)
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

fn write_json(path: &Path, value: &Value) -> Result<(), SentenceError> {
    // A JSON value always has a text.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    write(path, &text)
}

/// In one step: beside it first, then in its place.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SentenceError> {
    let failed = |source| SentenceError::Write {
        path: path.into(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    adv_models::write_atomically(path, bytes).map_err(failed)
}
