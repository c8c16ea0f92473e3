//! The page of a comparison.

use super::compare::{Entry, budget};
use crate::attack::in_order;
use crate::cli::CompareArgs;
use crate::image::load_data;
use crate::report::{CompareReport, GradientRow, MethodResult, Proportion, Table, render_comparison};
use crate::report_of;
use crate::result::RunResult;
use crate::spec::{ImageSpec, MethodName, RunSpec};
use crate::trainer::Files;
use adv_models::ImageClassifier;
use anyhow::{Context, Result};
use burn::module::Module;

pub(super) fn page(
    args: &CompareArgs,
    entries: &[Entry],
    results: &[RunResult],
    line: &str,
) -> Result<String> {
    let count = |share: f64, n: usize| Proportion::new((share * n as f64).round() as u64, n as u64);
    let first = &entries.first().context("no method to compare")?.spec;
    let mut methods = Vec::new();
    for (entry, result) in entries.iter().zip(results) {
        methods.push(MethodResult {
            name: entry.label.clone(),
            epochs: result.epochs,
            gradient_calls: result.ledger.gradient_calls,
            seconds: result.seconds,
            clean: count(result.clean_accuracy.unwrap_or(0.0), result.clean_n)?,
            robust: count(robust(first, result), result.attack_n)?,
            checkpoint: result.weights.clone(),
        });
    }
    let training = first.training();
    let report = CompareReport {
        title: format!("Adversarial training on {}", first.subject()),
        subtitle: format!(
            "{}, seed {}, device {}",
            first.model(),
            training.seed,
            training.device
        ),
        budget: budget(args, entries),
        attack: attack(first),
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
        gradients: match first {
            RunSpec::Image(spec) => gradient_maps(args, spec, entries, results)?,
            RunSpec::Text(_) | RunSpec::Contrast(_) => Vec::new(),
        },
        spec_toml: toml::to_string_pretty(first.settings())?,
        environment: report_of::environment(line),
        notes: vec![
            "Gradient calls and seconds are those of training: validation and checkpoints are not in them."
                .into(),
        ],
    };
    Ok(render_comparison(&report)?)
}

/// What withstands the strongest attack; on text at the smallest radius, since at large ones nothing may.
fn robust(spec: &RunSpec, result: &RunResult) -> f64 {
    let smallest = match spec {
        RunSpec::Image(_) | RunSpec::Contrast(_) => String::new(),
        RunSpec::Text(spec) => format!("@{}", spec.evaluation.smallest()),
    };
    let counted = result
        .attacks
        .iter()
        .filter(|(name, _)| name.ends_with(&smallest));
    counted.map(|(_, share)| *share).fold(1.0, f64::min)
}

/// That attack in words.
fn attack(spec: &RunSpec) -> String {
    let (attacks, eps) = match spec {
        RunSpec::Image(spec) => (&spec.evaluation.attacks, format!("{:.4}", spec.evaluation.eps)),
        RunSpec::Text(spec) => (&spec.evaluation.attacks, spec.evaluation.smallest().to_string()),
        RunSpec::Contrast(_) => return String::new(),
    };
    let names: Vec<String> = attacks.iter().map(ToString::to_string).collect();
    format!("the strongest of {} at eps {eps}", names.join(", "))
}

fn attack_table(entries: &[Entry], results: &[RunResult]) -> Table {
    let attacks = in_order(results.first().into_iter().flat_map(|r| r.attacks.keys()));
    let mut columns = vec![("method".to_string(), false), ("clean".to_string(), true)];
    columns.extend(attacks.iter().map(|name| (name.to_string(), true)));
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let rows = entries.iter().zip(results).map(|(entry, result)| {
        let mut row = vec![entry.label.clone(), percent(result.clean_accuracy.unwrap_or(0.0))];
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
    spec: &ImageSpec,
    entries: &[Entry],
    results: &[RunResult],
) -> Result<Vec<GradientRow>> {
    let robust = |place: usize| robust(&entries[place].spec, &results[place]);
    let standard = entries
        .iter()
        .position(|entry| entry.spec.training().method.name == MethodName::Standard);
    let best = (0..results.len()).max_by(|a, b| robust(*a).total_cmp(&robust(*b)));
    let mut chosen: Vec<usize> = standard.into_iter().chain(best).collect();
    chosen.dedup();

    let (test, device) = (load_data(spec)?.test, spec.training.device.open()?);
    let mut models: Vec<(String, ImageClassifier)> = Vec::new();
    for index in chosen {
        let (entry, files) = (
            &entries[index],
            Files {
                folder: args.out.join(&entries[index].label),
            },
        );
        let model = adv_models::build(spec.model, test.shape(), test.classes().len(), 0, &device)?;
        models.push((entry.label.clone(), model.load_weights(files.last())?.valid()));
    }
    let models: Vec<(String, &ImageClassifier)> =
        models.iter().map(|(name, model)| (name.clone(), model)).collect();
    report_of::gradient_rows(&test, &models, &device)
}
