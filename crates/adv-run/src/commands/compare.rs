//! `adv compare`: several methods under an equal budget.

use super::{Done, show};
use crate::cli::CompareArgs;
use crate::report::{CompareReport, MethodResult, Proportion, Table, render_comparison};
use crate::result::RunResult;
use crate::run::{Outcome, create_folder, execute, load_data};
use crate::spec::{MethodName, RunSpec, Settings};
use crate::trainer::Files;
use crate::usage::UsageError;
use crate::{files, report_of};
use adv_models::ImageClassifier;
use anyhow::{Context, Result};
use burn::module::Module;
use std::sync::atomic::AtomicBool;

/// A method with its label in the tables.
struct Entry {
    label: String,
    spec: RunSpec,
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
            create_folder(&folder, &entry.spec)?
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
            "Budget: {}. Accuracies of the last weights.\nreport: {}",
            budget(&args, &entries),
            path.display()
        );
    }
    Ok(Done::Complete)
}

fn entries(args: &CompareArgs) -> Result<Vec<Entry>> {
    let base = match &args.spec {
        Some(path) => args
            .settings
            .clone()
            .over(Settings::read(path).map_err(|error| UsageError(format!("{error:#}")))?),
        None => args.settings.clone(),
    };
    // Of the network only the share of its first layer matters here; it needs no data but their shape.
    let share = match args.calls {
        Some(_) => first_layer_share(&RunSpec::resolve(base.clone())?)?,
        None => 0.0,
    };
    // One evaluation for all, also for a method that trains under another norm.
    let evaluation = RunSpec::resolve(base.clone())?.evaluation;
    let names = evaluation.attacks.iter().map(ToString::to_string).collect();
    let base = Settings {
        attack: Some(names),
        eval_eps: Some(evaluation.eps),
        ..base
    };
    args.methods
        .iter()
        .map(|label| {
            let method = parse_label(label)?;
            let mut spec = RunSpec::resolve(method.over(base.clone()))?;
            let cost = spec.expected_cost()?;
            let epochs = match args.calls {
                Some(calls) => calls / cost.gradient_calls(share),
                // A mini-batch of FreeAT is worth m updates.
                None => spec.epochs / cost.updates as f64,
            };
            let settings = Settings {
                epochs: Some(epochs),
                ..spec.settings
            };
            spec = RunSpec::resolve(settings)?;
            Ok(Entry {
                label: label.clone(),
                spec,
            })
        })
        .collect()
}

fn first_layer_share(spec: &RunSpec) -> Result<f64> {
    let data = load_data(spec)?.train;
    let model = adv_models::build(
        spec.model,
        data.shape(),
        data.classes().len(),
        0,
        &spec.device.open()?,
    )?;
    Ok(model.first_layer_share())
}

/// Settings of a method with its numbers: `pgd-7`, `free-8`, `yopo-5-10`, `freelb-3`, or a bare name.
fn parse_label(label: &str) -> Result<Settings, UsageError> {
    let unknown = || {
        UsageError(format!(
            "--methods: `{label}` is no method: use standard, fgsm, fgm, fgsm-rs, n-fgsm, pgd-STEPS, free-M, yopo-M-N or freelb-K"
        ))
    };
    let bare: Option<MethodName> = MethodName::ALL.into_iter().find(|name| name.to_string() == label);
    if let Some(method) = bare {
        return Ok(Settings {
            method: Some(method),
            ..Settings::default()
        });
    }
    let (name, numbers) = label.split_once('-').ok_or_else(unknown)?;
    let numbers: Vec<usize> = numbers
        .split('-')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| unknown())?;
    let none = Settings::default();
    match (name, numbers.as_slice()) {
        ("pgd", &[steps]) => Ok(Settings {
            method: Some(MethodName::Pgd),
            steps: Some(steps),
            ..none
        }),
        ("free" | "freeat", &[m]) => Ok(Settings {
            method: Some(MethodName::FreeAt),
            m: Some(m),
            ..none
        }),
        ("yopo", &[m, n]) => Ok(Settings {
            method: Some(MethodName::Yopo),
            m: Some(m),
            n_inner: Some(n),
            ..none
        }),
        ("freelb", &[k]) => Ok(Settings {
            method: Some(MethodName::FreeLb),
            steps: Some(k),
            ..none
        }),
        _ => Err(unknown()),
    }
}

/// The folder of a run of an earlier comparison, if it was the same run.
fn same_run(files: Files, entry: &Entry) -> Result<Files> {
    let there = RunSpec::resolve(Settings::read(&files.spec())?)?;
    if there == entry.spec {
        return Ok(files);
    }
    Err(UsageError(format!(
        "{} holds a run with other settings: choose another --out, or move it away",
        files.folder.display()
    ))
    .into())
}

fn read_result(files: &Files) -> Result<RunResult> {
    let path = files.result();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}

