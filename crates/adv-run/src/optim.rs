//! Optimisers and learning-rate schedules of a run.

use crate::spec::{OptimiserName, ScheduleName};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

/// An optimiser with its state.
pub fn optimiser(name: OptimiserName, momentum: f64, weight_decay: f64) -> ModuleOptimizer {
    // Adam's epsilon as in the paper; Burn's default is 1e-5.
    const EPSILON: f32 = 1e-8;
    let decay = (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay as f32));
    match name {
        OptimiserName::Sgd => {
            let momentum =
                (momentum > 0.0).then(|| MomentumConfig::new().with_momentum(momentum).with_dampening(0.0));
            SgdConfig::new()
                .with_momentum(momentum)
                .with_weight_decay(decay)
                .init()
        }
        OptimiserName::Adam => AdamConfig::new()
            .with_epsilon(EPSILON)
            .with_weight_decay(decay)
            .init(),
        OptimiserName::Adamw => AdamWConfig::new()
            .with_epsilon(EPSILON)
            .with_weight_decay(weight_decay as f32)
            .init(),
    }
}

/// The learning rate of update `done + 1` of `total`, as a share of the peak.
///
/// A function of the position alone, so that a resumed run needs no state of it.
pub fn rate_share(schedule: ScheduleName, done: u64, total: u64) -> f64 {
    let t = (done + 1) as f64 / total.max(1) as f64;
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_have_their_published_shape() {
        for (schedule, done, expected) in [
            (ScheduleName::Constant, 7, 1.0),
            (ScheduleName::Triangular, 0, 0.025),
            (ScheduleName::Triangular, 39, 1.0),
            (ScheduleName::Triangular, 69, 0.5),
            (ScheduleName::Triangular, 99, 0.0),
            (ScheduleName::Cosine, 49, 0.5),
            (ScheduleName::Cosine, 99, 0.0),
        ] {
            let share = rate_share(schedule, done, 100);
            assert!(
                (share - expected).abs() < 1e-12,
                "{schedule:?} at {done}: {share}"
            );
        }
    }
}
