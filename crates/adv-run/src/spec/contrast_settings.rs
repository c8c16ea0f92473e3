//! What a user may set of contrastive learning.

use super::names::write_name;
use super::{MethodName, number};
use adv_contrast::sentence::Pooling;
use adv_contrast::{AdversarialMask, Negatives, UscalForm};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::fmt;

const CONTRAST: &str = "Contrast";

/// Settings of scal, simcse and uscal: flags like all others, a table `[contrast]` of a spec.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastSettings {
    /// What cosines are divided by [default: 0.05]
    #[arg(long, value_parser = number, help_heading = CONTRAST)]
    pub temperature: Option<f64>,
    /// From which other sentences of a mini-batch one is told apart [default: one-sided]
    #[arg(long, help_heading = CONTRAST)]
    pub negatives: Option<NegativesName>,
    /// How often the hard negative of a triplet counts [default: 1]
    #[arg(long, value_parser = number, help_heading = CONTRAST)]
    pub hard_weight: Option<f64>,
    /// Weight of uscal's second contrast [default: 0.5]; of scal's loss at the perturbed sentences [default: 1]
    #[arg(long, value_parser = number, help_heading = CONTRAST)]
    pub alpha: Option<f64>,
    /// Weight of scal's contrast [default: 1]
    #[arg(long, value_parser = number, help_heading = CONTRAST)]
    pub beta: Option<f64>,
    /// The share of scal's contrast in a convex sum, instead of --alpha and --beta
    #[arg(long, value_parser = number, conflicts_with_all = ["alpha", "beta"], help_heading = CONTRAST)]
    pub convex: Option<f64>,
    /// What uscal perturbs and trains on [default: article]
    #[arg(long, help_heading = CONTRAST)]
    pub form: Option<FormName>,
    /// The dropout masks of uscal's adversarial view [default: first]
    #[arg(long, help_heading = CONTRAST)]
    pub adversarial_mask: Option<ViewMaskName>,
    /// How tokens become a sentence [default: what the folder says, else mean]
    #[arg(long, value_name = "P", help_heading = CONTRAST)]
    pub pooling: Option<PoolingName>,
    /// A linear layer with tanh behind the pooling, with random weights [default: none; with --pooling cls: training, of pairs always]
    #[arg(long, help_heading = CONTRAST)]
    pub head: Option<HeadName>,
    /// Sentences of a pass, so that --batch may be larger than the memory: GradCache, for simcse and promptbert [default: the whole mini-batch]
    #[arg(long, value_name = "N", help_heading = CONTRAST)]
    pub chunk: Option<usize>,
    /// Gaussian vectors that each sentence of a mini-batch is told apart from, too: GS-InfoNCE [default: 0]
    #[arg(long, value_name = "N", help_heading = CONTRAST)]
    pub gaussian: Option<usize>,
    /// Vectors of earlier mini-batches that each sentence is told apart from, too, made by a copy of the encoder that follows it [default: 0]
    #[arg(long, value_name = "N", help_heading = CONTRAST)]
    pub queue: Option<usize>,
    /// How much of that copy stays with an update, in [0, 1] [default: 0.995]
    #[arg(long, value_parser = number, help_heading = CONTRAST)]
    pub queue_momentum: Option<f64>,
    /// What becomes of equal sentences of a mini-batch: no negatives of one another, or negatives as all others [default: excluded]
    #[arg(long, help_heading = CONTRAST)]
    pub duplicates: Option<DuplicatesName>,
}