fn budget(args: &CompareArgs, entries: &[Entry]) -> String {
    match args.calls {
        Some(calls) => format!("{calls} gradient calls per mini-batch of the data set"),
        None => {
            let epochs = entries.iter().map(|e| e.spec.epochs).fold(0.0, f64::max);
            format!("{epochs} passes over the data, replays counted")
        }
    }
}

fn page(args: &CompareArgs, entries: &[Entry], results: &[RunResult], line: &str) -> Result<String> {
    let count = |share: f64, n: usize| Proportion::new((share * n as f64).round() as u64, n as u64);
    let mut methods = Vec::new();
    for (entry, result) in entries.iter().zip(results) {
        let worst = result.attacks.values().copied().fold(1.0, f64::min);
        methods.push(MethodResult {
            name: entry.label.clone(),
            epochs: result.epochs,
            gradient_calls: result.ledger.gradient_calls,
            seconds: result.seconds,
            clean: count(result.clean_accuracy, result.clean_n)?,
            robust: count(worst, result.attack_n)?,
            checkpoint: result.weights.clone(),
        });
    }
    let first = &entries.first().context("no method to compare")?.spec;
    let report = CompareReport {
        title: format!("Adversarial training on {}", first.dataset),
        subtitle: format!("{}, seed {}, device {}", first.model, first.seed, first.device),
        budget: budget(args, entries),
        attack: format!(
            "the strongest of {} at eps {:.4}",
            first
                .evaluation
                .attacks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            first.evaluation.eps
        ),
        warnings: entries
            .iter()
            .zip(results)
            .flat_map(|(entry, result)| {
                result
                    .warnings
                    .iter()
                    .map(move |text| format!("{}: {text}", entry.label))
            })
            .collect(),
        methods,
        tables: vec![attack_table(entries, results)],
        gradients: gradient_maps(args, entries, results)?,
        spec_toml: toml::to_string_pretty(&first.settings)?,
        environment: report_of::environment(line),
        notes: vec![
            "Gradient calls and seconds are those of training: validation and checkpoints are not in them."
                .into(),
        ],
    };
    Ok(render_comparison(&report)?)
}

fn attack_table(entries: &[Entry], results: &[RunResult]) -> Table {
    let attacks: Vec<&String> = results
        .first()
        .map(|r| r.attacks.keys().collect())
        .unwrap_or_default();
    let mut columns = vec![("method".to_string(), false), ("clean".to_string(), true)];
    columns.extend(attacks.iter().map(|name| (name.to_string(), true)));
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let rows = entries.iter().zip(results).map(|(entry, result)| {
        let mut row = vec![entry.label.clone(), percent(result.clean_accuracy)];
        row.extend(
            attacks
                .iter()
                .map(|name| result.attacks.get(*name).map_or("-".into(), |a| percent(*a))),
        );
        row
    });
    Table {
        caption: "Accuracy in percent, by attack".into(),
        columns,
        rows: rows.collect(),
    }
}

/// Input gradients of the standard network and of the most robust one, side by side.
fn gradient_maps(
    args: &CompareArgs,
    entries: &[Entry],
    results: &[RunResult],
) -> Result<Vec<crate::report::GradientRow>> {
    let robust = |result: &RunResult| result.attacks.values().copied().fold(1.0, f64::min);
    let standard = entries
        .iter()
        .position(|entry| entry.spec.method.name == MethodName::Standard);
    let best = (0..results.len()).max_by(|a, b| robust(&results[*a]).total_cmp(&robust(&results[*b])));
    let mut chosen: Vec<usize> = standard.into_iter().chain(best).collect();
    chosen.dedup();

    let first = &entries[0].spec;
    let (test, device) = (load_data(first)?.test, first.device.open()?);
    let mut models: Vec<(String, ImageClassifier)> = Vec::new();
    for index in chosen {
        let (entry, files) = (
            &entries[index],
            Files {
                folder: args.out.join(&entries[index].label),
            },
        );
        let model = adv_models::build(entry.spec.model, test.shape(), test.classes().len(), 0, &device)?;
        models.push((entry.label.clone(), model.load_weights(files.last())?.valid()));
    }
    let models: Vec<(String, &ImageClassifier)> =
        models.iter().map(|(name, model)| (name.clone(), model)).collect();
    report_of::gradient_rows(&test, &models, &device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_carry_their_numbers() {
        let numbers = |label: &str| parse_label(label).map(|s| (s.steps, s.m, s.n_inner));
        for (label, expected) in [
            ("standard", (None, None, None)),
            ("fgsm-rs", (None, None, None)),
            ("pgd-40", (Some(40), None, None)),
            ("free-8", (None, Some(8), None)),
            ("yopo-5-10", (None, Some(5), Some(10))),
            ("freelb-3", (Some(3), None, None)),
        ] {
            assert_eq!(numbers(label), Ok(expected), "{label}");
        }
        for label in ["", "pgd-", "pgd-x", "yopo-5", "trades-10"] {
            assert!(parse_label(label).is_err(), "{label}");
        }
    }
}
