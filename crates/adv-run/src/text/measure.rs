//! The final figures of a text model: clean ones, attacks on embeddings, AdvGLUE.

use super::data::Sentences;
use super::evaluate::{self, EmbeddingAttack, guessed_tokens, metrics, turn};
use super::{Plan, TextTask};
use crate::progress::measuring;
use crate::spec::{TextEvalSpec, TextSource, TextSpec};
use adv_core::Ledger;
use adv_data::text::Problem;
use adv_models::text::TextModel;
use anyhow::{Context, Result};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

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

/// All figures of a frozen model in eval mode, then attacks at growing radii. Fails with [`Stopped`](crate::usage::Stopped) once the user asked to stop.
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
    let outputs = evaluate::outputs(model, test, device, ledger, progress)?;
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

pub(super) fn measure_guesses(
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
