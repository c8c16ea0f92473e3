//! One attack on one batch: fooled samples are dropped, the worst of the restarts is kept.

use adv_core::{Batch, Ledger, Objective, Perturbation};
use adv_models::{ImageClassifier, Labels, ModelError, cross_entropy};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_core::Rng;
use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

/// Which class a targeted attack aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The class after the true one.
    Next,
    /// The class that the network finds least likely for the clean image.
    LeastLikely,
    /// This class.
    Class(usize),
}

/// A target that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no target: use next, least-likely or the number of a class")]
pub struct UnknownTarget(String);

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "next" => Ok(Target::Next),
            "least-likely" => Ok(Target::LeastLikely),
            number => number
                .parse()
                .map(Target::Class)
                .map_err(|_| UnknownTarget(text.into())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Next => f.write_str("next"),
            Target::LeastLikely => f.write_str("least-likely"),
            Target::Class(class) => class.fmt(f),
        }
    }
}

/// What an attack wants of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Any class but this one.
    Avoid(usize),
    /// This class.
    Reach(usize),
}

impl Goal {
    fn class(self) -> usize {
        match self {
            Goal::Avoid(class) | Goal::Reach(class) => class,
        }
    }

    /// Whether a prediction fulfils the goal.
    pub fn is_met(self, prediction: usize) -> bool {
        match self {
            Goal::Avoid(class) => prediction != class,
            Goal::Reach(class) => prediction == class,
        }
    }

    /// +1 where the cross entropy must rise, -1 where it must fall.
    fn direction(self) -> f32 {
        match self {
            Goal::Avoid(_) => 1.0,
            Goal::Reach(_) => -1.0,
        }
    }
}

/// What an attack leaves of a batch.
pub(super) struct Attacked {
    /// One image per sample: the first that met the goal, else the one with the highest loss.
    pub(super) images: Vec<f32>,
    /// Whether the goal was met.
    pub(super) success: Vec<bool>,
}

/// A batch under attack, on the host.
pub(super) struct Victims<'a> {
    pub(super) shape: [usize; 3],
    pub(super) classes: usize,
    pub(super) pixels: &'a [f32],
    pub(super) goals: &'a [Goal],
}

/// The signed cross entropy of each sample, and the network's predictions from the very same forward.
struct Watched<'a> {
    model: &'a ImageClassifier,
    seen: RefCell<Vec<(usize, f32)>>,
}

struct GoalTensors {
    labels: Labels,
    direction: Tensor<1>,
}

impl Objective<4> for Watched<'_> {
    type Targets = GoalTensors;

    fn loss(&self, input: Tensor<4>, targets: &GoalTensors) -> Tensor<1> {
        let logits = self.model.logits(input);
        let predictions = read_predictions(logits.clone());
        let losses = cross_entropy(logits, &targets.labels) * targets.direction.clone();
        *self.seen.borrow_mut() = predictions
            .into_iter()
            .zip(read(losses.clone().inner()))
            .collect();
        losses.mean()
    }
}

/// Predictions of logits, read to the host.
pub(super) fn read_predictions(logits: Tensor<2>) -> Vec<usize> {
    let indices = logits.inner().argmax(1).into_data().convert::<i64>();
    indices.iter::<i64>().map(|index| index as usize).collect()
}

fn read<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter::<f32>().collect()
}

impl Victims<'_> {
    fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The samples at `rows`, uploaded.
    fn upload(&self, rows: &[usize], device: &Device) -> Result<(Tensor<4>, GoalTensors), ModelError> {
        let width = self.width();
        let mut pixels = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            pixels.extend_from_slice(&self.pixels[row * width..(row + 1) * width]);
        }
        let [c, h, w] = self.shape;
        let clean = Tensor::from_data(TensorData::new(pixels, [rows.len(), c, h, w]), device);
        let classes: Vec<i64> = rows.iter().map(|&row| self.goals[row].class() as i64).collect();
        let signs: Vec<f32> = rows.iter().map(|&row| self.goals[row].direction()).collect();
        let labels = Labels::new(classes, self.classes, device)?;
        let direction = Tensor::from_data(TensorData::new(signs, [rows.len()]), device);
        Ok((clean, GoalTensors { labels, direction }))
    }
}

