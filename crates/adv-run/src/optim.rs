//! Optimisers and learning-rate schedules of a run.

use crate::adam::OnePassAdam;
use crate::spec::{OptimSpec, OptimiserName, ScheduleName};
use adv_ops::{Adam, Decay};
use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};

/// Adam's epsilon as in the paper.
const EPSILON: f32 = 1e-8;

/// An optimiser with its state.
pub fn optimiser(spec: &OptimSpec) -> ModuleOptimizer {
    match spec.name {
        OptimiserName::Sgd => sgd(spec).init(),
        OptimiserName::Adam => adam(spec, Decay::Gradient).into(),
        OptimiserName::Adamw => adam(spec, Decay::Weight).into(),
    }
}

/// The same without weight decay of some parameters.
pub fn optimiser_sparing(spec: &OptimSpec, spared: ParamGroup) -> ModuleOptimizer {
    let bare = &OptimSpec {
        weight_decay: 0.0,
        ..*spec
    };
    let whole = optimiser(spec);
    match spec.name {
        OptimiserName::Sgd => whole.with_group(spared, sgd(bare).build(), None),
        OptimiserName::Adam => whole.with_group(spared, adam(bare, Decay::Gradient), None),
        OptimiserName::Adamw => whole.with_group(spared, adam(bare, Decay::Weight), None),
    }
}

fn sgd(spec: &OptimSpec) -> SgdConfig {
    let momentum = MomentumConfig::new()
        .with_momentum(spec.momentum)
        .with_dampening(0.0);
    SgdConfig::new()
        .with_momentum((spec.momentum > 0.0).then_some(momentum))
        .with_weight_decay(
            (spec.weight_decay > 0.0).then(|| WeightDecayConfig::new(spec.weight_decay as f32)),
        )
}

/// With betas as in the paper.
fn adam(spec: &OptimSpec, decay: fn(f32) -> Decay) -> OnePassAdam {
    OnePassAdam(Adam {
        betas: [0.9, 0.999],
        epsilon: EPSILON,
        decay: decay(spec.weight_decay as f32),
    })
}

/// The learning rate of update `done + 1` of `total`, as a share of the peak.
///
/// A function of the position alone, so that a resumed run needs no state of it.
///
/// `warmup` updates come first, in which it grows in a line; the schedule has the others to itself.
pub fn rate_share(schedule: ScheduleName, warmup: u64, done: u64, total: u64) -> f64 {
    if done < warmup {
        return (done + 1) as f64 / warmup as f64;
    }
    let (done, total) = (done - warmup, total.saturating_sub(warmup).max(1));
    let t = (done + 1) as f64 / total as f64;
    match schedule {
        ScheduleName::Constant => 1.0,
        // 0 -> 1 over the first two fifths, then back to 0 (Wong et al. 2020).
        ScheduleName::Triangular => {
            const PEAK: f64 = 0.4;
            if t <= PEAK {
                t / PEAK
            } else {
                ((1.0 - t) / (1.0 - PEAK)).max(0.0)
            }
        }
        ScheduleName::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * t.min(1.0)).cos()),
        // The first update behind the warm-up has the peak itself, as in `transformers`.
        ScheduleName::Linear => 1.0 - (done as f64 / total as f64).min(1.0),
    }
}

