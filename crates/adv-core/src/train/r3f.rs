//! R3F.

use super::smooth::comparable;
use super::{Carried, TrainingMethod, Update};
use crate::{Batch, Divergence, Ledger, Noise, ParamError, PassError, Passes, Perturbation, Predict, Start};
use burn::module::Module;

/// R3F (Aghajanyan et al. 2021, eq. 4): the clean loss, plus a weight times how far the outputs move under plain noise.
///
/// No ascent. Gradients flow through both outputs. Published: noise uniform or normal of scale 1e-5, weight 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct R3f {
    noise: Perturbation,
    penalty: Divergence,
    weight: f64,
}

impl R3f {
    /// For logits. `noise` is the start of a perturbation, such as [`Start::Uniform`].
    pub fn new(noise: Start, weight: f64) -> Result<Self, ParamError> {
        // A perturbation of which only the start is used.
        let noise = Perturbation::n_fgsm(0.0, 0.0)?.with_start(noise)?;
        Ok(Self {
            noise,
            penalty: Divergence::SymmetricKl,
            weight: super::checked_weight(weight)?,
        })
    }

    /// For scores: the squared error.
    pub fn for_scores(self) -> Self {
        Self {
            penalty: Divergence::SquaredError,
            ..self
        }
    }
}

impl<const D: usize, M: Predict<D> + Module> TrainingMethod<D, M> for R3f {
    fn expected_cost(&self) -> Passes {
        Passes {
            forwards: 2,
            full_backwards: 2,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(Self {
            noise: self.noise.scaled(share)?,
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
        let moved = batch.clean() + self.noise.start(batch, noise);
        let clean = comparable(model.outputs(batch.clean(), batch.targets()), self.penalty)?;
        let moved = model.outputs(moved, batch.targets());
        let loss = model.judge(clean.clone(), batch.targets())
            + self.penalty.of(clean, moved).mean().mul_scalar(self.weight);
        let pass = ledger.gradients_of(model, loss, 2 * model.forwards())?;
        Ok(Update {
            gradients: pass.gradients,
            losses: vec![pass.loss],
        })
    }
}
