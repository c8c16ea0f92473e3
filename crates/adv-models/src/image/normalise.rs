//! Normalisation inside the model, so that attacks always speak pixels in [0, 1].

use crate::ModelError;
use burn::tensor::{Tensor, TensorData};

/// `(x - mean) / std`, channel by channel. A fact of the data set: not trained, and not part of the weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Normalise {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalise {
    /// Leaves the pixels as they are.
    pub fn identity() -> Self {
        Self::default()
    }

    /// One finite mean and one positive finite standard deviation per channel, in units of pixels in [0, 1].
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self, ModelError> {
        for channel in 0..mean.len().max(std.len()) {
            let part = |values: &[f32]| values.get(channel).copied().unwrap_or(f32::NAN);
            let (mean, std) = (part(&mean), part(&std));
            if !(mean.is_finite() && std.is_finite() && std > 0.0) {
                return Err(ModelError::NormaliseValue { channel, mean, std });
            }
        }
        Ok(Self { mean, std })
    }

    /// Number of channels, or `None` for the identity, which fits any.
    pub(crate) fn channels(&self) -> Option<usize> {
        (!self.mean.is_empty()).then_some(self.mean.len())
    }

    /// Pixels `[B, C, H, W]` to what the first layer sees.
    pub(crate) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let Some(channels) = self.channels() else { return x };
        let device = x.device();
        let row = |values: &[f32]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, channels, 1, 1]), &device)
        };
        (x - row(&self.mean)) / row(&self.std)
    }
}
