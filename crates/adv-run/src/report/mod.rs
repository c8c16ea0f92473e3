//! The report of a run or of a comparison: one HTML file that needs nothing else.
//!
//! The inputs are plain values, so that a report can be made from a live run, from files, or by a test. Pictures are
//! inline SVG and PNG; there is no script; colours follow the reader's light or dark setting.
//!
//! ```
//! use adv_run::report::{AttackResult, Proportion, RunReport, render_run};
//!
//! # fn main() -> Result<(), adv_run::report::ReportError> {
//! let html = render_run(&RunReport {
//!     title: "PGD-7 on digits".into(),
//!     attacks: vec![AttackResult {
//!         name: "pgd-50-10".into(),
//!         detail: "Linf, eps 0.2".into(),
//!         accuracy: Proportion::new(291, 360)?,
//!     }],
//!     ..RunReport::default()
//! })?;
//! assert!(html.contains("80.8 %"));
//! # Ok(())
//! # }
//! ```

mod analysis;
mod canvas;
mod cloud;
mod compare;
mod html;
mod image;
mod labels;
mod plot;
mod run;
mod scatter;
mod stats;
mod ticks;

#[cfg(test)]
mod tests;

pub use analysis::render as render_analysis;
pub use compare::render as render_comparison;
pub use image::Image;
pub use run::render as render_run;
pub use stats::Proportion;
pub use ticks::Unit;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// An image whose shape is not `[1 or 3, H, W]` or does not fit its values.
    #[error(
        "an image of shape {shape:?} (wanted: [1 or 3, height, width]) does not fit {len} values; pass one sample's C·H·W values"
    )]
    Image {
        /// The shape given, `[C, H, W]`.
        shape: [usize; 3],
        /// The number of values given.
        len: usize,
    },
    /// Counts that are no proportion.
    #[error("{successes} successes out of {trials} trials is no proportion; evaluate at least one sample")]
    Proportion {
        /// The successes given.
        successes: u64,
        /// The trials given.
        trials: u64,
    },
    /// A table whose rows are not as long as its head.
    #[error(
        "table {caption:?}: row {row} has {cells} cells, the head has {columns}; give one cell per column"
    )]
    Table {
        /// The table's caption.
        caption: String,
        /// The row, from 0.
        row: usize,
        /// The cells in that row.
        cells: usize,
        /// The columns of the head.
        columns: usize,
    },
    /// An image could not be written as PNG.
    #[error("an image could not be written as PNG; check that its sides are below 2^31 pixels")]
    Png(#[from] png::EncodingError),
    /// A chart could not be drawn.
    #[error("a chart could not be drawn: {0}; please report this with the run's metrics.csv")]
    Plot(String),
}

/// Everything the report of one training run shows. Empty parts are left out of the page.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// The page's heading, such as `PGD-7 on digits`.
    pub title: String,
    /// One line under it: model, data, seed, device.
    pub subtitle: String,
    /// Which checkpoint the figures come from, such as `last (epoch 12)`.
    pub checkpoint: String,
    /// What the reader must know before believing a figure, such as a suspected catastrophic overfitting.
    pub warnings: Vec<String>,
    /// The headline figures as `(name, value)`.
    pub summary: Vec<(String, String)>,
    /// Curves over training, one chart per unit.
    pub charts: Vec<Chart>,
    /// Accuracy without attack and under each attack.
    pub attacks: Vec<AttackResult>,
    /// Passes counted, against theory.
    pub ledgers: Vec<Ledger>,
    /// Clean images beside their adversarial ones.
    pub images: Vec<ImageRow>,
    /// Gradients of the loss with respect to the input, per model.
    pub gradients: Vec<GradientRow>,
    /// Further tables.
    pub tables: Vec<Table>,
    /// The resolved specification, as TOML.
    pub spec_toml: String,
    /// Versions, machine, command, as `(name, value)`.
    pub environment: Vec<(String, String)>,
    /// Remarks for the end of the page.
    pub notes: Vec<String>,
}

