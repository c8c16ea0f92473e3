//! Tables on the terminal.

use crate::attack::in_order;
use crate::result::RunResult;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table whose columns but the first are aligned right.
pub(super) fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Results of runs side by side.
pub(super) fn results(rows: &[(String, &RunResult)]) -> Table {
    let attacks = in_order(rows.iter().flat_map(|(_, result)| result.attacks.keys()));
    let mut metrics: Vec<&String> = rows.iter().flat_map(|(_, r)| r.metrics.keys()).collect();
    metrics.sort();
    metrics.dedup();
    // Shown as clean, or a count.
    metrics.retain(|name| !["accuracy", "advglue_n"].contains(&name.as_str()));
    let cell = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.4}"));
    let mut head = vec!["method".to_string(), "epochs".into(), "clean".into()];
    head.extend(metrics.iter().map(|name| name.replace('_', " ")));
    head.extend(attacks.iter().map(|name| name.to_string()));
    head.extend(["gradient calls".into(), "seconds".into()]);
    let body = rows.iter().map(|(name, r)| {
        let mut row = vec![
            name.clone(),
            format!("{:.4}", r.epochs)
                .trim_end_matches('0')
                .trim_end_matches('.')
                .into(),
            cell(r.clean_accuracy),
        ];
        row.extend(metrics.iter().map(|name| cell(r.metrics.get(*name).copied())));
        row.extend(attacks.iter().map(|name| cell(r.attacks.get(*name).copied())));
        row.extend([
            format!("{:.0}", r.ledger.gradient_calls),
            format!("{:.1}", r.seconds),
        ]);
        row
    });
    standing(head, body.collect())
}

/// Columns that fit into a terminal.
const WIDE: usize = 12;

/// The table; one with more columns than a terminal has room for is turned: a row for each of them.
fn standing(head: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    if head.len() <= WIDE {
        return table(head, rows);
    }
    let across = |place: usize| rows.iter().map(move |row| row[place].clone());
    let turned = |place: usize| {
        std::iter::once(head[place].clone())
            .chain(across(place))
            .collect::<Vec<_>>()
    };
    // What no row has is left out.
    let told = (1..head.len()).filter(|&place| across(place).any(|cell| cell != "-"));
    let told: Vec<Vec<String>> = told.map(turned).collect();
    table(turned(0), told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_table_is_turned() {
        let line = |start: usize, columns: usize| (start..start + columns).map(|i| i.to_string()).collect();
        let narrow = standing(line(0, 3), vec![line(10, 3)]);
        assert_eq!(narrow.row_count(), 1);
        let mut row: Vec<String> = line(100, 20);
        row[7] = "-".into();
        let wide = standing(
            line(0, 20),
            vec![row, {
                let mut row: Vec<String> = line(200, 20);
                row[7] = "-".into();
                row
            }],
        );
        let text = wide.to_string();
        assert_eq!(wide.row_count(), 18, "{text}");
        assert!(
            text.contains(" 19 ") && text.contains(" 219 ") && !text.contains(" 7 "),
            "{text}"
        );
    }
}
