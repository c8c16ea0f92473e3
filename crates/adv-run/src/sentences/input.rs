//! Sentences to be encoded.

use crate::spec::sentence_column;
use crate::usage::UsageError;
use adv_data::text::{StsSubset, StsTask, lines_of, read_column, read_lines};
use anyhow::{Context, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the standard input is called in errors.
const STDIN: &str = "the standard input";

/// The sentences of a text file, of a column of a table, or of the standard input. Line n gives sentence n, also where it is empty.
pub(crate) fn texts(path: &Path, column: &str) -> Result<Vec<String>> {
    if path == Path::new("-") {
        return Ok(lines_of(&standard_input()?, Path::new(STDIN))?);
    }
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let table = [".tsv", ".csv", ".jsonl", ".parquet"]
        .iter()
        .any(|ending| name.ends_with(ending));
    if !table {
        return Ok(read_lines(path)?);
    }
    let set = read_column(path, &sentence_column(column)?).context("--column names it")?;
    Ok(set.rows().iter().map(|row| row.first.clone()).collect())
}

/// All of the standard input.
fn standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {STDIN}"))?;
    Ok(bytes)
}

/// The folder of data sets: the one that is named, or the usual one.
pub(crate) fn data_root(data_dir: Option<&Path>) -> Result<PathBuf, UsageError> {
    let root = data_dir.map(Path::to_path_buf);
    let root = root.or_else(|| std::env::var_os("ADV_DATA_DIR").map(PathBuf::from));
    root.ok_or_else(|| UsageError("name the folder of data sets with --data-dir, or set ADV_DATA_DIR".into()))
}

/// Similarity tasks with their pairs, from a folder of data sets or from the usual one.
pub(crate) fn sts_tasks(
    data_dir: Option<&Path>,
    tasks: &[StsTask],
) -> Result<Vec<(StsTask, Vec<StsSubset>)>> {
    let root = data_root(data_dir)?;
    let read = tasks.iter().map(|task| Ok((*task, task.read(&root)?)));
    let read: Result<Vec<_>> = read.collect();
    read.context("--data-dir names their folder")
}
