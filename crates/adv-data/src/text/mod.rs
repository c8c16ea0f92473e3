//! Sentences and pairs of them, with classes or scores: known tasks in their published files.

mod advglue;
mod documents;
mod error;
mod format;
mod formats;
mod layouts;
mod lines;
mod parquet_file;
mod set;
mod sts;
mod synthetic;
mod table;
mod task;
mod transfer;

pub use error::TextDataError;
pub use format::read_sentences;
pub use lines::{lines_of, read_lines};
pub use set::{Answer, Problem, TextRow, TextSet};
pub use sts::{StsPair, StsSubset, StsTask};
pub use synthetic::synth_sentiment;
pub use table::{Columns, SentenceColumn, read_column, read_columns, read_table};
pub use task::{TaskId, TextSplits};
pub use transfer::{TransferParts, TransferTask, classes_of};