impl ContrastSettings {
    /// These where set, else those of `base`.
    pub(super) fn over(self, base: Self) -> Self {
        let convex = base
            .convex
            .filter(|_| self.alpha.is_none() && self.beta.is_none());
        let weight = |value: Option<f64>| value.filter(|_| self.convex.is_none());
        Self {
            temperature: self.temperature.or(base.temperature),
            negatives: self.negatives.or(base.negatives),
            hard_weight: self.hard_weight.or(base.hard_weight),
            alpha: self.alpha.or(weight(base.alpha)),
            beta: self.beta.or(weight(base.beta)),
            convex: self.convex.or(convex),
            form: self.form.or(base.form),
            adversarial_mask: self.adversarial_mask.or(base.adversarial_mask),
            pooling: self.pooling.or(base.pooling),
            head: self.head.or(base.head),
            chunk: self.chunk.or(base.chunk),
            gaussian: self.gaussian.or(base.gaussian),
            queue: self.queue.or(base.queue),
            queue_momentum: self.queue_momentum.or(base.queue_momentum),
            duplicates: self.duplicates.or(base.duplicates),
        }
    }

    /// Those that were given and play no part in this method, by their flags.
    pub(super) fn without_part(&self, method: MethodName) -> Vec<&'static str> {
        use MethodName::{Scal, Uscal};
        let vectors = method.is_contrastive();
        let given = [
            (
                self.temperature.is_some(),
                vectors || method == Scal,
                "--temperature",
            ),
            (self.negatives.is_some(), vectors || method == Scal, "--negatives"),
            (self.hard_weight.is_some(), vectors, "--hard-weight"),
            (self.alpha.is_some(), matches!(method, Scal | Uscal), "--alpha"),
            (self.beta.is_some(), method == Scal, "--beta"),
            (self.convex.is_some(), method == Scal, "--convex"),
            (self.form.is_some(), method == Uscal, "--form"),
            (
                self.adversarial_mask.is_some(),
                method == Uscal,
                "--adversarial-mask",
            ),
            (self.pooling.is_some(), vectors, "--pooling"),
            (self.head.is_some(), vectors, "--head"),
            (self.chunk.is_some(), is_plain(method), "--chunk"),
            (self.gaussian.is_some(), vectors, "--gaussian"),
            (self.queue.is_some(), vectors, "--queue"),
            (self.queue_momentum.is_some(), vectors, "--queue-momentum"),
            (self.duplicates.is_some(), vectors, "--duplicates"),
        ];
        let unread = given.into_iter().filter(|(given, used, _)| *given && !used);
        unread.map(|(_, _, flag)| flag).collect()
    }
}

/// The numbers of a contrast, nothing left open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContrastNumbers {
    /// What cosines are divided by.
    pub temperature: f64,
    /// From which others one is told apart.
    pub negatives: NegativesName,
    /// How often a hard negative counts.
    pub hard_weight: f64,
    /// Weight of the second term.
    pub alpha: f64,
    /// Weight of SCAL's contrast.
    pub beta: f64,
    /// SCAL's share of the contrast, instead of the two.
    pub convex: Option<f64>,
    /// USCAL's form.
    pub form: FormName,
    /// The masks of USCAL's adversarial view.
    pub adversarial_mask: ViewMaskName,
    /// Sentences of a pass, if not all of a mini-batch.
    pub chunk: Option<usize>,
    /// The queue of vectors of earlier mini-batches, if there is one.
    pub queue: Option<QueueNumbers>,
    /// Whether the data has triplets.
    pub triplets: bool,
}

impl ContrastNumbers {
    pub(super) fn of(s: &ContrastSettings, method: MethodName) -> Self {
        let alpha = if method == MethodName::Uscal { 0.5 } else { 1.0 };
        Self {
            temperature: s.temperature.unwrap_or(0.05),
            negatives: s.negatives.unwrap_or(NegativesName::OneSided),
            hard_weight: s.hard_weight.unwrap_or(1.0),
            alpha: s.alpha.unwrap_or(alpha),
            beta: s.beta.unwrap_or(1.0),
            convex: s.convex,
            form: s.form.unwrap_or(FormName::Article),
            adversarial_mask: s.adversarial_mask.unwrap_or(ViewMaskName::First),
            chunk: s.chunk,
            queue: s.queue.filter(|size| *size > 0).map(|size| QueueNumbers {
                size,
                momentum: s.queue_momentum.unwrap_or(0.995),
            }),
            triplets: false,
        }
    }

