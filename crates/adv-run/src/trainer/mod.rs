//! The training loop: mini-batches in, updates out, with progress, checkpoints and exact resume.

mod checkpoint;
mod journal;
mod state;
mod task;

pub use checkpoint::{CheckpointError, Files, read as read_checkpoint};
pub use journal::{History, Journal};
pub use state::{Best, TrainState};
pub use task::{Host, ImageTask, Sample, Task, Validation};

use crate::optim::{radius_share, rate_share};
use crate::progress::Progress;
use crate::spec::OptimSpec;
use crate::streams::{Purpose, derived_seed, stream};
use adv_core::gradients::{MaxNorm, clip_global_norm};
use adv_core::{Batch, Phase, TrainingMethod};
use adv_data::{BatchPlan, Prefetch};
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the loop needs beside task, method and state.
pub struct LoopPlan<'a> {
    /// How the data is cut into mini-batches.
    pub batches: BatchPlan,
    /// Mini-batches in all, before replay.
    pub total: u64,
    /// Seed of noise and dropout.
    pub seed: u64,
    /// Share of the mini-batches over which the radius grows from 0.
    pub radius_warmup: f64,
    /// The optimiser's rate, schedule and clipping.
    pub optim: OptimSpec,
    /// The files of the run.
    pub files: &'a Files,
    /// Time between checkpoints, beside those at epoch ends.
    pub checkpoint_every: Duration,
    /// Warn when the robust accuracy falls by more than 0.2 from one epoch to the next.
    pub watch_overfitting: bool,
    /// What may help a network that learns nothing under this method.
    pub advice: &'a str,
    /// Set from outside to stop after the mini-batch at hand.
    pub stop: &'a AtomicBool,
}

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All mini-batches are done.
    Finished,
    /// It was asked to stop; the checkpoint is written.
    Interrupted,
}

/// Trains from where `state` stands to the end of the plan.
pub fn train<const D: usize, T: Task<D>>(
    task: &T,
    method: &dyn TrainingMethod<D, T::Model>,
    plan: &LoopPlan<'_>,
    state: &mut TrainState<D, T::Model>,
    journal: &mut Journal,
    progress: &mut dyn Progress,
) -> Result<Ended> {
    let clip = plan.optim.clip_norm.map(MaxNorm::new).transpose()?;
    let per_epoch = plan.batches.batches_per_epoch() as u64;
    let updates_in_all = plan.total * method.replays() as u64;
    if state.batches > plan.total {
        bail!(
            "the checkpoint holds {} mini-batches, the spec asks for {}: was spec.toml changed?",
            state.batches,
            plan.total
        );
    }
    let mut saved = Instant::now();

    for host in prefetched(task, plan, state.batches)? {
        let begun = Instant::now();
        let sample = task.upload(host?)?;
        let batch = Batch::new(sample.clean, &sample.targets);
        let batch = match sample.mask {
            Some(mask) => batch.with_mask(mask),
            None => batch,
        };
        task.begin_batch(
            &state.model,
            derived_seed(plan.seed, Purpose::Dropout, state.batches),
        );
        state.ledger.begin_batch(Phase::Training);
        state.carried.begin_batch();

        let share = radius_share(plan.radius_warmup, state.batches, plan.total);
        let smaller = (share < 1.0).then(|| method.scaled(share)).transpose()?;
        let method = smaller.as_deref().unwrap_or(method);
        let mut loss = 0.0;
        let mut norm = None;
        for _ in 0..method.replays() {
            let mut noise = stream(plan.seed, Purpose::Noise, state.updates);
            let update = method
                .gradients(
                    &state.model,
                    &batch,
                    &mut state.carried,
                    &mut noise,
                    &mut state.ledger,
                )
                .with_context(|| stopped_at(plan, state))?;
            loss += update.mean_loss() / method.replays() as f64;
            let gradients = match clip {
                None => update.gradients,
                Some(max) => {
                    let (gradients, before) = clip_global_norm(update.gradients, &state.model, max);
                    norm = Some(before);
                    gradients
                }
            };
            state
                .ledger
                .update(&gradients)
                .with_context(|| stopped_at(plan, state))?;
            let rate = plan.optim.lr * rate_share(plan.optim.schedule, state.updates, updates_in_all);
            state.step(rate, gradients);
        }
        state.batches += 1;
        state.seconds += begun.elapsed().as_secs_f64();
        progress.batch(state.batches, loss);
        journal.batch(state.batches, state.batches as f64 / per_epoch as f64, loss, norm)?;

        let epoch_ends = state.batches.is_multiple_of(per_epoch) || state.batches == plan.total;
        let stop = plan.stop.load(Ordering::Relaxed);
        let due = epoch_ends || stop || saved.elapsed() >= plan.checkpoint_every;
        // Nothing is kept of a model that is lost: the last checkpoint stays a good one.
        if due && !state.is_finite() {
            bail!(
                "weights are no longer finite; lower the learning rate, or clip with --clip-norm; {}",
                stopped_at(plan, state)
            );
        }
        if epoch_ends {
            let validation = task
                .validate(&state.model, &mut state.ledger)
                .with_context(|| stopped_at(plan, state))?;
            watch(plan, state, validation, task.guess(), progress);
            if state.keep_if_best(validation) {
                task.save(&state.model, &plan.files.best())?;
            }
            journal.validation(state.batches, state.batches as f64 / per_epoch as f64, validation)?;
            progress.epoch(state.batches, loss, validation);
        }
        if due {
            journal.sync()?;
            checkpoint::write(&plan.files.checkpoint(), state)?;
            saved = Instant::now();
        }
        if stop && state.batches < plan.total {
            return Ok(Ended::Interrupted);
        }
    }
    if state.batches < plan.total {
        bail!(
            "the data ended after mini-batch {} of {}",
            state.batches,
            plan.total
        );
    }
    task.save(&state.model, &plan.files.last())?;
    Ok(Ended::Finished)
}

