//! Runs that learn vectors of sentences: sentences in, a folder of sentence-transformers out.

mod data;
mod report;
mod task;

use crate::hub;
use crate::methods;
use crate::optim::optimiser_sparing;
use crate::progress::measuring;
use crate::result::{LedgerResult, RunResult};
use crate::run::{Outcome, learn, write_result};
use crate::sentences::{EncoderChoice, SentenceEmbedder, SentenceModel};
use crate::spec::{
    ContrastSpec, DuplicatesName, HeadName, KeepName, MasksName, PlaceName, PromptSpec, QueueNumbers,
    SpecialName,
};
use crate::streams::{Purpose, derived_seed, stream};
use crate::trainer::{Ended, Files, History, LoopPlan, TrainState, read_checkpoint};
use crate::usage::{Stopped, UsageError};
use adv_contrast::evaluation::StsGeometry;
use adv_contrast::sentence::{Dense, Encoder, HeadUse};
use adv_contrast::{Contrastive, MomentumQueue};
use adv_core::Ledger;
use adv_models::MaskPolicy;
use adv_models::text::{Place, SpecialTokens, TextModel};
use anyhow::Result;
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use task::ContrastTask;

/// Trains, from the checkpoint in the folder if there is one, evaluates, and writes the report.
pub(crate) fn execute(
    spec: &ContrastSpec,
    files: &Files,
    command: &str,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let training = &spec.training;
    let device = training.device.open()?;
    let _claim = files.claim()?;
    let mut notes = Vec::new();
    let dev = data::dev(spec)?;
    let embedder = embedder(spec, &device.clone().autodiff())?;
    let examples = data::Examples::read(spec, &embedder, &mut notes)?;

    let contrast = methods::contrast(&training.method)?;
    let model = Contrastive::new(encoder(spec, &embedder)?, contrast);
    let model = match spec.source.has_triplets() {
        true => model.with_hard_negatives(),
        false => model,
    };
    let model = match training.method.contrast.queue {
        None => model,
        Some(QueueNumbers { size, momentum }) => {
            let encoder = model.encoder();
            let mut noise = stream(training.seed, Purpose::Queue, 0);
            let queue =
                MomentumQueue::gaussian(encoder, [size, encoder.width()], momentum, &mut noise, &device)?;
            model.with_queue(queue)
        }
    };
    let fresh = optimiser_sparing(&training.optim, TextModel::without_decay());
    let mut state = if files.checkpoint().exists() {
        read_checkpoint(&files.checkpoint(), model, fresh, &device)?
    } else {
        TrainState::new(model, fresh)
    };
    // In order of their own: sentences of like length would be harder or easier to tell apart.
    let batches = training.batches(examples.anchors.len())?;
    let advice = "Lower --lr, or raise --temperature";
    let loops = LoopPlan::new(batches, training, files, advice, stop)?;
    let task = ContrastTask {
        examples,
        embedder,
        dev,
        special: match spec.special {
            SpecialName::Perturbed => SpecialTokens::Perturbed,
            SpecialName::Kept => SpecialTokens::Kept,
        },
        gaussian: spec.gaussian,
        // Those of a head of training are as wide as the model.
        width: state.model.encoder().width(),
        seed: training.seed,
        excludes_duplicates: spec.duplicates == DuplicatesName::Excluded,
        device: device.clone(),
    };
    let method = methods::build_contrastive(&training.method)?;
    if learn(&task, method.as_ref(), &loops, &mut state)? == Ended::Interrupted {
        return Ok(Outcome::Interrupted);
    }

    let folder = match spec.keep {
        KeepName::Best => files.best_model(),
        KeepName::Last => files.last_model(),
    };
    let kept = SentenceEmbedder::open(&folder, &EncoderChoice::default(), &device)?;
    let measured = match measure(spec, &task, &kept, &mut state.ledger, &mut notes, stop) {
        // The checkpoint holds the trained encoder: resuming measures it from the start.
        Err(error) if error.is::<Stopped>() => return Ok(Outcome::Interrupted),
        measured => measured?,
    };
    let first_layer = kept.model().first_layer_share();
    notes.extend(state.warnings.iter().cloned());
    let result = RunResult {
        run: files.folder.display().to_string(),
        method: training.method.name.to_string(),
        dataset: spec.source.file.name(),
        model: spec.model_dir.name(),
        device: training.device.to_string(),
        seed: training.seed,
        init: None,
        epochs: state.batches as f64 / loops.batches.batches_per_epoch() as f64,
        weights: spec.keep.to_string(),
        clean_accuracy: None,
        clean_n: measured.sentences,
        metrics: measured.figures,
        attacks: BTreeMap::new(),
        attack_n: 0,
        eps: None,
        steps: BTreeMap::new(),
        ledger: LedgerResult::new(&state.ledger, state.batches, training, first_layer)?,
        best: state.best,
        seconds: state.seconds,
        warnings: notes,
    };
    let page = report::page(spec, &result, &History::read(files)?, command)?;
    write_result(files, &result, &page)?;
    Ok(Outcome::Finished(Box::new(result)))
}

