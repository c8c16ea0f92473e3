//! Runs on text: sentences in, a model's folder out.

pub mod data;
pub mod evaluate;
mod measure;
mod model;
mod report;
mod semi;
mod task;

pub use measure::{Measured, measure};
pub use model::Plan;
pub use semi::SemiSupervised;
pub(crate) use semi::added_cost;
pub use task::{Beside, Companions, Guessing, TextHost, TextTask};

use crate::methods;
use crate::optim::optimiser_sparing;
use crate::result::{LedgerResult, RunResult};
use crate::run::{Outcome, learn, write_result};
use crate::spec::{KeepName, SpecialName, TextSource, TextSpec};
use crate::streams::{Purpose, derived_seed};
use crate::trainer::{Ended, Files, History, LoopPlan, TrainState, read_checkpoint};
use crate::usage::{Stopped, UsageError};
use adv_core::AscentMode;
use adv_data::text::TaskId;
use adv_data::{BatchPlan, LastBatch};
use adv_models::text::{HeadKind, Masking, SpecialTokens, TextModel};
use anyhow::Result;
use data::Corpus;
use measure::measure_guesses;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Share of the tokens that a masked language model must guess (Devlin et al. 2019).
const HIDDEN: f64 = 0.15;

/// Trains, from the checkpoint in the folder if there is one, evaluates, and writes the report.
pub(crate) fn execute(spec: &TextSpec, files: &Files, command: &str, stop: &AtomicBool) -> Result<Outcome> {
    let training = &spec.training;
    let device = training.device.open()?;
    let _claim = files.claim()?;
    let corpus = unanswered(spec, data::load(spec)?);
    let plan = Plan::new(spec, &corpus)?;
    let mut notes = corpus.notes.clone();
    let train = plan.sentences(&corpus.train, "training", &mut notes)?;
    let dev = plan.sentences(&corpus.dev, "validation", &mut notes)?;
    let test = plan.sentences(&corpus.test, "test", &mut notes)?;

    let unlabelled = match &spec.unlabelled {
        Some(_) if corpus.train.rows().iter().any(|row| row.second.is_some()) => {
            return Err(UsageError(format!(
                "--unlabelled: {} has pairs of sentences; single ones beside them would be another task",
                spec.source.name()
            ))
            .into());
        }
        Some(path) => Some(beside(path, spec, &plan, &mut notes)?),
        None => None,
    };

    let model = plan.build(spec, &train, &device.clone().autodiff(), &mut notes)?;
    let fresh = optimiser_sparing(&training.optim, TextModel::without_decay());
    let mut state = if files.checkpoint().exists() {
        read_checkpoint(&files.checkpoint(), model, fresh, &device)?
    } else {
        TrainState::new(model, fresh)
    };
    let lengths: Vec<usize> = train.encoded.iter().map(|sentence| sentence.len()).collect();
    let batches = training.batches(train.len())?;
    let loops = LoopPlan::new(
        batches.with_lengths(lengths)?,
        training,
        files,
        match training.method.uses().perturbs {
            true => {
                "Lower --lr, or let the perturbation grow with --eps-warmup 0.3, or set in later with --begin-step"
            }
            false => "Lower --lr",
        },
        stop,
    )?;
    let special = match spec.special {
        SpecialName::Perturbed => SpecialTokens::Perturbed,
        SpecialName::Kept => SpecialTokens::Kept,
    };
    let task = TextTask {
        train,
        unlabelled,
        dev,
        guessing: guessing(&plan)?,
        special,
        layer_decay: spec.layer_decay,
        metric: metric(spec),
        seed: training.seed,
        device: device.clone(),
        companions: plan.companions(corpus.train.problem()),
    };
    let method = match task.unlabelled {
        Some(_) => Box::new(SemiSupervised::new(&training.method, special)?),
        None => methods::build_text(&training.method)?,
    };
    if learn(&task, method.as_ref(), &loops, &mut state)? == Ended::Interrupted {
        return Ok(Outcome::Interrupted);
    }

    let folder = kept_model(spec, files);
    let kept = plan.saved(&folder, &device)?;
    let kept = AscentMode::Eval.freeze(&kept);
    let epochs = state.batches as f64 / loops.batches.batches_per_epoch() as f64;
    let ledger = &mut state.ledger;
    let measured = match plan.head {
        HeadKind::MaskedLm | HeadKind::NextToken => measure_guesses(&kept, &task, &test, ledger),
        _ => measure(&kept, &plan, &test, spec, &device, ledger, stop),
    };
    let measured = match measured {
        // The checkpoint holds the trained network: resuming measures it from the start.
        Err(error) if error.is::<Stopped>() => return Ok(Outcome::Interrupted),
        measured => measured?,
    };
    let first_layer = kept.first_layer_share();
    let mut warnings = notes;
    warnings.extend(state.warnings.iter().cloned());
    let result = RunResult {
        run: files.folder.display().to_string(),
        method: training.method.name.to_string(),
        dataset: spec.source.name(),
        model: spec.model_name(),
        device: training.device.to_string(),
        seed: training.seed,
        init: None,
        epochs,
        weights: spec.keep.to_string(),
        clean_accuracy: measured.metrics.get("accuracy").copied(),
        clean_n: test.len(),
        metrics: measured.metrics,
        attacks: measured.attacks,
        attack_n: measured.attacked,
        eps: None,
        steps: BTreeMap::new(),
        ledger: LedgerResult::new(&state.ledger, state.batches, training, first_layer)?,
        best: state.best,
        seconds: state.seconds,
        warnings,
    };
    let examples = report::examples(&corpus.test, &measured.outputs, &measured.turned);
    let page = report::page(spec, &result, examples, &History::read(files)?, command)?;
    write_result(files, &result, &page)?;
    Ok(Outcome::Finished(Box::new(result)))
}

