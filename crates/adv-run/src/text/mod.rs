//! Runs on text: sentences in, a model's folder out.

pub mod data;
pub mod evaluate;
mod model;
mod report;
mod task;

pub use model::Plan;
pub use task::{Companions, Guessing, TextHost, TextTask};

use crate::methods;
use crate::optim::optimiser_sparing;
use crate::progress::measuring;
use crate::result::{LedgerResult, RunResult};
use crate::run::{Outcome, learn, write_result};
use crate::spec::{KeepName, SpecialName, TextEvalSpec, TextSource, TextSpec};
use crate::trainer::{Ended, Files, History, LoopPlan, TrainState, read_checkpoint};
use crate::usage::{Stopped, UsageError};
use adv_core::{AscentMode, Ledger};
use adv_data::text::{Problem, TaskId};
use adv_models::text::{HeadKind, Masking, SpecialTokens, TextModel};
use anyhow::{Context, Result};
use burn::tensor::Device;
use data::{Corpus, Sentences};
use evaluate::{EmbeddingAttack, guessed_tokens, metrics, outputs, turn};
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    let task = TextTask {
        train,
        dev,
        guessing: guessing(&plan)?,
        special: match spec.special {
            SpecialName::Perturbed => SpecialTokens::Perturbed,
            SpecialName::Kept => SpecialTokens::Kept,
        },
        layer_decay: spec.layer_decay,
        metric: metric(spec),
        seed: training.seed,
        device: device.clone(),
        companions: plan.companions(corpus.train.problem()),
    };
    let method = methods::build(&training.method)?;
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

/// What an evaluation saw.
#[derive(Default)]
pub struct Measured {
    /// All figures by name, those on AdvGLUE too.
    pub metrics: BTreeMap<String, f64>,
    /// The share of sentences that withstood, by attack and radius.
    pub attacks: BTreeMap<String, f64>,
    /// How many sentences were attacked: the first ones.
    pub attacked: usize,
    /// The outputs for all test sentences.
    pub outputs: Vec<Vec<f32>>,
    /// Which of the attacked ones the strongest attack turned.
    pub turned: Vec<bool>,
}

/// All figures of a frozen model in eval mode, then attacks at growing radii. Fails with [`Stopped`] once the user asked to stop.
pub fn measure(
    model: &TextModel,
    plan: &Plan,
    test: &Sentences,
    spec: &TextSpec,
    device: &Device,
    ledger: &mut Ledger,
    stop: &AtomicBool,
) -> Result<Measured> {
    let progress = measuring("clean".into(), test.len(), stop);
    let outputs = outputs(model, test, device, ledger, progress)?;
    let mut measured = Measured {
        metrics: metrics(&outputs, test),
        outputs,
        ..Measured::default()
    };
    if let Some(changed) = adversarial_glue(spec, plan)? {
        let progress = measuring("advglue".into(), changed.len(), stop);
        let outputs = evaluate::outputs(model, &changed, device, ledger, progress)?;
        let figures = metrics(&outputs, &changed);
        let accuracy = figures.get("accuracy").copied().unwrap_or(0.0);
        measured.metrics.insert("advglue_accuracy".into(), accuracy);
        measured.metrics.insert("advglue_n".into(), changed.len() as f64);
    }
    if matches!(test.problem, Problem::Classes(_)) {
        attack_all(
            model,
            &test.take(spec.evaluation.n),
            &spec.evaluation,
            device,
            ledger,
            stop,
            &mut measured,
        )?;
    }
    Ok(measured)
}

fn attack_all(
    model: &TextModel,
    victims: &Sentences,
    evaluation: &TextEvalSpec,
    device: &Device,
    ledger: &mut Ledger,
    stop: &AtomicBool,
    measured: &mut Measured,
) -> Result<()> {
    measured.attacked = victims.len();
    let mut radii = evaluation.radii.clone();
    radii.sort_by(f64::total_cmp);
    for &name in &evaluation.attacks {
        // What turns a sentence lies in every larger ball too: it is not attacked again.
        let mut fallen = vec![false; victims.len()];
        for &eps in &radii {
            let plan = EmbeddingAttack {
                name,
                eps,
                step: evaluation.step,
                seed: evaluation.seed,
            };
            let label = format!("{name}@{eps}");
            let progress = measuring(label.clone(), victims.len(), stop);
            turn(model, victims, &plan, &mut fallen, device, ledger, progress)?;
            let withstood = fallen.iter().filter(|fallen| !**fallen).count();
            let share = withstood as f64 / victims.len().max(1) as f64;
            if measured.attacks.values().all(|other| share <= *other) {
                measured.turned = fallen.clone();
            }
            measured.attacks.insert(label, share);
        }
    }
    Ok(())
}

/// The rows of AdvGLUE for the task, if it has some and the file is there or was named.
fn adversarial_glue(spec: &TextSpec, plan: &Plan) -> Result<Option<Sentences>> {
    let TextSource::Task(task) = &spec.source else {
        return Ok(None);
    };
    let usual = || {
        let file = PathBuf::from(std::env::var_os("ADV_DATA_DIR")?).join("advglue/dev.json");
        Some(file).filter(|file| file.is_file())
    };
    let Some(file) = spec.evaluation.advglue.clone().or_else(usual) else {
        return Ok(None);
    };
    match task.read_advglue(&file)? {
        Some(set) => Ok(Some(Sentences::new(&set, &plan.tokenizer)?.0)),
        None => Ok(None),
    }
}

fn measure_guesses(
    model: &TextModel,
    task: &TextTask,
    test: &Sentences,
    ledger: &mut Ledger,
) -> Result<Measured> {
    let guessing = task.guessing.as_ref().context("no token is to be guessed")?;
    let guessed = guessed_tokens(model, test, guessing, task.seed, &task.device, ledger)?;
    let figures = [
        ("guessed_tokens", guessed.share),
        ("perplexity", guessed.perplexity),
    ];
    Ok(Measured {
        metrics: figures.map(|(name, value)| (name.to_string(), value)).into(),
        ..Measured::default()
    })
}
