//! The MNIST network of Hugging Face's article on dynamic adversarial data.

use super::layers::{Conv, Layers, conv, conv_relu, flatten, linear, pool};
use crate::dropout::Dropout;
use crate::init::Init;
use adv_ops::relu;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// Two 5x5 convolutions without padding (10 and 20 channels), each followed by a 2x2 max pool, and two linear layers
/// (50 and the classes); a dropout of one half of the channels after the second convolution, and of the entries after
/// the first linear layer.
#[derive(Module, Debug)]
pub struct TwoConv {
    conv1: Conv2d,
    conv2: Conv2d,
    drop2d: Dropout,
    fc1: Linear,
    drop: Dropout,
    fc2: Linear,
}

impl TwoConv {
    pub(crate) fn new(layers: &mut Layers, classes: usize) -> Self {
        let plain = |outputs| Conv {
            outputs,
            kernel: 5,
            stride: 1,
            padding: 0,
        };
        let conv1 = layers.conv2d(plain(10), Init::FanIn);
        layers.pool();
        let conv2 = layers.conv2d(plain(20), Init::FanIn);
        layers.pool();
        Self {
            conv1,
            conv2,
            drop2d: layers.dropout(0.5),
            fc1: layers.linear(50, Init::FanIn),
            drop: layers.dropout(0.5),
            fc2: layers.linear(classes, Init::FanIn),
        }
    }

    // The original pools before the ReLU. Both orders give the same values and gradients.
    pub(crate) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        conv_relu(&self.conv1, x)
    }

    pub(crate) fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        let x = conv(&self.conv2, pool(x));
        let x = relu(pool(self.drop2d.forward_channels(x)));
        let x = relu(linear(&self.fc1, flatten(x)));
        linear(&self.fc2, self.drop.forward(x))
    }
}
