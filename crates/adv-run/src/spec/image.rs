//! A run on images.

use super::method::{L2_OVER_LINF, MethodSpec};
use super::method_name::MethodName;
use super::names::{NormName, OptimiserName, ScheduleName};
use super::settings::Settings;
use super::training::{OptimSpec, Training, TrainingDefaults, first_broken};
use crate::attack::{AttackName, Target};
use crate::usage::UsageError;
use adv_data::DatasetId;
use adv_models::Architecture;
use std::path::PathBuf;

/// A run on images with nothing left open. Built by [`ImageSpec::resolve`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSpec {
    /// The settings, defaults filled in: what the run folder keeps and `--spec` reads again.
    pub settings: Settings,
    /// How it is trained.
    pub training: Training,
    /// The data set.
    pub dataset: DatasetId,
    /// The network.
    pub model: Architecture,
    /// Training images held back.
    pub hold_out: usize,
    /// The radius of the training, which also watches it.
    pub eps: f64,
    /// The final evaluation.
    pub evaluation: EvalSpec,
    /// The data set's own folder, if given.
    pub data_dir: Option<PathBuf>,
    /// The first weights, if they are not to be drawn.
    pub init: Option<PathBuf>,
}

/// What the final evaluation on images does.
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

/// Defaults of a data set.
struct Base {
    model: Architecture,
    eps: f64,
    epochs: f64,
    batch: usize,
    lr: f64,
    hold_out: usize,
}

impl Base {
    fn of(dataset: DatasetId) -> Self {
        let (model, eps, epochs, batch, lr, hold_out) = match dataset {
            DatasetId::Digits => (Architecture::WongCnn, 0.15, 40.0, 32, 5e-3, 144),
            // Wong et al. 2020.
            DatasetId::Mnist => (Architecture::WongCnn, 0.3, 10.0, 100, 5e-3, 1000),
            DatasetId::FashionMnist => (Architecture::WongCnn, 0.1, 10.0, 100, 5e-3, 1000),
            DatasetId::Cifar10 => (Architecture::SmallCnn, 8.0 / 255.0, 15.0, 128, 2e-3, 500),
        };
        Self {
            model,
            eps,
            epochs,
            batch,
            lr,
            hold_out,
        }
    }
}

impl ImageSpec {
    /// Fills in defaults and checks every value.
    pub fn resolve(s: Settings) -> Result<Self, UsageError> {
        if let Some(flag) = s.text_only() {
            return Err(UsageError(format!(
                "{flag} has no part in training on images: leave it out, or name a --task"
            )));
        }
        let dataset: DatasetId = match &s.dataset {
            None => DatasetId::Digits,
            Some(name) => name
                .parse()
                .map_err(|error| UsageError(format!("--dataset: {error}")))?,
        };
        let base = Base::of(dataset);
        let model: Architecture = match &s.model {
            None => base.model,
            Some(name) => name
                .parse()
                .map_err(|error| UsageError(format!("--model: {error}")))?,
        };
        // At the full radius of MNIST from the first update on, the loss never falls below that of guessing.
        let eps_warmup = match (s.method.unwrap_or(MethodName::Pgd), dataset) {
            (MethodName::Pgd, DatasetId::Mnist) => 0.3,
            _ => 0.0,
        };
        let method = MethodSpec::pixels(&s, base.eps, eps_warmup);
        let defaults = TrainingDefaults {
            epochs: base.epochs,
            batch: base.batch,
            begin_step: 0,
            optim: OptimSpec {
                schedule: ScheduleName::Triangular,
                momentum: 0.9,
                ..OptimSpec::constant(OptimiserName::Adam, base.lr)
            },
        };
        let training = Training::resolve(&s, method, &defaults);
        let eps = method.eps.unwrap_or(base.eps);
        let attacks = attacks(&s, method.norm)?;
        // Linf's radius is no radius of an L2 attack, say of weights from elsewhere.
        let other_norm = method.norm == NormName::Linf && attacks.iter().all(|attack| attack.kind.is_l2());
        let eval_eps = match s.eval_eps.as_deref() {
            None if other_norm => L2_OVER_LINF * eps,
            None => eps,
            Some(&[eps]) => eps,
            Some(_) => return Err(UsageError("--eval-eps: images are attacked at one radius".into())),
        };
        let evaluation = EvalSpec {
            attacks,
            eps: eval_eps,
            step: s.eval_step,
            n: s.n.unwrap_or(1000),
            target: None,
            seed: training.seed,
        };
        let mut spec = ImageSpec {
            training,
            dataset,
            model,
            hold_out: s.hold_out.unwrap_or(base.hold_out),
            eps,
            evaluation,
            // Absolute, since a run may be resumed from another folder.
            data_dir: s.data_dir.as_ref().map(super::absolute),
            init: s.init.as_ref().map(super::absolute),
            settings: Settings::default(),
        };
        spec.check()?;
        spec.settings = spec.filled();
        Ok(spec)
    }

