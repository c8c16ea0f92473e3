//! One attack on one batch: fooled samples are dropped, the worst of the restarts is kept.

use crate::streams::{Purpose, stream};
use adv_core::{Batch, Ledger, Objective, Perturbation};
use adv_models::{Labels, cross_entropy};
use anyhow::Result;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
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
pub(crate) struct Attacked {
    /// What of each sample is worth keeping: of the first input that met the goal, else of that with the highest loss.
    pub(crate) kept: Vec<f32>,
    /// Whether the goal was met.
    pub(crate) success: Vec<bool>,
}

/// Samples on the device: the clean tensor, what the model needs beside it, and where a perturbation may live.
pub(crate) struct Uploaded<const D: usize, C> {
    pub(crate) clean: Tensor<D>,
    pub(crate) context: C,
    pub(crate) mask: Option<Tensor<D>>,
}

/// A batch under attack, on the host.
pub(crate) trait Victims<const D: usize> {
    /// What the model needs beside the perturbed tensor.
    type Context;

    /// What is wanted of each sample.
    fn goals(&self) -> &[Goal];
    /// The number of classes.
    fn classes(&self) -> usize;
    /// The samples at `rows`. Their shape must not depend on which they are.
    fn upload(&self, rows: &[usize], device: &Device) -> Result<Uploaded<D, Self::Context>>;
    /// The logits that the attacked model, frozen and in eval mode, gives samples.
    fn logits(&self, input: Tensor<D>, context: &Self::Context) -> Tensor<2>;
    /// The clean samples, one after the other, if their perturbed ones are to be kept; else nothing.
    fn clean_values(&self) -> Vec<f32>;
}

/// The signed cross entropy of each sample, and the network's predictions from the very same forward.
struct Watched<'a, V> {
    victims: &'a V,
    seen: RefCell<Vec<(usize, f32)>>,
}

struct GoalTensors<C> {
    context: C,
    labels: Labels,
    direction: Tensor<1>,
}

impl<const D: usize, V: Victims<D>> Objective<D> for Watched<'_, V> {
    type Targets = GoalTensors<V::Context>;

    fn loss(&self, input: Tensor<D>, targets: &Self::Targets) -> Tensor<1> {
        let logits = self.victims.logits(input, &targets.context);
        let predictions = read_predictions(logits.clone());
        let losses = cross_entropy(logits, &targets.labels) * targets.direction.clone();
        *self.seen.borrow_mut() = predictions
            .into_iter()
            .zip(read(losses.clone().inner()))
            .collect();
        losses.mean()
    }
}

/// Samples on the device with their goals.
struct Rows<const D: usize, C> {
    clean: Tensor<D>,
    mask: Option<Tensor<D>>,
    goals: GoalTensors<C>,
}

impl<const D: usize, C> Rows<D, C> {
    fn upload<V: Victims<D, Context = C>>(victims: &V, rows: &[usize], device: &Device) -> Result<Self> {
        let goals = victims.goals();
        let classes: Vec<i64> = rows.iter().map(|&row| goals[row].class() as i64).collect();
        let signs: Vec<f32> = rows.iter().map(|&row| goals[row].direction()).collect();
        let Uploaded { clean, context, mask } = victims.upload(rows, device)?;
        Ok(Self {
            clean,
            mask,
            goals: GoalTensors {
                context,
                labels: Labels::new(classes, victims.classes(), device)?,
                direction: Tensor::from_data(TensorData::new(signs, [rows.len()]), device),
            },
        })
    }

    fn batch(&self) -> Batch<'_, D, GoalTensors<C>> {
        let batch = Batch::new(self.clean.clone(), &self.goals);
        match &self.mask {
            Some(mask) => batch.with_mask(mask.clone()),
            None => batch,
        }
    }
}

/// Predictions of logits, read to the host.
pub(crate) fn read_predictions(logits: Tensor<2>) -> Vec<usize> {
    let indices = logits.inner().argmax(1).into_data().convert::<i64>();
    indices.iter::<i64>().map(|index| index as usize).collect()
}

fn read<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter::<f32>().collect()
}

/// The random starts of one batch of an evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Starts {
    /// How many; the worst counts.
    pub(crate) restarts: usize,
    /// The seed of the evaluation.
    pub(crate) seed: u64,
    /// The number of the batch.
    pub(crate) batch: usize,
}

