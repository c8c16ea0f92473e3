//! All that training changes: what a checkpoint holds.

use super::Validation;
use adv_core::{Carried, Ledger};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use serde::{Deserialize, Serialize};

/// The state of a training run between two mini-batches.
pub struct TrainState<const D: usize, M> {
    /// The model.
    pub model: M,
    /// The optimiser with its moments; taken out only while it steps.
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
    /// Warnings that the report repeats.
    pub warnings: Vec<String>,
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
            model,
            optimiser,
            carried: Carried::default(),
            ledger: Ledger::new(),
            batches: 0,
            updates: 0,
            seconds: 0.0,
            last_robust: None,
            best: None,
            warnings: Vec::new(),
        }
    }

    /// One optimiser update.
    pub fn step(&mut self, rate: f64, gradients: GradientsParams) {
        let model = self.model.clone();
        self.model = self.optimiser.step(rate, model, gradients);
        self.updates += 1;
    }
}

impl<const D: usize, M> TrainState<D, M> {
    /// Notes a validation; true if it is the best so far (robust accuracy first, then clean).
    pub fn keep_if_best(&mut self, validation: Validation) -> bool {
        let better = self.best.is_none_or(|best| {
            (validation.robust, validation.clean) > (best.validation.robust, best.validation.clean)
        });
        if better {
            self.best = Some(Best {
                batches: self.batches,
                validation,
            });
        }
        better
    }
}
