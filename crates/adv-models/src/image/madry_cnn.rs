//! The MNIST network of Madry's challenge.

use super::layers::{Conv, Layers, conv_relu, conv_relu_pool, flatten, linear, pool};
use crate::init::Init;
use adv_ops::relu;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

/// Two 5x5 convolutions that keep the size (32 and 64 channels), each followed by a 2x2 max pool, and two linear layers
/// (1024 and the classes), ReLU between them (Madry et al. 2018, `model.py` of their MNIST challenge).
#[derive(Module, Debug)]
pub struct MadryCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

/// `truncated_normal(stddev=0.1)` and `constant(0.1)` of the original program.
const INIT: Init = Init::Truncated { std: 0.1, bias: 0.1 };

impl MadryCnn {
    pub(crate) fn new(layers: &mut Layers, classes: usize) -> Self {
        let same = |outputs| Conv {
            outputs,
            kernel: 5,
            stride: 1,
            padding: 2,
        };
        let conv1 = layers.conv2d(same(32), INIT);
        layers.pool();
        let conv2 = layers.conv2d(same(64), INIT);
        layers.pool();
        Self {
            conv1,
            conv2,
            fc1: layers.linear(1024, INIT),
            fc2: layers.linear(classes, INIT),
        }
    }

    pub(crate) fn first(&self, x: Tensor<4>) -> Tensor<4> {
        conv_relu(&self.conv1, x)
    }

    pub(crate) fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        self.behind_pool(pool(x))
    }

    /// `rest(first(x))`, bit for bit, without storing what lies between convolution and pool.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.behind_pool(conv_relu_pool(&self.conv1, x))
    }

    fn behind_pool(&self, x: Tensor<4>) -> Tensor<2> {
        let x = conv_relu_pool(&self.conv2, x);
        let x = relu(linear(&self.fc1, flatten(x)));
        linear(&self.fc2, x)
    }
}
