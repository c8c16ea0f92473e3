//! Training on clean and perturbed samples at once.

use super::Update;
use crate::{Batch, Ledger, Objective, ParamError, PassError, gradients};
use burn::module::Module;
use burn::tensor::Tensor;

/// The share of the clean loss, in [0, 1): `share * clean + (1 - share) * perturbed` is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct CleanShare(f64);

impl CleanShare {
    pub(super) fn new(share: f64) -> Result<Self, ParamError> {
        if (0.0..1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(ParamError::CleanShare(share))
        }
    }

    /// Forwards and full backwards of a mini-batch.
    pub(super) fn passes(self) -> u64 {
        if self.0 > 0.0 { 2 } else { 1 }
    }

    /// The gradients of the mixed loss, `perturbed` beside the clean samples of the batch.
    pub(super) fn gradients<const D: usize, M: Objective<D> + Module>(
        self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        perturbed: Tensor<D>,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let Self(share) = self;
        let pass = ledger.weight_gradients(model, perturbed, batch.targets(), 1.0 - share)?;
        if share == 0.0 {
            return Ok(pass.into());
        }
        let clean = ledger.weight_gradients(model, batch.clean(), batch.targets(), share)?;
        Ok(Update {
            gradients: gradients::sum(pass.gradients, clean.gradients, model),
            losses: vec![pass.loss, clean.loss],
        })
    }
}
