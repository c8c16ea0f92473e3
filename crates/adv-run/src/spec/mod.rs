//! What a run is: settings as given, and the specification that defaults and checks make of them.

mod defaults;
mod names;
mod settings;

pub use names::{
    AscentModeName, FirstLayerName, MethodName, NormName, OptimiserName, ScheduleName, StartName,
};
pub use settings::{Settings, number};

use crate::attack::{AttackName, Target};
use crate::device::DeviceKind;
use crate::usage::UsageError;
use adv_core::{ParamError, Passes};
use adv_data::DatasetId;
use adv_models::Architecture;
use std::path::PathBuf;

/// A run with nothing left open. Built by [`RunSpec::resolve`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// The settings, defaults filled in: what the run folder keeps and `--spec` reads again.
    pub settings: Settings,
    /// The training method.
    pub method: MethodSpec,
    /// The data set.
    pub dataset: DatasetId,
    /// The network.
    pub model: Architecture,
    /// The device.
    pub device: DeviceKind,
    /// Seed of weights, order, noise and dropout.
    pub seed: u64,
    /// Passes over the training data, before replay.
    pub epochs: f64,
    /// Images per mini-batch.
    pub batch: usize,
    /// Use the first images only.
    pub take: Option<usize>,
    /// Training images held back.
    pub hold_out: usize,
    /// The optimiser.
    pub optim: OptimSpec,
    /// The final evaluation.
    pub evaluation: EvalSpec,
    /// The data set's own folder, if given.
    pub data_dir: Option<PathBuf>,
    /// The first weights, if they are not to be drawn.
    pub init: Option<PathBuf>,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

/// A method and its parameters, as numbers; [`crate::methods::build`] makes the method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodSpec {
    /// Which one.
    pub name: MethodName,
    /// The norm.
    pub norm: NormName,
    /// The radius.
    pub eps: f64,
    /// The step size.
    pub step: f64,
    /// Ascent steps, or passes of FreeLB.
    pub steps: usize,
    /// Replays of FreeAT, full passes of YOPO.
    pub m: usize,
    /// First-layer steps of YOPO.
    pub n_inner: usize,
    /// First-layer accounting of YOPO.
    pub first_layer: FirstLayerName,
    /// Noise of N-FGSM, in radii.
    pub noise: f64,
    /// Start of PGD.
    pub start: StartName,
    /// Share of the training over which the radius grows from 0.
    pub eps_warmup: f64,
    /// Share of the clean loss.
    pub clean_share: f64,
    /// Mode of the network during the ascent.
    pub ascent_mode: AscentModeName,
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
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Largest global gradient norm.
    pub clip_norm: Option<f64>,
}

/// What the final evaluation does.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalSpec {
    /// The attacks.
    pub attacks: Vec<AttackName>,
    /// The radius.
    pub eps: f64,
    /// The step size; by attack if none.
    pub step: Option<f64>,
    /// Attack the first `n` test images.
    pub n: usize,
    /// The class to reach; any wrong one if none.
    pub target: Option<Target>,
    /// Seed of the random starts.
    pub seed: u64,
}

impl RunSpec {
    /// Fills in defaults and checks every value.
    pub fn resolve(settings: Settings) -> Result<Self, UsageError> {
        let dataset: DatasetId = match &settings.dataset {
            None => DatasetId::Digits,
            Some(name) => name
                .parse()
                .map_err(|error| UsageError(format!("--dataset: {error}")))?,
        };
        let base = defaults::of(dataset);
        let model: Architecture = match &settings.model {
            None => base.model,
            Some(name) => name
                .parse()
                .map_err(|error| UsageError(format!("--model: {error}")))?,
        };
        let s = settings;
        let method = defaults::method(&s, dataset, base.eps);
        let optim = OptimSpec {
            name: s.optimiser.unwrap_or(OptimiserName::Adam),
            lr: s.lr.unwrap_or(base.lr),
            schedule: s.schedule.unwrap_or(ScheduleName::Triangular),
            momentum: s.momentum.unwrap_or(0.9),
            weight_decay: s.weight_decay.unwrap_or(0.0),
            clip_norm: s.clip_norm,
        };
        let attacks = s.attack.clone().unwrap_or_else(|| {
            // Of the norm that was trained under: a radius means nothing in another.
            let names = match method.norm {
                NormName::Linf => ["fgsm", "pgd-20"],
                NormName::L2 => ["fgm", "pgd-l2-20"],
            };
            names.map(String::from).to_vec()
        });
        let named: Vec<AttackName> = attacks
            .iter()
            .map(|name| name.parse())
            .collect::<Result<_, _>>()
            .map_err(|error| UsageError(format!("--attack: {error}")))?;
        // Once each: results go by name.
        let mut attacks = Vec::new();
        for name in named {
            if !attacks.contains(&name) {
                attacks.push(name);
            }
        }
        let evaluation = EvalSpec {
            attacks,
            eps: s.eval_eps.unwrap_or(method.eps),
            step: s.eval_step,
            n: s.n.unwrap_or(1000),
            target: None,
            seed: s.seed.unwrap_or(0),
        };
        let mut spec = RunSpec {
            method,
            dataset,
            model,
            device: s.device.unwrap_or(DeviceKind::Flex),
            seed: s.seed.unwrap_or(0),
            epochs: s.epochs.unwrap_or(base.epochs),
            batch: s.batch.unwrap_or(base.batch),
            take: s.take,
            hold_out: s.hold_out.unwrap_or(base.hold_out),
            optim,
            evaluation,
            // Absolute, since a run may be resumed from another folder.
            data_dir: s.data_dir.as_ref().map(absolute),
            init: s.init.as_ref().map(absolute),
            checkpoint_seconds: s.checkpoint_seconds.unwrap_or(20.0),
            settings: Settings::default(),
        };
        spec.check()?;
        spec.settings = spec.filled();
        Ok(spec)
    }

