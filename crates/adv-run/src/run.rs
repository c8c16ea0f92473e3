//! What runs on images and on text share: the folder, the training, the result.

use crate::progress::display;
use crate::result::RunResult;
use crate::spec::RunSpec;
use crate::trainer::{Ended, Files, Journal, LoopPlan, Task, TrainState, train};
use crate::usage::UsageError;
use crate::{contrast, image, text};
use adv_core::TrainingMethod;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// How a run ended.
pub enum Outcome {
    /// It is done.
    Finished(Box<RunResult>),
    /// It was interrupted and can be resumed.
    Interrupted,
}

/// Trains, from the checkpoint in the folder if there is one, evaluates, and writes the report.
pub fn execute(spec: &RunSpec, files: &Files, command: &str, stop: &AtomicBool) -> Result<Outcome> {
    match spec {
        RunSpec::Image(spec) => image::execute(spec, files, command, stop),
        RunSpec::Text(spec) => text::execute(spec, files, command, stop),
        RunSpec::Contrast(spec) => contrast::execute(spec, files, command, stop),
    }
}

/// Trains to the end of the plan, with curves and a display.
pub(crate) fn learn<const D: usize, T: Task<D>>(
    task: &T,
    method: &dyn TrainingMethod<D, T::Model>,
    plan: &LoopPlan<'_>,
    state: &mut TrainState<D, T::Model>,
) -> Result<Ended> {
    let mut journal = Journal::open(plan.files, state.batches, task.metric())?;
    let mut progress = display(
        &plan.training.method.name.to_string(),
        plan.total,
        plan.batches.batches_per_epoch() as u64,
        state.batches,
    );
    let ended = train(task, method, plan, state, &mut journal, progress.as_mut());
    progress.finish();
    ended
}

/// Writes the page, then `result.json`: a folder with a result is one that is done.
pub(crate) fn write_result(files: &Files, result: &RunResult, page: &str) -> Result<()> {
    crate::files::write_atomically(&files.report(), page.as_bytes())?;
    let json = serde_json::to_string_pretty(result)?;
    crate::files::write_atomically(&files.result(), json.as_bytes())
}

/// A new run folder with its spec in it: the one given, each place on the hub at the commit that was fetched.
pub fn create_folder(folder: &Path, spec: RunSpec) -> Result<(Files, RunSpec)> {
    let files = Files {
        folder: folder.into(),
    };
    if files.holds_run() {
        bail!(UsageError(format!(
            "{} already holds a run: go on with `adv train --resume {}`, or choose another --out",
            folder.display(),
            folder.display()
        )));
    }
    // Said before there is a folder that holds a run which cannot begin.
    for (flag, path) in spec.inputs() {
        if !path.exists() {
            bail!(UsageError(format!("{flag}: there is no {}", path.display())));
        }
    }
    let spec = crate::hub::pinned(spec)?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let text = toml::to_string_pretty(spec.settings()).context("cannot write the spec as TOML")?;
    crate::files::write_atomically(&files.spec(), text.as_bytes())?;
    Ok((files, spec))
}
