//! Attacks on a whole set of images.

use super::engine::{Starts, Uploaded, Victims, attack, read_predictions};
use super::{AttackName, Goal, Target};
use adv_core::{Ledger, Phase};
use adv_data::ImageSet;
use adv_models::ImageClassifier;
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

/// Images per pass; large enough to fill a CPU, small enough for any GPU.
const BATCH: usize = 250;

/// What one attack did to a set.
#[derive(Debug, Clone)]
pub struct AttackReport {
    /// The attack.
    pub name: AttackName,
    /// The radius.
    pub eps: f64,
    /// The step size.
    pub step: f64,
    /// Samples whose goal was met, per sample in the order of the set.
    pub success: Vec<bool>,
    /// The image of each sample, `[n, C, H, W]` flattened.
    pub images: Vec<f32>,
}

impl AttackReport {
    /// The share of samples that withstood.
    pub fn accuracy(&self) -> f64 {
        let withstood = self.success.iter().filter(|met| !**met).count();
        withstood as f64 / self.success.len().max(1) as f64
    }
}

fn batches(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n)
        .step_by(BATCH)
        .map(move |start| start..(start + BATCH).min(n))
}

/// Predictions of a model in eval mode for pixels `[n, C, H, W]`, not booked on any ledger: for pictures only.
pub fn predict_pixels(
    model: &ImageClassifier,
    pixels: &[f32],
    shape: [usize; 3],
    device: &Device,
) -> Vec<usize> {
    let [c, h, w] = shape;
    let n = pixels.len() / (c * h * w).max(1);
    if n == 0 {
        return Vec::new();
    }
    let images = Tensor::from_data(TensorData::new(pixels.to_vec(), [n, c, h, w]), device);
    read_predictions(model.logits(images))
}

/// Predictions of a model in eval mode for a set, in its order, booked on `ledger`.
fn booked_predictions(
    model: &ImageClassifier,
    set: &ImageSet,
    device: &Device,
    ledger: &mut Ledger,
    mut progress: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<usize>> {
    let mut all = Vec::with_capacity(set.len());
    for rows in batches(set.len()) {
        progress(rows.start)?;
        let (images, _) = set.batch(rows.collect()).into_tensors(device);
        all.extend(read_predictions(ledger.forward(|| model.logits(images))));
    }
    progress(set.len())?;
    Ok(all)
}

/// Predictions of a model in eval mode for a set, in its order, not booked on any ledger: for pictures only.
pub fn predictions(model: &ImageClassifier, set: &ImageSet, device: &Device) -> Result<Vec<usize>> {
    booked_predictions(model, set, device, &mut Ledger::new(), |_| Ok(()))
}

/// The share of a set that a model in eval mode gets right. `progress`: as in [`evaluate`].
pub fn accuracy(
    model: &ImageClassifier,
    set: &ImageSet,
    device: &Device,
    ledger: &mut Ledger,
    progress: impl FnMut(usize) -> Result<()>,
) -> Result<f64> {
    ledger.begin_batch(Phase::Evaluation);
    let labels = set.labels(&(0..set.len()).collect::<Vec<_>>());
    let right = booked_predictions(model, set, device, ledger, progress)?
        .iter()
        .zip(labels)
        .filter(|(p, y)| **p as i64 == *y)
        .count();
    Ok(right as f64 / set.len().max(1) as f64)
}

/// A batch of images under attack.
struct Images<'a> {
    model: &'a ImageClassifier,
    shape: [usize; 3],
    classes: usize,
    pixels: &'a [f32],
    goals: &'a [Goal],
}

impl Victims<4> for Images<'_> {
    type Context = ();

    fn goals(&self) -> &[Goal] {
        self.goals
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn upload(&self, rows: &[usize], device: &Device) -> Result<Uploaded<4, ()>> {
        let [c, h, w] = self.shape;
        let width = c * h * w;
        let mut pixels = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            pixels.extend_from_slice(&self.pixels[row * width..(row + 1) * width]);
        }
        Ok(Uploaded {
            clean: Tensor::from_data(TensorData::new(pixels, [rows.len(), c, h, w]), device),
            context: (),
            mask: None,
        })
    }

    fn logits(&self, input: Tensor<4>, _: &()) -> Tensor<2> {
        self.model.logits(input)
    }

    fn clean_values(&self) -> Vec<f32> {
        self.pixels.to_vec()
    }
}

/// How to attack a set.
#[derive(Debug, Clone, Copy)]
pub struct AttackPlan {
    /// The attack.
    pub name: AttackName,
    /// The radius.
    pub eps: f64,
    /// The step size; by attack if none.
    pub step: Option<f64>,
    /// The class to reach; any wrong one if none.
    pub target: Option<Target>,
    /// Seed of the random starts.
    pub seed: u64,
}

/// Attacks every image of a set. The model must be in eval mode and frozen.
///
/// `progress` hears how many images are done, before the first and after every batch; its error ends the attack.
pub fn evaluate(
    model: &ImageClassifier,
    set: &ImageSet,
    plan: &AttackPlan,
    device: &Device,
    ledger: &mut Ledger,
    mut progress: impl FnMut(usize) -> Result<()>,
) -> Result<AttackReport> {
    ledger.begin_batch(Phase::Evaluation);
    let perturbation = plan.name.perturbation(plan.eps, plan.step)?;
    let goals = goals(model, set, plan.target, device, ledger)?;
    let mut report = AttackReport {
        name: plan.name,
        eps: plan.eps,
        step: perturbation.step_size(),
        success: Vec::with_capacity(set.len()),
        images: Vec::new(),
    };
    for (index, rows) in batches(set.len()).enumerate() {
        progress(rows.start)?;
        let pixels = set.pixels(&rows.clone().collect::<Vec<_>>());
        let victims = Images {
            model,
            shape: set.shape(),
            classes: set.classes().len(),
            pixels: &pixels,
            goals: &goals[rows.clone()],
        };
        let starts = Starts {
            restarts: plan.name.restarts,
            seed: plan.seed,
            batch: index,
        };
        let attacked = attack(&victims, &perturbation, starts, device, ledger)
            .with_context(|| format!("attack {} on images {rows:?}", plan.name))?;
        report.success.extend(attacked.success);
        report.images.extend(attacked.kept);
    }
    progress(set.len())?;
    Ok(report)
}

fn goals(
    model: &ImageClassifier,
    set: &ImageSet,
    target: Option<Target>,
    device: &Device,
    ledger: &mut Ledger,
) -> Result<Vec<Goal>> {
    let labels = set.labels(&(0..set.len()).collect::<Vec<_>>());
    let classes = set.classes().len();
    Ok(match target {
        None => labels.iter().map(|y| Goal::Avoid(*y as usize)).collect(),
        Some(Target::Next) => labels
            .iter()
            .map(|y| Goal::Reach((*y as usize + 1) % classes))
            .collect(),
        Some(Target::Class(class)) if class < classes => labels.iter().map(|_| Goal::Reach(class)).collect(),
        Some(Target::Class(class)) => {
            return Err(crate::usage::UsageError(format!(
                "--target {class}: the data set has classes 0 to {}",
                classes - 1
            ))
            .into());
        }
        Some(Target::LeastLikely) => {
            let mut goals = Vec::with_capacity(set.len());
            for rows in batches(set.len()) {
                let (images, _) = set.batch(rows.collect()).into_tensors(device);
                let negated = ledger.forward(|| model.logits(images)).neg();
                goals.extend(read_predictions(negated).into_iter().map(Goal::Reach));
            }
            goals
        }
    })
}
