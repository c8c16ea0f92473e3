//! All that training changes: what a checkpoint holds.

use super::Validation;
use adv_core::{Carried, Ledger};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// The state of a training run between two mini-batches.
pub struct TrainState<const D: usize, M> {
    /// The model.
    pub model: Movable<M>,
    /// The optimiser with its moments.
    pub optimiser: ModuleOptimizer,
    /// What the method carries between mini-batches.
    pub carried: Carried<D>,
    /// The pass counts.
    pub ledger: Ledger,
    /// Mini-batches done, before replay.
    pub batches: u64,
    /// Updates done.
    pub updates: u64,
    /// Seconds of training: passes and updates, without validation and checkpoints.
    pub seconds: f64,
    /// Robust accuracy of the last validation.
    pub last_robust: Option<f64>,
    /// The best validation so far.
    pub best: Option<Best>,
    /// Validations since the best one.
    pub worse: u64,
    /// Warnings that the report repeats.
    pub warnings: Vec<String>,
}

/// A model that moves through its update. A clone would share the weights, so that none could be changed in place.
pub struct Movable<M>(Option<M>);

/// Why there always is a model.
const THERE: &str = "only a panic in an update leaves no model";

impl<M> Movable<M> {
    pub(super) fn update(&mut self, step: impl FnOnce(M) -> M) {
        self.0 = Some(step(self.0.take().expect(THERE)));
    }
}

impl<M> From<M> for Movable<M> {
    fn from(model: M) -> Self {
        Self(Some(model))
    }
}

impl<M> Deref for Movable<M> {
    type Target = M;

    fn deref(&self) -> &M {
        self.0.as_ref().expect(THERE)
    }
}

/// The best validation and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Mini-batches done then.
    pub batches: u64,
    /// What was measured.
    pub validation: Validation,
}

impl<const D: usize, M: Module> TrainState<D, M> {
    /// The state before the first mini-batch.
    pub fn new(model: M, optimiser: ModuleOptimizer) -> Self {
        Self {
            model: model.into(),
            optimiser,
            carried: Carried::default(),
            ledger: Ledger::new(),
            batches: 0,
            updates: 0,
            seconds: 0.0,
            last_robust: None,
            best: None,
            worse: 0,
            warnings: Vec::new(),
        }
    }

    /// Whether every weight is a number. A finite loss may still have led to an update that is not.
    pub fn is_finite(&self) -> bool {
        let mut visitor = Finite(true);
        self.model.visit(&mut visitor);
        visitor.0
    }

    /// One optimiser update.
    pub fn step(&mut self, rate: impl Into<ModuleLearningRate>, gradients: GradientsParams) {
        self.model
            .update(|model| self.optimiser.step(rate, model, gradients));
        self.updates += 1;
    }
}

impl<const D: usize, M> TrainState<D, M> {
    /// Notes a validation; true if it is the best so far (robust accuracy first, if it was measured, then clean).
    pub fn keep_if_best(&mut self, validation: Validation) -> bool {
        let rank = |v: Validation| (v.robust.unwrap_or(0.0), v.clean);
        let better = self
            .best
            .is_none_or(|best| rank(validation) > rank(best.validation));
        if better {
            self.worse = 0;
            self.best = Some(Best {
                batches: self.batches,
                validation,
            });
        } else {
            self.worse += 1;
        }
        better
    }
}

struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 = self.0 && param.val().inner().is_finite().all().into_scalar::<bool>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn an_update_without_a_model_is_no_update() {
        let mut model = Movable::from(3);
        model.update(|model| model + 1);
        assert_eq!(*model, 4);
        let broken = catch_unwind(AssertUnwindSafe(|| model.update(|_| panic!("in an update"))));
        assert!(broken.is_err());
        let next = catch_unwind(AssertUnwindSafe(|| model.update(|model| model)));
        let message = next.expect_err("there is no model to update");
        assert_eq!(message.downcast_ref::<String>().map(String::as_str), Some(THERE));
    }
}
