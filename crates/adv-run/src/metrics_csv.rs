//! `metrics.csv`: one row per measurement, cut back to the checkpoint on resume.
//!
//! A resumed run writes the very file of an uninterrupted one, as long as its columns hold nothing of the clock.
//!
//! ```
//! use adv_run::metrics_csv::MetricsCsv;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("metrics.csv");
//! let mut csv = MetricsCsv::create(&path, &["loss", "clean_accuracy"])?;
//! csv.row(1, &[Some(2.3), None])?;
//! csv.row(2, &[Some(1.9), Some(0.5)])?;
//! csv.sync()?;
//!
//! MetricsCsv::resume(&path, &["loss", "clean_accuracy"], 1)?;
//! assert_eq!(std::fs::read_to_string(&path)?, "step,loss,clean_accuracy\n1,2.3,\n");
//! # Ok(())
//! # }
//! ```

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why `metrics.csv` could not be written or taken up again.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A file operation failed.
    #[error("cannot {action} {}: {source}; check that the folder exists and has space", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A column name that CSV would have to quote.
    #[error("column name {name:?} is empty, repeated, or holds a comma, quote or line break; rename it")]
    Column {
        /// The name.
        name: String,
    },
    /// The file on disk has other columns than this run.
    #[error("{}: the header is {found:?}, this run writes {wanted:?}; resume with the version that began the run, or move the file away", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The header on disk.
        found: String,
        /// The header of this run.
        wanted: String,
    },
    /// A row that does not begin with a step.
    #[error("{}, line {line}: {text:?} does not begin with a step number; mend or delete the line", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A row with another number of values than the header, or with a step before the last one.
    #[error(
        "a row of {values} values at step {step} does not follow {columns} columns and step {last}; this is a fault of the caller"
    )]
    Order {
        /// The row's step.
        step: u64,
        /// The row's values.
        values: usize,
        /// The columns beside `step`.
        columns: usize,
        /// The last step written.
        last: u64,
    },
}

/// An open `metrics.csv`. Its first column is `step`; steps never decrease.
#[derive(Debug)]
pub struct MetricsCsv {
    file: File,
    path: PathBuf,
    columns: usize,
    last: u64,
}

impl MetricsCsv {
    /// Begins a new file with the header `step,` and `columns`; an old file at `path` is replaced.
    ///
    /// # Errors
    /// [`MetricsError::Column`] for a name that would need quotes, [`MetricsError::Io`].
    pub fn create(path: &Path, columns: &[&str]) -> Result<Self, MetricsError> {
        replace(path, header(columns)?.as_bytes())?;
        Self::append_to(path, columns.len(), 0)
    }

    /// Takes up a run at its checkpoint: rows of steps after `step`, and a row torn by a crash, are dropped in one
    /// atomic replacement of the file. A file that does not exist is begun anew.
    ///
    /// # Errors
    /// [`MetricsError::Header`] when the file has other columns, [`MetricsError::Row`] for a damaged row,
    /// [`MetricsError::Column`], [`MetricsError::Io`].
    pub fn resume(path: &Path, columns: &[&str], step: u64) -> Result<Self, MetricsError> {
        let wanted = header(columns)?;
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(path, columns),
            Err(source) => {
                return Err(MetricsError::Io {
                    action: "read",
                    path: path.into(),
                    source,
                });
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        // What follows the last line break is a row that a crash cut off; checkpoints sync, so it is a later one.
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let found = lines.next().unwrap_or_default();
        if found != wanted {
            let (found, wanted) = (found.trim_end().to_owned(), wanted.trim_end().to_owned());
            return Err(MetricsError::Header {
                path: path.into(),
                found,
                wanted,
            });
        }
        let (mut kept, mut last) = (wanted, 0);
        for (number, line) in lines.enumerate() {
            let row = line
                .split(',')
                .next()
                .and_then(|cell| cell.trim_end().parse::<u64>().ok());
            match row {
                Some(at) if at > step => break,
                Some(at) => last = at,
                None => {
                    let text = line.trim_end().to_owned();
                    return Err(MetricsError::Row {
                        path: path.into(),
                        line: number + 2,
                        text,
                    });
                }
            }
            kept.push_str(line);
        }
        if kept.as_bytes() != bytes {
            replace(path, kept.as_bytes())?;
        }
        Self::append_to(path, columns.len(), last)
    }

    /// Appends a row; `None` leaves its cell empty. The row is handed to the system at once.
    ///
    /// Numbers are written in the shortest form that reads back as the same `f64`.
    ///
    /// # Errors
    /// [`MetricsError::Order`] when the values do not fit the columns or the step lies before the last,
    /// [`MetricsError::Io`].
    pub fn row(&mut self, step: u64, values: &[Option<f64>]) -> Result<(), MetricsError> {
        if values.len() != self.columns || step < self.last {
            let (columns, last) = (self.columns, self.last);
            return Err(MetricsError::Order {
                step,
                values: values.len(),
                columns,
                last,
            });
        }
        let mut line = step.to_string();
        for value in values {
            line.push(',');
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(line, "{value:?}");
            }
        }
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(failed("write to", &self.path))?;
        self.last = step;
        Ok(())
    }

