//! Building networks layer by layer, and running their layers.

use crate::dropout::{Dropout, Masks};
use crate::init::Init;
use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The geometry of a square convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// Makes the layers of a network in order, and keeps track of shape, random stream and operations.
pub(crate) struct Layers<'a> {
    device: &'a Device,
    rng: ChaCha8Rng,
    masks: Masks,
    dropouts: u32,
    shape: [usize; 3],
    multiply_adds: Vec<u64>,
}

impl<'a> Layers<'a> {
    /// Begins at images of `shape` (`[C, H, W]`), which must be large enough for what follows.
    pub fn new(shape: [usize; 3], seed: u64, masks: Masks, device: &'a Device) -> Self {
        Self {
            device,
            rng: ChaCha8Rng::seed_from_u64(seed),
            masks,
            dropouts: 0,
            shape,
            multiply_adds: Vec::new(),
        }
    }

    /// A convolution of the current shape.
    pub fn conv2d(&mut self, conv: Conv, init: Init) -> Conv2d {
        let [inputs, height, width] = self.shape;
        let Conv {
            outputs,
            kernel,
            stride,
            padding,
        } = conv;
        let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        self.shape = [outputs, side(height), side(width)];

        let fan_in = inputs * kernel * kernel;
        let positions = self.shape[1] * self.shape[2];
        self.multiply_adds.push((outputs * fan_in * positions) as u64);

        let mut layer = Conv2dConfig::new([inputs, outputs], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .init(self.device);
        let (weight, bias) = init.draw(&mut self.rng, outputs * fan_in, outputs, fan_in);
        // Values of our own replace Burn's lazy ones, which would draw from a generator of the whole process.
        layer.weight = self.param(weight, [outputs, inputs, kernel, kernel]);
        layer.bias = Some(self.param(bias, [outputs]));
        layer
    }

    /// A 2x2 max pool; rows and columns left over are dropped.
    pub fn pool(&mut self) {
        let [channels, height, width] = self.shape;
        self.shape = [channels, height / 2, width / 2];
    }

    /// A linear layer from everything there is now.
    pub fn linear(&mut self, outputs: usize, init: Init) -> Linear {
        let inputs = self.shape.iter().product();
        self.shape = [outputs, 1, 1];
        self.multiply_adds.push((inputs * outputs) as u64);

        let mut layer = LinearConfig::new(inputs, outputs).init(self.device);
        let (weight, bias) = init.draw(&mut self.rng, inputs * outputs, outputs, inputs);
        layer.weight = self.param(weight, [inputs, outputs]);
        layer.bias = Some(self.param(bias, [outputs]));
        layer
    }

    /// A dropout layer with a number of its own.
    pub fn dropout(&mut self, probability: f64) -> Dropout {
        let layer = self.dropouts;
        self.dropouts += 1;
        Dropout::new(probability, layer, self.masks.clone())
    }

    /// The multiply-adds of one forward of one image, layer by layer.
    pub fn multiply_adds(self) -> Vec<u64> {
        self.multiply_adds
    }

    fn param<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }
}

/// A convolution.
pub(crate) fn conv(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    adv_ops::conv2d(
        x,
        layer.weight.val(),
        bias(&layer.bias),
        layer.stride,
        padding(layer),
    )
}

/// A convolution and the ReLU behind it, in one pass over the memory.
pub(crate) fn conv_relu(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    adv_ops::conv2d_relu(
        x,
        layer.weight.val(),
        bias(&layer.bias),
        layer.stride,
        padding(layer),
    )
}

/// A convolution, its ReLU and a 2x2 max pool, in one pass over the memory.
pub(crate) fn conv_relu_pool(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let window = [2, 2];
    adv_ops::conv2d_relu_max_pool2d(
        x,
        layer.weight.val(),
        bias(&layer.bias),
        layer.stride,
        padding(layer),
        window,
    )
}

fn bias(bias: &Option<Param<Tensor<1>>>) -> Option<Tensor<1>> {
    bias.as_ref().map(Param::val)
}

fn padding(layer: &Conv2d) -> [usize; 2] {
    match layer.padding {
        PaddingConfig2d::Explicit(top, left, _, _) => [top, left],
        PaddingConfig2d::Same | PaddingConfig2d::Valid => [0, 0],
    }
}

/// A 2x2 max pool.
pub(crate) fn pool(x: Tensor<4>) -> Tensor<4> {
    adv_ops::max_pool2d(x, [2, 2], [2, 2])
}

/// A linear layer: `[B, N]` to `[B, M]`.
pub(crate) fn linear(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    adv_ops::linear(x, layer.weight.val(), bias(&layer.bias))
}

/// `[B, C, H, W]` to `[B, C * H * W]`, in PyTorch's order.
pub(crate) fn flatten(x: Tensor<4>) -> Tensor<2> {
    x.flatten(1, 3)
}
