//! What the tests share: reproducible values and comparisons.
#![allow(dead_code, reason = "no test file uses all of it")]

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Uniform values in [-1, 1).
pub fn random<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let unit = |bits: u32| (bits >> 8) as f32 / (1 << 23) as f32 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| unit(rng.next_u32()))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 values")
}

/// Panics if two lists of values differ by more than rounding.
pub fn assert_close(name: &str, ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len(), "{name}: number of values");
    let scale = reference
        .iter()
        .fold(1.0, |scale: f32, value| scale.max(value.abs()));
    for (i, (a, b)) in ours.iter().zip(reference).enumerate() {
        let same = (a - b).abs() <= 2e-5 * scale || (a.is_nan() && b.is_nan());
        assert!(
            same,
            "{name}: value {i} is {a}, the reference {b} (scale {scale})"
        );
    }
}

/// The message of the panic that a closure ends in.
pub fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) else {
        panic!("no panic");
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .expect("a message")
}

/// Output and gradients of one operation.
pub struct Pass {
    pub output: Vec<f32>,
    pub grads: Vec<Option<Vec<f32>>>,
}

impl Pass {
    /// Panics if two passes differ by more than rounding, or in which gradients they have.
    pub fn compare(&self, reference: &Self, name: &str) {
        assert_close(name, &self.output, &reference.output);
        assert_eq!(self.grads.len(), reference.grads.len(), "{name}: gradients");
        for (i, (ours, reference)) in self.grads.iter().zip(&reference.grads).enumerate() {
            match (ours, reference) {
                (Some(a), Some(b)) => assert_close(&format!("{name}, gradient {i}"), a, b),
                (None, None) => {}
                _ => panic!("{name}: gradient {i} present on one side only"),
            }
        }
    }
}
