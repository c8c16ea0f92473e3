//! The training loop: mini-batches in, updates out, with progress, checkpoints and exact resume.

mod checkpoint;
mod journal;
mod state;
mod task;
mod updates;

pub use checkpoint::{CheckpointError, Files, read as read_checkpoint};
pub use journal::{History, Journal};
pub use state::{Best, Movable, TrainState};
pub(crate) use task::commonest_share;
pub use task::{Host, ImageTask, Kept, Sample, Task, Validation};

use crate::progress::Progress;
use crate::spec::Training;
use crate::usage::UsageError;
use adv_core::{Batch, TrainingMethod};
use adv_data::{BatchPlan, Prefetch};
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use updates::Updates;

/// What the loop needs beside task, method and state.
pub struct LoopPlan<'a> {
    /// How the data is cut into mini-batches.
    pub batches: BatchPlan,
    /// Mini-batches in all, before replay.
    pub total: u64,
    /// Mini-batches of standard training, before the method sets in.
    pub begin: u64,
    /// How it is trained.
    pub training: &'a Training,
    /// The files of the run.
    pub files: &'a Files,
    /// What may help a network that learns nothing under this method.
    pub advice: &'a str,
    /// Set from outside to stop after the mini-batch at hand.
    pub stop: &'a AtomicBool,
}

impl<'a> LoopPlan<'a> {
    /// The plan of a run over so many samples. Errors: a method that never sets in.
    pub fn new(
        batches: BatchPlan,
        training: &'a Training,
        files: &'a Files,
        advice: &'a str,
        stop: &'a AtomicBool,
    ) -> Result<Self, UsageError> {
        let total = training.mini_batches(batches.batches_per_epoch());
        let begin = training.begin(total);
        if begin > 0 && begin >= total {
            return Err(UsageError(format!(
                "--begin-step {begin}: the training has {total} mini-batches, so the method would never set in"
            )));
        }
        Ok(Self {
            total,
            begin,
            batches,
            training,
            files,
            advice,
            stop,
        })
    }

    fn per_epoch(&self) -> u64 {
        self.batches.batches_per_epoch() as u64
    }

    /// Whether an epoch, or all of it, ends with this mini-batch.
    fn epoch_ends(&self, batches: u64) -> bool {
        batches.is_multiple_of(self.per_epoch()) || batches == self.total
    }

    /// Updates in all. The last mini-batches of an epoch make an update even if they are fewer.
    fn updates(&self, replays: u64) -> u64 {
        let (per_epoch, each) = (self.per_epoch(), self.training.optim.accumulate);
        if replays > 1 {
            return self.begin + (self.total - self.begin) * replays;
        }
        let whole = self.total / per_epoch * per_epoch.div_ceil(each);
        whole + (self.total % per_epoch).div_ceil(each)
    }

    /// Whether validations have not become better for as long as the user has patience.
    fn gives_up<const D: usize, M>(&self, state: &TrainState<D, M>) -> bool {
        self.training
            .patience
            .is_some_and(|patience| state.worse >= patience)
    }
}

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All mini-batches are done.
    Finished,
    /// It was asked to stop; the checkpoint is written.
    Interrupted,
}

