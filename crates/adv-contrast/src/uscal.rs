//! USCAL: unsupervised contrastive learning with an adversarial view.

use crate::ContrastError;
use crate::error::weight;
use crate::views::{AdversarialMask, View, Views};
use adv_core::{
    AscentMode, Batch, Carried, Ledger, Noise, Objective, ParamError, PassError, Passes, Perturbation,
    Standard, TrainingMethod, Update,
};
use burn::module::Module;
use burn::tensor::Tensor;

/// What the perturbation is looked for with, and what is trained on. The abstract of Miao et al. 2021 (arXiv 2111.13301) says only that a
/// contrastive loss makes the adversarial sample: both forms are **our definitions**.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UscalForm {
    /// Perturbation r of the embedding that both views share, from the contrast of the views; trained on
    /// `contrast(h, h_adv) + α contrast(h', h_adv)`. As our secondary source describes it.
    #[default]
    Article,
    /// r from the first view alone, the second a constant; trained on `contrast(h, h') + α contrast(h_adv, h')`. Without α it is SimCSE.
    Anchored,
}

/// USCAL, in one of two forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uscal {
    perturbation: Perturbation,
    form: UscalForm,
    alpha: f64,
    mode: AscentMode,
    mask: AdversarialMask,
}

impl Uscal {
    /// With this weight of the second term, which the article has below 1.
    pub fn new(perturbation: Perturbation, form: UscalForm, alpha: f64) -> Result<Self, ContrastError> {
        Ok(Self {
            perturbation,
            form,
            alpha: weight("the second contrast", alpha)?,
            mode: AscentMode::Train,
            mask: AdversarialMask::First,
        })
    }

    /// The mode of the network during the ascent.
    pub fn with_mode(self, mode: AscentMode) -> Self {
        Self { mode, ..self }
    }

    /// The dropout masks of the adversarial view.
    pub fn with_mask(self, mask: AdversarialMask) -> Self {
        Self { mask, ..self }
    }

    /// Whether there is no adversarial view, and with it nothing to climb for.
    fn is_plain(&self) -> bool {
        self.form == UscalForm::Anchored && self.alpha == 0.0
    }

    fn article<const D: usize, M: Views<D> + Module>(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let frozen = self.mode.freeze(model);
        let ascent = self.perturbation.ascend(&frozen, batch, noise, ledger)?;
        let targets = batch.targets();
        let first = model.vectors(View::First, batch.clean(), targets);
        let second = model.vectors(View::Second, batch.clean(), targets);
        let moved = model.vectors(self.mask.view(), ascent.input, targets);
        let negatives = model.negatives(targets);
        let loss = model.contrast(first, moved.clone(), negatives.clone(), targets);
        let other = model.contrast(second, moved, negatives, targets);
        self.update(model, loss, other, ledger)
    }

    fn anchored<const D: usize, M: Views<D> + Module>(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let targets = batch.targets();
        let frozen = self.mode.freeze(model);
        let second = model.vectors(View::Second, batch.clean(), targets);
        let negatives = model.negatives(targets);
        let fixed = match self.mode {
            AscentMode::Train => (second.clone(), negatives.clone()),
            AscentMode::Eval => ledger.forwards(model.forwards() - 1, || {
                let second = frozen.vectors(View::Second, batch.clean(), targets);
                (second, frozen.negatives(targets))
            }),
        };
        let against = Against {
            frozen: &frozen,
            // Tracked like the first view, though nothing flows through them.
            second: fixed.0.detach(),
            negatives: fixed.1.map(Tensor::detach),
        };
        let ascent = self.perturbation.ascend(&against, batch, noise, ledger)?;
        let first = model.vectors(View::First, batch.clean(), targets);
        let moved = model.vectors(self.mask.view(), ascent.input, targets);
        let loss = model.contrast(first, second.clone(), negatives.clone(), targets);
        let other = model.contrast(moved, second, negatives, targets);
        self.update(model, loss, other, ledger)
    }

    fn update<const D: usize, M: Views<D> + Module>(
        &self,
        model: &M,
        first: Tensor<1>,
        second: Tensor<1>,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let loss = first + second.mul_scalar(self.alpha);
        // Beside the forwards of the loss, that of the adversarial view.
        Ok(ledger.gradients_of(model, loss, model.forwards() + 1)?.into())
    }
}

impl<const D: usize, M: Views<D> + Module> TrainingMethod<D, M> for Uscal {
    /// Of samples without hard negatives.
    fn expected_cost(&self) -> Passes {
        if self.is_plain() {
            return Passes {
                forwards: 2,
                full_backwards: 2,
                updates: 1,
                ..Passes::default()
            };
        }
        let steps = self.perturbation.steps() as u64;
        let (ascent, reference) = match (self.form, self.mode) {
            (UscalForm::Article, _) => (2 * steps, 0),
            (UscalForm::Anchored, AscentMode::Train) => (steps, 0),
            // The second view once more, in the mode of the ascent.
            (UscalForm::Anchored, AscentMode::Eval) => (steps, 1),
        };
        Passes {
            forwards: ascent + reference + 3,
            full_backwards: 3,
            input_backwards: ascent,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(Self {
            perturbation: self.perturbation.scaled(share)?,
            ..*self
        }))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        if self.is_plain() {
            return Standard.gradients(model, batch, carried, noise, ledger);
        }
        match self.form {
            UscalForm::Article => self.article(model, batch, noise, ledger),
            UscalForm::Anchored => self.anchored(model, batch, noise, ledger),
        }
    }
}

/// The contrast of the first view with constant vectors: what the anchored form climbs on.
struct Against<'a, M> {
    frozen: &'a M,
    second: Tensor<2>,
    negatives: Option<Tensor<2>>,
}

impl<const D: usize, M: Views<D>> Objective<D> for Against<'_, M> {
    type Targets = M::Targets;

    fn loss(&self, input: Tensor<D>, targets: &M::Targets) -> Tensor<1> {
        let first = self.frozen.vectors(View::First, input, targets);
        self.frozen
            .contrast(first, self.second.clone(), self.negatives.clone(), targets)
    }
}
