//! The page of an analysis: tables and clouds.

use super::html::{appendix, page, section, tables};
use super::{AnalysisReport, ReportError, cloud};

/// The analysis' page as HTML.
///
/// # Errors
/// [`ReportError`] when a table does not fit together, or a picture cannot be drawn.
pub fn render(report: &AnalysisReport) -> Result<String, ReportError> {
    let mut body = section("Figures", &tables(&report.tables)?);
    let clouds: Result<String, _> = report.clouds.iter().map(cloud::figure).collect();
    let clouds = clouds?;
    if !clouds.is_empty() {
        body.push_str(&section(
            &report.clouds_title,
            &format!("<div class=\"charts\">\n{clouds}</div>\n"),
        ));
    }
    body.push_str(&appendix("", &report.environment, &report.notes));
    Ok(page(&report.title, &report.subtitle, &report.warnings, &body))
}