    /// Waits until all rows are on the disk. Call it before the checkpoint that counts on them.
    ///
    /// # Errors
    /// [`MetricsError::Io`].
    pub fn sync(&mut self) -> Result<(), MetricsError> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }

    fn append_to(path: &Path, columns: usize, last: u64) -> Result<Self, MetricsError> {
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(failed("open", path))?;
        Ok(Self {
            file,
            path: path.into(),
            columns,
            last,
        })
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MetricsError {
    let path = path.to_path_buf();
    move |source| MetricsError::Io { action, path, source }
}

fn header(columns: &[&str]) -> Result<String, MetricsError> {
    for (at, name) in columns.iter().enumerate() {
        let repeated = *name == "step" || columns[..at].contains(name);
        if name.is_empty() || repeated || name.contains([',', '"', '\n', '\r']) {
            return Err(MetricsError::Column { name: (*name).into() });
        }
    }
    Ok(std::iter::once("step")
        .chain(columns.iter().copied())
        .collect::<Vec<_>>()
        .join(",")
        + "\n")
}

/// Puts `bytes` at `path` so that a crash at any moment leaves the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), MetricsError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // One run writes here, so a fixed name does, and a draft that a crash left behind is simply overwritten.
    let draft = path.with_extension("csv.new");
    let mut file = File::create(&draft).map_err(failed("create", &draft))?;
    file.write_all(bytes).map_err(failed("write to", &draft))?;
    file.sync_all().map_err(failed("sync", &draft))?;
    std::fs::rename(&draft, path).map_err(failed("replace", path))?;
    // The new name itself has to reach the disk; where folders cannot be opened as files, the system sees to it.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().map_err(failed("sync the folder of", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 2] = ["loss", "robust"];

    fn fill(csv: &mut MetricsCsv, steps: std::ops::RangeInclusive<u64>) {
        for step in steps {
            let robust = step.is_multiple_of(2).then_some(step as f64 / 10.0);
            csv.row(step, &[Some(1.0 / step as f64), robust]).expect("writes");
        }
        csv.sync().expect("syncs");
    }

    #[test]
    fn rows_read_as_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.csv");
        let mut csv = MetricsCsv::create(&path, &COLUMNS).expect("creates");
        csv.row(1, &[Some(0.1), None]).expect("writes");
        csv.row(1, &[None, Some(f64::NAN)])
            .expect("a step may have several rows");
        csv.row(20, &[Some(1e-7), Some(2.0)]).expect("writes");
        let text = std::fs::read_to_string(&path).expect("reads");
        assert_eq!(text, "step,loss,robust\n1,0.1,\n1,,NaN\n20,1e-7,2.0\n");
    }

    #[test]
    fn a_resumed_file_equals_an_uninterrupted_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = folder.path().join("whole.csv");
        fill(
            &mut MetricsCsv::create(&whole, &COLUMNS).expect("creates"),
            1..=12,
        );
        let whole = std::fs::read(&whole).expect("reads");

        // However many bytes a crash left behind after the checkpoint of step 5, the result is the same.
        let path = folder.path().join("cut.csv");
        fill(&mut MetricsCsv::create(&path, &COLUMNS).expect("creates"), 1..=5);
        let checkpoint = std::fs::metadata(&path).expect("exists").len() as usize;
        for length in checkpoint..=whole.len() {
            std::fs::write(&path, &whole[..length]).expect("writes");
            let mut csv = MetricsCsv::resume(&path, &COLUMNS, 5).expect("resumes");
            fill(&mut csv, 6..=12);
            assert_eq!(
                std::fs::read(&path).expect("reads"),
                whole,
                "cut at byte {length}"
            );
        }
        // Nothing but the two files remains: drafts are gone.
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 2);
    }

    #[test]
    fn a_missing_file_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.csv");
        MetricsCsv::resume(&path, &COLUMNS, 7).expect("begins");
        assert_eq!(
            std::fs::read_to_string(&path).expect("reads"),
            "step,loss,robust\n"
        );
    }

    #[test]
    fn faults_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.csv");
        let mut csv = MetricsCsv::create(&path, &COLUMNS).expect("creates");
        fill(&mut csv, 1..=4);
        assert!(matches!(
            csv.row(3, &[None, None]),
            Err(MetricsError::Order { last: 4, .. })
        ));
        assert!(matches!(
            csv.row(5, &[None]),
            Err(MetricsError::Order { values: 1, .. })
        ));
        assert!(matches!(
            MetricsCsv::resume(&path, &["loss"], 2),
            Err(MetricsError::Header { .. })
        ));
        for columns in [["a", "a"], ["a", "step"], ["a", "b,c"], ["", "b"]] {
            assert!(
                matches!(
                    MetricsCsv::create(&path, &columns),
                    Err(MetricsError::Column { .. })
                ),
                "{columns:?}"
            );
        }
        std::fs::write(&path, "step,loss,robust\n1,0.5,\noops\n").expect("writes");
        assert!(matches!(
            MetricsCsv::resume(&path, &COLUMNS, 2),
            Err(MetricsError::Row { line: 3, .. })
        ));
        let nowhere = folder.path().join("missing/metrics.csv");
        assert!(matches!(
            MetricsCsv::create(&nowhere, &COLUMNS),
            Err(MetricsError::Io { .. })
        ));
    }
}
