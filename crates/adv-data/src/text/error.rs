//! What can be wrong with a file of sentences.

use super::table::ending;
use crate::DataError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why sentences could not be read. Lines count from 1; of parquet files and AdvGLUE's `.json` they are rows, of a zip
/// archive documents of the part that is read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TextDataError {
    /// No task has this name.
    #[error("there is no task `{name}`: choose one of {known}")]
    UnknownTask {
        /// The name as given.
        name: String,
        /// All names.
        known: String,
    },
    /// None of a task's files is where they are looked for.
    #[error("{task}: no file {} in {}: name the folder that holds them", files.join(" or "), root.display())]
    NoFiles {
        /// The task.
        task: String,
        /// The files that would do.
        files: Vec<String>,
        /// Where they were looked for.
        root: PathBuf,
    },
    /// A file cannot be read or unpacked.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Bytes that are no text.
    #[error("{}: not UTF-8: convert the file, or mend the line", place(.path, *.line))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line with too few columns.
    #[error("{}: {found} columns, column {wanted} is needed", place(.path, *.line))]
    TooFewColumns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Columns of the line.
        found: usize,
        /// The column, from 1.
        wanted: usize,
    },
    /// A header or a JSON object without a column that is needed.
    #[error("{}: no column `{column}`; there are: {found}", place(.path, *.line))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// The columns that there are.
        found: String,
    },
    /// A label that is none of the classes.
    #[error("{}: label `{label}` is none of {known}", place(.path, *.line))]
    UnknownLabel {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The label.
        label: String,
        /// The labels of the task.
        known: String,
    },
    /// A score that is no finite number.
    #[error("{}: the score `{score}` is no number", place(.path, *.line))]
    BadScore {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The score.
        score: String,
    },
    /// A sentence without text.
    #[error("{}: the sentence is empty", place(.path, *.line))]
    EmptySentence {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line or a file that is no JSON, or no CSV.
    #[error("{}: {detail}", place(.path, *.line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// A file without a row.
    #[error("{} holds no sentence", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A file whose format is not known.
    #[error("{}: name it .tsv, .csv or .jsonl (gzip-compressed also .gz) or .parquet, so that its format is known", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A number for a column, in a format where columns have names.
    #[error("{}: there is no column {number}: the columns of this format have names, name one", path.display())]
    NamesOnly {
        /// The file.
        path: PathBuf,
        /// The number, from 1.
        number: usize,
    },
    /// A file that is no parquet, or not the whole of it.
    #[error("{}: no parquet file, or not all of it: {detail}; fetch it anew", path.display())]
    NoParquet {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        detail: String,
    },
    /// An archive that cannot be unpacked.
    #[error("{}: no zip archive, or not all of it: {detail}; fetch it anew", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A column whose cells are of another kind.
    #[error("{}: column `{column}` holds {found} where {wanted} is needed: name another one", path.display())]
    WrongColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// A cell without a value: null.
    #[error("{}: column `{column}` has no value", place(.path, *.row))]
    EmptyCell {
        /// The file.
        path: PathBuf,
        /// The row, or the line of a file that has lines.
        row: usize,
        /// The column.
        column: String,
    },
    /// All labels are -1.
    #[error(
        "{}: all of column `{column}` is -1: the file has no labels, as the test files of GLUE on the hub; take another one, such as that \
         named validation", path.display()
    )]
    Unlabelled {
        /// The file.
        path: PathBuf,
        /// The column of labels.
        column: String,
    },
}

/// The file, and the line, row or document where there is one.
fn place(path: &Path, number: usize) -> String {
    let what = match ending(path).as_deref() {
        Some("parquet" | "json") => "row",
        Some("zip") => "document",
        _ => "line",
    };
    match number {
        0 => path.display().to_string(),
        number => format!("{}, {what} {number}", path.display()),
    }
}
