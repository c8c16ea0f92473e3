//! Training on perturbed data: FGSM, FGM, PGD and every other perturbation value.

use super::clean_share::CleanShare;
use super::{Carried, TrainingMethod, Update};
use crate::{AscentMode, Batch, Ledger, Noise, Objective, ParamError, PassError, Passes, Perturbation};
use burn::module::Module;

/// Adversarial training (Madry et al. 2018, eq. 2.1): the gradients of the loss at the perturbed batch, alone or mixed
/// with the loss at the clean one.
///
/// The ascent runs on a frozen copy of the model and never computes a weight gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adversarial {
    perturbation: Perturbation,
    mode: AscentMode,
    clean_share: CleanShare,
}

impl Adversarial {
    /// On perturbed data only, with the network in train mode during the ascent.
    pub fn new(perturbation: Perturbation) -> Self {
        Self {
            perturbation,
            mode: AscentMode::Train,
            clean_share: CleanShare::default(),
        }
    }

    /// The mode of the network during the ascent.
    pub fn with_mode(self, mode: AscentMode) -> Self {
        Self { mode, ..self }
    }

    /// Trains on `share * clean + (1 - share) * perturbed` loss (Goodfellow et al. 2015, section 6, has 0.5).
    ///
    /// Costs one more forward and backward per mini-batch. `share` lies in [0, 1).
    pub fn with_clean_share(self, share: f64) -> Result<Self, ParamError> {
        Ok(Self {
            clean_share: CleanShare::new(share)?,
            ..self
        })
    }

    /// The perturbation.
    pub fn perturbation(&self) -> &Perturbation {
        &self.perturbation
    }
}

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for Adversarial {
    fn expected_cost(&self) -> Passes {
        let steps = self.perturbation.steps() as u64;
        let training = self.clean_share.passes();
        Passes {
            forwards: steps + training,
            full_backwards: training,
            input_backwards: steps,
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
        _carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let frozen = self.mode.freeze(model);
        let ascent = self.perturbation.ascend(&frozen, batch, noise, ledger)?;
        self.clean_share.gradients(model, batch, ascent.input, ledger)
    }
}
