//! What SMART, R3F and VAT share: a loss and a penalty on outputs that change with the input.

use super::Update;
use crate::{Batch, Divergence, Ledger, Objective, PassError, Predict};
use burn::module::Module;
use burn::tensor::Tensor;

/// How far the outputs of a frozen model lie from given ones, as a function of the input: what SMART and VAT climb on.
///
/// The **sum** over the batch, so that raw steps do not shrink with its size.
pub(super) struct Apart<'a, M> {
    pub(super) frozen: &'a M,
    pub(super) reference: Tensor<2>,
    pub(super) divergence: Divergence,
}

impl<const D: usize, M: Predict<D>> Objective<D> for Apart<'_, M> {
    type Targets = M::Targets;

    fn loss(&self, input: Tensor<D>, targets: &M::Targets) -> Tensor<1> {
        let outputs = self.frozen.outputs(input, targets);
        let apart = self.divergence.of(self.reference.clone(), outputs);
        apart.sum() // tidy: small
    }

    fn forwards(&self) -> u64 {
        self.frozen.forwards()
    }
}

/// Outputs that this divergence can compare.
pub(super) fn comparable(outputs: Tensor<2>, divergence: Divergence) -> Result<Tensor<2>, PassError> {
    if outputs.dims()[1] < 2 && divergence != Divergence::SquaredError {
        return Err(PassError::OneOutput);
    }
    Ok(outputs)
}

/// How far outputs moved, and how much that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Penalty {
    pub(super) divergence: Divergence,
    pub(super) weight: f64,
}

impl Penalty {
    /// The mean over the batch, weighed.
    pub(super) fn of(self, reference: Tensor<2>, moved: Tensor<2>) -> Tensor<1> {
        self.divergence
            .of(reference, moved)
            .mean()
            .mul_scalar(self.weight)
    }

    /// The gradients of the loss at the clean outputs and the penalty against `reference`.
    pub(super) fn update<const D: usize, M: Predict<D> + Module>(
        self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        [clean, reference, moved]: [Tensor<2>; 3],
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let loss = model.judge(clean, batch.targets()) + self.of(reference, moved);
        Ok(ledger.gradients_of(model, loss, 2 * model.forwards())?.into())
    }
}