/// The encoder to begin with, its tokenizer and its settings.
fn embedder(spec: &ContrastSpec, device: &Device) -> Result<SentenceEmbedder> {
    let folder = hub::folder(&spec.model_dir)?;
    let choice = EncoderChoice {
        pooling: spec.pooling,
        prompt: spec.prompt.as_ref().map(|prompt| prompt.choice.clone()),
        longest: None,
    };
    SentenceEmbedder::open(&folder, &choice, device)
}

/// The encoder as it is trained.
fn encoder(spec: &ContrastSpec, embedder: &SentenceEmbedder) -> Result<SentenceModel> {
    let encoder = embedder.encoder();
    let (seed, device) = (spec.training.seed, embedder.device());
    let with_head = |encoder: SentenceModel, head_use: HeadUse| {
        let width = encoder.width();
        let seed = derived_seed(seed, Purpose::Head, 0);
        encoder.with_head(Dense::new(width, width, seed, device), head_use)
    };
    let encoder = match spec.head {
        HeadName::None => encoder,
        _ if encoder.kept_head().is_some() => {
            return Err(UsageError(
                "--head: the folder has a linear layer of its own, which is trained: leave it out, or say none".into(),
            )
            .into());
        }
        HeadName::Training => with_head(encoder, HeadUse::Training),
        HeadName::Always => with_head(encoder, HeadUse::Always),
    };
    let encoder = encoder.with_place(match spec.place {
        PlaceName::Words | PlaceName::Table => Place::Words,
        PlaceName::Sum => Place::Sum,
    })?;
    let encoder = match spec.prompt.as_ref().is_some_and(PromptSpec::is_soft) {
        true => encoder.with_soft_prompt()?,
        false => encoder,
    };
    encoder.set_mask_policy(match spec.masks {
        MasksName::Replayed => MaskPolicy::Replay,
        MasksName::Fresh => MaskPolicy::Fresh,
    });
    Ok(encoder)
}

/// What the kept encoder is worth.
struct Measured {
    figures: BTreeMap<String, f64>,
    /// Different sentences behind them.
    sentences: usize,
}

/// Spearman x 100 on the seven tasks, where their files are, and how the vectors of the STS benchmark's test sentences lie.
fn measure(
    spec: &ContrastSpec,
    task: &ContrastTask,
    kept: &SentenceEmbedder,
    ledger: &mut Ledger,
    notes: &mut Vec<String>,
    stop: &AtomicBool,
) -> Result<Measured> {
    let mut figures = BTreeMap::new();
    let mut sentences = 0;
    let mut add = |summary: &adv_contrast::evaluation::StsSummary| {
        for (task, score) in &summary.tasks {
            figures.insert(task.name().to_string(), score.all);
        }
    };
    match data::seven(spec) {
        Err(why) => {
            let text = format!("the seven similarity tasks were not measured: {why}");
            eprintln!("warning: {text}");
            notes.push(text);
        }
        Ok(tasks) => {
            let all = tasks.iter().flat_map(|(_, subsets)| subsets);
            let pairs: usize = all.map(|subset| subset.pairs.len()).sum();
            let progress = measuring("similarity tasks".into(), 2 * pairs, stop);
            let (summary, texts, _) = task::score(kept, &tasks, ledger, progress)?;
            sentences = texts.len();
            add(&summary);
            figures.insert("STS_average".into(), summary.average_of_rounded);
        }
    }
    let (summary, texts, vectors) = task::score(kept, &task.dev, ledger, |_| Ok(()))?;
    let geometry = StsGeometry::of(
        &task.dev,
        &texts.iter().map(String::as_str).collect::<Vec<_>>(),
        &vectors,
        &task.device,
    );
    figures.insert("dev_spearman".into(), summary.average);
    figures.insert("dev_alignment".into(), geometry.alignment);
    figures.insert("dev_uniformity".into(), geometry.uniformity);
    figures.insert("dev_mean_cosine".into(), geometry.mean_cosine);
    // Such as an alignment where no pair is close.
    figures.retain(|_, figure| figure.is_finite());
    Ok(Measured {
        figures,
        sentences: sentences.max(texts.len()),
    })
}
