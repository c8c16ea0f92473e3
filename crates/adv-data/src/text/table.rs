//! A user's own files: tables with named columns.

use super::TextDataError;
use super::format::{Labels, Reader};
use super::lines::{Encoding, lines};
use super::set::{Problem, TextRow, TextSet};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The first sentence.
    pub first: String,
    /// The second sentence of a pair.
    pub second: Option<String>,
    /// The label or score.
    pub answer: String,
}

/// A row in words: its line, both sentences and the answer.
type Cells = (usize, String, Option<String>, String);

/// Reads `.tsv` (tab-separated, no quoting), `.csv` (with quoting) or `.jsonl` (an object a line), each also with `.gz` behind it.
///
/// Without a `problem` the answers are classes: all that occur, in the order of their names. A file to evaluate on must be read
/// with the problem of the training file.
///
/// Errors: an unknown ending, a missing column, a line that makes no row.
pub fn read_table(
    path: &Path,
    columns: &Columns,
    problem: Option<&Problem>,
) -> Result<TextSet, TextDataError> {
    let cells = match ending(path).as_deref() {
        Some("tsv") => tab_separated(path, columns)?,
        Some("csv") => comma_separated(path, columns)?,
        Some("jsonl") => json_lines(path, columns)?,
        _ => {
            return Err(TextDataError::UnknownFormat {
                path: path.to_path_buf(),
            });
        }
    };
    let problem = problem.cloned().unwrap_or_else(|| {
        let names: BTreeSet<&str> = cells.iter().map(|(_, _, _, answer)| answer.trim()).collect();
        Problem::classes(names)
    });
    let reader = Reader {
        path,
        problem: &problem,
        labels: Labels::Exact,
    };
    let rows: Vec<TextRow> = cells
        .iter()
        .map(|(line, first, second, answer)| reader.row(*line, first, second.as_deref(), answer))
        .collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Err(TextDataError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(TextSet::new(problem, rows))
}

/// The ending of a name without `.gz`, in lower case.
fn ending(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Some(name.rsplit_once('.')?.1.into())
}

/// The places of the columns in a header.
struct Places {
    first: usize,
    second: Option<usize>,
    answer: usize,
}

impl Places {
    fn find(path: &Path, header: &[String], columns: &Columns) -> Result<Self, TextDataError> {
        let reader = Reader {
            path,
            problem: &Problem::Score,
            labels: Labels::Exact,
        };
        let second = columns.second.as_deref();
        Ok(Self {
            first: reader.place(header, &columns.first)?,
            second: second.map(|name| reader.place(header, name)).transpose()?,
            answer: reader.place(header, &columns.answer)?,
        })
    }

    fn cells(&self, path: &Path, line: usize, cells: &[&str]) -> Result<Cells, TextDataError> {
        let cell = |place: usize| {
            let found = cells.get(place).map(ToString::to_string);
            found.ok_or(TextDataError::TooFewColumns {
                path: path.to_path_buf(),
                line,
                found: cells.len(),
                wanted: place + 1,
            })
        };
        let second = self.second.map(cell).transpose()?;
        Ok((line, cell(self.first)?, second, cell(self.answer)?))
    }
}

fn tab_separated(path: &Path, columns: &Columns) -> Result<Vec<Cells>, TextDataError> {
    let lines = lines(path, Encoding::Utf8)?;
    let Some(((_, header), rest)) = lines.split_first() else {
        return Ok(Vec::new());
    };
    let header: Vec<String> = header.split('\t').map(String::from).collect();
    let places = Places::find(path, &header, columns)?;
    rest.iter()
        .map(|(line, text)| places.cells(path, *line, &text.split('\t').collect::<Vec<_>>()))
        .collect()
}

fn comma_separated(path: &Path, columns: &Columns) -> Result<Vec<Cells>, TextDataError> {
    let bytes = crate::read::content(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let malformed = |error: csv::Error| {
        let line = error.position().map_or(1, |at| at.line() as usize);
        match error.kind() {
            csv::ErrorKind::Utf8 { .. } => TextDataError::NotUtf8 {
                path: path.to_path_buf(),
                line,
            },
            _ => TextDataError::Malformed {
                path: path.to_path_buf(),
                line,
                detail: error.to_string(),
            },
        }
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header: Vec<String> = reader
        .headers()
        .map_err(malformed)?
        .iter()
        .map(String::from)
        .collect();
    let places = Places::find(path, &header, columns)?;
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(1, |at| at.line() as usize);
        found.push(places.cells(path, line, &record.iter().collect::<Vec<_>>())?);
    }
    Ok(found)
}

fn json_lines(path: &Path, columns: &Columns) -> Result<Vec<Cells>, TextDataError> {
    let read = |(line, text): (usize, String)| {
        let value: Value = serde_json::from_str(&text).map_err(|error| TextDataError::Malformed {
            path: path.to_path_buf(),
            line,
            detail: error.to_string(),
        })?;
        let cell = |name: &str| match value.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            // Labels and scores may be numbers, or true and false.
            Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(other.to_string()),
            _ => Err(TextDataError::NoColumn {
                path: path.to_path_buf(),
                line,
                column: name.into(),
                found: value.as_object().map_or("no object".into(), |row| {
                    row.keys().cloned().collect::<Vec<_>>().join(", ")
                }),
            }),
        };
        let second = columns.second.as_deref().map(cell).transpose()?;
        Ok((line, cell(&columns.first)?, second, cell(&columns.answer)?))
    };
    lines(path, Encoding::Utf8)?.into_iter().map(read).collect()
}
