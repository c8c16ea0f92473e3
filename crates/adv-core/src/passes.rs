//! Passes: how many, counted or expected, and what each gives back.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::ops::{Add, AddAssign, Mul};

/// Numbers of passes: what was counted, or what theory expects.
///
/// One gradient call is one backward of one mini-batch through the whole network, for the weights, the input or
/// both. A loss over two forwards, or over a doubled batch, counts two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passes {
    /// Forwards through the whole network.
    pub forwards: u64,
    /// Backwards through the whole network that made weight gradients (and input gradients, where wanted).
    pub full_backwards: u64,
    /// Backwards through the whole network for the input alone: the attack.
    pub input_backwards: u64,
    /// Forwards through the first layer alone.
    pub first_forwards: u64,
    /// Backwards through the first layer alone.
    pub first_backwards: u64,
    /// Optimiser updates.
    pub updates: u64,
}

impl Passes {
    /// Gradient calls, first-layer passes weighed by the share of the network's operations that the first layer makes
    /// (about 0.08 for conv1 of `wong_cnn`).
    pub fn gradient_calls(&self, first_layer_share: f64) -> f64 {
        (self.full_backwards + self.input_backwards) as f64 + first_layer_share * self.first_backwards as f64
    }
}

impl Add for Passes {
    type Output = Passes;

    fn add(self, other: Passes) -> Passes {
        Passes {
            forwards: self.forwards + other.forwards,
            full_backwards: self.full_backwards + other.full_backwards,
            input_backwards: self.input_backwards + other.input_backwards,
            first_forwards: self.first_forwards + other.first_forwards,
            first_backwards: self.first_backwards + other.first_backwards,
            updates: self.updates + other.updates,
        }
    }
}

impl AddAssign for Passes {
    fn add_assign(&mut self, other: Passes) {
        *self = *self + other;
    }
}

impl Mul<u64> for Passes {
    type Output = Passes;

    fn mul(self, n: u64) -> Passes {
        Passes {
            forwards: self.forwards * n,
            full_backwards: self.full_backwards * n,
            input_backwards: self.input_backwards * n,
            first_forwards: self.first_forwards * n,
            first_backwards: self.first_backwards * n,
            updates: self.updates * n,
        }
    }
}

/// Loss and gradient of the input.
#[derive(Debug)]
pub struct InputPass<const D: usize> {
    /// The mean loss.
    pub loss: f64,
    /// The gradient of the mean loss, not tracked, shape of the input.
    pub gradient: Tensor<D>,
}

/// Loss and gradients of the weights.
#[derive(Debug)]
pub struct WeightPass {
    /// The mean loss, before scaling.
    pub loss: f64,
    /// The gradients of the scaled loss.
    pub gradients: GradientsParams,
}

/// Loss, gradients of the weights, and gradient of the input, from one backward.
#[derive(Debug)]
pub struct JointPass<const D: usize> {
    /// The mean loss, before scaling.
    pub loss: f64,
    /// The weight gradients of the scaled loss.
    pub gradients: GradientsParams,
    /// The input gradient of the scaled loss, not tracked.
    pub input: Tensor<D>,
}

/// A whole pass cut after the first layer.
#[derive(Debug)]
pub struct SplitPass<const D: usize> {
    /// The mean loss.
    pub loss: f64,
    /// The gradients of the weights: all of them, or those behind the first layer only.
    pub gradients: GradientsParams,
    /// The co-state: the gradient of the mean loss with respect to the first layer's output, not tracked.
    pub co_state: Tensor<D>,
}
