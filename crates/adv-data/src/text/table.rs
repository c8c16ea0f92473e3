//! A user's own files: tables with named columns.

use super::TextDataError;
use super::format::{Labels, Reader};
use super::lines::{Encoding, lines};
use super::parquet_file;
use super::set::{Answer, Problem, TextRow, TextSet};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
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

/// The column of sentences without answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentenceColumn {
    /// By its name.
    Named(String),
    /// By its place, from 1, in a `.tsv` or `.csv` without header.
    Numbered(usize),
}

impl fmt::Display for SentenceColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SentenceColumn::Named(name) => f.write_str(name),
            SentenceColumn::Numbered(number) => number.fmt(f),
        }
    }
}

/// The columns that are read: sentences, then the answer if there is one.
pub(super) struct Wanted<'a> {
    pub(super) sentences: Vec<&'a str>,
    pub(super) answer: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.sentences.iter().copied().chain(self.answer)
    }

    /// What stands for null: an empty cell, or where a row needs its answer an error.
    pub(super) fn null(&self, path: &Path, row: usize, column: &str) -> Result<String, TextDataError> {
        match self.answer {
            None => Ok(String::new()),
            Some(_) => Err(TextDataError::EmptyCell {
                path: path.to_path_buf(),
                row,
                column: column.into(),
            }),
        }
    }
}

/// A row in words: its line, or its number where there are no lines, and the cells of the wanted columns.
pub(super) type Cells = (usize, Vec<String>);

/// What a table holds.
pub(super) struct Found {
    pub(super) rows: Vec<Cells>,
    /// The classes in their order, if the file names them.
    pub(super) classes: Option<Vec<String>>,
}

/// Reads `.tsv` (tab-separated, no quoting), `.csv` (with quoting) or `.jsonl` (an object a line), each also with `.gz` behind it,
/// or `.parquet`.
///
/// Without a `problem` the answers are classes: those that the metadata of a parquet file names (`ClassLabel` of Hugging Face's
/// `datasets`), else all that occur, in the order of their names. A file to evaluate on must be read with the problem of the training
/// file.
///
/// Errors: an unknown ending, a missing column, a line or row that cannot be read, a parquet file without labels.
pub fn read_table(
    path: &Path,
    columns: &Columns,
    problem: Option<&Problem>,
) -> Result<TextSet, TextDataError> {
    let sentences = [Some(&columns.first), columns.second.as_ref()];
    let found = read(
        path,
        &Wanted {
            sentences: sentences.into_iter().flatten().map(String::as_str).collect(),
            answer: Some(&columns.answer),
        },
    )?;
    let answer = |cells: &'_ [String]| cells.last().map_or("", |cell| cell.trim()).to_string();
    let problem = problem.cloned().unwrap_or_else(|| match &found.classes {
        Some(names) => Problem::classes(names.iter().map(String::as_str)),
        None => {
            let names: BTreeSet<String> = found.rows.iter().map(|(_, cells)| answer(cells)).collect();
            Problem::classes(names.iter().map(String::as_str))
        }
    });
    let reader = Reader {
        path,
        problem: &problem,
        labels: Labels::Exact,
    };
    let rows = found.rows.iter().map(|(line, cells)| {
        let second = columns.second.as_ref().map(|_| cells[1].as_str());
        reader.row(*line, &cells[0], second, &answer(cells))
    });
    let rows: Vec<TextRow> = rows.collect::<Result<_, _>>()?;
    set(path, problem.clone(), rows)
}

/// Reads one column of such a file: sentences without answers. Empty cells and nulls are left out.
///
/// Errors: those of [`read_table`]; a number for a file whose columns have names alone.
pub fn read_column(path: &Path, column: &SentenceColumn) -> Result<TextSet, TextDataError> {
    let rows = read_columns(path, std::slice::from_ref(column))?;
    let rows = rows.into_iter().flatten().map(|first| TextRow {
        first,
        second: None,
        answer: Answer::Nothing,
    });
    set(path, Problem::Nothing, rows.collect())
}

