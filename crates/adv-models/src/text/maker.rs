//! Layers of text models with first weights from one stream.

use super::norm::LayerNorm;
use crate::dropout::{Dropout, Masks};
use adv_core::Noise;
use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Makes layers in order. Weights are normal with BERT's standard deviation, or zero where a file will fill them.
pub(super) struct Maker<'a> {
    device: &'a Device,
    rng: Option<ChaCha8Rng>,
    std: f32,
    masks: Masks,
    dropouts: u32,
}

impl<'a> Maker<'a> {
    pub(super) fn drawing(seed: u64, std: f64, masks: Masks, device: &'a Device) -> Self {
        Self {
            rng: Some(ChaCha8Rng::seed_from_u64(seed)),
            ..Self::zeros(std, masks, device)
        }
    }

    pub(super) fn zeros(std: f64, masks: Masks, device: &'a Device) -> Self {
        Self {
            device,
            rng: None,
            std: std as f32,
            masks,
            dropouts: 0,
        }
    }

    /// From here on weights are drawn: a head is new where a file has none.
    pub(super) fn draw_from(&mut self, seed: u64) {
        self.rng = Some(ChaCha8Rng::seed_from_u64(seed));
    }

    /// A table or matrix.
    pub(super) fn matrix(&mut self, shape: [usize; 2]) -> Param<Tensor<2>> {
        let mut values = vec![0.0; shape[0] * shape[1]];
        if let Some(rng) = &mut self.rng {
            rng.normal(&mut values);
            values.iter_mut().for_each(|value| *value *= self.std);
        }
        self.param(values, shape)
    }

    /// Uniform in ±`bound`.
    pub(super) fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f32) -> Param<Tensor<D>> {
        let mut values = vec![0.0; shape.iter().product()];
        if let Some(rng) = &mut self.rng {
            rng.uniform(&mut values);
            values.iter_mut().for_each(|value| *value *= bound);
        }
        self.param(values, shape)
    }

    /// A vector of equal numbers, not drawn.
    pub(super) fn constant(&self, length: usize, value: f32) -> Param<Tensor<1>> {
        self.param(vec![value; length], [length])
    }

    /// A linear layer with PyTorch's first weights: uniform in ±1/sqrt(inputs), its bias too.
    pub(super) fn fan_in_linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let bound = (inputs as f32).sqrt().recip();
        let mut layer = LinearConfig::new(inputs, outputs).init(self.device);
        layer.weight = self.uniform([inputs, outputs], bound);
        layer.bias = Some(self.uniform([outputs], bound));
        layer
    }

    /// A vector of zeros.
    pub(super) fn vector(&self, length: usize) -> Param<Tensor<1>> {
        self.param(vec![0.0; length], [length])
    }

    pub(super) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut layer = LinearConfig::new(inputs, outputs).init(self.device);
        // Values of our own replace Burn's lazy ones, which would draw from a generator of the whole process.
        layer.weight = self.matrix([inputs, outputs]);
        layer.bias = Some(self.vector(outputs));
        layer
    }

    pub(super) fn norm(&self, width: usize, epsilon: f64) -> LayerNorm {
        let gamma = self.param(vec![1.0; width], [width]);
        LayerNorm::new(gamma, self.vector(width), epsilon)
    }

    pub(super) fn dropout(&mut self, probability: f64) -> Dropout {
        let number = self.dropouts;
        self.dropouts += 1;
        Dropout::new(probability, number, self.masks.clone())
    }

    fn param<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }
}
