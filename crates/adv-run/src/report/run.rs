//! The report of one training run.

use super::html::{
    Cell, Picture, appendix, escape, gradients, map_legend, page, sample, section, table, tables,
};
use super::{AttackResult, ImageRow, Ledger, LedgerRow, ReportError, RunReport, plot};

/// The run's page as HTML.
///
/// # Errors
/// [`ReportError`] when an image pair or a table does not fit together, or a picture cannot be drawn.
pub fn render(report: &RunReport) -> Result<String, ReportError> {
    let mut body = summary(&report.summary);
    let charts: Result<String, _> = report.charts.iter().map(plot::figure).collect();
    let charts = charts?;
    if !charts.is_empty() {
        body.push_str(&section(
            "Training",
            &format!("<div class=\"charts\">\n{charts}</div>\n"),
        ));
    }
    body.push_str(&section(
        "Robustness",
        &attacks(&report.attacks, &report.checkpoint),
    ));
    body.push_str(&section(
        "Cost",
        &report.ledgers.iter().map(ledger).collect::<String>(),
    ));
    body.push_str(&section("Adversarial examples", &images(&report.images)?));
    body.push_str(&section("Input gradients", &gradients(&report.gradients)?));
    body.push_str(&section("Further results", &tables(&report.tables)?));
    body.push_str(&appendix(&report.spec_toml, &report.environment, &report.notes));
    Ok(page(&report.title, &report.subtitle, &report.warnings, &body))
}

fn summary(figures: &[(String, String)]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let tiles: String = figures
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value)))
        .collect();
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

fn attacks(results: &[AttackResult], checkpoint: &str) -> String {
    if results.is_empty() {
        return String::new();
    }
    let head = [
        Cell::text("Attack"),
        Cell::number("Accuracy"),
        Cell::html("<span class=\"hidden\">Accuracy as a bar</span>".into()),
        Cell::number("95 % interval"),
        Cell::number("Samples"),
    ];
    let rows: Vec<_> = results
        .iter()
        .map(|result| {
            let (share, (low, high)) = (result.accuracy.value(), result.accuracy.wilson());
            let detail = match result.detail.as_str() {
                "" => String::new(),
                words => format!(" <small>{}</small>", escape(words)),
            };
            vec![
                Cell::html(escape(&result.name) + &detail),
                Cell::number(&percent(share)),
                Cell::html(bar(share, low, high)),
                Cell::number(&interval((low, high))),
                Cell::number(&thousands(result.accuracy.trials())),
            ]
        })
        .collect();
    let caption = match checkpoint {
        "" => "Accuracy under attack".into(),
        which => format!("Accuracy under attack; checkpoint: {which}"),
    };
    table(&caption, &head, &rows)
}

/// A bar of the share with its interval; the numbers stand beside it, so readers without the picture lose nothing.
fn bar(share: f64, low: f64, high: f64) -> String {
    let at = |value: f64| value * 1000.0;
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"fill-grid\" width=\"1000\" height=\"100\"/><rect class=\"fill-s0\" width=\"{:.1}\" height=\"100\"/>\
         <rect class=\"fill-text\" x=\"{:.1}\" y=\"40\" width=\"{:.1}\" height=\"20\"/></svg>",
        at(share),
        at(low),
        at(high - low)
    )
}

fn ledger(account: &Ledger) -> String {
    // An account without mini-batches or theory, such as an evaluation's, has no columns for them.
    let has_theory = account.rows.iter().any(|row| row.theory_per_batch.is_some());
    let mut head = vec![Cell::text("Passes"), Cell::number("Total")];
    if account.mini_batches.is_some() {
        head.push(Cell::number("Per mini-batch"));
    }
    if has_theory {
        head.extend([Cell::number("In theory"), Cell::text("")]);
    }
    let row = |row: &LedgerRow| {
        let per_batch = account
            .mini_batches
            .map(|n| row.measured as f64 / n.max(1) as f64);
        let mut cells = vec![Cell::text(&row.pass), Cell::number(&thousands(row.measured))];
        cells.extend(per_batch.map(|value| Cell::number(&decimal(value))));
        if has_theory {
            let (theory, verdict) = match (row.theory_per_batch, per_batch) {
                (None, _) => ("–".into(), String::new()),
                // Counts are exact; only the division rounds.
                (Some(theory), Some(value)) if (value - theory).abs() < 1e-6 => {
                    (decimal(theory), "equal".into())
                }
                (Some(theory), _) => (decimal(theory), "<strong class=\"bad\">differs</strong>".into()),
            };
            cells.extend([Cell::number(&theory), Cell::html(verdict)]);
        }
        cells
    };
    let rows: Vec<_> = account.rows.iter().map(row).collect();
    let caption = match account.mini_batches {
        Some(n) => format!("{}, {} mini-batches", account.title, thousands(n)),
        None => account.title.clone(),
    };
    table(&caption, &head, &rows)
}

fn images(rows: &[ImageRow]) -> Result<String, ReportError> {
    if rows.is_empty() {
        return Ok(String::new());
    }
    let changes: Result<Vec<_>, _> = rows.iter().map(|row| row.adversarial.minus(&row.clean)).collect();
    let changes = changes?;
    // One scale for all, so that the strength of two perturbations can be compared.
    let scale = changes.iter().map(|change| change.max_abs()).fold(0.0, f32::max);
    let mut html = map_legend(&format!("−{scale:.3}"), &format!("+{scale:.3}"));
    html.push_str("<div class=\"samples\">\n");
    for (row, change) in rows.iter().zip(&changes) {
        let clean_alt = format!(
            "clean image of class {}, predicted {}",
            row.label, row.clean_prediction
        );
        let adversarial_alt = format!(
            "adversarial image of class {}, predicted {}",
            row.label, row.adversarial_prediction
        );
        html.push_str(&sample(&[
            Picture::plain(
                &row.clean,
                &clean_alt,
                prediction("clean", &row.clean_prediction, &row.label),
            )?,
            Picture::signed(
                change,
                scale,
                "perturbation between the two images",
                format!("perturbation<br>true class <b>{}</b>", escape(&row.label)),
            )?,
            Picture::plain(
                &row.adversarial,
                &adversarial_alt,
                prediction("adversarial", &row.adversarial_prediction, &row.label),
            )?,
        ]));
    }
    html.push_str("</div>\n");
    Ok(html)
}

fn prediction(kind: &str, predicted: &str, label: &str) -> String {
    let (class, verdict) = if predicted == label {
        ("good", "✓")
    } else {
        ("bad", "✗")
    };
    let word = if predicted == label { "correct" } else { "wrong" };
    format!(
        "{kind}<br><b class=\"{class}\">{} <span role=\"img\" aria-label=\"{word}\">{verdict}</span></b>",
        escape(predicted)
    )
}

/// An interval of shares in percent.
pub(super) fn interval((low, high): (f64, f64)) -> String {
    format!("{:.1} – {:.1} %", low * 100.0, high * 100.0)
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with thin gaps between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

/// At most two decimals, and none when the number is whole.
pub(super) fn decimal(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 {
        format!("{rounded}")
    } else {
        format!("{rounded:.2}")
    }
}
