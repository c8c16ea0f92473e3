//! What is trained on what: the part of a run that the loop does not know.

use super::Files;
use crate::attack::{AttackPlan, accuracy, evaluate};
use adv_core::{AscentMode, Ledger, Objective};
use adv_data::{HostBatch, ImageSet};
use adv_models::{ImageClassifier, Labels};
use anyhow::Result;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// What the samples say that watch the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Accuracy on clean samples, or what else the task is measured by.
    pub clean: f64,
    /// Share of attacked samples that are right, if they are attacked.
    pub robust: Option<f64>,
}

/// Which weights are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Those of the best validation so far.
    Best,
    /// Those of the last update.
    Last,
}

/// A model and its data.
pub trait Task<const D: usize> {
    /// The model.
    type Model: Objective<D> + Module;
    /// A mini-batch in host memory.
    type Host: Send + 'static;

    /// How a mini-batch is made from its number and indices; runs on the prefetch thread.
    fn prepare(&self) -> impl FnMut(u64, Vec<usize>) -> Self::Host + Send + 'static;

    /// A prepared mini-batch on the device.
    fn upload(
        &self,
        model: &Self::Model,
        host: Self::Host,
    ) -> Result<Sample<D, <Self::Model as Objective<D>>::Targets>>;

    /// Tells the model which mini-batch begins: dropout masks depend on this seed.
    fn begin_batch(&self, model: &Self::Model, seed: u64);

    /// What a model takes along from a mini-batch that it has learnt from, such as vectors to tell later ones apart from; `updated`:
    /// whether its weights have changed. Passes are booked as training.
    fn end_batch(
        &self,
        model: Self::Model,
        _targets: &<Self::Model as Objective<D>>::Targets,
        _updated: bool,
        _ledger: &mut Ledger,
    ) -> Self::Model {
        model
    }

    /// What the clean figure of a validation is.
    fn metric(&self) -> &'static str {
        "accuracy"
    }

    /// Measures the model, booked as evaluation.
    fn validate(&self, model: &Self::Model, ledger: &mut Ledger) -> Result<Validation>;

    /// The clean accuracy of a network that gives the same answer for every watched sample, at its best; none where that says
    /// nothing.
    fn guess(&self) -> Option<f64>;

    /// The rates of the parameters, for a rate of the run: all the same unless said otherwise.
    fn rates(&self, _model: &Self::Model, rate: f64) -> ModuleLearningRate {
        rate.into()
    }

    /// Writes the weights, atomically.
    fn save(&self, model: &Self::Model, files: &Files, kept: Kept) -> Result<()>;
}

/// The share of the class that occurs most often; 0 of none.
pub(crate) fn commonest_share<T: Ord>(classes: &[T]) -> f64 {
    let mut counts = BTreeMap::new();
    for class in classes {
        *counts.entry(class).or_insert(0) += 1;
    }
    let commonest = counts.into_values().max().unwrap_or(0);
    f64::from(commonest) / classes.len().max(1) as f64
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

    fn prepare(&self) -> impl FnMut(u64, Vec<usize>) -> Host + Send + 'static {
        let train = self.train.clone();
        move |_, indices| train.batch(indices)
    }

    fn upload(&self, _model: &ImageClassifier, host: Host) -> Result<Sample<4, Labels>> {
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
        let robust = Some(robust);
        Ok(Validation { clean, robust })
    }

    fn guess(&self) -> Option<f64> {
        let labels = self.watch.labels(&(0..self.watch.len()).collect::<Vec<_>>());
        Some(commonest_share(&labels))
    }

    fn save(&self, model: &ImageClassifier, files: &Files, kept: Kept) -> Result<()> {
        let path = match kept {
            Kept::Best => files.best(),
            Kept::Last => files.last(),
        };
        crate::files::write_atomically(&path, &model.to_safetensors()?)
    }
}
