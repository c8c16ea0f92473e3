//! A run that learns vectors of sentences.

use super::contrast_settings::{ContrastSettings, DuplicatesName, HeadName, PoolingName};
use super::method::{Embedded, MethodSpec};
use super::method_name::MethodName;
use super::names::{KeepName, MasksName, OptimiserName, PlaceName, ScheduleName, SpecialName};
use super::place::{FilePlace, ModelPlace};
use super::prompt_spec::PromptSpec;
use super::settings::Settings;
use super::source::sentence_column;
use super::training::{OptimSpec, Training, TrainingDefaults, first_broken};
use crate::usage::UsageError;
use adv_data::text::SentenceColumn;
use std::path::PathBuf;

/// A run that learns vectors of sentences, with nothing left open. Built by [`ContrastSpec::resolve`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastSpec {
    /// The settings, defaults filled in.
    pub settings: Settings,
    /// How it is trained.
    pub training: Training,
    /// What is learnt from.
    pub source: PairSource,
    /// The folder of data sets, with the similarity tasks; the environment says if none.
    pub data_dir: Option<PathBuf>,
    /// A table of pairs with scores to choose by, instead of the STS benchmark's.
    pub dev_file: Option<FilePlace>,
    /// The encoder to begin with.
    pub model_dir: ModelPlace,
    /// Tokens of a training sentence.
    pub max_length: usize,
    /// What is perturbed.
    pub place: PlaceName,
    /// What becomes of special tokens.
    pub special: SpecialName,
    /// Dropout masks in the passes of a view.
    pub masks: MasksName,
    /// How tokens become a sentence; as the folder says if none.
    pub pooling: Option<PoolingName>,
    /// Templates that sentences are put into, instead of pooling.
    pub prompt: Option<PromptSpec>,
    /// The head behind the pooling or the prompt.
    pub head: HeadName,
    /// Gaussian vectors beside each mini-batch.
    pub gaussian: usize,
    /// What becomes of equal sentences of a mini-batch.
    pub duplicates: DuplicatesName,
    /// Which weights are measured and saved as the result.
    pub keep: KeepName,
}

/// Sentences, pairs or triplets.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSource {
    /// Their file.
    pub file: FilePlace,
    /// The columns of anchor, positive and hard negative: one to three; none: a sentence a line.
    pub columns: Vec<SentenceColumn>,
}

impl PairSource {
    fn of(s: &Settings) -> Result<Self, UsageError> {
        let Some(file) = &s.train_file else {
            return Err(UsageError(
                "name the sentences to learn from with --train-file: lines of a .txt, or a table with --columns".into(),
            ));
        };
        let name = file.to_string();
        let plain = name.ends_with(".txt") || name.ends_with(".txt.gz");
        let columns = match (&s.columns, plain) {
            (Some(_), true) => {
                return Err(UsageError(format!(
                    "--columns: {name} has plain lines: leave it out, or name a .tsv, .csv, .jsonl or .parquet"
                )));
            }
            (None, true) => Vec::new(),
            (None, false) => vec![SentenceColumn::Named("sentence".into())],
            (Some(columns), false) if (1..=3).contains(&columns.len()) => {
                let columns = columns.iter().map(|column| sentence_column(column));
                let columns: Vec<SentenceColumn> = columns.collect::<Result<_, _>>()?;
                let numbered = |column: &SentenceColumn| matches!(column, SentenceColumn::Numbered(_));
                let by_number = columns.iter().filter(|column| numbered(column)).count();
                if by_number != 0 && by_number != columns.len() {
                    return Err(UsageError(
                        "--columns: give all by name, or all by number, from 1".into(),
                    ));
                }
                columns
            }
            (Some(_), false) => {
                return Err(UsageError(
                    "--columns: name one to three: sentence, or anchor,positive, or anchor,positive,negative"
                        .into(),
                ));
            }
        };
        let file = file.absolute();
        Ok(Self { file, columns })
    }

    /// Whether each anchor has a positive of its own.
    pub fn has_pairs(&self) -> bool {
        self.columns.len() >= 2
    }

    /// Whether each anchor has a hard negative, too.
    pub fn has_triplets(&self) -> bool {
        self.columns.len() == 3
    }
}

/// SimCSE's on sentences alone (Gao et al. 2021, appendix A), PromptBERT's and OptiPrompt's (the authors' script).
fn defaults(s: &Settings) -> TrainingDefaults {
    let (epochs, batch, rate) = match (s.method, s.prompt.soft_prompt) {
        (Some(MethodName::PromptBert), Some(true)) => (5.0, 256, 3e-5),
        (Some(MethodName::PromptBert), _) => (1.0, 256, 1e-5),
        _ => (1.0, 64, 3e-5),
    };
    TrainingDefaults {
        epochs,
        batch,
        begin_step: 0,
        optim: OptimSpec {
            schedule: ScheduleName::Linear,
            momentum: 0.9,
            clip_norm: Some(1.0),
            ..OptimSpec::constant(OptimiserName::Adamw, rate)
        },
    }
}

