//! What is trained on what: the part of a run that the loop does not know.

use crate::attack::{AttackPlan, accuracy, evaluate};
use adv_core::{AscentMode, Ledger, Objective};
use adv_data::{HostBatch, ImageSet};
use adv_models::{ImageClassifier, Labels};
use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A batch as the prefetch thread leaves it.
pub type Host = HostBatch;

/// A mini-batch on the device.
pub struct Sample<const D: usize, T> {
    /// The clean tensor.
    pub clean: Tensor<D>,
    /// What the loss compares with.
    pub targets: T,
    /// Where a perturbation may live; everywhere if none.
    pub mask: Option<Tensor<D>>,
}

/// Accuracies on the images that watch the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Share of clean samples that are right.
    pub clean: f64,
    /// Share of attacked samples that are right.
    pub robust: f64,
}

/// A model and its data.
pub trait Task<const D: usize> {
    /// The model.
    type Model: Objective<D> + Module;
    /// A mini-batch in host memory.
    type Host: Send + 'static;

    /// How a mini-batch is made from indices; runs on the prefetch thread.
    fn prepare(&self) -> impl FnMut(Vec<usize>) -> Self::Host + Send + 'static;

    /// A prepared mini-batch on the device.
    fn upload(&self, host: Self::Host) -> Result<Sample<D, <Self::Model as Objective<D>>::Targets>>;

    /// Tells the model which mini-batch begins: dropout masks depend on this seed.
    fn begin_batch(&self, model: &Self::Model, seed: u64);

    /// Measures the model, booked as evaluation.
    fn validate(&self, model: &Self::Model, ledger: &mut Ledger) -> Result<Validation>;

    /// The clean accuracy of a network that gives the same answer for every watched sample, at its best.
    fn guess(&self) -> f64;

    /// Writes the weights, atomically.
    fn save(&self, model: &Self::Model, path: &Path) -> Result<()>;
}

/// Images to be classified.
pub struct ImageTask {
    /// The training images.
    pub train: ImageSet,
    /// The images that watch the training.
    pub watch: ImageSet,
    /// The attack that watches it.
    pub attack: AttackPlan,
    /// The device, without autodiff.
    pub device: Device,
}

impl Task<4> for ImageTask {
    type Model = ImageClassifier;
    type Host = Host;

    fn prepare(&self) -> impl FnMut(Vec<usize>) -> Host + Send + 'static {
        let train = self.train.clone();
        move |indices| train.batch(indices)
    }

    fn upload(&self, host: Host) -> Result<Sample<4, Labels>> {
        let targets = Labels::new(
            host.labels.iter().copied(),
            self.train.classes().len(),
            &self.device,
        )?;
        let (clean, _) = host.into_tensors(&self.device);
        Ok(Sample {
            clean,
            targets,
            mask: None,
        })
    }

    fn begin_batch(&self, model: &ImageClassifier, seed: u64) {
        model.begin_batch(seed);
    }

    fn validate(&self, model: &ImageClassifier, ledger: &mut Ledger) -> Result<Validation> {
        let frozen = AscentMode::Eval.freeze(model);
        let clean = accuracy(&frozen, &self.watch, &self.device, ledger, |_| Ok(()))?;
        let robust = evaluate(&frozen, &self.watch, &self.attack, &self.device, ledger, |_| {
            Ok(())
        })?
        .accuracy();
        Ok(Validation { clean, robust })
    }

    fn guess(&self) -> f64 {
        let labels = self.watch.labels(&(0..self.watch.len()).collect::<Vec<_>>());
        let count = |class: usize| labels.iter().filter(|&&label| label == class as i64).count();
        let commonest = (0..self.watch.classes().len()).map(count).max();
        commonest.unwrap_or(0) as f64 / labels.len().max(1) as f64
    }

    fn save(&self, model: &ImageClassifier, path: &Path) -> Result<()> {
        crate::files::write_atomically(path, &model.to_safetensors()?)
    }
}
