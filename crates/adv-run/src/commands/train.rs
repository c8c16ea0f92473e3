//! `adv train`.

use super::{Done, show};
use crate::cli::TrainArgs;
use crate::result::RunResult;
use crate::run::{Outcome, create_folder, execute};
use crate::spec::{MethodName, RunSpec, Settings};
use crate::trainer::Files;
use crate::usage::UsageError;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: TrainArgs, line: &str, stop: &AtomicBool) -> Result<Done> {
    if let Some(folder) = &args.resume {
        return resume(folder, &args, line, stop);
    }
    let untouched = args.settings == Settings::default() && args.spec.is_none() && args.out.is_none();
    let settings = match &args.spec {
        Some(path) => args
            .settings
            .clone()
            .over(Settings::read(path).map_err(|error| UsageError(format!("{error:#}")))?)?,
        None => args.settings.clone(),
    };
    // Numbers that were derived for another method may stand in a file whose method a flag replaces.
    let said = if args.settings.method.is_some() {
        &args.settings
    } else {
        &settings
    };
    let on_text = settings.is_on_text();
    let method = settings.method.unwrap_or(MethodName::usual(on_text));
    if let Some(flag) = said.without_part(method, on_text).first() {
        return Err(UsageError(format!("{flag} has no part in {method}: leave it out")).into());
    }
    // The first thing a new user runs: the adversarial network beside the standard one shows what it is all about.
    let methods = if untouched {
        vec![MethodName::Standard, MethodName::Pgd]
    } else {
        vec![method]
    };
    let mut finished = Vec::new();
    for method in methods {
        let spec = RunSpec::resolve(Settings {
            method: Some(method),
            ..settings.clone()
        })?;
        let folder = args.out.clone().unwrap_or_else(|| unused_folder(&spec));
        let (files, spec) = create_folder(&folder, spec)?;
        match execute(&spec, &files, line, stop)? {
            Outcome::Finished(result) => finished.push((files, *result)),
            Outcome::Interrupted => return Ok(interrupted(&files)),
        }
    }
    print(&finished, args.json)
}

fn resume(folder: &Path, args: &TrainArgs, line: &str, stop: &AtomicBool) -> Result<Done> {
    if args.settings != Settings::default() {
        return Err(UsageError(
            "--resume goes on with the run's own settings: leave the other flags out".into(),
        )
        .into());
    }
    let files = Files {
        folder: folder.into(),
    };
    if !files.spec().exists() {
        return Err(UsageError(format!(
            "--resume {}: there is no {}",
            folder.display(),
            files.spec().display()
        ))
        .into());
    }
    if files.result().exists() {
        eprintln!("{} is finished already; this is its result", folder.display());
        let text = std::fs::read_to_string(files.result())
            .with_context(|| format!("cannot read {}", files.result().display()))?;
        let result: RunResult =
            serde_json::from_str(&text).with_context(|| format!("in {}", files.result().display()))?;
        return print(&[(files, result)], args.json);
    }
    let spec = RunSpec::resolve(Settings::read(&files.spec())?)?;
    if !files.checkpoint().exists() {
        eprintln!("{} has no checkpoint yet: it begins anew", folder.display());
    }
    match execute(&spec, &files, line, stop)? {
        Outcome::Finished(result) => print(&[(files, *result)], args.json),
        Outcome::Interrupted => Ok(interrupted(&files)),
    }
}

fn interrupted(files: &Files) -> Done {
    eprintln!(
        "stopped; all is saved. Go on with: adv train --resume {}",
        files.folder.display()
    );
    Done::Interrupted
}

/// `runs/<dataset>-<method>-seed<seed>`, with a number behind it where that is taken.
fn unused_folder(spec: &RunSpec) -> PathBuf {
    let training = spec.training();
    let base = format!(
        "{}-{}-seed{}",
        spec.subject(),
        training.method.name,
        training.seed
    );
    let names = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
    let mut folders = names.map(|name| Path::new("runs").join(name));
    // A folder with settings alone is left of a run that could not begin.
    let taken = |folder: &Path| {
        Files {
            folder: folder.into(),
        }
        .holds_run()
    };
    folders.find(|folder| !taken(folder)).unwrap_or_default()
}

fn print(finished: &[(Files, RunResult)], json: bool) -> Result<Done> {
    if json {
        for (_, result) in finished {
            println!("{}", serde_json::to_string(result)?);
        }
        return Ok(Done::Complete);
    }
    let rows: Vec<(String, &RunResult)> = finished
        .iter()
        .map(|(_, result)| (result.method.clone(), result))
        .collect();
    println!("{}", show::results(&rows));
    for (files, result) in finished {
        let (weights, all) = (&result.weights, result.clean_n);
        match result.attack_n {
            0 => println!("Figures of the {weights} weights, on all {all} test samples."),
            n => println!(
                "Accuracies of the {weights} weights: clean on all {all} test samples, attacks on the first {n}."
            ),
        }
        for warning in &result.warnings {
            println!("warning: {warning}");
        }
        if !result.metrics.is_empty() {
            println!("model: {}", files.folder.join(&result.weights).display());
        }
        println!("report: {}", files.report().display());
    }
    Ok(Done::Complete)
}
