//! Training under noise.

use super::clean_share::CleanShare;
use super::{Carried, TrainingMethod, Update};
use crate::{Batch, Ledger, Noise, Objective, ParamError, PassError, Passes, Perturbation};
use burn::module::Module;

/// Training at a random perturbation: the start of an ascent that is never climbed. What adversarial training is held against (the random
/// perturbation of Miyato et al. 2017, section 5: [`Start::Direction`](crate::Start::Direction) of the length of its steps). With a value
/// range the perturbed input is clamped to it, so that near the bounds it moves by less than the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noisy {
    perturbation: Perturbation,
    clean_share: CleanShare,
}

impl Noisy {
    /// On perturbed data only. Of the perturbation, start and value range are used.
    pub fn new(perturbation: Perturbation) -> Self {
        Self {
            perturbation,
            clean_share: CleanShare::default(),
        }
    }

    /// Trains on `share * clean + (1 - share) * perturbed` loss; `share` lies in [0, 1).
    ///
    /// Costs one more forward and backward per mini-batch.
    pub fn with_clean_share(self, share: f64) -> Result<Self, ParamError> {
        Ok(Self {
            clean_share: CleanShare::new(share)?,
            ..self
        })
    }
}

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for Noisy {
    fn expected_cost(&self) -> Passes {
        let passes = self.clean_share.passes();
        Passes {
            forwards: passes,
            full_backwards: passes,
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
        let delta = self.perturbation.start(batch, noise);
        let input = self.perturbation.apply(batch, delta);
        self.clean_share.gradients(model, batch, input, ledger)
    }
}
