//! The names that a user chooses from.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The norm of a perturbation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormName {
    /// Largest absolute pixel change.
    Linf,
    /// Euclidean norm of the change of an image.
    L2,
}

impl fmt::Display for NormName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, f)
    }
}

/// The first-layer gradients of YOPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstLayerName {
    /// Those of the Hamiltonian only.
    Paper,
    /// These and the ordinary ones.
    Code,
}

/// Where PGD starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartName {
    /// At the clean image.
    Zero,
    /// Uniform in the ball.
    Random,
}

/// Mode of the network during the ascent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AscentModeName {
    /// Dropout active, batch statistics.
    Train,
    /// Dropout off, running statistics.
    Eval,
}

/// What a radius, a step and a start are measured over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AxesName {
    /// Each sentence or pair by itself.
    Sentence,
    /// Each token by itself.
    Token,
    /// The whole mini-batch at once; with --place table, the whole word table.
    Batch,
}

/// What is perturbed in a text model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceName {
    /// The output of the word embedding.
    Words,
    /// The sum of word, position and type embedding.
    Sum,
    /// The rows of the word table that occur.
    Table,
}

/// What becomes of special tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialName {
    /// They are perturbed as all others.
    Perturbed,
    /// They stay as they are.
    Kept,
}

/// Dropout masks in the passes of a mini-batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MasksName {
    /// The same in all of them.
    Replayed,
    /// New in each.
    Fresh,
}

/// Which weights a run is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepName {
    /// Those of the best validation.
    Best,
    /// Those of the last update.
    Last,
}

impl fmt::Display for KeepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, f)
    }
}

/// The optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// The learning-rate schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// The peak rate throughout.
    Constant,
    /// Up to the peak over two fifths of the updates, then down to zero.
    Triangular,
    /// From the peak to zero along a cosine.
    Cosine,
    /// From the peak to zero in a line.
    Linear,
}

pub(super) fn write_name(value: &impl ValueEnum, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = value.to_possible_value().map(|name| name.get_name().to_owned());
    f.write_str(&name.unwrap_or_default())
}
