//! `adv compare`: several methods under an equal budget.

use super::compare_labels::{ON_IMAGES, ON_TEXT, parse_label, refuse_what_nobody_reads};
use super::compare_page::page;
use super::{Done, show};
use crate::cli::CompareArgs;
use crate::files;
use crate::hub;
use crate::image::load_data;
use crate::result::RunResult;
use crate::run::{Outcome, create_folder, execute};
use crate::spec::{ImageSpec, RunSpec, Settings, TextSpec};
use crate::text;
use crate::trainer::Files;
use crate::usage::UsageError;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

/// A method with its label in the tables.
pub(super) struct Entry {
    pub(super) label: String,
    pub(super) spec: RunSpec,
    /// Passes over the data, replays counted.
    passes: f64,
}

pub(super) fn run(args: CompareArgs, line: &str, stop: &AtomicBool) -> Result<Done> {
    let entries = entries(&args)?;
    // The page of the comparison has the name of a run's.
    if (Files {
        folder: args.out.clone(),
    })
    .spec()
    .exists()
    {
        return Err(UsageError(format!(
            "{} holds a run: choose another --out",
            args.out.display()
        ))
        .into());
    }
    let mut results = Vec::new();
    for entry in &entries {
        let folder = args.out.join(&entry.label);
        let known = Files {
            folder: folder.clone(),
        };
        let files = if known.holds_run() {
            same_run(known, entry)?
        } else {
            create_folder(&folder, entry.spec.clone())?.0
        };
        if !files.result().exists() {
            match execute(&entry.spec, &files, line, stop)? {
                Outcome::Finished(_) => {}
                Outcome::Interrupted => {
                    eprintln!("stopped; the same command goes on where it was");
                    return Ok(Done::Interrupted);
                }
            }
        }
        results.push(read_result(&files)?);
    }
    let rows: Vec<(String, &RunResult)> = entries
        .iter()
        .zip(&results)
        .map(|(e, r)| (e.label.clone(), r))
        .collect();
    let page = page(&args, &entries, &results, line)?;
    let path = args.out.join("report.html");
    files::write_atomically(&path, page.as_bytes())?;
    if args.json {
        let json: serde_json::Map<String, serde_json::Value> = rows
            .iter()
            .map(|(label, result)| Ok((label.clone(), serde_json::to_value(result)?)))
            .collect::<Result<_>>()?;
        println!("{}", serde_json::Value::Object(json));
    } else {
        println!("{}", show::results(&rows));
        println!(
            "Budget: {}. Accuracies of the {} weights.\nreport: {}",
            budget(&args, &entries),
            results.first().map_or("last", |result| result.weights.as_str()),
            path.display()
        );
    }
    Ok(Done::Complete)
}

fn entries(args: &CompareArgs) -> Result<Vec<Entry>> {
    if args.settings.method.is_some() {
        return Err(UsageError("adv compare takes several methods: name them with --methods".into()).into());
    }
    let base = match &args.spec {
        Some(path) => args
            .settings
            .clone()
            .over(Settings::read(path).map_err(|error| UsageError(format!("{error:#}")))?)?,
        None => args.settings.clone(),
    };
    // What lies on the hub is the same for all.
    let usual = hub::pinned(RunSpec::resolve(base.clone())?)?;
    let pinned = usual.settings();
    let base = Settings {
        model_dir: pinned.model_dir.clone(),
        train_file: pinned.train_file.clone(),
        dev_file: pinned.dev_file.clone(),
        test_file: pinned.test_file.clone(),
        ..base
    };
    // Of the network only the share of its first layer matters here.
    let share = match (args.calls, &usual) {
        (None, _) => 0.0,
        (Some(_), RunSpec::Image(spec)) => first_layer_share(spec)?,
        (Some(_), RunSpec::Text(spec)) => text::first_layer_share(spec)?,
        (Some(_), RunSpec::Contrast(_)) => return Err(no_classes().into()),
    };
    let (base, labels) = match usual {
        RunSpec::Image(spec) => (measured_alike(*spec, base), ON_IMAGES),
        RunSpec::Text(spec) => (comparable(&spec, base)?, ON_TEXT),
        RunSpec::Contrast(_) => return Err(no_classes().into()),
    };
    let labels = match &args.methods {
        Some(labels) => labels.clone(),
        None => labels.split(',').map(String::from).collect(),
    };
    refuse_what_nobody_reads(&args.settings, &labels)?;
    let entry = |label: String| {
        let spec = RunSpec::resolve(parse_label(&label)?.over(base.clone())?)?;
        let training = spec.training();
        if training.method.name.is_language_model() || training.method.name.is_contrastive() {
            return Err(no_classes().into());
        }
        let cost = training.expected_cost()?;
        let epochs = match args.calls {
            Some(_) if training.constant_cost()?.is_none() => {
                return Err(UsageError(
                    "--calls: mini-batches would not all cost the same; give --begin-step 0, and no --accumulate".into(),
                )
                .into());
            }
            Some(calls) => calls / cost.gradient_calls(share),
            // A mini-batch of FreeAT is worth m updates,
            None if training.begin(u64::MAX) == 0 || cost.updates == 1 => {
                training.epochs / cost.updates as f64
            }
            // but not the first ones, if they are standard training.
            None => {
                let per_epoch = training.batches(samples(&spec)?)?.batches_per_epoch() as f64;
                let updates = (training.epochs * per_epoch).round() as u64;
                training.replayed(updates) as f64 / per_epoch
            }
        };
        let passes = training.epochs;
        let settings = Settings {
            epochs: Some(epochs),
            ..spec.settings().clone()
        };
        let spec = RunSpec::resolve(settings)?;
        Ok(Entry { label, spec, passes })
    };
    labels.into_iter().map(entry).collect()
}

