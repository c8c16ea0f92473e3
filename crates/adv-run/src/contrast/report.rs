//! The page of a run that learns vectors.

use crate::report::{Chart, Curve, RunReport, Table, Unit, render_run};
use crate::report_of::{environment, ledgers, smooth};
use crate::result::RunResult;
use crate::spec::ContrastSpec;
use crate::trainer::History;
use anyhow::Result;

/// The page of one run.
pub(super) fn page(
    spec: &ContrastSpec,
    result: &RunResult,
    history: &History,
    command: &str,
) -> Result<String> {
    let chart = |title: &str, name: &str, unit: Unit, points: &[(f64, f64)]| Chart {
        title: title.into(),
        x_name: "epoch".into(),
        unit,
        curves: vec![Curve {
            name: name.into(),
            points: points.to_vec(),
        }],
    };
    let training = &spec.training;
    let (fraction, number) = (Unit::Fraction, Unit::Number);
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
            chart("Spearman on the pairs to choose by", "dev", fraction, &history.clean),
            chart("Training loss", "loss", number, &smooth(&history.loss)),
        ],
        attacks: Vec::new(),
        ledgers: ledgers(result),
        images: Vec::new(),
        gradients: Vec::new(),
        tables: vec![figures(result)],
        spec_toml: toml::to_string_pretty(&spec.settings)?,
        environment: environment(command),
        notes: vec![
            "Spearman x 100 of the cosine with people's scores, over all pairs of a task together. The seven tasks played no part in \
             training or in choosing weights; the pairs to choose by did."
                .into(),
        ],
    })?)
}

fn figures(result: &RunResult) -> Table {
    let rows = result.metrics.iter();
    let rows = rows.map(|(name, value)| vec![name.replace('_', " "), format!("{value:.4}")]);
    Table {
        caption: format!("Figures on {} different sentences", result.clean_n),
        columns: vec![("figure".into(), false), ("value".into(), true)],
        rows: rows.collect(),
    }
}
