//! R3F.

use super::smooth::{Penalty, comparable};
use super::{Carried, TrainingMethod, Update};
use crate::perturbation::checked_share;
use crate::{Ball, Batch, Divergence, Ledger, Noise, ParamError, PassError, Passes, Predict, Start};
use burn::module::Module;

/// R3F (Aghajanyan et al. 2021, eq. 4): the clean loss, plus a weight times how far the outputs move under plain noise.
///
/// No ascent. Gradients flow through both outputs. Published: noise uniform or normal of scale 1e-5, weight 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct R3f {
    noise: Start,
    penalty: Penalty,
}

impl R3f {
    /// For logits. `noise` is the start of a perturbation, such as [`Start::Uniform`].
    pub fn new(noise: Start, weight: f64) -> Result<Self, ParamError> {
        noise.check(&Ball::Unbounded)?;
        Ok(Self {
            noise,
            penalty: Penalty {
                divergence: Divergence::SymmetricKl,
                weight: super::checked_weight(weight)?,
            },
        })
    }

    /// For scores: the squared error.
    pub fn for_scores(self) -> Self {
        Self {
            penalty: Penalty {
                divergence: Divergence::SquaredError,
                ..self.penalty
            },
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
            noise: self.noise.scaled(checked_share(share)?),
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
        let moved = batch.clean() + self.noise.draw(batch, &Ball::Unbounded, noise);
        let clean = comparable(
            model.outputs(batch.clean(), batch.targets()),
            self.penalty.divergence,
        )?;
        let moved = model.outputs(moved, batch.targets());
        let outputs = [clean.clone(), clean, moved];
        self.penalty.update(model, batch, outputs, ledger)
    }
}
