//! The result of a run, as one JSON object.

use crate::methods::MethodError;
use crate::spec::Training;
use crate::trainer::Best;
use adv_core::{Ledger, Passes, Phase};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run ends with: the last line of stdout under `--json`, and `result.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run folder.
    pub run: String,
    /// The method.
    pub method: String,
    /// The data set.
    pub dataset: String,
    /// The network.
    pub model: String,
    /// The device.
    pub device: String,
    /// The seed.
    pub seed: u64,
    /// The file of the first weights; none if they were drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Passes over the data, before replay.
    pub epochs: f64,
    /// Which weights the accuracies belong to.
    pub weights: String,
    /// Share of all test samples that are right; none where answers are scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_accuracy: Option<f64>,
    /// Test samples behind `clean_accuracy` and `metrics`.
    pub clean_n: usize,
    /// What else was measured on text, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Share of the attacked test samples that withstood, by attack.
    pub attacks: BTreeMap<String, f64>,
    /// Test samples behind `attacks`: the first ones.
    pub attack_n: usize,
    /// Radius of the attacks; on text it is part of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Step sizes of the attacks, by attack.
    pub steps: BTreeMap<String, f64>,
    /// The pass counts.
    pub ledger: LedgerResult,
    /// Best validation on the watched samples.
    pub best: Option<Best>,
    /// Seconds of training: passes and updates, without validation and checkpoints.
    pub seconds: f64,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
}

/// Pass counts against theory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerResult {
    /// Mini-batches trained on, before replay.
    pub mini_batches: u64,
    /// Passes of training.
    pub training: PassCounts,
    /// Passes of evaluation.
    pub evaluation: PassCounts,
    /// What theory expects of one mini-batch, where that is the same for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_per_mini_batch: Option<PassCounts>,
    /// Share of the network's operations in its first layer.
    pub first_layer_share: f64,
    /// Gradient calls of training, first-layer passes weighed by that share.
    pub gradient_calls: f64,
}

impl LedgerResult {
    /// The counts of a run that has done so many mini-batches.
    pub(crate) fn new(
        ledger: &Ledger,
        mini_batches: u64,
        training: &Training,
        first_layer_share: f64,
    ) -> Result<Self, MethodError> {
        let done = ledger.total(Phase::Training);
        Ok(Self {
            mini_batches,
            training: done.into(),
            evaluation: ledger.total(Phase::Evaluation).into(),
            expected_per_mini_batch: training.constant_cost()?.map(PassCounts::from),
            first_layer_share,
            gradient_calls: done.gradient_calls(first_layer_share),
        })
    }
}

/// The counts of [`Passes`], by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PassCounts {
    /// Forwards through the whole network.
    pub forwards: u64,
    /// Backwards for the weights.
    pub full_backwards: u64,
    /// Backwards for the input alone.
    pub input_backwards: u64,
    /// Forwards through the first layer.
    pub first_forwards: u64,
    /// Backwards through the first layer.
    pub first_backwards: u64,
    /// Optimiser updates.
    pub updates: u64,
}

impl From<Passes> for PassCounts {
    fn from(p: Passes) -> Self {
        Self {
            forwards: p.forwards,
            full_backwards: p.full_backwards,
            input_backwards: p.input_backwards,
            first_forwards: p.first_forwards,
            first_backwards: p.first_backwards,
            updates: p.updates,
        }
    }
}

impl From<PassCounts> for Passes {
    fn from(p: PassCounts) -> Self {
        Self {
            forwards: p.forwards,
            full_backwards: p.full_backwards,
            input_backwards: p.input_backwards,
            first_forwards: p.first_forwards,
            first_backwards: p.first_backwards,
            updates: p.updates,
        }
    }
}

impl PassCounts {
    /// The counts with their names, in the order of the tables.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("forward", self.forwards),
            ("backward for the weights", self.full_backwards),
            ("backward for the input alone", self.input_backwards),
            ("first-layer forward", self.first_forwards),
            ("first-layer backward", self.first_backwards),
            ("optimiser update", self.updates),
        ]
    }
}