    /// What one mini-batch costs in theory.
    pub fn expected_cost(&self) -> Result<Passes, ParamError> {
        Ok(crate::methods::build(&self.method)?.expected_cost())
    }

    fn check(&self) -> Result<(), UsageError> {
        // First: a radius that is wrong here is wrong in the evaluation too, but was given as --eps.
        crate::methods::build(&self.method)
            .map_err(|error| UsageError(format!("method {}: {error}", self.method.name)))?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let rules = [
            (positive(self.epochs), "--epochs must be a positive number"),
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
            (positive(self.optim.lr), "--lr must be a positive number"),
            (
                (0.0..1.0).contains(&self.optim.momentum),
                "--momentum must be in [0, 1)",
            ),
            (
                self.optim.weight_decay >= 0.0,
                "--weight-decay must be at least 0",
            ),
            (
                self.optim.clip_norm.is_none_or(positive),
                "--clip-norm must be a positive number",
            ),
            (
                self.evaluation.eps >= 0.0,
                "the radius of the evaluation (--eval-eps of train, --eps of eval) must be at least 0",
            ),
            (
                self.method.norm == NormName::L2 || self.method.eps <= 1.0,
                "--eps is in pixels of 0 to 1: 8 of 255 is 8/255",
            ),
            (
                self.evaluation.step.is_none_or(positive),
                "--eval-step must be a positive number",
            ),
            (self.evaluation.n > 0, "--n must be at least 1"),
            (
                (0.0..=1e9).contains(&self.checkpoint_seconds),
                "--checkpoint-seconds must be at least 0 and at most 1e9",
            ),
            (
                self.method.name.allows(self.method.norm),
                "--norm l2 goes with pgd, fgm and freelb only; fgm is always l2",
            ),
        ];
        if let Some((_, text)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(UsageError(text.into()));
        }
        Ok(())
    }

    /// The settings that say everything: reading them again gives the same run.
    fn filled(&self) -> Settings {
        let m = &self.method;
        let uses = m.name.uses();
        Settings {
            method: Some(m.name),
            dataset: Some(self.dataset.to_string()),
            model: Some(self.model.to_string()),
            epochs: Some(self.epochs),
            batch: Some(self.batch),
            seed: Some(self.seed),
            device: Some(self.device),
            data_dir: self.data_dir.clone(),
            init: self.init.clone(),
            take: self.take,
            hold_out: Some(self.hold_out),
            norm: Some(m.norm),
            eps: Some(m.eps),
            step: uses.ball.then_some(m.step),
            steps: uses.steps.then_some(m.steps),
            m: uses.m.then_some(m.m),
            n_inner: uses.n_inner.then_some(m.n_inner),
            first_layer: uses.n_inner.then_some(m.first_layer),
            noise: uses.noise.then_some(m.noise),
            start: uses.start.then_some(m.start),
            eps_warmup: uses.ball.then_some(m.eps_warmup),
            clean_share: uses.clean_share.then_some(m.clean_share),
            ascent_mode: uses.clean_share.then_some(m.ascent_mode),
            optimiser: Some(self.optim.name),
            lr: Some(self.optim.lr),
            schedule: Some(self.optim.schedule),
            momentum: Some(self.optim.momentum),
            weight_decay: Some(self.optim.weight_decay),
            clip_norm: self.optim.clip_norm,
            attack: Some(self.evaluation.attacks.iter().map(ToString::to_string).collect()),
            eval_eps: Some(self.evaluation.eps),
            eval_step: self.evaluation.step,
            n: Some(self.evaluation.n),
            checkpoint_seconds: Some(self.checkpoint_seconds),
        }
    }
}

/// The path from the root. One that cannot be made so is left to whoever reads it.
fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}
