//! What runs on images and on text share: method, optimiser, budget.

use super::method::MethodSpec;
use super::names::{OptimiserName, ScheduleName};
use super::settings::Settings;
use crate::device::DeviceKind;
use crate::methods::MethodError;
use crate::usage::UsageError;
use adv_core::Passes;
use adv_data::{BatchPlan, LastBatch};

/// How a model is trained, whatever it is trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The training method.
    pub method: MethodSpec,
    /// The device.
    pub device: DeviceKind,
    /// Seed of weights, order, noise and dropout.
    pub seed: u64,
    /// Passes over the training data, before replay.
    pub epochs: f64,
    /// Updates in all, if they are given instead.
    pub updates: Option<u64>,
    /// Samples per mini-batch.
    pub batch: usize,
    /// Use the first samples only.
    pub take: Option<usize>,
    /// The optimiser.
    pub optim: OptimSpec,
    /// Mini-batches of standard training before the method sets in, if that was said.
    pub begin_step: Option<u64>,
    /// The same if it was not; at most a third of all.
    pub usual_begin: u64,
    /// Mini-batches between validations, beside those at epoch ends.
    pub validate_every: Option<u64>,
    /// Validations without a better one before the training ends.
    pub patience: Option<u64>,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

/// The optimiser, its rate and its schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimSpec {
    /// Which one.
    pub name: OptimiserName,
    /// The peak rate.
    pub lr: f64,
    /// The schedule.
    pub schedule: ScheduleName,
    /// Updates over which the rate grows; below 1, their share.
    pub warmup: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm.
    pub clip_norm: Option<f64>,
    /// Mini-batches per update.
    pub accumulate: u64,
}

impl OptimSpec {
    /// One rate throughout, an update each mini-batch, no decay, no momentum, no clipping.
    pub fn constant(name: OptimiserName, lr: f64) -> Self {
        Self {
            name,
            lr,
            schedule: ScheduleName::Constant,
            warmup: 0.0,
            momentum: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
            accumulate: 1,
        }
    }

    /// Updates of the warm-up, of so many in all.
    pub fn warmup_updates(&self, total: u64) -> u64 {
        let updates = if self.warmup < 1.0 {
            self.warmup * total as f64
        } else {
            self.warmup
        };
        (updates.round() as u64).min(total)
    }
}

/// What is taken where the settings are silent.
pub(super) struct TrainingDefaults {
    pub(super) epochs: f64,
    pub(super) batch: usize,
    pub(super) begin_step: u64,
    pub(super) optim: OptimSpec,
}

impl Training {
    pub(super) fn resolve(s: &Settings, method: MethodSpec, defaults: &TrainingDefaults) -> Self {
        let usual = defaults.optim;
        Self {
            method,
            device: s.device.unwrap_or(DeviceKind::Flex),
            seed: s.seed.unwrap_or(0),
            epochs: s.epochs.unwrap_or(defaults.epochs),
            updates: s.updates,
            batch: s.batch.unwrap_or(defaults.batch),
            take: s.take,
            optim: OptimSpec {
                name: s.optimiser.unwrap_or(usual.name),
                lr: s.lr.unwrap_or(usual.lr),
                schedule: s.schedule.unwrap_or(usual.schedule),
                warmup: s.warmup.unwrap_or(usual.warmup),
                momentum: s.momentum.unwrap_or(usual.momentum),
                weight_decay: s.weight_decay.unwrap_or(usual.weight_decay),
                // 0 is none, where some is usual.
                clip_norm: s.clip_norm.or(usual.clip_norm).filter(|max| *max != 0.0),
                accumulate: s.accumulate.unwrap_or(usual.accumulate),
            },
            begin_step: s.begin_step,
            usual_begin: defaults.begin_step,
            validate_every: s.validate_every,
            patience: s.patience,
            checkpoint_seconds: s.checkpoint_seconds.unwrap_or(20.0),
        }
    }

    /// How so many samples are cut into mini-batches.
    pub fn batches(&self, samples: usize) -> adv_data::Result<BatchPlan> {
        BatchPlan::new(samples, self.batch.min(samples), LastBatch::Keep, self.seed)
    }

    /// Mini-batches in all, before replay, of so many in an epoch.
    pub fn mini_batches(&self, per_epoch: usize) -> u64 {
        match self.updates {
            Some(updates) => {
                // The last mini-batches of an epoch make an update even if they are fewer.
                let (per_epoch, each) = (per_epoch as u64, self.optim.accumulate);
                let updates = self.replayed(updates);
                let in_an_epoch = per_epoch.div_ceil(each);
                let rest = (updates % in_an_epoch).saturating_mul(each).min(per_epoch);
                (updates / in_an_epoch)
                    .saturating_mul(per_epoch)
                    .saturating_add(rest)
            }
            None => (self.epochs * per_epoch as f64).round().max(1.0) as u64,
        }
    }