    fn check(&self) -> Result<(), UsageError> {
        let method = &self.training.method;
        if !method.name.is_for_images() {
            return Err(UsageError(format!(
                "--method {} is for text: name a --task, or a --train-file",
                method.name
            )));
        }
        self.training.check()?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        first_broken(&[
            (
                self.evaluation.eps >= 0.0,
                "the radius of the evaluation (--eval-eps of train, --eps of eval) must be at least 0",
            ),
            (
                method.norm == NormName::L2 || self.eps <= 1.0,
                "--eps is in pixels of 0 to 1: 8 of 255 is 8/255",
            ),
            (
                self.evaluation.step.is_none_or(positive),
                "--eval-step must be a positive number",
            ),
            (self.evaluation.n > 0, "--n must be at least 1"),
            (
                method.name.allows(method.norm, true),
                "--norm l2 goes with random, pgd, fgm, freelb and vat only; random, fgm and vat are always l2",
            ),
        ])
    }

    /// The settings that say everything: reading them again gives the same run.
    fn filled(&self) -> Settings {
        let attacks = self.evaluation.attacks.iter().map(ToString::to_string);
        Settings {
            dataset: Some(self.dataset.to_string()),
            model: Some(self.model.to_string()),
            data_dir: self.data_dir.clone(),
            init: self.init.clone(),
            hold_out: Some(self.hold_out),
            attack: Some(attacks.collect()),
            eval_eps: Some(vec![self.evaluation.eps]),
            eval_step: self.evaluation.step,
            n: Some(self.evaluation.n),
            ..self.training.filled()
        }
    }
}

/// The attacks asked for, each once, since results go by name.
fn attacks(s: &Settings, norm: NormName) -> Result<Vec<AttackName>, UsageError> {
    // Of the norm that was trained under: a radius means nothing in another.
    let usual = match norm {
        NormName::Linf => ["fgsm", "pgd-20"],
        NormName::L2 => ["fgm", "pgd-l2-20"],
    };
    super::attacks(s, &usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radius_is_one_of_the_norm_it_is_used_under() {
        let eps = |norm: Option<NormName>, attacks: &[&str]| {
            let spec = ImageSpec::resolve(Settings {
                dataset: Some("mnist".into()),
                norm,
                attack: Some(attacks.iter().map(ToString::to_string).collect()),
                ..Settings::default()
            });
            spec.expect("valid").evaluation.eps
        };
        assert_eq!(eps(None, &["pgd-20"]), 0.3);
        assert_eq!(eps(None, &["pgd-l2-20", "fgm"]), 1.5);
        assert_eq!(eps(Some(NormName::L2), &["pgd-l2-20"]), 1.5);
        // Of two norms neither radius fits: that of the training is taken, and the table says it.
        assert_eq!(eps(None, &["pgd-20", "fgm"]), 0.3);
    }
}
