//! AdvGLUE's file: one JSON object with a list of rows for each task.

use super::TextDataError;
use super::format::{Labels, Reader};
use super::set::{Problem, TextSet};
use serde_json::Value;
use std::path::Path;

/// The rows of one task. They have no lines of their own: errors count rows, from 1.
pub(super) fn read(
    path: &Path,
    task: &str,
    first: &str,
    second: Option<&str>,
    problem: Problem,
) -> Result<TextSet, TextDataError> {
    let bytes = crate::read::content(path)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| TextDataError::Malformed {
        path: path.to_path_buf(),
        // A row is not known yet; the detail has the line.
        line: 0,
        detail: error.to_string(),
    })?;
    let list = value.get(task).and_then(Value::as_array);
    let list = list
        .filter(|list| !list.is_empty())
        .ok_or(TextDataError::NoRows {
            path: path.to_path_buf(),
        })?;
    let reader = Reader {
        path,
        problem: &problem,
        labels: Labels::Published,
    };
    let rows = list.iter().enumerate().map(|(index, row)| {
        let cell = |name: &str| row.get(name).and_then(Value::as_str);
        let missing = |name: &str| TextDataError::NoColumn {
            path: path.to_path_buf(),
            line: index + 1,
            column: name.into(),
            found: row.as_object().map_or(String::new(), |row| {
                row.keys().cloned().collect::<Vec<_>>().join(", ")
            }),
        };
        let one = cell(first).ok_or_else(|| missing(first))?;
        let two = match second {
            Some(name) => Some(cell(name).ok_or_else(|| missing(name))?),
            None => None,
        };
        let label = row.get("label").ok_or_else(|| missing("label"))?;
        let label = label.as_str().map_or_else(|| label.to_string(), String::from);
        reader.row(index + 1, one, two, &label)
    });
    let rows = rows.collect::<Result<_, _>>()?;
    Ok(TextSet::new(problem, rows))
}
