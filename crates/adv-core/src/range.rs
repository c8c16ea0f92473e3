//! The values an input may take, and where that is enforced.

use crate::ParamError;
use burn::tensor::Tensor;

/// The values that every entry of an input may take, such as [0, 1] for pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    low: f64,
    high: f64,
}

impl ValueRange {
    /// Pixels in [0, 1].
    pub const UNIT: ValueRange = ValueRange { low: 0.0, high: 1.0 };

    /// A range with finite bounds, low < high.
    pub fn new(low: f64, high: f64) -> Result<Self, ParamError> {
        if low.is_finite() && high.is_finite() && low < high {
            Ok(Self { low, high })
        } else {
            Err(ParamError::Range { low, high })
        }
    }

    /// The lower and the upper bound.
    pub fn bounds(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// The input with every entry moved to the nearest legal value.
    pub fn clamp<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        input.clamp(self.low, self.high)
    }

    /// The perturbation that leads to the clamped input.
    pub fn clamp_delta<const D: usize>(&self, clean: Tensor<D>, delta: Tensor<D>) -> Tensor<D> {
        self.clamp(clean.clone() + delta) - clean
    }

    /// The gradient of a function of `clamp(input)`: `gradient` where the input lies inside, **bounds included**,
    /// else zero.
    ///
    /// The rule of the frameworks that the original programs were written for. Programs that block the gradient at
    /// the bounds freeze the background pixels of MNIST, which are exactly 0.
    pub fn backward_clamp<const D: usize>(&self, input: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let outside = input
            .clone()
            .lower_elem(self.low)
            .bool_or(input.greater_elem(self.high));
        gradient.mask_fill(outside, 0.0)
    }
}

/// What an ascent does with the value range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangePolicy {
    /// The start and every step are clamped: each pass sees a legal input. PGD.
    EachStep,
    /// Passes see the perturbed input as it is; only the result is clamped. FGSM-RS, N-FGSM.
    Final,
}
