//! First weights, drawn on the host from one seeded stream, so that they depend on seed and architecture only.

use adv_core::Noise;
use rand_chacha::ChaCha8Rng;

/// How the weights and the bias of a layer begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Init {
    /// PyTorch's default: weight and bias uniform in ±1/sqrt(fan in).
    FanIn,
    /// Weight normal with variance 2/(fan in) (He et al. 2015), bias zero.
    Kaiming,
    /// Weight normal with this standard deviation, redrawn beyond two of them (TensorFlow's), and this bias.
    Truncated { std: f32, bias: f32 },
    /// All zero.
    Zero,
}

impl Init {
    /// The values of a layer: `weights` of them, then `outputs` biases.
    pub(crate) fn draw(
        self,
        rng: &mut ChaCha8Rng,
        weights: usize,
        outputs: usize,
        fan_in: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let mut weight = vec![0.0; weights];
        let mut bias = vec![0.0; outputs];
        match self {
            Init::Zero => {}
            Init::FanIn => {
                let bound = (fan_in as f32).sqrt().recip();
                for values in [&mut weight, &mut bias] {
                    rng.uniform(values);
                    values.iter_mut().for_each(|value| *value *= bound);
                }
            }
            Init::Kaiming => {
                let std = (2.0 / fan_in as f32).sqrt();
                rng.normal(&mut weight);
                weight.iter_mut().for_each(|value| *value *= std);
            }
            Init::Truncated { std, bias: level } => {
                rng.normal(&mut weight);
                for value in &mut weight {
                    while value.abs() > 2.0 {
                        rng.normal(std::slice::from_mut(value));
                    }
                    *value *= std;
                }
                bias.fill(level);
            }
        }
        (weight, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    fn check(init: Init, fan_in: usize, std: f64, largest: f32) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (weight, _) = init.draw(&mut rng, 100_000, 10, fan_in);
        let n = weight.len() as f64;
        let mean = weight.iter().map(|w| f64::from(*w)).sum::<f64>() / n;
        let variance = weight.iter().map(|w| (f64::from(*w) - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.02 * std, "{init:?}: mean {mean}");
        assert!(
            (variance.sqrt() - std).abs() < 0.01 * std,
            "{init:?}: {}",
            variance.sqrt()
        );
        assert!(
            weight.iter().all(|w| w.abs() <= largest),
            "{init:?} draws beyond {largest}"
        );
    }

    #[test]
    fn moments_and_bounds_are_those_of_the_published_initialisations() {
        // A uniform draw in ±b has the standard deviation b / sqrt(3).
        check(Init::FanIn, 16, 0.25 / 3f64.sqrt(), 0.25);
        check(Init::Kaiming, 50, 0.2, f32::INFINITY);
        // A normal draw cut at two standard deviations keeps 0.8796 of its own.
        let truncated = Init::Truncated { std: 0.1, bias: 0.1 };
        check(truncated, 25, 0.08796, 0.2);
    }

    #[test]
    fn biases_begin_as_published() {
        let bias = |init: Init| init.draw(&mut ChaCha8Rng::seed_from_u64(3), 4, 3, 4).1;
        assert_eq!(bias(Init::Kaiming), [0.0; 3]);
        assert_eq!(bias(Init::Truncated { std: 0.1, bias: 0.1 }), [0.1; 3]);
        assert!(bias(Init::FanIn).iter().all(|b| *b != 0.0 && b.abs() <= 0.5));
    }
}
