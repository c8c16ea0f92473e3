//! Convolution, pooling, linear layers and ReLU: the plain tensor code.
#![deny(missing_docs)]

use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};

/// 2-d convolution.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    module::conv2d(input, weight, bias, ConvOptions::new(stride, padding, [1, 1], 1))
}

/// 2-d max pooling.
pub fn max_pool2d(input: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    module::max_pool2d(input, MaxPoolOptions::new(kernel).with_stride(stride))
}

/// `input` times `weight` `[in, out]`, plus `bias`.
pub fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    module::linear(input, weight, bias)
}

/// max(x, 0).
pub fn relu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    burn::tensor::activation::relu(input)
}