/// Attacks one batch with a frozen model in eval mode. `rng(restart)` gives the start noise of a restart.
pub(super) fn attack<R: Rng>(
    model: &ImageClassifier,
    perturbation: &Perturbation,
    restarts: usize,
    victims: &Victims<'_>,
    mut rng: impl FnMut(usize) -> R,
    device: &Device,
    ledger: &mut Ledger,
) -> anyhow::Result<Attacked> {
    let n = victims.goals.len();
    let mut best = Best {
        width: victims.width(),
        images: victims.pixels.to_vec(),
        losses: vec![f32::NEG_INFINITY; n],
        success: vec![false; n],
    };
    let watched = Watched {
        model,
        seen: RefCell::new(Vec::new()),
    };

    // The clean images first: those that are already there need no attack.
    let all: Vec<usize> = (0..n).collect();
    let (clean, goals) = victims.upload(&all, device)?;
    ledger.forward(|| watched.loss(clean.clone(), &goals));
    best.record(&all, clean, &watched.seen.borrow(), victims.goals);

    for restart in 0..restarts {
        let mut rows: Vec<usize> = (0..n).filter(|&row| !best.success[row]).collect();
        if rows.is_empty() {
            break;
        }
        let (mut clean, mut goals) = victims.upload(&rows, device)?;
        let mut delta = perturbation.start(&Batch::new(clean.clone(), &goals), &mut rng(restart));
        let mut momentum = None;
        for _ in 0..perturbation.steps() {
            let input = clean.clone() + delta.clone();
            let pass = ledger.input_gradient(&watched, input.clone(), &goals)?;
            let met = best.record(&rows, input, &watched.seen.borrow(), victims.goals);
            let mut gradient = pass.gradient;
            if met > 0 {
                let kept: Vec<usize> = (0..rows.len()).filter(|&i| !best.success[rows[i]]).collect();
                rows = kept.iter().map(|&i| rows[i]).collect();
                if rows.is_empty() {
                    break;
                }
                let kept: Vec<i64> = kept.iter().map(|&i| i as i64).collect();
                let chosen = Tensor::<1, Int>::from_data(TensorData::new(kept, [rows.len()]), device);
                (clean, goals) = victims.upload(&rows, device)?;
                delta = delta.select(0, chosen.clone());
                gradient = gradient.select(0, chosen.clone());
                momentum = momentum.map(|m: Tensor<4>| m.select(0, chosen));
            }
            delta = perturbation.step(&Batch::new(clean.clone(), &goals), delta, gradient, &mut momentum);
        }
        if rows.is_empty() {
            continue;
        }
        let input = perturbation.apply(&Batch::new(clean, &goals), delta);
        ledger.forward(|| watched.loss(input.clone(), &goals));
        best.record(&rows, input, &watched.seen.borrow(), victims.goals);
    }
    Ok(Attacked {
        images: best.images,
        success: best.success,
    })
}

/// The strongest image of each sample so far.
struct Best {
    width: usize,
    images: Vec<f32>,
    losses: Vec<f32>,
    success: Vec<bool>,
}

impl Best {
    /// Keeps the images that meet their goal or have a higher loss than before; says how many newly met it.
    fn record(&mut self, rows: &[usize], images: Tensor<4>, seen: &[(usize, f32)], goals: &[Goal]) -> usize {
        let stronger = |i: usize, row: usize| {
            !self.success[row] && (goals[row].is_met(seen[i].0) || seen[i].1 > self.losses[row])
        };
        let kept: Vec<usize> = (0..rows.len()).filter(|&i| stronger(i, rows[i])).collect();
        if kept.is_empty() {
            return 0;
        }
        let values = read(images.inner());
        let mut met = 0;
        for i in kept {
            let row = rows[i];
            self.images[row * self.width..(row + 1) * self.width]
                .copy_from_slice(&values[i * self.width..(i + 1) * self.width]);
            self.losses[row] = seen[i].1;
            if goals[row].is_met(seen[i].0) {
                self.success[row] = true;
                met += 1;
            }
        }
        met
    }
}
