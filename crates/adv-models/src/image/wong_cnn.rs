//! The MNIST network of "Fast is better than free".

use super::layers::{Conv, Layers, conv_relu, flatten, linear};
use crate::init::Init;
use adv_ops::relu;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// Two strided 4x4 convolutions (16 and 32 channels) and two linear layers (100 and the classes), ReLU between them
/// (Wong et al. 2020, `mnist_net` of their program).
#[derive(Module, Debug)]
pub struct WongCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl WongCnn {
    pub(crate) fn new(layers: &mut Layers, classes: usize) -> Self {
        let strided = |outputs| Conv {
            outputs,
            kernel: 4,
            stride: 2,
            padding: 1,
        };
        Self {
            conv1: layers.conv2d(strided(16), Init::FanIn),
            conv2: layers.conv2d(strided(32), Init::FanIn),
            fc1: layers.linear(100, Init::FanIn),
            fc2: layers.linear(classes, Init::FanIn),
        }
    }

    pub(crate) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        conv_relu(&self.conv1, x)
    }

    pub(crate) fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        let x = conv_relu(&self.conv2, x);
        let x = relu(linear(&self.fc1, flatten(x)));
        linear(&self.fc2, x)
    }
}