/// Everything the report of `adv compare` shows. Empty parts are left out of the page.
#[derive(Clone, Debug, Default)]
pub struct CompareReport {
    /// The page's heading.
    pub title: String,
    /// One line under it: model, data, seed, device.
    pub subtitle: String,
    /// What was held equal, such as `16 800 gradient calls each`.
    pub budget: String,
    /// The attack behind the robust accuracies, such as `PGD-50-10, eps 0.3`.
    pub attack: String,
    /// What the reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// One result per method.
    pub methods: Vec<MethodResult>,
    /// Further tables, such as one row per attack.
    pub tables: Vec<Table>,
    /// Input gradients of several nets side by side.
    pub gradients: Vec<GradientRow>,
    /// The resolved specification, as TOML.
    pub spec_toml: String,
    /// Versions, machine, command, as `(name, value)`.
    pub environment: Vec<(String, String)>,
    /// Remarks for the end of the page.
    pub notes: Vec<String>,
}

/// Everything the page of an analysis shows. Empty parts are left out of the page.
#[derive(Clone, Debug, Default)]
pub struct AnalysisReport {
    /// The page's heading.
    pub title: String,
    /// One line under it.
    pub subtitle: String,
    /// What the reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// The figures.
    pub tables: Vec<Table>,
    /// The heading of the clouds.
    pub clouds_title: String,
    /// Points on planes.
    pub clouds: Vec<Cloud>,
    /// Versions, machine, command, as `(name, value)`.
    pub environment: Vec<(String, String)>,
    /// Remarks for the end of the page.
    pub notes: Vec<String>,
}

/// Points on a plane, coloured by group.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// What is told apart.
    pub title: String,
    /// What the plane is.
    pub x_name: String,
    /// Each group's name and its points; the last one is drawn above the others.
    pub groups: Vec<(String, Vec<[f64; 2]>)>,
}

/// One method of a comparison.
#[derive(Clone, Debug)]
pub struct MethodResult {
    /// The method's name, such as `pgd-7`.
    pub name: String,
    /// Passes over the data, before replay.
    pub epochs: f64,
    /// Gradient calls spent in training; fractional when first-layer passes are weighed by their share.
    pub gradient_calls: f64,
    /// Training time in seconds, evaluation excluded.
    pub seconds: f64,
    /// Accuracy without attack.
    pub clean: Proportion,
    /// Accuracy under the comparison's attack.
    pub robust: Proportion,
    /// Which checkpoint both come from, such as `last`.
    pub checkpoint: String,
}

/// Curves that share a unit and therefore a chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is drawn, such as `Accuracy`.
    pub title: String,
    /// What the horizontal axis counts, such as `epoch`.
    pub x_name: String,
    /// How the values read.
    pub unit: Unit,
    /// The curves, best not more than eight: the colours repeat after that.
    pub curves: Vec<Curve>,
}

/// One curve. Points that are not finite interrupt it.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Points `(x, value)` in increasing `x`.
    pub points: Vec<(f64, f64)>,
}

/// Accuracy under one attack, or without any.
#[derive(Clone, Debug)]
pub struct AttackResult {
    /// Its name, such as `clean` or `pgd-50-10`.
    pub name: String,
    /// Its parameters in words, such as `Linf, eps 0.3, step 0.01`.
    pub detail: String,
    /// Samples still classified correctly, out of those attacked.
    pub accuracy: Proportion,
}

/// One account of the ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Which account, such as `Training, PGD-7`.
    pub title: String,
    /// Mini-batches that the account covers, if it is one of mini-batches.
    pub mini_batches: Option<u64>,
    /// One row per kind of pass.
    pub rows: Vec<LedgerRow>,
}

/// One kind of pass in an account.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// Which passes, such as `full backward`.
    pub pass: String,
    /// How many were counted in all.
    pub measured: u64,
    /// How many per mini-batch the method's theory states, if it does.
    pub theory_per_batch: Option<f64>,
}

/// A sample before and after the attack. The report derives the perturbation.
#[derive(Clone, Debug)]
pub struct ImageRow {
    /// The clean image.
    pub clean: Image,
    /// The adversarial image, same shape.
    pub adversarial: Image,
    /// The true class.
    pub label: String,
    /// The class predicted for the clean image.
    pub clean_prediction: String,
    /// The class predicted for the adversarial image.
    pub adversarial_prediction: String,
}

/// The input gradient of several models at one sample.
#[derive(Clone, Debug)]
pub struct GradientRow {
    /// The sample.
    pub image: Image,
    /// Its true class.
    pub label: String,
    /// `(model, gradient of the loss with respect to the input)`.
    pub maps: Vec<(String, Image)>,
}

/// A plain table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its caption.
    pub caption: String,
    /// The head: each column's name and whether it holds numbers (aligned right).
    pub columns: Vec<(String, bool)>,
    /// The rows, one cell per column; the first cell names the row.
    pub rows: Vec<Vec<String>>,
}
