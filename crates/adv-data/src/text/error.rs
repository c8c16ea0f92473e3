//! What can be wrong with a file of sentences.

use crate::DataError;
use std::path::PathBuf;
use thiserror::Error;

/// Why sentences could not be read. Lines count from 1.
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
    #[error("{path}, line {line}: not UTF-8: convert the file, or mend the line", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line with too few columns.
    #[error("{path}, line {line}: {found} columns, column {wanted} is needed", path = path.display())]
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
    #[error("{path}, line {line}: no column `{column}`; there are: {found}", path = path.display())]
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
    #[error("{path}, line {line}: label `{label}` is none of {known}", path = path.display())]
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
    #[error("{path}, line {line}: the score `{score}` is no number", path = path.display())]
    BadScore {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The score.
        score: String,
    },
    /// A sentence without text.
    #[error("{path}, line {line}: the sentence is empty", path = path.display())]
    EmptySentence {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line or a file that is no JSON, or no CSV.
    #[error("{path}, line {line}: {detail}", path = path.display())]
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
    #[error("{}: name it .tsv, .csv or .jsonl (gzip-compressed also .gz), so that its format is known", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
}
