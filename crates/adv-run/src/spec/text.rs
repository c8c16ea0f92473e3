//! A run on text.

use super::method::{Embedded, MethodSpec};
use super::method_name::MethodName;
use super::names::{KeepName, MasksName, OptimiserName, PlaceName, ScheduleName, SpecialName, StartName};
use super::network::TextNetwork;
use super::place::{FilePlace, ModelPlace};
use super::settings::Settings;
use super::source::TextSource;
use super::training::{OptimSpec, Training, TrainingDefaults, first_broken};
use crate::attack::AttackName;
use crate::usage::UsageError;
use std::path::PathBuf;

/// A run on text with nothing left open. Built by [`TextSpec::resolve`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct TextSpec {
    /// The settings, defaults filled in: what the run folder keeps and `--spec` reads again.
    pub settings: Settings,
    /// How it is trained.
    pub training: Training,
    /// Where the sentences come from.
    pub source: TextSource,
    /// The task's own folder, if given.
    pub data_dir: Option<PathBuf>,
    /// Sentences without labels that VAT learns from, too.
    pub unlabelled: Option<PathBuf>,
    /// The kind of network.
    pub network: TextNetwork,
    /// A pretrained one; none: a small one with random weights.
    pub model_dir: Option<ModelPlace>,
    /// Tokens of a sentence or pair.
    pub max_length: usize,
    /// What is perturbed.
    pub place: PlaceName,
    /// What becomes of special tokens.
    pub special: SpecialName,
    /// Dropout masks in the passes of a mini-batch.
    pub masks: MasksName,
    /// Layers that stay as they are, with the embedding; none: not even that.
    pub freeze: Option<usize>,
    /// The share of the rate of the layer above.
    pub layer_decay: f64,
    /// Which weights are measured and saved as the result.
    pub keep: KeepName,
    /// The final evaluation.
    pub evaluation: TextEvalSpec,
}

/// What is taken where the settings are silent.
fn defaults(method: &MethodSpec, embedded: Embedded, pretrained: bool) -> TrainingDefaults {
    let decayed = OptimSpec {
        schedule: ScheduleName::Linear,
        warmup: 0.06,
        momentum: 0.9,
        weight_decay: 0.01,
        clip_norm: Some(1.0),
        ..OptimSpec::constant(OptimiserName::Adamw, 5e-5)
    };
    let (epochs, lr) = match embedded {
        Embedded::Pretrained => (3.0, 5e-5),
        Embedded::Small => (12.0, 2e-3),
        // Published: 1e-3 for a language model, 5e-4 for a classifier that begins with it.
        Embedded::Normalised => (10.0, if pretrained { 5e-4 } else { 1e-3 }),
    };
    TrainingDefaults {
        epochs,
        batch: 32,
        begin_step: match embedded {
            // Under an adversary from the first update on, a small encoder with random weights does not begin to learn.
            Embedded::Small if method.uses().perturbs => 250,
            _ => 0,
        },
        optim: match embedded {
            Embedded::Pretrained | Embedded::Small => OptimSpec { lr, ..decayed },
            Embedded::Normalised => OptimSpec {
                name: OptimiserName::Adam,
                lr,
                warmup: 0.0,
                weight_decay: 0.0,
                ..decayed
            },
        },
    }
}

/// What the final evaluation on text does.
#[derive(Debug, Clone, PartialEq)]
pub struct TextEvalSpec {
    /// The attacks on embeddings.
    pub attacks: Vec<AttackName>,
    /// Their radii, per sentence.
    pub radii: Vec<f64>,
    /// The step size; by attack if none.
    pub step: Option<f64>,
    /// Attack the first `n` test sentences.
    pub n: usize,
    /// Seed of the random starts.
    pub seed: u64,
    /// AdvGLUE's file.
    pub advglue: Option<PathBuf>,
}

