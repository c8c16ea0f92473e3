//! One run on images from its spec to its result: data, model, training, evaluation, report.

use crate::attack::{AttackPlan, AttackReport, accuracy, evaluate};
use crate::methods;
use crate::optim::optimiser;
use crate::progress::{DownloadBar, measuring};
use crate::report_of;
use crate::result::{LedgerResult, RunResult};
use crate::run::{Outcome, learn, write_result};
use crate::spec::{EvalSpec, ImageSpec, MethodName};
use crate::trainer::{Ended, Files, History, ImageTask, LoopPlan, TrainState, read_checkpoint};
use crate::usage::{Stopped, UsageError};
use adv_core::{AscentMode, Ledger};
use adv_data::{Download, ImageSet, Source, Splits};
use adv_models::ImageClassifier;
use anyhow::Result;
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A finished run: the result, and what its page shows of it.
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

/// The data of a run.
pub fn load_data(spec: &ImageSpec) -> Result<Splits> {
    let source = Source {
        folder: spec.data_dir.clone(),
        root: std::env::var_os("ADV_DATA_DIR").map(PathBuf::from),
        cache: adv_data::user_cache(),
        download: Download::Public,
    };
    let mut bar = DownloadBar::default();
    let splits = adv_data::load(spec.dataset, &source, &mut |progress| {
        bar.show(progress.file, progress.received, progress.total);
    });
    bar.clear();
    let Splits { train, test, origin } = splits?;
    let train = match spec.training.take {
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
pub(crate) fn execute(spec: &ImageSpec, files: &Files, command: &str, stop: &AtomicBool) -> Result<Outcome> {
    let training = &spec.training;
    let device = training.device.open()?;
    let _claim = files.claim()?;
    let data = load_data(spec)?;
    let (train_set, watch) = split_watch(spec, &data.train)?;
    let model = adv_models::build(
        spec.model,
        data.train.shape(),
        data.train.classes().len(),
        training.seed,
        &device.clone().autodiff(),
    )
    .map_err(|error| UsageError(format!("--model {}: {error}", spec.model)))?;
    let method = methods::build(&training.method)?;

    let fresh = optimiser(&training.optim);
    let mut state = if files.checkpoint().exists() {
        read_checkpoint(&files.checkpoint(), model, fresh, &device)?
    } else if let Some(weights) = &spec.init {
        TrainState::new(model.load_weights(weights)?, fresh)
    } else {
        TrainState::new(model, fresh)
    };
    let batches = training.batches(train_set.len())?;
    let advice = advice(training.method.name);
    let plan = LoopPlan::new(batches, training, files, &advice, stop)?;
    let task = ImageTask {
        train: train_set,
        watch,
        attack: watching(spec),
        device: device.clone(),
    };
    if learn(&task, method.as_ref(), &plan, &mut state)? == Ended::Interrupted {
        return Ok(Outcome::Interrupted);
    }
    let frozen = AscentMode::Eval.freeze(&*state.model);
    let ledger = &mut state.ledger;
    let measured = match measure(&frozen, &data.test, &spec.evaluation, &device, ledger, stop) {
        // The checkpoint holds the trained network: resuming measures it from the start.
        Err(error) if error.is::<Stopped>() => return Ok(Outcome::Interrupted),
        measured => measured?,
    };
    // Patience may have run out.
    let epochs = match state.batches == plan.total {
        true => training.epochs,
        false => state.batches as f64 / plan.batches.batches_per_epoch() as f64,
    };
    let measured = Measured { epochs, ..measured };
    let result = finish(spec, files, command, data, state, measured, &device)?;
    Ok(Outcome::Finished(Box::new(result)))
}

/// What may help a network that learns nothing.
fn advice(method: MethodName) -> String {
    let uses = method.uses(true);
    let mut text = String::from("Lower --lr");
    if uses.perturbs {
        text += ", or let the radius grow with --eps-warmup 0.3";
    }
    if uses.clean_share {
        text += ", or give clean images a share with --clean-share 0.5";
    }
    text
}

/// The images to train on, and those that watch the training: held back, or else the first of the training images.
fn split_watch(spec: &ImageSpec, train: &ImageSet) -> Result<(ImageSet, ImageSet)> {
    if spec.hold_out == 0 {
        return Ok((train.clone(), train.take(spec.training.batch.min(train.len()))));
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
fn watching(spec: &ImageSpec) -> AttackPlan {
    use crate::attack::{AttackKind, AttackName};
    let kind = match spec.training.method.norm {
        crate::spec::NormName::Linf => AttackKind::Pgd,
        crate::spec::NormName::L2 => AttackKind::PgdL2,
    };
    AttackPlan {
        name: AttackName {
            kind,
            steps: 10,
            restarts: 1,
        },
        eps: spec.eps,
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
    /// Passes over the data that led to it, where it was trained just now.
    pub(crate) epochs: f64,
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
    let progress = measuring("clean".into(), test.len(), stop);
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
        let progress = measuring(name.to_string(), attacked.len(), stop);
        attacks.push(evaluate(model, &attacked, &plan, device, ledger, progress)?);
    }
    Ok(Measured {
        clean_accuracy,
        attacked,
        attacks,
        epochs: 0.0,
    })
}

fn finish(
    spec: &ImageSpec,
    files: &Files,
    command: &str,
    data: Splits,
    state: TrainState<4, ImageClassifier>,
    measured: Measured,
    device: &Device,
) -> Result<RunResult> {
    let Measured {
        clean_accuracy,
        attacked,
        attacks,
        epochs,
    } = measured;
    let training = &spec.training;
    let share = state.model.first_layer_share();
    let named = |value: fn(&AttackReport) -> f64| {
        let pairs = attacks
            .iter()
            .map(|attack| (attack.name.to_string(), value(attack)));
        pairs.collect()
    };
    let result = RunResult {
        run: files.folder.display().to_string(),
        method: training.method.name.to_string(),
        dataset: spec.dataset.to_string(),
        model: spec.model.to_string(),
        device: training.device.to_string(),
        seed: training.seed,
        init: spec.init.as_ref().map(|file| file.display().to_string()),
        epochs,
        weights: "last".into(),
        clean_accuracy: Some(clean_accuracy),
        clean_n: data.test.len(),
        metrics: Default::default(),
        attacks: named(AttackReport::accuracy),
        attack_n: attacked.len(),
        eps: Some(spec.evaluation.eps),
        steps: named(|attack| attack.step),
        ledger: LedgerResult::new(&state.ledger, state.batches, training, share)?,
        best: state.best,
        seconds: state.seconds,
        warnings: state.warnings.clone(),
    };
    let done = Finished {
        result,
        model: AscentMode::Eval.freeze(&*state.model),
        test: data.test,
        attacks,
    };
    let page = report_of::run(spec, &done, &History::read(files)?, command, device)?;
    write_result(files, &done.result, &page)?;
    Ok(done.result)
}