/// The prepared mini-batches from number `start` on.
fn prefetched<const D: usize, T: Task<D>>(
    task: &T,
    plan: &LoopPlan<'_>,
    start: u64,
) -> Result<Prefetch<T::Host>> {
    let batches = plan.batches.clone();
    let first = batches.position(start);
    let indices = (first.epoch..).flat_map(move |epoch| {
        let skip = if epoch == first.epoch { first.batch } else { 0 };
        batches.epoch(epoch).skip(skip)
    });
    let prepare = task.prepare();
    Ok(Prefetch::new(
        indices.take((plan.total - start) as usize).map(prepare),
    )?)
}

fn stopped_at<const D: usize, M>(plan: &LoopPlan<'_>, state: &TrainState<D, M>) -> String {
    let at = plan.batches.position(state.batches);
    let file = plan.files.checkpoint();
    let good = if file.exists() {
        format!("the last good checkpoint is {}", file.display())
    } else {
        "there is no checkpoint yet".into()
    };
    format!(
        "training stopped in epoch {}, batch {}, update {}; {good}",
        at.epoch + 1,
        at.batch + 1,
        state.updates + 1
    )
}

/// Warns of a network that learns nothing, and of catastrophic overfitting.
fn watch<const D: usize, M>(
    plan: &LoopPlan<'_>,
    state: &mut TrainState<D, M>,
    now: Validation,
    guess: f64,
    progress: &mut dyn Progress,
) {
    let before = state.last_robust.replace(now.robust);
    let warnings = [
        stalled(plan, state.batches, now, guess),
        overfitted(plan, before, now),
    ];
    for text in warnings.into_iter().flatten() {
        progress.warn(&text);
        state
            .warnings
            .push(format!("after mini-batch {}: {text}", state.batches));
    }
}

/// Said at the first epoch end past the middle of the training: before, a slow start or a growing radius may be all there is.
fn stalled(plan: &LoopPlan<'_>, batches: u64, now: Validation, guess: f64) -> Option<String> {
    let per_epoch = plan.batches.batches_per_epoch() as u64;
    let middle = plan.total.div_ceil(2);
    let first = batches >= middle && batches < middle + per_epoch;
    (first && now.clean <= guess).then(|| {
        format!(
            "the network has learnt nothing yet: clean accuracy on the watched images is {:.3}, and always naming one class gives {guess:.3}. {}",
            now.clean, plan.advice
        )
    })
}

/// Robust accuracy that falls by more than 0.2 (Wong et al. 2020, section 5.4).
fn overfitted(plan: &LoopPlan<'_>, before: Option<f64>, now: Validation) -> Option<String> {
    const FALL: f64 = 0.2;
    let before = before.filter(|before| plan.watch_overfitting && now.robust < before - FALL)?;
    Some(format!(
        "catastrophic overfitting: PGD accuracy on the watched images fell from {before:.3} to {:.3}; best.safetensors holds the best weights so far. A smaller --step, --method n-fgsm or pgd avoids it",
        now.robust
    ))
}
