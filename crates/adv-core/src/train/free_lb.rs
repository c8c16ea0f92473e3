//! FreeLB.

use super::{Carried, TrainingMethod, Update};
use crate::{Batch, Ledger, Noise, Objective, ParamError, PassError, Passes, Perturbation, gradients};
use burn::module::Module;

/// FreeLB-K (Zhu et al. 2020, Algorithm 1): K passes at a climbing perturbation, whose weight gradients are averaged
/// into one update.
///
/// K is the number of steps of the perturbation: K forwards and backwards, of which the first K - 1 also move the
/// perturbation. That is the K of the Hugging Face version; the fairseq version counts one less ("2" makes 3 passes).
/// The first pass is at the start, so a zero start makes it the clean pass; no clean loss is added.
///
/// The published setting draws one dropout mask per mini-batch and uses it in all passes: that is the model's part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeLb {
    perturbation: Perturbation,
}

impl FreeLb {
    /// Takes start, step, ball and K (its steps) from the perturbation. The start is not projected.
    pub fn new(perturbation: Perturbation) -> Self {
        Self { perturbation }
    }

    /// The perturbation.
    pub fn perturbation(&self) -> &Perturbation {
        &self.perturbation
    }
}

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for FreeLb {
    fn expected_cost(&self) -> Passes {
        let k = self.perturbation.steps() as u64;
        Passes {
            forwards: k,
            full_backwards: k,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(Self::new(self.perturbation.scaled(share)?)))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        _carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let passes = self.perturbation.steps();
        let scale = 1.0 / passes as f64;
        let mut delta = self.perturbation.start(batch, noise);
        let mut momentum = None;
        let mut losses = Vec::with_capacity(passes);

        // The last pass needs no input gradient: its step would not be used.
        let mut total = None;
        for _ in 1..passes {
            let input = batch.clean() + delta.clone();
            let pass = ledger.joint_gradients(model, input, batch.targets(), scale)?;
            losses.push(pass.loss);
            total = Some(match total {
                Some(sum) => gradients::sum(sum, pass.gradients, model),
                None => pass.gradients,
            });
            delta = self.perturbation.step(batch, delta, pass.input, &mut momentum);
        }
        let last = ledger.weight_gradients(model, batch.clean() + delta, batch.targets(), scale)?;
        losses.push(last.loss);
        let gradients = match total {
            Some(sum) => gradients::sum(sum, last.gradients, model),
            None => last.gradients,
        };
        Ok(Update { gradients, losses })
    }
}