/// Reads some columns of such a file, such as pairs of sentences: a row has their cells in this order. Rows with an empty cell or a null
/// are left out. Columns go by number only where all do.
///
/// Errors: those of [`read_column`].
pub fn read_columns(path: &Path, columns: &[SentenceColumn]) -> Result<Vec<Vec<String>>, TextDataError> {
    let numbers: Option<Vec<usize>> = columns
        .iter()
        .map(|column| match column {
            SentenceColumn::Numbered(number) => Some(*number),
            SentenceColumn::Named(_) => None,
        })
        .collect();
    let rows = match numbers {
        None => {
            let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
            let wanted = Wanted {
                sentences: names.iter().map(String::as_str).collect(),
                answer: None,
            };
            read(path, &wanted)?.rows
        }
        Some(numbers) => {
            let places: Vec<usize> = numbers.iter().map(|number| number.saturating_sub(1)).collect();
            match ending(path).as_deref() {
                Some("tsv") => tab_separated(path, |_| Ok((places.to_vec(), 0)))?,
                Some("csv") => comma_separated(path, |_| Ok((places.to_vec(), 0)))?,
                Some("jsonl" | "parquet") => {
                    return Err(TextDataError::NamesOnly {
                        path: path.to_path_buf(),
                        number: numbers.first().copied().unwrap_or_default(),
                    });
                }
                _ => return Err(unknown(path)),
            }
        }
    };
    let rows = rows.into_iter().map(|(_, cells)| {
        let cells = cells.iter().map(|cell| cell.trim().to_string());
        cells.collect::<Vec<_>>()
    });
    let rows: Vec<Vec<String>> = rows
        .filter(|cells| cells.iter().all(|cell| !cell.is_empty()))
        .collect();
    if rows.is_empty() {
        return Err(TextDataError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(rows)
}

fn set(path: &Path, problem: Problem, rows: Vec<TextRow>) -> Result<TextSet, TextDataError> {
    if rows.is_empty() {
        return Err(TextDataError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(TextSet::new(problem, rows))
}

fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Found, TextDataError> {
    let named = |header: &[String]| Ok((places(path, header, wanted)?, 1));
    let rows = match ending(path).as_deref() {
        Some("tsv") => tab_separated(path, named)?,
        Some("csv") => comma_separated(path, named)?,
        Some("jsonl") => json_lines(path, wanted)?,
        Some("parquet") => return parquet_file::read(path, wanted),
        _ => return Err(unknown(path)),
    };
    Ok(Found { rows, classes: None })
}

fn unknown(path: &Path) -> TextDataError {
    TextDataError::UnknownFormat {
        path: path.to_path_buf(),
    }
}

/// The ending of a name without `.gz`, in lower case.
pub(super) fn ending(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Some(name.rsplit_once('.')?.1.into())
}

/// The places of the columns in a header.
fn places(path: &Path, header: &[String], wanted: &Wanted<'_>) -> Result<Vec<usize>, TextDataError> {
    let reader = Reader {
        path,
        problem: &Problem::Score,
        labels: Labels::Exact,
    };
    wanted.names().map(|name| reader.place(header, name)).collect()
}

fn cells(path: &Path, line: usize, cells: &[&str], places: &[usize]) -> Result<Cells, TextDataError> {
    let cell = |place: &usize| {
        let found = cells.get(*place).map(ToString::to_string);
        found.ok_or(TextDataError::TooFewColumns {
            path: path.to_path_buf(),
            line,
            found: cells.len(),
            wanted: place + 1,
        })
    };
    Ok((line, places.iter().map(cell).collect::<Result<_, _>>()?))
}

/// From the cells of the first row to the places of the columns, and how many rows are no data.
type Layout = Result<(Vec<usize>, usize), TextDataError>;

fn tab_separated(path: &Path, layout: impl FnOnce(&[String]) -> Layout) -> Result<Vec<Cells>, TextDataError> {
    let lines = lines(path, Encoding::Utf8)?;
    let Some((_, first)) = lines.first() else {
        return Ok(Vec::new());
    };
    let first: Vec<String> = first.split('\t').map(String::from).collect();
    let (places, above) = layout(&first)?;
    let rows = lines.iter().skip(above);
    rows.map(|(line, text)| cells(path, *line, &text.split('\t').collect::<Vec<_>>(), &places))
        .collect()
}

fn comma_separated(
    path: &Path,
    layout: impl FnOnce(&[String]) -> Layout,
) -> Result<Vec<Cells>, TextDataError> {
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
    let mut options = csv::ReaderBuilder::new();
    let mut reader = options.flexible(true).has_headers(false).from_reader(bytes);
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().map_err(malformed)?;
    let Some(first) = records.first() else {
        return Ok(Vec::new());
    };
    let (places, above) = layout(&first.iter().map(String::from).collect::<Vec<_>>())?;
    let rows = records.iter().skip(above).map(|record| {
        let line = record.position().map_or(1, |at| at.line() as usize);
        cells(path, line, &record.iter().collect::<Vec<_>>(), &places)
    });
    rows.collect()
}

fn json_lines(path: &Path, wanted: &Wanted<'_>) -> Result<Vec<Cells>, TextDataError> {
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
            Some(Value::Null) => wanted.null(path, line, name),
            _ => Err(TextDataError::NoColumn {
                path: path.to_path_buf(),
                line,
                column: name.into(),
                found: value.as_object().map_or("no object".into(), |row| {
                    row.keys().cloned().collect::<Vec<_>>().join(", ")
                }),
            }),
        };
        Ok((line, wanted.names().map(cell).collect::<Result<_, _>>()?))
    };
    lines(path, Encoding::Utf8)?.into_iter().map(read).collect()
}
