//! A network without convolutions.

use super::layers::{Layers, flatten, linear};
use crate::init::Init;
use adv_ops::relu;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

/// Three linear layers (256, 128 and the classes), ReLU between them. For images of any size.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Mlp {
    pub(crate) fn new(layers: &mut Layers, classes: usize) -> Self {
        Self {
            fc1: layers.linear(256, Init::FanIn),
            fc2: layers.linear(128, Init::FanIn),
            fc3: layers.linear(classes, Init::FanIn),
        }
    }

    /// `[B, C, H, W]` to `[B, 256, 1, 1]`.
    pub(crate) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(linear(&self.fc1, flatten(x)));
        let [batch, width] = x.dims();
        x.reshape([batch, width, 1, 1])
    }

    pub(crate) fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(linear(&self.fc2, flatten(x)));
        linear(&self.fc3, x)
    }
}
