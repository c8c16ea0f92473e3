//! The page of a run on text.

use super::evaluate::class_of;
use crate::attack::{AttackName, in_order};
use crate::report::{AttackResult, Chart, Curve, Proportion, RunReport, Table, Unit, render_run};
use crate::report_of::{environment, ledgers, smooth};
use crate::result::RunResult;
use crate::spec::TextSpec;
use crate::trainer::History;
use adv_data::text::{Answer, Problem, TextSet};
use anyhow::Result;

/// Sentences shown in a report.
const SHOWN: usize = 12;

/// The page of one run.
pub(super) fn page(
    spec: &TextSpec,
    result: &RunResult,
    examples: Option<Table>,
    history: &History,
    command: &str,
) -> Result<String> {
    let count = |share: f64, n: usize| Proportion::new((share * n as f64).round() as u64, n as u64);
    let mut attacks = Vec::new();
    if let Some(accuracy) = result.clean_accuracy {
        attacks.push(AttackResult {
            name: "clean".into(),
            detail: format!("all {} test rows", result.clean_n),
            accuracy: count(accuracy, result.clean_n)?,
        });
    }
    if let (Some(accuracy), Some(n)) = (
        result.metrics.get("advglue_accuracy"),
        result.metrics.get("advglue_n"),
    ) {
        attacks.push(AttackResult {
            name: "AdvGLUE dev".into(),
            detail: "rows that people and programs changed".into(),
            accuracy: count(*accuracy, *n as usize)?,
        });
    }
    for name in in_order(result.attacks.keys()) {
        attacks.push(AttackResult {
            name: name.clone(),
            detail: format!(
                "word embeddings, {}, first {} test rows",
                ball(name),
                result.attack_n
            ),
            accuracy: count(result.attacks[name], result.attack_n)?,
        });
    }
    let curve = |name: &str, points: &[(f64, f64)]| Curve {
        name: name.into(),
        points: points.to_vec(),
    };
    let mut tables = vec![figures(result)];
    tables.extend(examples);
    let training = &spec.training;
    Ok(render_run(&RunReport {
        title: format!("{} on {}", training.method.name, result.dataset),
        subtitle: format!(
            "{}, seed {}, device {}, {:.2} epochs",
            result.model, training.seed, training.device, result.epochs
        ),
        checkpoint: result.weights.clone(),
        warnings: result.warnings.clone(),
        summary: vec![
            (
                "gradient calls".into(),
                format!("{:.0}", result.ledger.gradient_calls),
            ),
            ("training time".into(), format!("{:.1} s", result.seconds)),
        ],
        charts: vec![
            Chart {
                title: format!("{} on the rows to choose by", super::metric(spec).replace('_', " ")),
                x_name: "epoch".into(),
                unit: Unit::Fraction,
                curves: vec![curve("clean", &history.clean)],
            },
            Chart {
                title: "Training loss".into(),
                x_name: "epoch".into(),
                unit: Unit::Number,
                curves: vec![curve("loss", &smooth(&history.loss))],
            },
        ],
        attacks,
        ledgers: ledgers(result),
        images: Vec::new(),
        gradients: Vec::new(),
        tables,
        spec_toml: toml::to_string_pretty(&spec.settings)?,
        environment: environment(command),
        notes: vec![
            "The test rows played no part in training or in choosing weights. Perturbed embeddings need not be those of any word: \
             attacks on them measure the model, not what a writer could do to it."
                .into(),
        ],
    })?)
}

/// The norm of an attack, whose name ends in its radius here.
fn ball(name: &str) -> &'static str {
    let attack: Option<AttackName> = name.split('@').next().and_then(|name| name.parse().ok());
    match attack {
        Some(attack) if !attack.kind.is_l2() => "Linf, each entry by itself",
        _ => "L2 over a sentence",
    }
}

fn figures(result: &RunResult) -> Table {
    let rows = result.metrics.iter();
    // AdvGLUE has rows of its own, and is in the table of accuracies.
    let rows = rows.filter(|(name, _)| !name.starts_with("advglue"));
    let rows = rows.map(|(name, value)| vec![name.replace('_', " "), format!("{value:.4}")]);
    Table {
        caption: format!("Figures on {} test rows", result.clean_n),
        columns: vec![("figure".into(), false), ("value".into(), true)],
        rows: rows.collect(),
    }
}

/// Some test rows: wrong ones first, then such as the strongest attack turned, then others.
pub(super) fn examples(test: &TextSet, outputs: &[Vec<f32>], turned: &[bool]) -> Option<Table> {
    let Problem::Classes(names) = test.problem() else {
        return None;
    };
    let name = |class: u32| names.get(class as usize).cloned().unwrap_or_default();
    let mut rows: Vec<(u8, Vec<String>)> = Vec::new();
    for (place, (row, outputs)) in test.rows().iter().zip(outputs).enumerate() {
        let Answer::Class(right) = row.answer else {
            continue;
        };
        let said = class_of(outputs);
        let (rank, attacked) = match turned.get(place) {
            _ if said != right => (0, "was wrong before"),
            Some(true) => (1, "turned"),
            Some(false) => (2, "withstood"),
            None => (3, "not attacked"),
        };
        if rows.iter().filter(|(other, _)| *other == rank).count() == SHOWN / 3 {
            continue;
        }
        let text = match &row.second {
            Some(second) => format!("{} / {second}", row.first),
            None => row.first.clone(),
        };
        rows.push((rank, vec![text, name(right), name(said), attacked.into()]));
    }
    rows.sort_by_key(|(rank, _)| *rank);
    rows.truncate(SHOWN);
    let columns = ["sentence", "right", "said", "under the strongest attack"];
    Some(Table {
        caption: "Test rows".into(),
        columns: columns.map(|name| (name.to_string(), false)).to_vec(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}
