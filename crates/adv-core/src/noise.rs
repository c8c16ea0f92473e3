//! Randomness enters the core only through this trait.

use rand_core::Rng;

/// A source of start noise.
///
/// Every random generator is one. A test that wants to compare with another program implements the trait for
/// a stored tensor.
pub trait Noise {
    /// Fills `out` with values uniform in [-1, 1).
    fn uniform(&mut self, out: &mut [f32]);

    /// Fills `out` with standard normal values.
    fn normal(&mut self, out: &mut [f32]);
}

impl<R: Rng> Noise for R {
    fn uniform(&mut self, out: &mut [f32]) {
        for value in out {
            // 24 bits are what an f32 in [0, 1) can hold evenly.
            *value = (self.next_u32() >> 8) as f32 * (2.0 / (1u32 << 24) as f32) - 1.0;
        }
    }

    fn normal(&mut self, out: &mut [f32]) {
        // Box-Muller: two values from two draws.
        for pair in out.chunks_mut(2) {
            let u = ((self.next_u32() >> 8) + 1) as f64 / (1u32 << 24) as f64;
            let v = (self.next_u32() >> 8) as f64 / (1u32 << 24) as f64;
            let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
            let radius = (-2.0 * u.ln()).sqrt();
            pair[0] = (radius * cos) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * sin) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| *v as f64).sum::<f64>() / n;
        let variance = values.iter().map(|v| (*v as f64 - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    }

    #[test]
    fn uniform_fills_the_interval_evenly() {
        let mut values = vec![0.0; 100_001];
        ChaCha8Rng::seed_from_u64(1).uniform(&mut values);
        let (mean, variance) = moments(&values);
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0 / 3.0).abs() < 0.01, "{variance}");
    }

    #[test]
    fn normal_has_unit_variance_and_tails() {
        let mut values = vec![0.0; 100_001];
        ChaCha8Rng::seed_from_u64(2).normal(&mut values);
        let (mean, variance) = moments(&values);
        assert!(values.iter().all(|v| v.is_finite()));
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        let beyond_two = values.iter().filter(|v| v.abs() > 2.0).count() as f64 / values.len() as f64;
        assert!((beyond_two - 0.0455).abs() < 0.004, "{beyond_two}");
    }
}