/// Sentences without labels, cut into mini-batches as the labelled ones are.
fn beside(path: &Path, spec: &TextSpec, plan: &Plan, notes: &mut Vec<String>) -> Result<Beside> {
    let column = match &spec.source {
        TextSource::Tables { columns, .. } => columns.first.as_str(),
        TextSource::Task(_) | TextSource::Synthetic | TextSource::Sentences { .. } => "sentence",
    };
    let set = data::load_unlabelled(path, column)?;
    let sentences = plan.sentences(&set, "unlabelled", notes)?;
    let lengths: Vec<usize> = sentences.encoded.iter().map(|sentence| sentence.len()).collect();
    let training = &spec.training;
    let order = derived_seed(training.seed, Purpose::Unlabelled, 0);
    let batches = BatchPlan::new(
        lengths.len(),
        training.batch.min(lengths.len()),
        LastBatch::Keep,
        order,
    )?;
    Ok(Beside {
        batches: batches.with_lengths(lengths)?,
        sentences,
    })
}

/// For a language model answers mean nothing.
fn unanswered(spec: &TextSpec, corpus: Corpus) -> Corpus {
    if !spec.training.method.name.is_language_model() {
        return corpus;
    }
    Corpus {
        train: corpus.train.unanswered(),
        dev: corpus.dev.unanswered(),
        test: corpus.test.unanswered(),
        notes: corpus.notes,
    }
}

fn guessing(plan: &Plan) -> Result<Option<Guessing>> {
    match plan.head {
        HeadKind::MaskedLm => {}
        HeadKind::NextToken => return Ok(Some(Guessing::Next)),
        HeadKind::Classes(_) | HeadKind::Regression | HeadKind::None => return Ok(None),
    }
    let mask = plan
        .tokenizer
        .mask()
        .ok_or_else(|| UsageError("--method mlm: the tokenizer has no mask token".into()))?;
    let masking = Masking::new(HIDDEN, mask, plan.config.vocabulary())?;
    Ok(Some(Guessing::Hidden(masking)))
}

/// The figure that chooses the best weights: GLUE's, and accuracy where that has two.
fn metric(spec: &TextSpec) -> &'static str {
    match &spec.source {
        _ if spec.training.method.name.is_language_model() => "guessed_tokens",
        TextSource::Task(TaskId::Cola) => "matthews",
        source if source.is_scored() => "spearman",
        _ => "accuracy",
    }
}

/// The share of a forward that a run's model spends in its first layer.
pub fn first_layer_share(spec: &TextSpec) -> Result<f64> {
    Ok(Plan::new(spec, &data::load(spec)?)?.config.first_layer_share())
}

/// The folder of the weights that the run is known by.
pub fn kept_model(spec: &TextSpec, files: &Files) -> PathBuf {
    match spec.keep {
        KeepName::Best => files.best_model(),
        KeepName::Last => files.last_model(),
    }
}
