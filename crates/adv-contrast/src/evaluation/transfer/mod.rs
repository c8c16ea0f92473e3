//! Transfer tasks: logistic regression on vectors that stay as they are.

mod folds;
mod logistic;
mod watch;

pub use folds::folds;
pub use logistic::LogisticRegression;

use crate::sentence::Vectors;
use adv_data::metrics::{accuracy, f1};
use adv_data::text::{TextSet, TransferParts, TransferTask, classes_of};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use thiserror::Error;
use watch::Watch;

/// Why no figure came out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A set to train on with a single class.
    #[error("{rows} rows to train on are all of one class: there must be two at least")]
    OneClass {
        /// How many rows there are.
        rows: usize,
    },
    /// Fewer rows than folds.
    #[error("{rows} rows cannot be cut into {folds} folds")]
    TooFew {
        /// How many rows there are.
        rows: usize,
        /// How many folds there should be.
        folds: usize,
    },
    /// A vector that has an entry which is no finite number.
    #[error("a vector has an entry that is no finite number")]
    NotFinite,
    /// A penalty that is zero, negative or not finite.
    #[error("the weight of the penalty must be a positive finite number, got {0}")]
    Penalty(f64),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// The optimiser gave up.
    #[error("logistic regression failed: {0}")]
    Failed(String),
}

/// How much is asked of the choice of the penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransferProtocol {
    /// Five folds choose it.
    #[default]
    Usual,
    /// Ten folds choose it, as SimCSE's tables have it.
    Full,
}

impl TransferProtocol {
    /// Folds that choose a penalty.
    pub fn inner_folds(self) -> usize {
        match self {
            TransferProtocol::Usual => 5,
            TransferProtocol::Full => 10,
        }
    }
}

/// Folds of a task in one part; each is tested on once.
const OUTER_FOLDS: usize = 10;

/// SentEval's seed.
const SEED: u64 = 1111;

/// SentEval's penalties: λ of the mean loss + λ/2 · the squared weights, the strongest first, since each fit begins where the one before
/// ended.
const PENALTIES: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];

/// What a linear classifier makes of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferScore {
    /// The share of the rows to test on that are right, times 100.
    pub accuracy: f64,
    /// F1 of the class of paraphrases, times 100; of pairs alone.
    pub f1: Option<f64>,
    /// The penalty that was chosen, for each classifier that was tested.
    pub penalties: Vec<f64>,
    /// Rows to test on.
    pub tested: usize,
}

/// Labelled rows as numbers.
struct Rows {
    inputs: Array2<f64>,
    classes: Vec<u32>,
}

/// Measures the vectors that `encode` makes of a task's sentences.
///
/// The protocol is SentEval's (Conneau and Kiela 2018) with two differences: a classifier is the optimum of its convex loss, found by
/// L-BFGS, where SentEval stops its Adam early; and its bias is not penalised.
/// Tasks in one part are folded ten times, and each fold chooses its penalty by folds of the others; others choose it by folds of their
/// training part, or by their own part to choose by. A pair of sentences has the entries |u − v| and u · v.
///
/// `watch` hears how many classifiers are fitted, of how many, from any thread; once it says no, it ends with [`TransferError::Stopped`].
///
/// Errors: those of `encode`; rows that no classifier can learn from.
pub fn score_transfer<E: From<TransferError>>(
    task: TransferTask,
    parts: &TransferParts,
    protocol: TransferProtocol,
    mut encode: impl FnMut(&[&str]) -> Result<Vectors, E>,
    watch: impl Fn(usize, usize) -> bool + Sync,
) -> Result<TransferScore, E> {
    let mut rows = |set: &TextSet| -> Result<Rows, E> {
        let first: Vec<&str> = set.rows().iter().map(|row| row.first.as_str()).collect();
        let first = encode(&first)?;
        let inputs = if task.has_pairs() {
            let second = set.rows().iter().map(|row| row.second.as_deref().unwrap_or(""));
            features(&first, &encode(&second.collect::<Vec<_>>())?)
        } else {
            matrix(&first)
        };
        if inputs.iter().any(|entry| !entry.is_finite()) {
            return Err(TransferError::NotFinite.into());
        }
        let classes = classes_of(set);
        Ok(Rows { inputs, classes })
    };
    let of_choice = PENALTIES.len() * protocol.inner_folds();
    let watch = |fits: usize| Watch::new(fits, &watch);
    let tested = match parts {
        TransferParts::Whole(all) => {
            let watch = watch(OUTER_FOLDS * (of_choice + 1));
            whole(&rows(all)?, protocol, &watch)?
        }
        TransferParts::Halves { train, test } => {
            let (train, test) = (rows(train)?, rows(test)?);
            let watch = watch(of_choice + 1);
            tested(&train, test, chosen(&train, protocol, &watch)?, &watch)?
        }
        TransferParts::Thirds { train, dev, test } => {
            let (train, dev, test) = (rows(train)?, rows(dev)?, rows(test)?);
            let watch = watch(PENALTIES.len() + 1);
            tested(&train, test, best(&path(&train, &dev, &watch)?), &watch)?
        }
    };
    Ok(TransferScore {
        accuracy: 100.0 * accuracy(&tested.said, &tested.right),
        f1: task.has_pairs().then(|| 100.0 * f1(&tested.said, &tested.right)),
        penalties: tested.penalties,
        tested: tested.right.len(),
    })
}

