//! A linear layer behind the pooling.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What follows a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DenseActivation {
    /// The hyperbolic tangent: the head of SimCSE, and BERT's pooler.
    #[default]
    Tanh,
    /// Nothing.
    Identity,
}

/// A linear layer with an activation, `[B, H]` to `[B, W]`.
#[derive(Module, Debug)]
pub struct Dense {
    linear: Linear,
    #[module(skip)]
    activation: DenseActivation,
}

impl Dense {
    /// With random weights of BERT's standard deviation, 0.02, and a bias of zero: SimCSE's head, which is not BERT's own pooler (Gao et
    /// al. 2021, footnote 9).
    pub fn new(inputs: usize, outputs: usize, seed: u64, device: &Device) -> Self {
        const DEVIATION: f32 = 0.02;
        let mut values = vec![0.0; inputs * outputs];
        adv_core::Noise::normal(&mut ChaCha8Rng::seed_from_u64(seed), &mut values);
        values.iter_mut().for_each(|value| *value *= DEVIATION);
        Self::of(
            values,
            vec![0.0; outputs],
            [inputs, outputs],
            DenseActivation::Tanh,
            device,
        )
    }

    /// With given weights, `[inputs, outputs]` row by row.
    pub(super) fn of(
        weight: Vec<f32>,
        bias: Vec<f32>,
        [inputs, outputs]: [usize; 2],
        activation: DenseActivation,
        device: &Device,
    ) -> Self {
        let mut linear = LinearConfig::new(inputs, outputs).init(device);
        let weight = TensorData::new(weight, [inputs, outputs]);
        linear.weight = Param::from_tensor(Tensor::from_data(weight, device));
        linear.bias = Some(Param::from_tensor(Tensor::from_data(
            TensorData::new(bias, [outputs]),
            device,
        )));
        Self { linear, activation }
    }

    /// `[B, H]` to `[B, W]`.
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let out = self.linear.forward(vectors);
        match self.activation {
            DenseActivation::Tanh => out.tanh(),
            DenseActivation::Identity => out,
        }
    }

    /// Width of what goes in, and of what comes out.
    pub fn widths(&self) -> [usize; 2] {
        self.linear.weight.dims()
    }

    /// The activation.
    pub fn activation(&self) -> DenseActivation {
        self.activation
    }

    /// Weight `[outputs, inputs]` as PyTorch has it, and bias.
    pub(super) fn to_pytorch(&self) -> (Vec<f32>, Vec<f32>) {
        let values = |tensor: burn::tensor::TensorData| tensor.iter::<f32>().collect();
        let weight = self.linear.weight.val().inner().transpose();
        let bias = self
            .linear
            .bias
            .as_ref()
            .map(|bias| values(bias.val().inner().into_data()));
        (values(weight.into_data()), bias.unwrap_or_default())
    }
}
