//! SMART's smoothness-inducing regularisation.

use super::smooth::{Apart, Penalty, comparable};
use super::{Carried, TrainingMethod, Update};
use crate::{
    AscentMode, Batch, Divergence, Ledger, Noise, ParamError, PassError, Passes, Perturbation, Predict,
};
use burn::module::Module;

/// SMART (Jiang et al. 2020, section 3.1): the clean loss, plus a weight times how far the outputs move under the perturbation
/// that moves them most.
///
/// The perturbation climbs on [`Divergence::SmartAscent`] for logits, or on the squared error for scores; labels play no part
/// in it. The second half of the paper, Bregman proximal point optimisation, is not part of this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smart {
    perturbation: Perturbation,
    ascent: Divergence,
    penalty: Penalty,
}

impl Smart {
    /// For logits: the divergences of the released program. Its perturbation is [`Perturbation::smart`], its weight 1.
    pub fn new(perturbation: Perturbation, weight: f64) -> Result<Self, ParamError> {
        Ok(Self {
            perturbation,
            ascent: Divergence::SmartAscent,
            penalty: Penalty {
                divergence: Divergence::SymmetricKlConstantTargets,
                weight: super::checked_weight(weight)?,
            },
        })
    }

    /// For scores: the squared error in both places.
    pub fn for_scores(self) -> Self {
        Self {
            ascent: Divergence::SquaredError,
            penalty: Penalty {
                divergence: Divergence::SquaredError,
                ..self.penalty
            },
            ..self
        }
    }
}

impl<const D: usize, M: Predict<D> + Module> TrainingMethod<D, M> for Smart {
    fn expected_cost(&self) -> Passes {
        let steps = self.perturbation.steps() as u64;
        Passes {
            forwards: steps + 2,
            full_backwards: 2,
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
        let clean = comparable(
            model.outputs(batch.clean(), batch.targets()),
            self.penalty.divergence,
        )?;
        let frozen = AscentMode::Train.freeze(model);
        let apart = Apart {
            frozen: &frozen,
            reference: clean.clone().inner(),
            divergence: self.ascent,
        };
        let ascent = self.perturbation.ascend(&apart, batch, noise, ledger)?;
        let moved = model.outputs(ascent.input, batch.targets());
        let outputs = [clean.clone(), clean, moved];
        self.penalty.update(model, batch, outputs, ledger)
    }
}