/// The share of its radius that the perturbation of mini-batch `done + 1` of `total` has: it grows in a line over the first
/// `warmup` (a share) of the mini-batches.
///
/// A function of the position alone, as the rate is.
pub fn radius_share(warmup: f64, done: u64, total: u64) -> f64 {
    let growing = warmup * total as f64;
    if done as f64 >= growing {
        1.0
    } else {
        done as f64 / growing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_grows_in_a_line_from_zero() {
        for (warmup, done, expected) in [
            (0.0, 0, 1.0),
            (0.5, 0, 0.0),
            (0.5, 25, 0.5),
            (0.5, 49, 0.98),
            (0.5, 50, 1.0),
            (0.5, 99, 1.0),
            (1.0, 99, 0.99),
        ] {
            let share = radius_share(warmup, done, 100);
            assert!((share - expected).abs() < 1e-12, "{warmup} at {done}: {share}");
        }
    }

    #[test]
    fn schedules_have_their_published_shape() {
        for (schedule, warmup, done, expected) in [
            (ScheduleName::Constant, 0, 7, 1.0),
            (ScheduleName::Constant, 10, 0, 0.1),
            (ScheduleName::Constant, 10, 9, 1.0),
            (ScheduleName::Triangular, 0, 0, 0.025),
            (ScheduleName::Triangular, 0, 39, 1.0),
            (ScheduleName::Triangular, 0, 69, 0.5),
            (ScheduleName::Triangular, 0, 99, 0.0),
            (ScheduleName::Cosine, 0, 49, 0.5),
            (ScheduleName::Cosine, 0, 99, 0.0),
            (ScheduleName::Linear, 0, 0, 1.0),
            (ScheduleName::Linear, 20, 19, 1.0),
            (ScheduleName::Linear, 20, 20, 1.0),
            (ScheduleName::Linear, 20, 60, 0.5),
            (ScheduleName::Linear, 20, 99, 1.0 / 80.0),
        ] {
            let share = rate_share(schedule, warmup, done, 100);
            assert!(
                (share - expected).abs() < 1e-12,
                "{schedule:?} at {done}: {share}"
            );
        }
    }

    /// One parameter under an optimiser, and beside it what PyTorch's documentation says, in float64.
    fn check(
        name: OptimiserName,
        momentum: f64,
        decay: f64,
        by_hand: impl Fn(usize, f64, f64, &mut [f64; 2]) -> f64,
    ) {
        use burn::module::Param;
        use burn::nn::{Linear, LinearConfig};
        use burn::optim::GradientsParams;
        use burn::tensor::{Device, Tensor};
        let device = Device::flex().autodiff();
        let mut layer: Linear = LinearConfig::new(1, 1).with_bias(false).init(&device);
        layer.weight = Param::from_tensor(Tensor::from_floats([[0.7]], &device));
        let (mut weight, mut state) = (0.7, [0.0; 2]);
        let mut optimiser = optimiser(&OptimSpec {
            momentum,
            weight_decay: decay,
            ..OptimSpec::constant(name, 0.1)
        });
        for (step, gradient) in [0.5, -0.2, 0.03, 1.5].into_iter().enumerate() {
            let mut gradients = GradientsParams::new();
            let value = Tensor::<2>::from_floats([[gradient as f32]], &Device::flex());
            gradients.register(layer.weight.id, value);
            layer = optimiser.step(0.1, layer, gradients);
            weight = by_hand(step + 1, weight, gradient, &mut state);
            let got = f64::from(layer.weight.val().into_scalar::<f32>());
            assert!(
                (got - weight).abs() < 2e-6,
                "{name:?}, step {step}: {got}, {weight}"
            );
        }
    }

    const LR: f64 = 0.1;

    fn adam(step: usize, weight: f64, gradient: f64, [m, v]: &mut [f64; 2]) -> f64 {
        *m = 0.9 * *m + 0.1 * gradient;
        *v = 0.999 * *v + 0.001 * gradient * gradient;
        let m_hat = *m / (1.0 - 0.9f64.powi(step as i32));
        let v_hat = *v / (1.0 - 0.999f64.powi(step as i32));
        weight - LR * m_hat / (v_hat.sqrt() + 1e-8)
    }

    #[test]
    fn optimisers_step_as_pytorch_documents() {
        check(OptimiserName::Adam, 0.0, 0.0, adam);
        check(OptimiserName::Adam, 0.0, 0.3, |step, w, g, state| {
            adam(step, w, g + 0.3 * w, state)
        });
        check(OptimiserName::Adamw, 0.0, 0.3, |step, w, g, state| {
            adam(step, w * (1.0 - LR * 0.3), g, state)
        });
        check(OptimiserName::Sgd, 0.0, 0.0, |_, w, g, _| w - LR * g);
        check(OptimiserName::Sgd, 0.9, 0.3, |step, w, g, [buffer, _]| {
            let g = g + 0.3 * w;
            *buffer = if step == 1 { g } else { 0.9 * *buffer + g };
            w - LR * *buffer
        });
    }
}