    /// Mini-batches that make so many updates, of which a method that replays makes several in each; the first ones are standard
    /// training, without replay.
    pub fn replayed(&self, updates: u64) -> u64 {
        let each = self.method.replays() as u64;
        // A third of the mini-batches at most is standard by default: b of them and 2 b that are replayed.
        let usual = self.usual_begin.min(updates / (1 + 2 * each));
        let standard = self.begin_step.unwrap_or(usual).min(updates);
        standard + (updates - standard).div_ceil(each)
    }

    /// Mini-batches of standard training before the method sets in, of so many in all.
    pub fn begin(&self, total: u64) -> u64 {
        self.begin_step.unwrap_or(self.usual_begin.min(total / 3))
    }

    /// What one mini-batch costs in theory, an update each.
    pub fn expected_cost(&self) -> Result<Passes, MethodError> {
        crate::methods::expected_cost(&self.method)
    }

    /// What one mini-batch costs in theory, where that is the same for all of them.
    pub fn constant_cost(&self) -> Result<Option<Passes>, MethodError> {
        // Theory has no triplets: each has one more forward.
        let constant = self.optim.accumulate == 1
            && self.begin_step.unwrap_or(self.usual_begin) == 0
            && !self.method.contrast.triplets;
        constant.then(|| self.expected_cost()).transpose()
    }

    pub(super) fn check(&self) -> Result<(), UsageError> {
        // First: a radius that is wrong here is wrong in the evaluation too, but was given as --eps.
        self.expected_cost()
            .map_err(|error| UsageError(format!("method {}: {error}", self.method.name)))?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let optim = &self.optim;
        first_broken(&[
            (positive(self.epochs), "--epochs must be a positive number"),
            (self.updates != Some(0), "--updates must be at least 1"),
            (self.batch > 0, "--batch must be at least 1"),
            (self.take != Some(0), "--take must be at least 1"),
            (
                i64::try_from(self.seed).is_ok(),
                "--seed must be at most 9223372036854775807, the largest integer of a TOML file",
            ),
            (
                (0.0..=1.0).contains(&self.method.eps_warmup),
                "--eps-warmup must be in [0, 1]: it is a share of the training",
            ),
            (positive(optim.lr), "--lr must be a positive number"),
            (
                optim.warmup.is_finite() && optim.warmup >= 0.0,
                "--warmup must be at least 0",
            ),
            (
                optim.warmup == 0.0 || optim.schedule != ScheduleName::Triangular,
                "--schedule triangular warms up by itself: leave --warmup out, or choose linear",
            ),
            (
                (0.0..1.0).contains(&optim.momentum),
                "--momentum must be in [0, 1)",
            ),
            (optim.weight_decay >= 0.0, "--weight-decay must be at least 0"),
            (
                optim.clip_norm.is_none_or(positive),
                "--clip-norm must be a positive number",
            ),
            (optim.accumulate > 0, "--accumulate must be at least 1"),
            (self.method.steps <= 100_000, "--steps must be at most 100000"),
            (
                optim.accumulate == 1 || self.method.replays() == 1,
                "--accumulate does not go with freeat, which makes an update in every replay",
            ),
            (
                self.validate_every != Some(0),
                "--validate-every must be at least 1",
            ),
            (self.patience != Some(0), "--patience must be at least 1"),
            (
                (0.0..=1e9).contains(&self.checkpoint_seconds),
                "--checkpoint-seconds must be at least 0 and at most 1e9",
            ),
        ])
    }

    /// The settings that say all of it.
    pub(super) fn filled(&self) -> Settings {
        let optim = &self.optim;
        Settings {
            epochs: self.updates.is_none().then_some(self.epochs),
            updates: self.updates,
            batch: Some(self.batch),
            seed: Some(self.seed),
            device: Some(self.device),
            take: self.take,
            optimiser: Some(optim.name),
            lr: Some(optim.lr),
            schedule: Some(optim.schedule),
            warmup: Some(optim.warmup),
            momentum: Some(optim.momentum),
            weight_decay: Some(optim.weight_decay),
            clip_norm: Some(optim.clip_norm.unwrap_or(0.0)),
            accumulate: Some(optim.accumulate),
            begin_step: self.begin_step,
            validate_every: self.validate_every,
            patience: self.patience,
            checkpoint_seconds: Some(self.checkpoint_seconds),
            ..self.method.filled()
        }
    }
}

/// The first rule that does not hold.
pub(super) fn first_broken(rules: &[(bool, &str)]) -> Result<(), UsageError> {
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, text)) => Err(UsageError((*text).into())),
        None => Ok(()),
    }
}