    /// The settings that say all that this method reads of it.
    pub(super) fn filled(&self, method: MethodName) -> ContrastSettings {
        use MethodName::{Scal, Uscal};
        let (vectors, scal) = (method.is_contrastive(), method == Scal);
        let queue = self.queue.filter(|_| vectors);
        let summed = scal && self.convex.is_none();
        ContrastSettings {
            temperature: (vectors || scal).then_some(self.temperature),
            negatives: (vectors || scal).then_some(self.negatives),
            hard_weight: (vectors && self.triplets).then_some(self.hard_weight),
            alpha: (summed || method == Uscal).then_some(self.alpha),
            beta: summed.then_some(self.beta),
            convex: self.convex.filter(|_| scal),
            form: (method == Uscal).then_some(self.form),
            adversarial_mask: (method == Uscal).then_some(self.adversarial_mask),
            chunk: self.chunk.filter(|_| is_plain(method)),
            queue: queue.map(|queue| queue.size),
            queue_momentum: queue.map(|queue| queue.momentum),
            ..ContrastSettings::default()
        }
    }
}

/// A queue of vectors of earlier mini-batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueNumbers {
    /// How many.
    pub size: usize,
    /// How much of the copy that makes them stays with an update.
    pub momentum: f64,
}

/// Whether it is a contrast of views without a perturbation.
fn is_plain(method: MethodName) -> bool {
    matches!(method, MethodName::SimCse | MethodName::PromptBert)
}

/// From which other sentences of a mini-batch one is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativesName {
    /// From the partners of the others (SimCSE).
    OneSided,
    /// That, and its partner from the others.
    Symmetric,
    /// From all others (NT-Xent).
    AllOthers,
}

impl From<NegativesName> for Negatives {
    fn from(name: NegativesName) -> Self {
        match name {
            NegativesName::OneSided => Negatives::OneSided,
            NegativesName::Symmetric => Negatives::Symmetric,
            NegativesName::AllOthers => Negatives::AllOthers,
        }
    }
}

/// The form of USCAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormName {
    /// Through both views; each view against the adversarial one.
    Article,
    /// Through the first view; SimCSE, and the adversarial view against the second.
    Anchored,
}

impl From<FormName> for UscalForm {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Article => UscalForm::Article,
            FormName::Anchored => UscalForm::Anchored,
        }
    }
}

/// The dropout masks of the adversarial view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewMaskName {
    /// Those of the first view.
    First,
    /// Masks of its own.
    Own,
}

impl From<ViewMaskName> for AdversarialMask {
    fn from(name: ViewMaskName) -> Self {
        match name {
            ViewMaskName::First => AdversarialMask::First,
            ViewMaskName::Own => AdversarialMask::Own,
        }
    }
}

/// The poolings that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingName {
    /// The vector of the first token.
    Cls,
    /// The mean over the tokens.
    Mean,
    /// The largest of each dimension.
    Max,
    /// The sum over the square root of the number of tokens.
    MeanSqrtLength,
    /// The mean over first and last layer.
    FirstLast,
}

impl From<PoolingName> for Pooling {
    fn from(name: PoolingName) -> Self {
        match name {
            PoolingName::Cls => Pooling::Cls,
            PoolingName::Mean => Pooling::Mean,
            PoolingName::Max => Pooling::Max,
            PoolingName::MeanSqrtLength => Pooling::MeanSqrtLength,
            PoolingName::FirstLast => Pooling::FirstLast,
        }
    }
}

impl fmt::Display for PoolingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, f)
    }
}

/// The head behind the pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadName {
    /// None.
    None,
    /// In training only (SimCSE on sentences alone).
    Training,
    /// Kept in the saved model (SimCSE on pairs).
    Always,
}

/// What becomes of equal sentences of a mini-batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicatesName {
    /// They are no negatives of one another.
    Excluded,
    /// They are, as all others.
    Kept,
}
