//! Training on clean data.

use super::{Carried, TrainingMethod, Update};
use crate::{Batch, Ledger, Noise, Objective, ParamError, PassError, Passes};
use burn::module::Module;

/// The plain step: the gradients of the mean loss on the clean batch. The baseline of every comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standard;

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for Standard {
    fn expected_cost(&self) -> Passes {
        Passes {
            forwards: 1,
            full_backwards: 1,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, _share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(*self))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        _carried: &mut Carried<D>,
        _noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        Ok(ledger
            .weight_gradients(model, batch.clean(), batch.targets(), 1.0)?
            .into())
    }
}
