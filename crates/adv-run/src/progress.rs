//! What a user sees while a network trains or is attacked: a live display on a terminal, plain lines otherwise. All on
//! stderr.

use crate::trainer::Validation;
use crate::usage::Stopped;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Follows a training run.
pub trait Progress {
    /// A mini-batch is done.
    fn batch(&mut self, done: u64, loss: f64);
    /// An epoch is done and validated.
    fn epoch(&mut self, done: u64, loss: f64, validation: Validation);
    /// Something the user should know.
    fn warn(&mut self, text: &str);
    /// The run is over.
    fn finish(&mut self);
}

/// The display that fits where stderr goes.
pub fn display(name: &str, total: u64, per_epoch: u64, done: u64) -> Box<dyn Progress> {
    let shown = Shown {
        name: name.into(),
        total,
        per_epoch,
        loss: None,
        validation: None,
    };
    if std::io::stderr().is_terminal() {
        Box::new(Live::new(shown, done))
    } else {
        Box::new(Lines {
            shown,
            start: Instant::now(),
            first: done,
            last: Instant::now(),
        })
    }
}

/// Follows an evaluation of `n` samples, on a terminal only. Fails with [`Stopped`] once the user asked to stop.
pub fn measuring(name: String, n: usize, stop: &AtomicBool) -> impl FnMut(usize) -> Result<()> {
    // Cleared when it is dropped.
    let bar = ProgressBar::new(n as u64).with_message(name);
    bar.set_style(
        ProgressStyle::with_template("{msg:10} {bar:24} {pos}/{len}  ETA {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    move |done| {
        bar.set_position(done as u64);
        match stop.load(Ordering::Relaxed) && done < n {
            true => Err(Stopped.into()),
            false => Ok(()),
        }
    }
}

/// A bar of the classifiers that are fitted to vectors, on a terminal only.
pub fn fits(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(format!("fits on {name}"));
    let style = ProgressStyle::with_template("{msg:16} {bar:24} {pos}/{len}  ETA {eta}");
    bar.with_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    )
}

/// The numbers both displays show.
struct Shown {
    name: String,
    total: u64,
    per_epoch: u64,
    /// Smoothed, since a single mini-batch says little.
    loss: Option<f64>,
    validation: Option<Validation>,
}

impl Shown {
    fn see(&mut self, loss: f64) {
        const WEIGHT: f64 = 0.02;
        self.loss = Some(self.loss.map_or(loss, |old| old + WEIGHT * (loss - old)));
    }

    fn line(&self, done: u64) -> String {
        let epoch = done as f64 / self.per_epoch as f64;
        let epochs = self.total as f64 / self.per_epoch as f64;
        let mut line = format!(
            "epoch {epoch:.1}/{epochs:.1}  loss {:.4}",
            self.loss.unwrap_or(f64::NAN)
        );
        if let Some(v) = self.validation {
            line += &format!("  watched: clean {:.3}", v.clean);
            if let Some(robust) = v.robust {
                line += &format!(" robust {robust:.3}");
            }
        }
        line
    }
}

struct Live {
    shown: Shown,
    bar: ProgressBar,
}

impl Live {
    fn new(shown: Shown, done: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(shown.total), ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template(
            "{prefix:10} {bar:24} {percent:>3}%  {per_sec:>9}  ETA {eta:<4} {msg}",
        );
        bar.set_style(
            style
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> "),
        );
        bar.set_prefix(shown.name.clone());
        bar.set_position(done);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { shown, bar }
    }
}

impl Progress for Live {
    fn batch(&mut self, done: u64, loss: f64) {
        self.shown.see(loss);
        self.bar.set_position(done);
        self.bar.set_message(self.shown.line(done));
    }

    fn epoch(&mut self, done: u64, _loss: f64, validation: Validation) {
        self.shown.validation = Some(validation);
        self.bar.set_message(self.shown.line(done));
    }

    fn warn(&mut self, text: &str) {
        self.bar.println(format!("warning: {text}"));
    }

    fn finish(&mut self) {
        self.bar.finish();
    }
}

struct Lines {
    shown: Shown,
    start: Instant,
    first: u64,
    last: Instant,
}

impl Lines {
    fn print(&mut self, done: u64) {
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = (done - self.first) as f64 / seconds.max(1e-9);
        let left = (self.shown.total - done) as f64 / rate.max(1e-9);
        eprintln!(
            "{}: {}  {rate:.1} batches/s  {left:.0} s left",
            self.shown.name,
            self.shown.line(done)
        );
        self.last = Instant::now();
    }
}

impl Progress for Lines {
    fn batch(&mut self, done: u64, loss: f64) {
        self.shown.see(loss);
        if self.last.elapsed() > Duration::from_secs(30) {
            self.print(done);
        }
    }

    fn epoch(&mut self, done: u64, _loss: f64, validation: Validation) {
        self.shown.validation = Some(validation);
        // Short epochs would flood a log.
        if self.last.elapsed() > Duration::from_secs(1) || done == self.shown.total {
            self.print(done);
        }
    }

    fn warn(&mut self, text: &str) {
        eprintln!("warning: {text}");
    }

    fn finish(&mut self) {}
}

/// The progress of downloads: a bar on a terminal, else a line for each file.
#[derive(Default)]
pub struct DownloadBar {
    bar: Option<ProgressBar>,
    file: String,
}

impl DownloadBar {
    /// A part of a file has arrived: so many bytes, of so many if that is known.
    pub fn show(&mut self, file: &str, received: u64, total: Option<u64>) {
        if self.file != file {
            self.file = file.into();
            if !std::io::stderr().is_terminal() {
                eprintln!("downloading {file}");
            }
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes}  ETA {eta}");
            bar.with_style(
                style
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            )
        });
        bar.set_length(total.unwrap_or(0));
        bar.set_position(received);
        bar.set_message(self.file.clone());
    }

    /// All files are there, or given up.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
