//! The ledger: the only place that calls `backward`, so that every pass is counted.

mod first_layer;

use crate::passes::{InputPass, JointPass, Passes, WeightPass};
use crate::{Objective, PassError};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};

/// Which account a pass is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Work that trains the model, the ascent included.
    #[default]
    Training,
    /// Work that only measures it.
    Evaluation,
}

/// Counts every pass, per mini-batch and in all, with separate accounts for training and evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    phase: Phase,
    training: Passes,
    evaluation: Passes,
    batch: Passes,
}

impl Ledger {
    /// An empty ledger, booking on the training account.
    pub fn new() -> Self {
        Self::default()
    }

    /// A ledger that goes on from saved totals.
    pub fn from_totals(training: Passes, evaluation: Passes) -> Self {
        Self {
            training,
            evaluation,
            ..Self::default()
        }
    }

    /// Adds the totals of another ledger, such as that of another device.
    pub fn absorb(&mut self, other: &Ledger) {
        self.training += other.training;
        self.evaluation += other.evaluation;
    }

    /// Books all that follows on this account, and starts a new mini-batch.
    pub fn begin_batch(&mut self, phase: Phase) {
        self.phase = phase;
        self.batch = Passes::default();
    }

    /// What was counted in this account.
    pub fn total(&self, phase: Phase) -> Passes {
        match phase {
            Phase::Training => self.training,
            Phase::Evaluation => self.evaluation,
        }
    }

    /// What was counted since [`begin_batch`](Self::begin_batch).
    pub fn batch(&self) -> Passes {
        self.batch
    }

    /// Books a forward that no backward follows, such as the prediction of an evaluation.
    pub fn forward<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.forwards(1, run)
    }

    /// Books that many forwards that no backward follows.
    pub fn forwards<T>(&mut self, forwards: u64, run: impl FnOnce() -> T) -> T {
        self.book(Passes {
            forwards,
            ..Passes::default()
        });
        run()
    }

    /// Books an optimiser update, and refuses one without gradients: an optimiser would silently do nothing.
    pub fn update(&mut self, gradients: &GradientsParams) -> Result<(), PassError> {
        if gradients.is_empty() {
            return Err(PassError::EmptyUpdate);
        }
        self.book(Passes {
            updates: 1,
            ..Passes::default()
        });
        Ok(())
    }

    /// Loss and input gradient of a frozen objective: one forward, one input-only backward.
    pub fn input_gradient<const D: usize, O: Objective<D>>(
        &mut self,
        objective: &O,
        input: Tensor<D>,
        targets: &O::Targets,
    ) -> Result<InputPass<D>, PassError> {
        const PASS: &str = "an ascent pass";
        let leaf = leaf(input);
        let n = objective.forwards();
        let loss = objective.loss(leaf.clone(), targets);
        self.book(Passes {
            forwards: n,
            ..Passes::default()
        });
        let value = finite(&loss, PASS)?;
        let unreached = PassError::NoInputGradient { pass: PASS };
        let Some(mut gradients) = backward(&loss) else {
            return Err(unreached);
        };
        self.book(Passes {
            input_backwards: n,
            ..Passes::default()
        });
        let gradient = leaf.grad_remove(&mut gradients).ok_or(unreached)?;
        Ok(InputPass {
            loss: value,
            gradient,
        })
    }

    /// Loss and weight gradients at a constant input, of `scale` times the loss: one forward, one full backward.
    pub fn weight_gradients<const D: usize, M: Objective<D> + Module>(
        &mut self,
        model: &M,
        input: Tensor<D>,
        targets: &M::Targets,
        scale: f64,
    ) -> Result<WeightPass, PassError> {
        let (loss, gradients) = self.full_pass(model, input, targets, scale)?;
        Ok(WeightPass {
            loss,
            gradients: GradientsParams::from_grads(gradients, model),
        })
    }

    /// Loss, weight gradients and input gradient from one backward, of `scale` times the loss.
    pub fn joint_gradients<const D: usize, M: Objective<D> + Module>(
        &mut self,
        model: &M,
        input: Tensor<D>,
        targets: &M::Targets,
        scale: f64,
    ) -> Result<JointPass<D>, PassError> {
        let leaf = leaf(input);
        let (loss, mut gradients) = self.full_pass(model, leaf.clone(), targets, scale)?;
        let input = leaf
            .grad_remove(&mut gradients)
            .ok_or(PassError::NoInputGradient {
                pass: "a training pass",
            })?;
        Ok(JointPass {
            loss,
            gradients: GradientsParams::from_grads(gradients, model),
            input,
        })
    }

    /// Weight gradients of a loss that the caller made of the outputs of `forwards` forwards of the model.
    pub fn gradients_of<M: Module>(
        &mut self,
        model: &M,
        loss: Tensor<1>,
        forwards: u64,
    ) -> Result<WeightPass, PassError> {
        self.book(Passes {
            forwards,
            ..Passes::default()
        });
        let value = finite(&loss, "a training pass")?;
        let gradients = backward(&loss).ok_or(PassError::EmptyUpdate)?;
        self.book(Passes {
            full_backwards: forwards,
            ..Passes::default()
        });
        Ok(WeightPass {
            loss: value,
            gradients: GradientsParams::from_grads(gradients, model),
        })
    }

    fn full_pass<const D: usize, O: Objective<D>>(
        &mut self,
        model: &O,
        input: Tensor<D>,
        targets: &O::Targets,
        scale: f64,
    ) -> Result<(f64, Gradients), PassError> {
        let n = model.forwards();
        let loss = model.loss(input, targets);
        self.book(Passes {
            forwards: n,
            ..Passes::default()
        });
        let value = finite(&loss, "a training pass")?;
        // Not scaled by 1: the unscaled pass is then bit for bit that of a plain training loop.
        let loss = if scale == 1.0 {
            loss
        } else {
            loss.mul_scalar(scale)
        };
        let gradients = backward(&loss).ok_or(PassError::EmptyUpdate)?;
        self.book(Passes {
            full_backwards: n,
            ..Passes::default()
        });
        Ok((value, gradients))
    }

    fn book(&mut self, passes: Passes) {
        self.batch += passes;
        match self.phase {
            Phase::Training => self.training += passes,
            Phase::Evaluation => self.evaluation += passes,
        }
    }
}

/// A fresh tracked tensor with these values. Fresh for every pass, or memory would grow with their number.
fn leaf<const D: usize>(t: Tensor<D>) -> Tensor<D> {
    t.inner().autodiff().require_grad()
}

/// The only call of `backward` in this crate. None where nothing that the loss depends on wants a gradient.
fn backward(loss: &Tensor<1>) -> Option<Gradients> {
    loss.is_tracked().then(|| loss.backward())
}

/// The value of a loss, if it is a number. Read at every pass: a sign step hides a NaN gradient.
fn finite(loss: &Tensor<1>, pass: &'static str) -> Result<f64, PassError> {
    let value = f64::from(loss.clone().inner().into_scalar::<f32>());
    if value.is_finite() {
        Ok(value)
    } else {
        Err(PassError::NonFiniteLoss { loss: value, pass })
    }
}
