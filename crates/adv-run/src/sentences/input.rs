//! Sentences to be encoded.

use adv_data::text::{SentenceColumn, lines_of, read_column, read_lines};
use anyhow::{Context, Result};
use std::io::Read;
use std::path::Path;

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
    let set = read_column(path, &SentenceColumn::Named(column.into())).context("--column names it")?;
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
