//! Trained vectors in place of a template's words.

use crate::embedder::write;
use crate::{FittedTemplate, PromptEncoder, PromptError};
use adv_contrast::sentence::Encoder;
use adv_models::text::{TextModel, Tokens};
use adv_ops::embedding;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

/// One trained vector for each token of a template but its special tokens and its mask (Zhong et al. 2021, OptiPrompt): `[N, E]`.
#[derive(Module, Debug)]
pub struct SoftPrompt {
    rows: Param<Tensor<2>>,
}

/// The name of the tensor in a file.
const ROWS: &str = "rows";

impl SoftPrompt {
    /// The static embeddings of the template's own words, to begin with.
    pub fn of_words(model: &TextModel, fitted: &FittedTemplate) -> Self {
        let words = model.body().words();
        let [_, width] = words.dims();
        let ids = fitted.trained_ids();
        let count = ids.len();
        let device = words.device();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &device);
        // By way of the host: what is trained is a leaf of its own.
        let rows: Vec<f32> = words.select(0, ids).into_data().iter::<f32>().collect();
        Self::new(Tensor::from_data(TensorData::new(rows, [count, width]), &device))
    }

    /// Given vectors, `[N, E]`.
    pub fn new(rows: Tensor<2>) -> Self {
        Self {
            rows: Param::from_tensor(rows),
        }
    }

    /// The vectors, `[N, E]`.
    pub fn rows(&self) -> Tensor<2> {
        self.rows.val()
    }

    /// The vectors of a file, for the one template of an encoder.
    ///
    /// Errors: a file that is broken, or of another template or model.
    pub fn load(path: &Path, encoder: &PromptEncoder, device: &Device) -> Result<Self, PromptError> {
        let wrong = |detail: String| PromptError::Soft {
            path: path.into(),
            detail,
        };
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let view = tensors.tensor(ROWS).map_err(|error| wrong(error.to_string()))?;
        let template = &encoder.templates()[0];
        let wanted = [template.trained_ids().len(), encoder.model().config().embedding()];
        if view.dtype() != Dtype::F32 || view.shape() != wanted {
            return Err(wrong(format!(
                "{ROWS} must be of 32-bit floats in the shape {wanted:?}, for the template {}; found {:?} in {:?}",
                template.template(),
                view.dtype(),
                view.shape()
            )));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Self::new(Tensor::from_data(
            TensorData::new(numbers, wanted),
            device,
        )))
    }

    /// Writes the vectors, in one step.
    ///
    /// Errors: the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), PromptError> {
        let rows = self.rows.val();
        let shape = rows.dims().to_vec();
        let numbers = rows.inner().into_data();
        let bytes: Vec<u8> = numbers.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        let wrong = |error: safetensors::SafeTensorError| PromptError::Soft {
            path: path.into(),
            detail: error.to_string(),
        };
        let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(wrong)?;
        write(
            path,
            &safetensors::serialize([(ROWS, view)], None).map_err(wrong)?,
        )
    }

    /// What has to be added to the words of a filled batch, `[B, T, E]`: zero at the sentence, the special tokens and the mask.
    pub(crate) fn shift(&self, model: &TextModel, fitted: &FittedTemplate, tokens: &Tokens) -> Tensor<3> {
        let rows = self.rows.val();
        let [count, width] = rows.dims();
        let device = rows.device();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(fitted.trained_ids(), [count]), &device);
        let moved = rows - model.body().words().detach().select(0, ids);
        // Row 0 is that of all tokens that stay.
        let table = Tensor::cat(vec![Tensor::zeros([1, width], &device), moved], 0);
        let [batch, length] = tokens.shape();
        let places = fitted.trained_places(tokens);
        let places = Tensor::<2, Int>::from_data(TensorData::new(places, [batch, length]), &device);
        embedding(table, places)
    }
}
