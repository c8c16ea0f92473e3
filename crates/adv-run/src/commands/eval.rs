//! `adv eval`.

use super::show;
use crate::attack::{AttackReport, in_order};
use crate::cli::EvalArgs;
use crate::image::{Measured, load_data, measure};
use crate::spec::{EvalSpec, ImageSpec, KeepName, RunSpec, Settings, TextSpec};
use crate::text;
use crate::trainer::Files;
use crate::usage::UsageError;
use adv_core::{Ledger, Phase};
use adv_data::ImageSet;
use adv_models::text::HeadKind;
use anyhow::{Context, Result};
use burn::module::Module;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: EvalArgs, stop: &AtomicBool) -> Result<()> {
    let (settings, weights) = source(&args)?;
    let given = Settings {
        dataset: args.dataset.clone(),
        data_dir: args.data_dir.clone(),
        device: args.device,
        attack: args.attack.clone(),
        eval_eps: args.eps.clone(),
        eval_step: args.step,
        n: args.n,
        ..Settings::default()
    };
    match RunSpec::resolve(given.over(settings)?)? {
        RunSpec::Image(spec) => on_images(&args, &spec, &weights, stop),
        RunSpec::Text(spec) => on_text(&args, &spec, stop),
        RunSpec::Contrast(spec) => Err(UsageError(format!(
            "a run that learns vectors has no classes to be measured by: use adv sts --model-dir {}",
            args.run
                .clone()
                .unwrap_or_default()
                .join(spec.keep.to_string())
                .display()
        ))
        .into()),
    }
}

/// A text model of a run on its test rows.
fn on_text(args: &EvalArgs, spec: &TextSpec, stop: &AtomicBool) -> Result<()> {
    let usage = |text: &str| Err(UsageError(text.into()).into());
    let Some(folder) = &args.run else {
        return usage("--weights is for images: name the folder of a run on text with --run");
    };
    if args.target.is_some() || args.save_examples.is_some() {
        return usage("--target and --save-examples are for images");
    }
    let files = Files {
        folder: folder.clone(),
    };
    let folder = if args.best {
        files.best_model()
    } else {
        text::kept_model(spec, &files)
    };
    let device = spec.training.device.open()?;
    let corpus = text::data::load(spec)?;
    let plan = text::Plan::of_saved(spec, corpus.test.problem(), &folder)?;
    if matches!(plan.head, HeadKind::MaskedLm | HeadKind::NextToken) {
        return usage("a language model has no classes to be measured by: see its result.json");
    }
    let test = plan.sentences(&corpus.test, "test", &mut Vec::new())?;
    let model = plan.saved(&folder, &device)?;
    let mut spec = spec.clone();
    spec.evaluation.seed = args.seed.unwrap_or(0);
    let mut ledger = Ledger::new();
    let measured = text::measure(&model.valid(), &plan, &test, &spec, &device, &mut ledger, stop)?;
    let calls = ledger.total(Phase::Evaluation).input_backwards;
    if args.json {
        let json = serde_json::json!({
            "weights": folder.display().to_string(),
            "dataset": spec.source.name(),
            "device": spec.training.device.to_string(),
            "metrics": measured.metrics,
            "clean_n": test.len(),
            "attacks": measured.attacks,
            "attack_n": measured.attacked,
            "gradient_calls": calls,
        });
        println!("{json}");
        return Ok(());
    }
    let row = |name: &String, value: f64, n: usize| vec![name.clone(), format!("{value:.4}"), n.to_string()];
    let changed = measured.metrics.get("advglue_n").map_or(0, |n| *n as usize);
    let figures = measured.metrics.iter().filter(|(name, _)| *name != "advglue_n");
    let mut rows: Vec<Vec<String>> = figures
        .map(|(name, v)| {
            let n = if name == "advglue_accuracy" {
                changed
            } else {
                test.len()
            };
            row(name, *v, n)
        })
        .collect();
    let attacks = in_order(measured.attacks.keys()).into_iter();
    rows.extend(attacks.map(|name| row(name, measured.attacks[name], measured.attacked)));
    let head = ["figure", "value", "rows"].map(String::from).to_vec();
    println!("{}", show::table(head, rows));
    println!(
        "weights: {}; {calls} gradient calls; attacks on word embeddings, model in eval mode",
        folder.display()
    );
    Ok(())
}

