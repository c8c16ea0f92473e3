//! Models with gradients in closed form, and one small network.

use super::{param, stream};
use adv_core::{Objective, Predict, Split};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Int, Tensor};

/// The mean over samples of `c_i * <w, x_i>`. The input gradient of sample i is `c_i * w / B`.
#[derive(Module, Debug)]
pub struct Linear<const D: usize> {
    /// `[1, ..]`: the shape of a sample.
    pub w: Param<Tensor<D>>,
}

impl<const D: usize> Linear<D> {
    pub fn new(w: Tensor<D>) -> Self {
        Self { w: param(w) }
    }
}

impl<const D: usize> Objective<D> for Linear<D> {
    /// c, `[B, 1]`.
    type Targets = Tensor<2>;

    fn loss(&self, input: Tensor<D>, c: &Tensor<2>) -> Tensor<1> {
        let dims = input.dims();
        let product = (input * self.w.val()).reshape([dims[0], dims[1..].iter().product::<usize>()]);
        (product.sum_dim(1) * c.clone()).mean()
    }
}

/// The mean over samples of `sum(a * (x_i - center)^2) / 2`. The input gradient is `a * (x_i - center) / B`.
#[derive(Module, Debug)]
pub struct Quadratic<const D: usize> {
    /// `[1, ..]`: the curvature.
    pub a: Param<Tensor<D>>,
    /// `[1, ..]`: where the gradient is zero.
    pub center: Param<Tensor<D>>,
}

impl<const D: usize> Quadratic<D> {
    pub fn new(a: Tensor<D>, center: Tensor<D>) -> Self {
        Self {
            a: param(a),
            center: param(center),
        }
    }
}

impl<const D: usize> Objective<D> for Quadratic<D> {
    type Targets = ();

    fn loss(&self, input: Tensor<D>, _: &()) -> Tensor<1> {
        let dims = input.dims();
        let away = input - self.center.val();
        let terms = (away.square() * self.a.val()).mul_scalar(0.5);
        let rows = terms.reshape([dims[0], dims[1..].iter().product::<usize>()]);
        rows.sum_dim(1).mean()
    }
}

/// What [`TwoLayer`] does with its hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// First layer with ReLU, loss affine in its output.
    ReluThenAffine,
    /// First layer affine, loss curved.
    AffineThenCurved,
    /// First layer with ReLU, loss curved.
    ReluThenCurved,
}

/// A dense first layer and a scalar head: `[B, N, 1, 1]` to `[B, H, 1, 1]` to the mean of `q + q^2 / 2` or `q`.
#[derive(Module, Debug)]
pub struct TwoLayer {
    pub w1: Param<Tensor<2>>,
    pub b1: Param<Tensor<1>>,
    pub w2: Param<Tensor<2>>,
    #[module(skip)]
    pub shape: Shape,
}

impl TwoLayer {
    pub fn new(seed: u64, inputs: usize, hidden: usize, shape: Shape, device: &Device) -> Self {
        let rng = &mut stream(seed, 10);
        Self {
            w1: param(super::normal(rng, [inputs, hidden], 1.0, device)),
            b1: param(super::normal(rng, [hidden], 0.5, device)),
            w2: param(super::normal(rng, [hidden, 1], 1.0, device)),
            shape,
        }
    }
}

impl Objective<4> for TwoLayer {
    type Targets = ();

    fn loss(&self, input: Tensor<4>, targets: &()) -> Tensor<1> {
        self.rest(self.first(input, targets), targets)
    }
}

impl Split<4> for TwoLayer {
    fn first(&self, input: Tensor<4>, _: &()) -> Tensor<4> {
        let [batch, inputs, _, _] = input.dims();
        let hidden = input.reshape([batch, inputs]).matmul(self.w1.val()) + self.b1.val().unsqueeze();
        let hidden = match self.shape {
            Shape::AffineThenCurved => hidden,
            Shape::ReluThenAffine | Shape::ReluThenCurved => relu(hidden),
        };
        let width = hidden.dims()[1];
        hidden.reshape([batch, width, 1, 1])
    }

    fn rest(&self, activation: Tensor<4>, _: &()) -> Tensor<1> {
        let [batch, hidden, _, _] = activation.dims();
        let q = activation.reshape([batch, hidden]).matmul(self.w2.val());
        match self.shape {
            Shape::ReluThenAffine => q.mean(),
            Shape::AffineThenCurved | Shape::ReluThenCurved => {
                (q.clone() + q.square().mul_scalar(0.5)).mean()
            }
        }
    }
}

/// A convolution, optionally batch norm, ReLU, and a dense layer to three classes: `[B, 1, S, S]`.
#[derive(Module, Debug)]
pub struct Net {
    pub conv: Conv2d,
    pub norm: Option<BatchNorm>,
    pub head: Param<Tensor<2>>,
    pub bias: Param<Tensor<1>>,
}

/// The classes that [`Net`] tells apart.
pub const CLASSES: usize = 3;

impl Net {
    pub fn new(seed: u64, side: usize, channels: usize, device: &Device) -> Self {
        let rng = &mut stream(seed, 11);
        let mut conv = Conv2dConfig::new([1, channels], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device.clone().autodiff());
        // Values of our own replace the lazy ones, which would come from a generator of the whole process.
        conv.weight = param(super::normal(rng, [channels, 1, 3, 3], 0.4, device));
        conv.bias = Some(param(super::normal(rng, [channels], 0.2, device)));
        let width = channels * side * side;
        Self {
            conv,
            norm: None,
            head: param(super::normal(rng, [width, CLASSES], 0.4, device)),
            bias: param(super::normal(rng, [CLASSES], 0.2, device)),
        }
    }

    /// The same network with batch norm behind the convolution.
    pub fn with_norm(mut self) -> Self {
        let [channels, _, _, _] = self.conv.weight.dims();
        let device = self.conv.weight.device().autodiff();
        self.norm = Some(BatchNormConfig::new(channels).init(&device));
        self
    }
}

impl Net {
    /// All behind the first layer, the loss left out.
    pub fn logits(&self, activation: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = activation.dims();
        let flat = activation.reshape([batch, channels * height * width]);
        flat.matmul(self.head.val()) + self.bias.val().unsqueeze()
    }
}

impl Objective<4> for Net {
    /// The classes, `[B]`.
    type Targets = Tensor<1, Int>;

    fn loss(&self, input: Tensor<4>, labels: &Self::Targets) -> Tensor<1> {
        self.rest(self.first(input, labels), labels)
    }
}

impl Split<4> for Net {
    fn first(&self, input: Tensor<4>, _: &Self::Targets) -> Tensor<4> {
        let hidden = self.conv.forward(input);
        relu(match &self.norm {
            Some(norm) => norm.forward(hidden),
            None => hidden,
        })
    }

    fn rest(&self, activation: Tensor<4>, labels: &Self::Targets) -> Tensor<1> {
        self.judge(self.logits(activation), labels)
    }
}

impl Predict<4> for Net {
    fn outputs(&self, input: Tensor<4>, labels: &Self::Targets) -> Tensor<2> {
        self.logits(self.first(input, labels))
    }

    fn judge(&self, logits: Tensor<2>, labels: &Self::Targets) -> Tensor<1> {
        let batch = logits.dims()[0];
        let labels = labels.clone().reshape([batch, 1]);
        log_softmax(logits, 1).gather(1, labels).mean().neg()
    }
}

/// Labels 0, 1, 2, 0, ..., `[B]`.
pub fn labels(batch: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::arange(0..batch as i64, device).remainder_scalar(CLASSES as i64)
}
