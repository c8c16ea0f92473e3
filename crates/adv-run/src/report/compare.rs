//! The report of a comparison of methods.

use super::canvas::Ink;
use super::html::{Cell, appendix, escape, gradients, page, section, table, tables};
use super::run::{decimal, interval, percent, thousands};
use super::scatter::{self, CostPoint};
use super::{CompareReport, MethodResult, ReportError};

/// The comparison's page as HTML.
///
/// # Errors
/// [`ReportError`] when a table does not fit together or a picture cannot be drawn.
pub fn render(report: &CompareReport) -> Result<String, ReportError> {
    let mut body = String::new();
    if !report.methods.is_empty() {
        let cost = |pick: fn(&MethodResult) -> f64, name: &str| {
            let points = report.methods.iter().map(|m| CostPoint {
                name: &m.name,
                cost: pick(m),
                robust: m.robust,
            });
            scatter::figure(&points.collect::<Vec<_>>(), name)
        };
        let pictures =
            cost(|m| m.gradient_calls, "gradient calls")? + &cost(|m| m.seconds, "seconds of training")?;
        body.push_str(&section(
            "Robustness against cost",
            &format!(
                "<p>Attack: {}. One point a method: further up is more robust, further left is cheaper. Whiskers are 95\u{a0}% \
                 intervals over the test samples, for one training seed.</p>\n<div class=\"charts\">\n{pictures}</div>\n",
                escape(&report.attack)
            ),
        ));
        body.push_str(&section("Methods", &methods(report)));
    }
    body.push_str(&section("Further results", &tables(&report.tables)?));
    body.push_str(&section("Input gradients", &gradients(&report.gradients)?));
    body.push_str(&appendix(&report.spec_toml, &report.environment, &report.notes));
    Ok(page(&report.title, &report.subtitle, &report.warnings, &body))
}

fn methods(report: &CompareReport) -> String {
    let numbers = [
        "Epochs",
        "Gradient calls",
        "Seconds",
        "Clean",
        "Robust",
        "95 % interval",
    ]
    .map(Cell::number);
    let head: Vec<_> = std::iter::once(Cell::text("Method"))
        .chain(numbers)
        .chain([Cell::text("Checkpoint")])
        .collect();
    let best = report
        .methods
        .iter()
        .map(|m| m.robust.value())
        .fold(0.0, f64::max);
    let row = |(number, method): (usize, &MethodResult)| {
        let robust = percent(method.robust.value());
        // The colour of the method's point, where names crowd in the picture.
        let class = Ink::Series(number).class();
        let circle = format!("<circle class=\"fill-{class}\" cx=\"1\" cy=\"1\" r=\"1\"/>");
        let dot = format!("<svg class=\"dot\" viewBox=\"0 0 2 2\" aria-hidden=\"true\">{circle}</svg>");
        vec![
            Cell::html(format!("{dot}{}", escape(&method.name))),
            Cell::number(&decimal(method.epochs)),
            Cell::number(&thousands(method.gradient_calls.round() as u64)),
            Cell::number(&format!("{:.1}", method.seconds)),
            Cell::number(&percent(method.clean.value())),
            if method.robust.value() == best {
                Cell::best(&robust)
            } else {
                Cell::number(&robust)
            },
            Cell::number(&interval(method.robust.wilson())),
            Cell::html(format!(
                "<span class=\"nowrap\">{}</span>",
                escape(&method.checkpoint)
            )),
        ]
    };
    let rows: Vec<_> = report.methods.iter().enumerate().map(row).collect();
    let samples = report.methods.first().map_or(0, |m| m.robust.trials());
    let caption = format!(
        "{}; robust: {}, {} samples",
        report.budget,
        report.attack,
        thousands(samples)
    );
    table(&caption, &head, &rows)
}