/// Trains from where `state` stands to the end of the plan, or of the patience.
pub fn train<const D: usize, T: Task<D>>(
    task: &T,
    method: &dyn TrainingMethod<D, T::Model>,
    plan: &LoopPlan<'_>,
    state: &mut TrainState<D, T::Model>,
    journal: &mut Journal,
    progress: &mut dyn Progress,
) -> Result<Ended> {
    let per_epoch = plan.per_epoch();
    let every = Duration::from_secs_f64(plan.training.checkpoint_seconds);
    if state.batches > plan.total {
        bail!(
            "the checkpoint holds {} mini-batches, the spec asks for {}: was spec.toml changed?",
            state.batches,
            plan.total
        );
    }
    let mut updates = Updates::new(plan, method.replays())?;
    let mut saved = Instant::now();

    for host in prefetched(task, plan, state.batches)? {
        if plan.gives_up(state) {
            break;
        }
        let begun = Instant::now();
        let sample = task.upload(&state.model, host?)?;
        let batch = Batch::new(sample.clean, &sample.targets);
        let batch = match sample.mask {
            Some(mask) => batch.with_mask(mask),
            None => batch,
        };
        let (loss, norm) = updates
            .learn(task, method, &batch, state)
            .with_context(|| stopped_at(plan, state))?;
        let TrainState { model, ledger, .. } = &mut *state;
        model.update(|model| task.end_batch(model, &sample.targets, updates.is_done(), ledger));
        state.batches += 1;
        state.seconds += begun.elapsed().as_secs_f64();
        progress.batch(state.batches, loss);
        let epoch = state.batches as f64 / per_epoch as f64;
        journal.batch(state.batches, epoch, loss, norm)?;

        let epoch_ends = plan.epoch_ends(state.batches);
        let every_so_many = plan.training.validate_every;
        let validates = epoch_ends || every_so_many.is_some_and(|n| state.batches.is_multiple_of(n));
        // Gradients that wait for more are no part of a checkpoint.
        let stop = plan.stop.load(Ordering::Relaxed) && updates.is_done();
        let due = epoch_ends || stop || updates.is_done() && saved.elapsed() >= every;
        // Nothing is kept of a model that is lost: the last checkpoint stays a good one.
        if (due || validates) && !state.is_finite() {
            bail!(
                "weights are no longer finite; lower the learning rate, or clip with --clip-norm; {}",
                stopped_at(plan, state)
            );
        }
        if validates {
            let validation = task
                .validate(&state.model, &mut state.ledger)
                .with_context(|| stopped_at(plan, state))?;
            watch(plan, state, validation, task.guess(), progress);
            if state.keep_if_best(validation) {
                task.save(&state.model, plan.files, Kept::Best)?;
            }
            journal.validation(state.batches, epoch, validation)?;
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
    if state.batches < plan.total && !plan.gives_up(state) {
        bail!(
            "the data ended after mini-batch {} of {}",
            state.batches,
            plan.total
        );
    }
    task.save(&state.model, plan.files, Kept::Last)?;
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
    let mut prepare = task.prepare();
    let numbered = (start..plan.total).zip(indices);
    Ok(Prefetch::new(
        numbered.map(move |(number, indices)| prepare(number, indices)),
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
    guess: Option<f64>,
    progress: &mut dyn Progress,
) {
    let before = std::mem::replace(&mut state.last_robust, now.robust);
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
fn stalled(plan: &LoopPlan<'_>, batches: u64, now: Validation, guess: Option<f64>) -> Option<String> {
    let middle = plan.total.div_ceil(2);
    let first = plan.epoch_ends(batches) && batches >= middle && batches < middle + plan.per_epoch();
    let guess = guess.filter(|guess| first && now.clean <= *guess)?;
    Some(format!(
        "the network has learnt nothing yet: clean accuracy on the watched samples is {:.3}, and always naming one class gives {guess:.3}. {}",
        now.clean, plan.advice
    ))
}

/// Robust accuracy that falls by more than 0.2 (Wong et al. 2020, section 5.4).
fn overfitted(plan: &LoopPlan<'_>, before: Option<f64>, now: Validation) -> Option<String> {
    const FALL: f64 = 0.2;
    let watched = plan.training.method.name.is_single_step();
    let (before, now) = (before.filter(|_| watched)?, now.robust?);
    (now < before - FALL).then(|| format!(
        "catastrophic overfitting: PGD accuracy on the watched images fell from {before:.3} to {now:.3}; best.safetensors holds the best weights so far. A smaller --step, --method n-fgsm or pgd avoids it"
    ))
}
