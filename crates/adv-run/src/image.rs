//! One run from its spec to its result: data, model, training, evaluation, report.

use crate::attack::{AttackPlan, AttackReport, accuracy, evaluate};
use crate::methods;
use crate::optim::optimiser;
use crate::progress::{DownloadBar, attacking, display};
use crate::report_of;
use crate::result::{LedgerResult, RunResult};
use crate::spec::{EvalSpec, MethodName, RunSpec};
use crate::trainer::{
    Ended, Files, History, ImageTask, Journal, LoopPlan, TrainState, read_checkpoint, train,
};
use crate::usage::{Stopped, UsageError};
use adv_core::{AscentMode, Ledger, Phase};
use adv_data::{BatchPlan, Download, ImageSet, LastBatch, Source, Splits};
use adv_models::ImageClassifier;
use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// A finished run: the result, and what a comparison shows of it.
pub struct Finished {
    /// The result.
    pub result: RunResult,
    /// The trained model.
    pub model: ImageClassifier,
    /// The test images.
    pub test: ImageSet,
    /// What each attack did.
    pub attacks: Vec<AttackReport>,
}

/// How a run ended.
pub enum Outcome {
    /// It is done.
    Finished(Box<Finished>),
    /// It was interrupted and can be resumed.
    Interrupted,
}

/// The data of a run.
pub fn load_data(spec: &RunSpec) -> Result<Splits> {
    let source = Source {
        folder: spec.data_dir.clone(),
        root: std::env::var_os("ADV_DATA_DIR").map(PathBuf::from),
        cache: adv_data::user_cache(),
        download: Download::Public,
    };
    let mut bar = DownloadBar::default();
    let splits = adv_data::load(spec.dataset, &source, &mut |progress| bar.show(&progress));
    bar.clear();
    let Splits { train, test, origin } = splits?;
    let train = match spec.take {
        Some(n) if n > train.len() => {
            return Err(UsageError(format!(
                "--take {n}: {} has {} training images",
                spec.dataset,
                train.len()
            ))
            .into());
        }
        Some(n) => train.take(n),
        None => train,
    };
    Ok(Splits { train, test, origin })
}

/// Trains, from the checkpoint in the folder if there is one, evaluates, and writes the report.
pub fn execute(spec: &RunSpec, files: &Files, command: &str, stop: &AtomicBool) -> Result<Outcome> {
    let device = spec.device.open()?;
    let _claim = files.claim()?;
    let data = load_data(spec)?;
    let (train_set, watch) = split_watch(spec, &data.train)?;
    let model = adv_models::build(
        spec.model,
        data.train.shape(),
        data.train.classes().len(),
        spec.seed,
        &device.clone().autodiff(),
    )
    .map_err(|error| UsageError(format!("--model {}: {error}", spec.model)))?;
    let method = methods::build(&spec.method)?;

    let fresh = optimiser(spec.optim.name, spec.optim.momentum, spec.optim.weight_decay);
    let mut state = if files.checkpoint().exists() {
        read_checkpoint(&files.checkpoint(), model, fresh, &device)?
    } else if let Some(weights) = &spec.init {
        TrainState::new(model.load_weights(weights)?, fresh)
    } else {
        TrainState::new(model, fresh)
    };
    let batches = BatchPlan::new(
        train_set.len(),
        spec.batch.min(train_set.len()),
        LastBatch::Keep,
        spec.seed,
    )?;
    let per_epoch = batches.batches_per_epoch() as u64;
    let plan = LoopPlan {
        batches,
        total: (spec.epochs * per_epoch as f64).round().max(1.0) as u64,
        seed: spec.seed,
        radius_warmup: spec.method.eps_warmup,
        optim: spec.optim,
        files,
        checkpoint_every: Duration::from_secs_f64(spec.checkpoint_seconds),
        watch_overfitting: spec.method.name.is_single_step(),
        advice: &advice(spec.method.name),
        stop,
    };
    let task = ImageTask {
        train: train_set,
        watch,
        attack: watching(spec),
        device: device.clone(),
    };
    let mut journal = Journal::open(files, state.batches)?;
    let mut progress = display(
        &spec.method.name.to_string(),
        plan.total,
        per_epoch,
        state.batches,
    );
    let ended = train(
        &task,
        method.as_ref(),
        &plan,
        &mut state,
        &mut journal,
        progress.as_mut(),
    );
    progress.finish();
    if ended? == Ended::Interrupted {
        return Ok(Outcome::Interrupted);
    }
    let frozen = AscentMode::Eval.freeze(&state.model);
    let ledger = &mut state.ledger;
    let measured = match measure(&frozen, &data.test, &spec.evaluation, &device, ledger, stop) {
        // The checkpoint holds the trained network: resuming measures it from the start.
        Err(error) if error.is::<Stopped>() => return Ok(Outcome::Interrupted),
        measured => measured?,
    };
    finish(spec, files, command, data, state, measured, &device).map(|done| Outcome::Finished(Box::new(done)))
}

/// What may help a network that learns nothing.
fn advice(method: MethodName) -> String {
    let uses = method.uses();
    let mut text = String::from("Lower --lr");
    if uses.ball {
        text += ", or let the radius grow with --eps-warmup 0.3";
    }
    if uses.clean_share {
        text += ", or give clean images a share with --clean-share 0.5";
    }
    text
}

