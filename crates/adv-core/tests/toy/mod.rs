//! Small models with known gradients, and the tools to look at what a method did with them.
#![allow(dead_code)] // every test binary uses its own part of this

pub mod models;
pub mod probe;
pub mod record;

use adv_core::Noise;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A random stream of its own for every purpose.
pub fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

/// Standard normal values times `scale`.
pub fn normal<const D: usize>(
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
    scale: f32,
    device: &Device,
) -> Tensor<D> {
    let mut values = vec![0.0; shape.iter().product()];
    rng.normal(&mut values);
    values.iter_mut().for_each(|value| *value *= scale);
    tensor(values, shape, device)
}

/// Values uniform in [low, high).
pub fn uniform<const D: usize>(
    rng: &mut ChaCha8Rng,
    shape: [usize; D],
    [low, high]: [f32; 2],
    device: &Device,
) -> Tensor<D> {
    let mut values = vec![0.0; shape.iter().product()];
    rng.uniform(&mut values);
    for value in &mut values {
        *value = low + (high - low) * 0.5 * (*value + 1.0);
    }
    tensor(values, shape, device)
}

/// A tensor with these values, not tracked.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A weight with these values.
pub fn param<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(value.autodiff())
}

/// The values of a tensor on the host.
pub fn values<const D: usize>(t: &Tensor<D>) -> Vec<f32> {
    t.clone().inner().try_into_vec_as::<f32>().unwrap()
}

/// All gradients on the host, in the order of the model's parameters; an absent one is empty.
pub fn gradients<M: Module>(model: &M, gradients: &GradientsParams) -> Vec<Vec<f32>> {
    struct Collect<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id);
            self.1.push(gradient.map(|g| values(&g)).unwrap_or_default());
        }
    }
    let mut visitor = Collect(gradients, Vec::new());
    model.visit(&mut visitor);
    visitor.1
}

/// All weights on the host, in the order of the model's parameters.
pub fn weights<M: Module>(model: &M) -> Vec<Vec<f32>> {
    struct Collect(Vec<Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(values(&param.val()));
        }
    }
    let mut visitor = Collect(Vec::new());
    model.visit(&mut visitor);
    visitor.0
}

/// How two results must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agree {
    /// Bit for bit, but for the sign of zero.
    Bits,
    /// Within the rounding of another order of operations.
    Closely,
}

impl Agree {
    /// Asserts that two lists of values agree.
    #[track_caller]
    pub fn check(self, what: &str, left: &[f32], right: &[f32]) {
        assert_eq!(left.len(), right.len(), "{what}: lengths");
        match self {
            Agree::Bits => assert_eq!(left, right, "{what}"),
            Agree::Closely => close(what, left, right, 1e-5),
        }
    }

    /// Asserts that two sets of gradients agree, parameter by parameter, and that they are not all empty.
    #[track_caller]
    pub fn check_sets(self, what: &str, left: &[Vec<f32>], right: &[Vec<f32>]) {
        assert_eq!(left.len(), right.len(), "{what}: parameters");
        assert!(left.iter().any(|set| !set.is_empty()), "{what}: all empty");
        for (index, (left, right)) in left.iter().zip(right).enumerate() {
            self.check(&format!("{what}, parameter {index}"), left, right);
        }
    }
}

/// Asserts that values differ by at most `tolerance` of the largest of them.
#[track_caller]
pub fn close(what: &str, left: &[f32], right: &[f32], tolerance: f32) {
    assert_eq!(left.len(), right.len(), "{what}: lengths");
    let size = left.iter().chain(right).fold(0f32, |m, v| m.max(v.abs()));
    for (index, (l, r)) in left.iter().zip(right).enumerate() {
        assert!(
            (l - r).abs() <= tolerance * size + 1e-30,
            "{what}: {l} and {r} at {index}"
        );
    }
}
