//! From one mini-batch to the updates it makes.

use super::{LoopPlan, Task, TrainState};
use crate::optim::{radius_share, rate_share};
use crate::streams::{Purpose, derived_seed, stream};
use adv_core::gradients::{self, MaxNorm, clip_global_norm};
use adv_core::{Batch, Objective, ParamError, Phase, Standard, TrainingMethod};
use anyhow::Result;
use burn::optim::GradientsParams;

/// Makes updates, and holds gradients that wait for those of more mini-batches.
pub(super) struct Updates<'a> {
    plan: &'a LoopPlan<'a>,
    clip: Option<MaxNorm>,
    /// Updates in all, and those of the warm-up.
    total: u64,
    warmup: u64,
    waiting: Option<(GradientsParams, u64)>,
}

impl<'a> Updates<'a> {
    pub(super) fn new(plan: &'a LoopPlan<'a>, replays: usize) -> Result<Self, ParamError> {
        let optim = &plan.training.optim;
        let total = plan.updates(replays as u64);
        Ok(Self {
            plan,
            clip: optim.clip_norm.map(MaxNorm::new).transpose()?,
            total,
            warmup: optim.warmup_updates(total),
            waiting: None,
        })
    }

    /// Whether no gradients wait.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_none()
    }

    /// Learns from one mini-batch: its mean loss, and the global norm of the last gradients, if they are clipped.
    pub(super) fn learn<const D: usize, T: Task<D>>(
        &mut self,
        task: &T,
        method: &dyn TrainingMethod<D, T::Model>,
        batch: &Batch<'_, D, <T::Model as Objective<D>>::Targets>,
        state: &mut TrainState<D, T::Model>,
    ) -> Result<(f64, Option<f64>)> {
        let training = self.plan.training;
        let (seed, number) = (training.seed, state.batches);
        task.begin_batch(&state.model, derived_seed(seed, Purpose::Dropout, number));
        state.ledger.begin_batch(Phase::Training);
        state.carried.begin_batch();

        let begin = self.plan.begin;
        let (grown, growing) = (number.saturating_sub(begin), self.plan.total - begin);
        let share = radius_share(training.method.eps_warmup, grown, growing);
        let smaller = (share < 1.0).then(|| method.scaled(share)).transpose()?;
        let method = match smaller.as_deref() {
            _ if number < begin => &Standard,
            Some(smaller) => smaller,
            None => method,
        };
        let replays = method.replays();
        let (mut loss, mut norm) = (0.0, None);
        for replay in 0..replays {
            let place = number * replays as u64 + replay as u64;
            let mut noise = stream(seed, Purpose::Noise, place);
            let TrainState {
                model,
                carried,
                ledger,
                ..
            } = state;
            let update = method.gradients(model, batch, carried, &mut noise, ledger)?;
            loss += update.mean_loss() / replays as f64;
            if let Some(gradients) = self.collected(update.gradients, state) {
                norm = self.step(task, gradients, state)?;
            }
        }
        Ok((loss, norm))
    }

    /// The mean of the gradients of enough mini-batches, once there are.
    fn collected<const D: usize, M: burn::module::Module>(
        &mut self,
        gradients: GradientsParams,
        state: &TrainState<D, M>,
    ) -> Option<GradientsParams> {
        let (sum, count) = match self.waiting.take() {
            None => (gradients, 1),
            Some((sum, count)) => (gradients::sum(sum, gradients, &*state.model), count + 1),
        };
        if count < self.plan.training.optim.accumulate && !self.plan.epoch_ends(state.batches + 1) {
            self.waiting = Some((sum, count));
            return None;
        }
        match count {
            1 => Some(sum),
            count => Some(gradients::scale(sum, &*state.model, 1.0 / count as f64)),
        }
    }

    /// One update; the global norm before clipping.
    fn step<const D: usize, T: Task<D>>(
        &self,
        task: &T,
        gradients: GradientsParams,
        state: &mut TrainState<D, T::Model>,
    ) -> Result<Option<f64>> {
        let (gradients, norm) = match self.clip {
            None => (gradients, None),
            Some(max) => {
                let (gradients, norm) = clip_global_norm(gradients, &*state.model, max);
                (gradients, Some(norm))
            }
        };
        state.ledger.update(&gradients)?;
        let optim = &self.plan.training.optim;
        let share = rate_share(optim.schedule, self.warmup, state.updates, self.total);
        let rates = task.rates(&state.model, optim.lr * share);
        state.step(rates, gradients);
        Ok(norm)
    }
}