/// The images to train on, and those that watch the training: held back, or else the first of the training images.
fn split_watch(spec: &RunSpec, train: &ImageSet) -> Result<(ImageSet, ImageSet)> {
    if spec.hold_out == 0 {
        return Ok((train.clone(), train.take(spec.batch.min(train.len()))));
    }
    if spec.hold_out >= train.len() {
        return Err(UsageError(format!(
            "--hold-out {}: there are {} training images to hold them back from: give a smaller number, or 0",
            spec.hold_out,
            train.len()
        ))
        .into());
    }
    Ok(adv_data::hold_out(train, spec.hold_out, 0)?)
}

/// The attack that watches a training: short, and of the kind that the method trains against.
fn watching(spec: &RunSpec) -> AttackPlan {
    use crate::attack::{AttackKind, AttackName};
    let kind = match spec.method.norm {
        crate::spec::NormName::Linf => AttackKind::Pgd,
        crate::spec::NormName::L2 => AttackKind::PgdL2,
    };
    AttackPlan {
        name: AttackName {
            kind,
            steps: 10,
            restarts: 1,
        },
        eps: spec.method.eps,
        step: None,
        target: None,
        seed: 0,
    }
}

/// What an evaluation saw.
pub(crate) struct Measured {
    /// Share of all test images that are right.
    pub(crate) clean_accuracy: f64,
    /// The images that were attacked.
    pub(crate) attacked: ImageSet,
    /// What each attack did.
    pub(crate) attacks: Vec<AttackReport>,
}

/// Clean accuracy and attacks of a frozen model in eval mode. Fails with [`Stopped`] once the user asked to stop.
pub(crate) fn measure(
    model: &ImageClassifier,
    test: &ImageSet,
    evaluation: &EvalSpec,
    device: &Device,
    ledger: &mut Ledger,
    stop: &AtomicBool,
) -> Result<Measured> {
    let progress = attacking("clean".into(), test.len(), stop);
    let clean_accuracy = accuracy(model, test, device, ledger, progress)?;
    let attacked = test.take(evaluation.n);
    let mut attacks = Vec::new();
    for name in &evaluation.attacks {
        let plan = AttackPlan {
            name: *name,
            eps: evaluation.eps,
            step: evaluation.step,
            target: evaluation.target,
            seed: evaluation.seed,
        };
        let progress = attacking(name.to_string(), attacked.len(), stop);
        attacks.push(evaluate(model, &attacked, &plan, device, ledger, progress)?);
    }
    Ok(Measured {
        clean_accuracy,
        attacked,
        attacks,
    })
}

fn finish(
    spec: &RunSpec,
    files: &Files,
    command: &str,
    data: Splits,
    state: TrainState<4, ImageClassifier>,
    measured: Measured,
    device: &Device,
) -> Result<Finished> {
    let Measured {
        clean_accuracy,
        attacked,
        attacks,
    } = measured;
    let share = state.model.first_layer_share();
    let training = state.ledger.total(Phase::Training);
    let result = RunResult {
        run: files.folder.display().to_string(),
        method: spec.method.name.to_string(),
        dataset: spec.dataset.to_string(),
        model: spec.model.to_string(),
        device: spec.device.to_string(),
        seed: spec.seed,
        init: spec.init.as_ref().map(|file| file.display().to_string()),
        epochs: spec.epochs,
        weights: "last".into(),
        clean_accuracy,
        clean_n: data.test.len(),
        attacks: attacks
            .iter()
            .map(|a| (a.name.to_string(), a.accuracy()))
            .collect(),
        attack_n: attacked.len(),
        eps: spec.evaluation.eps,
        steps: attacks
            .iter()
            .map(|a| (a.name.to_string(), a.step))
            .collect::<BTreeMap<_, _>>(),
        ledger: LedgerResult {
            mini_batches: state.batches,
            training: training.into(),
            evaluation: state.ledger.total(Phase::Evaluation).into(),
            expected_per_mini_batch: spec.expected_cost()?.into(),
            first_layer_share: share,
            gradient_calls: training.gradient_calls(share),
        },
        best: state.best,
        seconds: state.seconds,
        warnings: state.warnings.clone(),
    };
    let done = Finished {
        result,
        model: AscentMode::Eval.freeze(&state.model),
        test: data.test,
        attacks,
    };
    let page = report_of::run(spec, &done, &History::read(files)?, command, device)?;
    crate::files::write_atomically(&files.report(), page.as_bytes())?;
    let json = serde_json::to_string_pretty(&done.result)?;
    crate::files::write_atomically(&files.result(), json.as_bytes())?;
    Ok(done)
}

/// A new run folder with its spec in it.
pub fn create_folder(folder: &Path, spec: &RunSpec) -> Result<Files> {
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
    if let Some(weights) = spec.init.as_ref().filter(|file| !file.is_file()) {
        bail!(UsageError(format!(
            "--init: there is no file {}",
            weights.display()
        )));
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let text = toml::to_string_pretty(&spec.settings).context("cannot write the spec as TOML")?;
    crate::files::write_atomically(&files.spec(), text.as_bytes())?;
    Ok(files)
}
