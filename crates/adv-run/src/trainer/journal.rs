//! Curves of a run: `metrics.csv` and TensorBoard event files.

use super::{Files, Validation};
use crate::events::EventWriter;
use crate::metrics_csv::MetricsCsv;
use anyhow::{Context, Result};

/// Columns of `metrics.csv`, for a clean figure of this name.
fn columns(metric: &str) -> [String; 5] {
    let clean = format!("clean_{metric}");
    ["epoch", "loss", "gradient_norm", &clean, "robust_accuracy"].map(String::from)
}

/// Writes the curves of a run.
pub struct Journal {
    csv: MetricsCsv,
    events: EventWriter,
    clean: String,
}

impl Journal {
    /// Begins the curves, or takes them up after mini-batch `done`. `metric`: what the clean figure of a validation is.
    pub fn open(files: &Files, done: u64, metric: &str) -> Result<Self> {
        let columns = columns(metric);
        let columns = columns.each_ref().map(String::as_str);
        let csv = match done {
            0 => MetricsCsv::create(&files.metrics(), &columns)?,
            done => MetricsCsv::resume(&files.metrics(), &columns, done)?,
        };
        // Also at the very beginning: a run killed before its first checkpoint left events of steps that come again.
        let events = EventWriter::resume(&files.folder, done)?;
        let clean = format!("watch/clean_{metric}");
        Ok(Self { csv, events, clean })
    }

    /// One mini-batch.
    pub fn batch(&mut self, step: u64, epoch: f64, loss: f64, norm: Option<f64>) -> Result<()> {
        self.csv.row(step, &[Some(epoch), Some(loss), norm, None, None])?;
        self.events.scalars(step, &[("train/loss", loss as f32)])?;
        Ok(())
    }

    /// One validation.
    pub fn validation(&mut self, step: u64, epoch: f64, v: Validation) -> Result<()> {
        self.csv
            .row(step, &[Some(epoch), None, None, Some(v.clean), v.robust])?;
        let mut scalars = vec![(self.clean.as_str(), v.clean as f32)];
        scalars.extend(v.robust.map(|robust| ("watch/robust_accuracy", robust as f32)));
        Ok(self.events.scalars(step, &scalars)?)
    }

    /// Waits until all is on the disk.
    pub fn sync(&mut self) -> Result<()> {
        self.csv.sync()?;
        Ok(self.events.sync()?)
    }
}

/// The curves of a finished run, by epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Training loss.
    pub loss: Vec<(f64, f64)>,
    /// The clean figure on the watched samples.
    pub clean: Vec<(f64, f64)>,
    /// Robust accuracy on them.
    pub robust: Vec<(f64, f64)>,
}

impl History {
    /// Reads the curves back from `metrics.csv`.
    pub fn read(files: &Files) -> Result<Self> {
        let path = files.metrics();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut history = Self::default();
        for line in text.lines().skip(1) {
            let cells: Vec<Option<f64>> = line.split(',').map(|cell| cell.parse().ok()).collect();
            let &[_, Some(epoch), loss, _, clean, robust] = cells.as_slice() else {
                continue;
            };
            for (curve, value) in [
                (&mut history.loss, loss),
                (&mut history.clean, clean),
                (&mut history.robust, robust),
            ] {
                curve.extend(value.map(|value| (epoch, value)));
            }
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::Validation;

    #[test]
    fn curves_come_back_as_they_went_and_stop_at_the_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files {
            folder: folder.path().into(),
        };
        let mut journal = Journal::open(&files, 0, "accuracy").expect("begun");
        let validation = Validation {
            clean: 0.75,
            robust: Some(0.5),
        };
        journal.batch(1, 0.5, 2.25, None).expect("written");
        journal.batch(2, 1.0, 1.0 / 3.0, Some(0.1)).expect("written");
        journal.validation(2, 1.0, validation).expect("written");
        journal.batch(3, 1.5, 0.125, None).expect("written");
        journal.sync().expect("on the disk");
        let expected = History {
            loss: vec![(0.5, 2.25), (1.0, 1.0 / 3.0), (1.5, 0.125)],
            clean: vec![(1.0, 0.75)],
            robust: vec![(1.0, 0.5)],
        };
        assert_eq!(History::read(&files).expect("read"), expected);

        drop(Journal::open(&files, 2, "accuracy").expect("resumed"));
        let mut shorter = expected;
        shorter.loss.pop();
        assert_eq!(History::read(&files).expect("read"), shorter);
    }
}
