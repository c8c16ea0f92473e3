//! Free adversarial training.

use super::{Carried, TrainingMethod, Update};
use crate::{Ball, PerturbationSpec, RangePolicy, Start, StepSize};
use crate::{
    Batch, Ledger, Noise, Objective, ParamError, PassError, Passes, Perturbation, StepRule, ValueRange,
};
use burn::module::Module;
use burn::tensor::Tensor;

/// FreeAT-m (Shafahi et al. 2019, Algorithm 1): every mini-batch is replayed m times, and each replay takes the weight
/// gradient and the step of the perturbation from the same backward.
///
/// The weights move with the gradient **at the old perturbation**; the perturbation starts at zero once and survives
/// from mini-batch to mini-batch, slot by slot. A short last batch uses the first slots. Its step is the whole radius,
/// as in the original program. Train for 1/m of the epochs: a mini-batch is worth m updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeAt {
    replays: usize,
    perturbation: Perturbation,
    restarts: bool,
}

impl FreeAt {
    /// m replays under Linf. `range`: the network sees the clamped input, and the gradient is zero where it clips;
    /// the perturbation itself is not clamped to the range.
    pub fn new(replays: usize, radius: f64, range: Option<ValueRange>) -> Result<Self, ParamError> {
        if replays == 0 {
            return Err(ParamError::CountZero("replays"));
        }
        let perturbation = PerturbationSpec {
            ball: Ball::linf(radius),
            start: Start::Zero,
            rule: StepRule::Sign,
            size: StepSize::RelativeToRadius(1.0),
            steps: 1,
            momentum: None,
            range: range.map(|range| (range, RangePolicy::Final)),
        };
        Ok(Self {
            replays,
            perturbation: perturbation.check()?,
            restarts: false,
        })
    }

    /// m replays with the step, ball and start of a perturbation of one step, drawn anew for every mini-batch: FreeAT for text (a
    /// baseline of Zhu et al. 2020), where a slot of the batch has no meaning from one mini-batch to the next. Their program also
    /// divides each loss by the number of passes, which is a smaller learning rate. The loop calls [`Carried::begin_batch`].
    pub fn restarting(replays: usize, perturbation: Perturbation) -> Result<Self, ParamError> {
        if replays == 0 {
            return Err(ParamError::CountZero("replays"));
        }
        if perturbation.steps() != 1 || perturbation.spec().momentum.is_some() {
            return Err(ParamError::OneStep);
        }
        Ok(Self {
            replays,
            perturbation,
            restarts: true,
        })
    }

    /// Another step size than the whole radius.
    pub fn with_step(self, step: f64) -> Result<Self, ParamError> {
        let spec = PerturbationSpec {
            size: StepSize::Absolute(step),
            ..*self.perturbation.spec()
        };
        Ok(Self {
            perturbation: spec.check()?,
            ..self
        })
    }

    /// The carried perturbation of this batch: its first slots, zero where there is none yet.
    fn carried_delta<const D: usize>(&self, clean: &Tensor<D>, carried: &Carried<D>) -> Tensor<D> {
        match &carried.delta {
            Some(delta) if delta.dims()[1..] == clean.dims()[1..] => {
                let (have, want) = (delta.dims()[0], clean.dims()[0]);
                let rows = delta.clone().narrow(0, 0, have.min(want));
                if have >= want {
                    return rows;
                }
                let mut missing = clean.dims();
                missing[0] = want - have;
                Tensor::cat(vec![rows, Tensor::zeros(missing, &clean.device())], 0)
            }
            _ => clean.zeros_like(),
        }
    }
}

/// The carried perturbation with its first slots replaced.
fn store<const D: usize>(carried: &mut Carried<D>, delta: Tensor<D>) {
    let kept = match carried.delta.take() {
        Some(old) if old.dims()[1..] == delta.dims()[1..] && old.dims()[0] > delta.dims()[0] => {
            let used = delta.dims()[0];
            let rest = old.dims()[0] - used;
            Tensor::cat(vec![delta, old.narrow(0, used, rest)], 0)
        }
        _ => delta,
    };
    carried.delta = Some(kept);
}

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for FreeAt {
    fn replays(&self) -> usize {
        self.replays
    }

    fn expected_cost(&self) -> Passes {
        let m = self.replays as u64;
        Passes {
            forwards: m,
            full_backwards: m,
            updates: m,
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
        carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let clean = batch.clean();
        let delta = if self.restarts && carried.replay == 0 {
            self.perturbation.start(batch, noise)
        } else {
            batch.masked(self.carried_delta(&clean, carried))
        };
        let raw = clean + delta.clone();
        let input = self.perturbation.apply(batch, delta.clone());
        let pass = ledger.joint_gradients(model, input, batch.targets(), 1.0)?;
        let gradient = match self.perturbation.range() {
            Some(range) => range.backward_clamp(raw, pass.input),
            None => pass.input,
        };
        let next = self.perturbation.step(batch, delta, gradient, &mut None);
        carried.replay = (carried.replay + 1) % self.replays;
        if !self.restarts {
            store(carried, next);
        } else {
            // Nothing of it outlives the mini-batch.
            carried.delta = (carried.replay > 0).then_some(next);
        }
        Ok(Update {
            gradients: pass.gradients,
            losses: vec![pass.loss],
        })
    }
}