impl TextEvalSpec {
    /// The smallest radius.
    pub fn smallest(&self) -> f64 {
        self.radii.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// Whether there are classes, so that attacks have something to turn.
fn has_classes(source: &TextSource, method: MethodName) -> bool {
    !source.is_scored() && !method.is_language_model()
}

impl TextSpec {
    /// Fills in defaults and checks every value.
    pub fn resolve(s: Settings) -> Result<Self, UsageError> {
        if let Some(flag) = s.image_only() {
            return Err(UsageError(format!(
                "{flag} has no part in training on text: leave it out"
            )));
        }
        let source = TextSource::of(&s)?;
        if let Some(flag) = source.without_part(&s) {
            return Err(UsageError(format!(
                "{flag} has no part in training on {}: leave it out",
                source.name()
            )));
        }
        if s.epochs.is_some() && s.updates.is_some() {
            return Err(UsageError(
                "--epochs and --updates say the same: give one of them".into(),
            ));
        }
        let name = s.method.unwrap_or(MethodName::usual(true));
        if let Some(flag) = s.of_attacks().filter(|_| !has_classes(&source, name)) {
            return Err(UsageError(format!(
                "{flag} has no part here: attacks turn classes, and there are none"
            )));
        }
        let pretrained = s.model_dir.is_some();
        let network = TextNetwork::of(&s)?;
        let embedded = match (network, pretrained) {
            (TextNetwork::Lstm, _) => Embedded::Normalised,
            (TextNetwork::Transformer, true) => Embedded::Pretrained,
            (TextNetwork::Transformer, false) => Embedded::Small,
        };
        let method = MethodSpec::embeddings(&s, source.is_scored(), embedded);
        let defaults = defaults(&method, embedded, pretrained);
        let mut training = Training::resolve(&s, method, &defaults);
        if training.optim.schedule == ScheduleName::Triangular && s.warmup.is_none() {
            training.optim.warmup = 0.0;
        }
        let evaluation = TextEvalSpec {
            attacks: super::attacks(&s, &["pgd-l2-10"])?,
            radii: s.eval_eps.clone().unwrap_or(match embedded {
                Embedded::Pretrained => vec![0.05, 0.1, 0.2, 0.5],
                Embedded::Small => vec![0.1, 0.3, 0.5, 1.0],
                Embedded::Normalised => vec![1.0, 2.0, 5.0, 10.0],
            }),
            step: s.eval_step,
            n: s.n.unwrap_or(500),
            seed: training.seed,
            advglue: s.advglue.as_ref().map(super::absolute),
        };
        let mut spec = TextSpec {
            masks: s.masks.unwrap_or(training.method.name.usual_masks()),
            training,
            source,
            data_dir: s.data_dir.as_ref().map(super::absolute),
            unlabelled: s
                .unlabelled
                .as_ref()
                .filter(|_| method.unlabelled)
                .map(super::absolute),
            model_dir: s.model_dir.as_ref().map(ModelPlace::absolute),
            max_length: s.max_length.unwrap_or(128),
            place: s.place.unwrap_or(PlaceName::Words),
            // The program of Miyato et al. leaves the end of a sentence as it is where noise is drawn.
            special: s.special_tokens.unwrap_or(match (network, method.name) {
                (TextNetwork::Lstm, MethodName::Vat | MethodName::Random) => SpecialName::Kept,
                _ => SpecialName::Perturbed,
            }),
            network,
            freeze: s.freeze,
            layer_decay: s.layer_decay.unwrap_or(1.0),
            keep: s.keep.unwrap_or(KeepName::Best),
            evaluation,
            settings: Settings::default(),
        };
        spec.check()?;
        spec.settings = spec.filled(&s);
        Ok(spec)
    }

    /// The name of the network in tables.
    pub fn model_name(&self) -> String {
        let small = match self.network {
            TextNetwork::Transformer => "small-encoder",
            TextNetwork::Lstm => "lstm",
        };
        let pretrained = self.model_dir.as_ref().map(ModelPlace::name);
        pretrained.unwrap_or_else(|| small.into())
    }

    fn check(&self) -> Result<(), UsageError> {
        let method = &self.training.method;
        self.training.check()?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let lines = matches!(self.source, TextSource::Sentences { .. });
        let random = method.start == StartName::Random && method.uses().start;
        first_broken(&[
            (
                method.name.allows(method.norm, false),
                "--norm: random, fgm and vat are always l2; fgsm, fgsm-rs and n-fgsm linf",
            ),
            (
                !random
                    || method
                        .init_mag
                        .is_none_or(|length| length.is_finite() && length >= 0.0),
                "--init-mag must be at least 0",
            ),
            (
                !lines || method.name.is_language_model(),
                "--train-file without --columns needs --method mlm or lm",
            ),
            (
                self.network == TextNetwork::Transformer || method.name != MethodName::Mlm,
                "--method mlm needs a transformer, which sees both sides of a hidden token: an LSTM learns by --method lm",
            ),
            (
                self.network == TextNetwork::Transformer || self.place != PlaceName::Sum,
                "--place sum: an LSTM has word embeddings alone; perturb words or table",
            ),
            (
                self.layer_decay > 0.0 && self.layer_decay <= 1.0,
                "--layer-decay must be above 0 and at most 1",
            ),
            (
                (1..=65_536).contains(&self.max_length),
                "--max-length must be at least 1 and at most 65536",
            ),
            (
                !self.evaluation.radii.is_empty() && self.evaluation.radii.iter().all(|r| *r >= 0.0),
                "the radii of the evaluation (--eval-eps of train, --eps of eval) must be at least 0",
            ),
            (
                self.evaluation.step.is_none_or(positive),
                "--eval-step must be a positive number",
            ),
            (self.evaluation.n > 0, "--n must be at least 1"),
        ])
    }

    /// The settings that say everything: reading them again gives the same run.
    fn filled(&self, given: &Settings) -> Settings {
        let attacks = self.evaluation.attacks.iter().map(ToString::to_string);
        let attacked = has_classes(&self.source, self.training.method.name);
        let tables = matches!(self.source, TextSource::Tables { .. });
        let columns = match &self.source {
            TextSource::Tables { columns: c, .. } => {
                let names = [Some(&c.first), c.second.as_ref(), Some(&c.answer)];
                Some(names.into_iter().flatten().cloned().collect())
            }
            TextSource::Sentences { column, .. } => column.as_ref().map(|column| vec![column.to_string()]),
            TextSource::Task(_) | TextSource::Synthetic => None,
        };
        let absolute = |place: &Option<FilePlace>| place.as_ref().map(FilePlace::absolute);
        Settings {
            task: match &self.source {
                TextSource::Task(_) | TextSource::Synthetic => Some(self.source.name()),
                TextSource::Tables { .. } | TextSource::Sentences { .. } => None,
            },
            train_file: absolute(&given.train_file),
            dev_file: absolute(&given.dev_file),
            test_file: absolute(&given.test_file),
            unlabelled: self.unlabelled.clone(),
            columns,
            scores: tables.then_some(self.source.is_scored()),
            data_dir: self.data_dir.clone(),
            model: (self.network == TextNetwork::Lstm).then(|| TextNetwork::LSTM.into()),
            model_dir: self.model_dir.clone(),
            max_length: Some(self.max_length),
            place: Some(self.place),
            special_tokens: Some(self.special),
            masks: Some(self.masks),
            freeze: self.freeze,
            layer_decay: Some(self.layer_decay),
            keep: Some(self.keep),
            advglue: self.evaluation.advglue.clone(),
            attack: attacked.then(|| attacks.collect()),
            eval_eps: attacked.then(|| self.evaluation.radii.clone()),
            eval_step: self.evaluation.step,
            n: attacked.then_some(self.evaluation.n),
            ..self.training.filled()
        }
    }
}