impl ContrastSpec {
    /// Fills in defaults and checks every value.
    pub fn resolve(s: Settings) -> Result<Self, UsageError> {
        if let Some(flag) = s.image_only().or_else(|| s.classes_only()) {
            return Err(UsageError(format!(
                "{flag} has no part in learning vectors of sentences: leave it out"
            )));
        }
        if s.epochs.is_some() && s.updates.is_some() {
            return Err(UsageError(
                "--epochs and --updates say the same: give one of them".into(),
            ));
        }
        let Some(model_dir) = &s.model_dir else {
            return Err(UsageError(
                "name the encoder to begin with, --model-dir: a folder of BERT, RoBERTa or ALBERT, or of sentence-transformers"
                    .into(),
            ));
        };
        let source = PairSource::of(&s)?;
        let mut method = MethodSpec::embeddings(&s, false, Embedded::Pretrained);
        method.contrast.triplets = source.has_triplets();
        let mut training = Training::resolve(&s, method, &defaults(&s));
        // Every 125 updates, as SimCSE's scripts.
        training.validate_every = training.validate_every.or(Some(125));
        if training.optim.schedule == ScheduleName::Triangular && s.warmup.is_none() {
            training.optim.warmup = 0.0;
        }
        let c = &s.contrast;
        let prompted = s.prompt.is_asked_for(training.method.name);
        let prompt = prompted.then(|| PromptSpec::of(&s.prompt, source.has_pairs()));
        let mut spec = Self {
            masks: s.masks.unwrap_or(training.method.name.usual_masks()),
            data_dir: s.data_dir.as_ref().map(super::absolute),
            dev_file: s.dev_file.as_ref().map(FilePlace::absolute),
            model_dir: model_dir.absolute(),
            max_length: s.max_length.unwrap_or(32),
            place: s.place.unwrap_or(PlaceName::Words),
            special: s.special_tokens.unwrap_or(SpecialName::Perturbed),
            pooling: c.pooling,
            prompt,
            head: c.head.unwrap_or(match c.pooling {
                Some(PoolingName::Cls) if source.has_pairs() => HeadName::Always,
                Some(PoolingName::Cls) => HeadName::Training,
                _ if prompted && source.has_pairs() => HeadName::Always,
                _ if prompted => HeadName::Training,
                _ => HeadName::None,
            }),
            gaussian: c.gaussian.unwrap_or(0),
            duplicates: c.duplicates.unwrap_or(DuplicatesName::Excluded),
            keep: s.keep.unwrap_or(KeepName::Best),
            training,
            source,
            settings: Settings::default(),
        };
        spec.check(c)?;
        spec.settings = spec.filled();
        Ok(spec)
    }

    fn check(&self, given: &ContrastSettings) -> Result<(), UsageError> {
        self.training.check()?;
        first_broken(&[
            (
                given.hard_weight.is_none() || self.source.has_triplets(),
                "--hard-weight needs triplets: name three columns, anchor,positive,negative",
            ),
            (given.chunk != Some(0), "--chunk must be at least 1"),
            (self.gaussian <= 65_536, "--gaussian must be at most 65536"),
            (
                given.queue.is_none_or(|size| size <= 1_048_576),
                "--queue must be at most 1048576",
            ),
            (
                given.queue_momentum.is_none() || self.training.method.contrast.queue.is_some(),
                "--queue-momentum is about the vectors of earlier mini-batches: say how many with --queue",
            ),
            (
                given
                    .queue_momentum
                    .is_none_or(|share| (0.0..=1.0).contains(&share)),
                "--queue-momentum must be in [0, 1]",
            ),
            (
                self.training.batch > 1,
                "--batch must be at least 2: a sentence is told apart from the others of its mini-batch",
            ),
            (
                (1..=65_536).contains(&self.max_length),
                "--max-length must be at least 1 and at most 65536",
            ),
            (
                self.place != PlaceName::Table,
                "--place table: views share the embeddings of their tokens, not rows of a table; perturb words or sum",
            ),
            (
                self.pooling.is_none() || self.prompt.is_none(),
                "--pooling: with a prompt the vector is that of the mask: leave one of the two out",
            ),
            (
                self.prompt
                    .as_ref()
                    .is_none_or(|prompt| (1..=2).contains(&prompt.choice.templates.len())),
                "--prompt: give one template, or two, for the first and for the second view",
            ),
            (
                self.prompt
                    .as_ref()
                    .is_none_or(|prompt| !prompt.is_soft() || prompt.choice.templates.len() == 1),
                "--soft-prompt: a single template is trained at a time",
            ),
            (
                self.prompt
                    .as_ref()
                    .is_none_or(|prompt| !prompt.is_soft() || self.place == PlaceName::Words),
                "--soft-prompt: its vectors stand in place of words: perturb --place words",
            ),
            (
                self.prompt
                    .as_ref()
                    .is_none_or(|prompt| prompt.flags.likely_tokens != Some(0)),
                "--likely-tokens must be at least 1",
            ),
            (
                self.pooling != Some(PoolingName::FirstLast),
                "--pooling first-last: a folder of sentence-transformers cannot say it; train cls, mean, max or mean-sqrt-length",
            ),
        ])
    }

    /// The settings that say everything: reading them again gives the same run.
    fn filled(&self) -> Settings {
        let columns = self.source.columns.iter().map(ToString::to_string);
        let training = self.training.filled();
        let uses = self.training.method.uses();
        Settings {
            train_file: Some(self.source.file.clone()),
            dev_file: self.dev_file.clone(),
            columns: (!self.source.columns.is_empty()).then(|| columns.collect()),
            data_dir: self.data_dir.clone(),
            model_dir: Some(self.model_dir.clone()),
            max_length: Some(self.max_length),
            place: uses.perturbs.then_some(self.place),
            special_tokens: uses.perturbs.then_some(self.special),
            masks: Some(self.masks),
            keep: Some(self.keep),
            prompt: self
                .prompt
                .as_ref()
                .map(|prompt| prompt.flags.clone())
                .unwrap_or_default(),
            contrast: ContrastSettings {
                pooling: self.pooling,
                head: Some(self.head),
                gaussian: Some(self.gaussian).filter(|count| *count > 0),
                duplicates: Some(self.duplicates),
                ..training.contrast
            },
            ..training
        }
    }
}