/// What was said of rows, and what is right.
#[derive(Default)]
struct Tested {
    penalties: Vec<f64>,
    said: Vec<u32>,
    right: Vec<u32>,
}

/// What is said of every row by the classifier of the other folds.
fn whole(all: &Rows, protocol: TransferProtocol, watch: &Watch<'_>) -> Result<Tested, TransferError> {
    let folds = folds(&all.classes, OUTER_FOLDS, SEED)?;
    let each = folds.par_iter().map(|fold| {
        let (train, test) = all.without(fold);
        tested(&train, test, chosen(&train, protocol, watch)?, watch)
    });
    let mut all = Tested::default();
    for one in each.collect::<Result<Vec<_>, TransferError>>()? {
        all.penalties.extend(one.penalties);
        all.said.extend(one.said);
        all.right.extend(one.right);
    }
    Ok(all)
}

/// The penalty with the highest mean accuracy over the folds of the rows.
fn chosen(train: &Rows, protocol: TransferProtocol, watch: &Watch<'_>) -> Result<f64, TransferError> {
    let folds = folds(&train.classes, protocol.inner_folds(), SEED)?;
    let shares = folds.par_iter().map(|fold| {
        let (rest, held) = train.without(fold);
        path(&rest, &held, watch)
    });
    let shares: Vec<[f64; PENALTIES.len()]> = shares.collect::<Result<_, _>>()?;
    let mut sums = [0.0; PENALTIES.len()];
    for row in shares {
        for (sum, share) in sums.iter_mut().zip(row) {
            *sum += share;
        }
    }
    Ok(best(&sums))
}

/// The first penalty with the highest share; the strongest of equals.
fn best(shares: &[f64; PENALTIES.len()]) -> f64 {
    let all = PENALTIES.into_iter().zip(shares);
    let first = (PENALTIES[0], &f64::NEG_INFINITY);
    all.fold(first, |best, now| if now.1 > best.1 { now } else { best })
        .0
}

/// The accuracy on held rows for each penalty.
fn path(train: &Rows, held: &Rows, watch: &Watch<'_>) -> Result<[f64; PENALTIES.len()], TransferError> {
    let mut shares = [0.0; PENALTIES.len()];
    let mut start = None;
    for (share, penalty) in shares.iter_mut().zip(PENALTIES) {
        let fitted = LogisticRegression::fit(&train.inputs, &train.classes, penalty, start.as_ref())?;
        watch.fitted()?;
        *share = accuracy(&fitted.predict(&held.inputs), &held.classes);
        start = Some(fitted);
    }
    Ok(shares)
}

fn tested(train: &Rows, test: Rows, penalty: f64, watch: &Watch<'_>) -> Result<Tested, TransferError> {
    let fitted = LogisticRegression::fit(&train.inputs, &train.classes, penalty, None)?;
    watch.fitted()?;
    Ok(Tested {
        penalties: vec![penalty],
        said: fitted.predict(&test.inputs),
        right: test.classes,
    })
}

impl Rows {
    /// All rows but those at these places, and these.
    fn without(&self, places: &[usize]) -> (Rows, Rows) {
        let mut held = vec![false; self.classes.len()];
        for &place in places {
            held[place] = true;
        }
        let others: Vec<usize> = (0..held.len()).filter(|&place| !held[place]).collect();
        (self.pick(&others), self.pick(places))
    }

    fn pick(&self, places: &[usize]) -> Rows {
        Rows {
            inputs: self.inputs.select(Axis(0), places),
            classes: places.iter().map(|&place| self.classes[place]).collect(),
        }
    }
}

fn matrix(vectors: &Vectors) -> Array2<f64> {
    let shape = (vectors.len(), vectors.width());
    Array2::from_shape_fn(shape, |(row, column)| f64::from(vectors.row(row)[column]))
}

/// |u − v| and u · v, entry by entry.
fn features(first: &Vectors, second: &Vectors) -> Array2<f64> {
    let width = first.width();
    Array2::from_shape_fn((first.len(), 2 * width), |(row, column)| {
        let place = column % width;
        let [u, v] = [first, second].map(|all| f64::from(all.row(row)[place]));
        if column < width { (u - v).abs() } else { u * v }
    })
}
