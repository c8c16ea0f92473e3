//! The MNIST network of TRADES and YOPO.

use super::layers::{Conv, Layers, conv_relu, conv_relu_pool, flatten, linear};
use crate::dropout::Dropout;
use crate::init::Init;
use adv_ops::relu;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// Two pairs of 3x3 convolutions without padding (32 and 64 channels), each pair followed by a 2x2 max pool, and three
/// linear layers (200, 200 and the classes) with a dropout of one half after the first (Zhang et al. 2019, `SmallCNN`).
///
/// Its last layer begins at zero, so the first input gradient is zero too.
#[derive(Module, Debug)]
pub struct SmallCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    conv4: Conv2d,
    fc1: Linear,
    drop: Dropout,
    fc2: Linear,
    fc3: Linear,
}

impl SmallCnn {
    pub(crate) fn new(layers: &mut Layers, classes: usize) -> Self {
        let plain = |outputs| Conv {
            outputs,
            kernel: 3,
            stride: 1,
            padding: 0,
        };
        let conv1 = layers.conv2d(plain(32), Init::Kaiming);
        let conv2 = layers.conv2d(plain(32), Init::Kaiming);
        layers.pool();
        let conv3 = layers.conv2d(plain(64), Init::Kaiming);
        let conv4 = layers.conv2d(plain(64), Init::Kaiming);
        layers.pool();
        Self {
            conv1,
            conv2,
            conv3,
            conv4,
            fc1: layers.linear(200, Init::FanIn),
            drop: layers.dropout(0.5),
            fc2: layers.linear(200, Init::FanIn),
            fc3: layers.linear(classes, Init::Zero),
        }
    }

    pub(crate) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        conv_relu(&self.conv1, x)
    }

    pub(crate) fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        let x = conv_relu_pool(&self.conv2, x);
        let x = conv_relu(&self.conv3, x);
        let x = conv_relu_pool(&self.conv4, x);
        let x = relu(linear(&self.fc1, flatten(x)));
        let x = relu(linear(&self.fc2, self.drop.forward(x)));
        linear(&self.fc3, x)
    }
}
