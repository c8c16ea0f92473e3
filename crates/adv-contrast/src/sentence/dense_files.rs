//! Folders of linear layers, such as `2_Dense` of sentence-transformers.

use super::folder::{json, read, wrong};
use super::saving::{write, write_json};
use super::{Dense, DenseActivation, SentenceError};
use burn::tensor::Device;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::path::Path;

impl Dense {
    /// The layer of a folder.
    ///
    /// Errors: files that are missing or broken, an activation that is not built here.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, SentenceError> {
        let path = folder.join("config.json");
        let config = json(&path)?;
        let activation = match config.get("activation_function").and_then(Value::as_str) {
            None => DenseActivation::Tanh,
            Some(name) => match name.rsplit('.').next() {
                Some("Tanh") => DenseActivation::Tanh,
                Some("Identity") => DenseActivation::Identity,
                _ => {
                    return Err(wrong(
                        &path,
                        &format!("the activation {name} is not built here: Tanh and Identity are"),
                    ));
                }
            },
        };
        let path = folder.join("model.safetensors");
        let bytes = std::fs::read(&path).map_err(|source| read(&path, source))?;
        let failed = |detail: String| SentenceError::Weights {
            path: path.clone(),
            detail,
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| failed(error.to_string()))?;
        let floats = |name: &str| {
            let view = tensors.tensor(name).map_err(|error| failed(error.to_string()))?;
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(failed(format!(
                    "{name} must be of 32-bit floats, found {:?}",
                    view.dtype()
                )));
            }
            let values = view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes));
            Ok((view.shape().to_vec(), values.collect::<Vec<f32>>()))
        };
        let (shape, weight) = floats("linear.weight")?;
        let [outputs, inputs] = shape[..] else {
            return Err(failed(format!(
                "linear.weight must be a matrix, found the shape {shape:?}"
            )));
        };
        let bias = match tensors.names().contains(&"linear.bias") {
            true => floats("linear.bias")?.1,
            false => vec![0.0; outputs],
        };
        if bias.len() != outputs {
            return Err(failed(format!(
                "linear.bias has {} numbers, not {outputs}",
                bias.len()
            )));
        }
        let transposed = (0..inputs).flat_map(|i| (0..outputs).map(move |o| (o, i)));
        let transposed = transposed.map(|(o, i)| weight[o * inputs + i]).collect();
        Ok(Dense::of(transposed, bias, [inputs, outputs], activation, device))
    }

    /// Writes the layer into a folder, each file in one step.
    ///
    /// Errors: the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SentenceError> {
        let [inputs, outputs] = self.widths();
        let activation = match self.activation() {
            DenseActivation::Tanh => "torch.nn.modules.activation.Tanh",
            DenseActivation::Identity => "torch.nn.modules.linear.Identity",
        };
        let config = json!({
            "in_features": inputs, "out_features": outputs, "bias": true, "activation_function": activation,
        });
        write_json(&folder.join("config.json"), &config)?;
        let path = folder.join("model.safetensors");
        let failed = |error: safetensors::SafeTensorError| SentenceError::Weights {
            path: path.clone(),
            detail: error.to_string(),
        };
        let (weight, bias) = self.to_pytorch();
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
        )
    }
}