impl Starts {
    fn rng(self, restart: usize) -> ChaCha8Rng {
        let step = ((self.batch as u64) << 32) | restart as u64;
        stream(self.seed, Purpose::Attack, step)
    }
}

/// Attacks one batch.
pub(crate) fn attack<const D: usize, V: Victims<D>>(
    victims: &V,
    perturbation: &Perturbation,
    starts: Starts,
    device: &Device,
    ledger: &mut Ledger,
) -> Result<Attacked> {
    let n = victims.goals().len();
    let values = victims.clean_values();
    let mut best = Best {
        width: values.len() / n.max(1),
        values,
        losses: vec![f32::NEG_INFINITY; n],
        success: vec![false; n],
    };
    let watched = Watched {
        victims,
        seen: RefCell::new(Vec::new()),
    };

    // The clean samples first: those that are already there need no attack.
    let all: Vec<usize> = (0..n).collect();
    let there = Rows::upload(victims, &all, device)?;
    ledger.forward(|| watched.loss(there.clean.clone(), &there.goals));
    best.record(&all, there.clean, &watched.seen.borrow(), victims.goals());

    for restart in 0..starts.restarts {
        let mut rows: Vec<usize> = (0..n).filter(|&row| !best.success[row]).collect();
        if rows.is_empty() {
            break;
        }
        let mut there = Rows::upload(victims, &rows, device)?;
        let mut delta = perturbation.start(&there.batch(), &mut starts.rng(restart));
        let mut momentum = None;
        for _ in 0..perturbation.steps() {
            let input = there.clean.clone() + delta.clone();
            let pass = ledger.input_gradient(&watched, input.clone(), &there.goals)?;
            let met = best.record(&rows, input, &watched.seen.borrow(), victims.goals());
            let mut gradient = pass.gradient;
            if met > 0 {
                let kept: Vec<usize> = (0..rows.len()).filter(|&i| !best.success[rows[i]]).collect();
                rows = kept.iter().map(|&i| rows[i]).collect();
                if rows.is_empty() {
                    break;
                }
                let kept: Vec<i64> = kept.iter().map(|&i| i as i64).collect();
                let chosen = Tensor::<1, Int>::from_data(TensorData::new(kept, [rows.len()]), device);
                there = Rows::upload(victims, &rows, device)?;
                delta = delta.select(0, chosen.clone());
                gradient = gradient.select(0, chosen.clone());
                momentum = momentum.map(|m: Tensor<D>| m.select(0, chosen));
            }
            delta = perturbation.step(&there.batch(), delta, gradient, &mut momentum);
        }
        if rows.is_empty() {
            continue;
        }
        let input = perturbation.apply(&there.batch(), delta);
        ledger.forward(|| watched.loss(input.clone(), &there.goals));
        best.record(&rows, input, &watched.seen.borrow(), victims.goals());
    }
    Ok(Attacked {
        kept: best.values,
        success: best.success,
    })
}

/// The strongest input of each sample so far.
struct Best {
    width: usize,
    values: Vec<f32>,
    losses: Vec<f32>,
    success: Vec<bool>,
}

impl Best {
    /// Keeps the inputs that meet their goal or have a higher loss than before; says how many newly met it.
    fn record<const D: usize>(
        &mut self,
        rows: &[usize],
        inputs: Tensor<D>,
        seen: &[(usize, f32)],
        goals: &[Goal],
    ) -> usize {
        let stronger = |i: usize, row: usize| {
            !self.success[row] && (goals[row].is_met(seen[i].0) || seen[i].1 > self.losses[row])
        };
        let kept: Vec<usize> = (0..rows.len()).filter(|&i| stronger(i, rows[i])).collect();
        if kept.is_empty() {
            return 0;
        }
        let width = self.width;
        let values = if width > 0 {
            read(inputs.inner())
        } else {
            Vec::new()
        };
        let mut met = 0;
        for i in kept {
            let row = rows[i];
            self.values[row * width..(row + 1) * width].copy_from_slice(&values[i * width..(i + 1) * width]);
            self.losses[row] = seen[i].1;
            if goals[row].is_met(seen[i].0) {
                self.success[row] = true;
                met += 1;
            }
        }
        met
    }
}