/// The training samples of a run.
fn samples(spec: &RunSpec) -> Result<usize> {
    Ok(match spec {
        RunSpec::Image(spec) => load_data(spec)?.train.len().saturating_sub(spec.hold_out),
        RunSpec::Text(spec) => text::data::load(spec)?.train.len(),
        RunSpec::Contrast(_) => return Err(no_classes().into()),
    })
}

/// What learns neither classes nor scores.
fn no_classes() -> UsageError {
    UsageError(
        "--methods: language models, simcse and uscal learn no classes: there is nothing to compare".into(),
    )
}

/// One evaluation for all, also for a method that trains under another norm.
fn measured_alike(usual: ImageSpec, base: Settings) -> Settings {
    let evaluation = usual.evaluation;
    let names = evaluation.attacks.iter().map(ToString::to_string).collect();
    Settings {
        attack: Some(names),
        eval_eps: Some(vec![evaluation.eps]),
        ..base
    }
}

/// What can be compared on text: classes, under equal epochs or calls.
fn comparable(usual: &TextSpec, base: Settings) -> Result<Settings, UsageError> {
    if usual.source.is_scored() {
        return Err(UsageError(
            "adv compare counts what withstands an attack: choose a task with classes".into(),
        ));
    }
    if base.updates.is_some() {
        return Err(UsageError(
            "adv compare takes --epochs or --calls, not --updates".into(),
        ));
    }
    Ok(base)
}

fn first_layer_share(spec: &ImageSpec) -> Result<f64> {
    let data = load_data(spec)?.train;
    let model = adv_models::build(
        spec.model,
        data.shape(),
        data.classes().len(),
        0,
        &spec.training.device.open()?,
    )?;
    Ok(model.first_layer_share())
}

/// The folder of a run of an earlier comparison, if it was the same run.
fn same_run(files: Files, entry: &Entry) -> Result<Files> {
    let there = RunSpec::resolve(Settings::read(&files.spec())?)?;
    if there == entry.spec {
        return Ok(files);
    }
    let differing = differing(there.settings(), entry.spec.settings())?;
    Err(UsageError(format!(
        "{} holds a run with other settings ({}): choose another --out, or move it away",
        files.folder.display(),
        differing.join("; ")
    ))
    .into())
}

/// What differs, such as the commit of a place on the hub that has moved since: `key: there, here`.
fn differing(there: &Settings, here: &Settings) -> Result<Vec<String>> {
    let (there, here) = (toml::Table::try_from(there)?, toml::Table::try_from(here)?);
    let keys: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
    let said = |value: Option<&toml::Value>| value.map_or("nothing".to_string(), ToString::to_string);
    let differing = keys.into_iter().filter(|key| there.get(*key) != here.get(*key));
    Ok(differing
        .map(|key| {
            format!(
                "{key}: {} there, {} here",
                said(there.get(key)),
                said(here.get(key))
            )
        })
        .collect())
}

fn read_result(files: &Files) -> Result<RunResult> {
    let path = files.result();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}

pub(super) fn budget(args: &CompareArgs, entries: &[Entry]) -> String {
    match args.calls {
        Some(calls) => format!("{calls} gradient calls per mini-batch of the data set"),
        None => {
            let epochs = entries.iter().map(|e| e.passes).fold(0.0, f64::max);
            format!("{epochs} passes over the data, replays counted")
        }
    }
}