fn on_images(args: &EvalArgs, spec: &ImageSpec, weights: &Path, stop: &AtomicBool) -> Result<()> {
    // Said now, not after the attacks.
    let folder = args.save_examples.as_deref().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(UsageError(format!(
            "--save-examples: there is no folder {}",
            folder.display()
        ))
        .into());
    }
    let device = spec.training.device.open()?;
    let test = load_data(spec)?.test;
    let model = adv_models::build(spec.model, test.shape(), test.classes().len(), 0, &device)
        .map_err(|error| UsageError(format!("--model {}: {error}", spec.model)))?
        .load_weights(weights)?
        .valid();

    let mut ledger = Ledger::new();
    let evaluation = EvalSpec {
        target: args.target,
        seed: args.seed.unwrap_or(0),
        ..spec.evaluation.clone()
    };
    let Measured {
        clean_accuracy: clean,
        attacked,
        attacks: reports,
        ..
    } = measure(&model, &test, &evaluation, &device, &mut ledger, stop)?;
    if let Some(path) = &args.save_examples {
        save_examples(path, &attacked, &reports)?;
    }
    let calls = ledger.total(Phase::Evaluation).input_backwards;
    if args.json {
        let attacks: BTreeMap<String, f64> = reports
            .iter()
            .map(|r| (r.name.to_string(), r.accuracy()))
            .collect();
        let json = serde_json::json!({
            "weights": weights.display().to_string(),
            "dataset": spec.dataset.to_string(),
            "model": spec.model.to_string(),
            "device": spec.training.device.to_string(),
            "eps": spec.evaluation.eps,
            "target": args.target.map(|target| target.to_string()),
            "clean_accuracy": clean,
            "clean_n": test.len(),
            "attacks": attacks,
            "attack_n": attacked.len(),
            "gradient_calls": calls,
        });
        println!("{json}");
        return Ok(());
    }
    let mut rows = vec![vec![
        "clean".to_string(),
        String::new(),
        format!("{clean:.4}"),
        test.len().to_string(),
    ]];
    rows.extend(reports.iter().map(|r| {
        let mut detail = format!("eps {:.4}, step {:.4}", r.eps, r.step);
        if let Some(target) = args.target {
            detail += &format!(", target {target}");
        }
        vec![
            r.name.to_string(),
            detail,
            format!("{:.4}", r.accuracy()),
            r.success.len().to_string(),
        ]
    }));
    println!(
        "{}",
        show::table(
            ["attack", "with", "accuracy", "images"]
                .map(String::from)
                .to_vec(),
            rows
        )
    );
    println!(
        "weights: {}; {calls} gradient calls; network in eval mode",
        weights.display()
    );
    Ok(())
}

/// The settings behind the weights, and the weights.
fn source(args: &EvalArgs) -> Result<(Settings, PathBuf)> {
    if let Some(folder) = &args.run {
        let files = Files {
            folder: folder.clone(),
        };
        let settings = Settings::read(&files.spec())
            .map_err(|error| UsageError(format!("--run {}: {error:#}", folder.display())))?;
        let weights = match (settings.is_on_text(), args.best) {
            (true, false) if settings.keep == Some(KeepName::Last) => files.last_model(),
            (true, _) => files.best_model(),
            (false, true) => files.best(),
            (false, false) => files.last(),
        };
        if !weights.exists() {
            let folder = folder.display();
            let mend = format!(
                "go on with `adv train --resume {folder}`, or measure the best weights so far with --best"
            );
            return Err(UsageError(format!(
                "--run {folder}: there is no {} yet: {mend}",
                weights.display()
            ))
            .into());
        }
        return Ok((settings, weights));
    }
    let weights = args
        .weights
        .clone()
        .ok_or_else(|| UsageError("give --run DIR or --weights F".into()))?;
    if !weights.is_file() {
        return Err(UsageError(format!("--weights: there is no file {}", weights.display())).into());
    }
    Ok((
        Settings {
            model: args.model.clone(),
            ..Settings::default()
        },
        weights,
    ))
}

/// Writes `images`, `labels`, and for each attack `<name>/images` and `<name>/success`.
fn save_examples(path: &Path, set: &ImageSet, reports: &[AttackReport]) -> Result<()> {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    let indices: Vec<usize> = (0..set.len()).collect();
    let [c, h, w] = set.shape();
    let shape = vec![set.len(), c, h, w];
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let labels: Vec<u8> = set
        .labels(&indices)
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let mut parts = vec![
        (
            "images".to_string(),
            Dtype::F32,
            shape.clone(),
            floats(&set.pixels(&indices)),
        ),
        ("labels".to_string(), Dtype::I64, vec![set.len()], labels),
    ];
    for report in reports {
        let success: Vec<u8> = report.success.iter().map(|met| u8::from(*met)).collect();
        parts.push((
            format!("{}/images", report.name),
            Dtype::F32,
            shape.clone(),
            floats(&report.images),
        ));
        parts.push((
            format!("{}/success", report.name),
            Dtype::U8,
            vec![set.len()],
            success,
        ));
    }
    let views = parts
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, None).context("cannot serialise the examples")?;
    crate::files::write_atomically(path, &bytes)
}
