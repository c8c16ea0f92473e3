//! Adversarial perturbations and training methods for Burn, as values.
#![doc = include_str!("../README.md")]
#![doc = ""]
#![doc = include_str!("../COST.md")]
#![deny(missing_docs)]

mod ball;
mod divergence;
mod error;
pub mod gradients;
mod ledger;
mod noise;
mod objective;
mod passes;
mod perturbation;
mod range;
mod start;
mod step;
mod train;
#[cfg(feature = "burn-train")]
mod train_step;

pub use ball::{Axes, Ball, Norm, norms, unit};
pub use divergence::Divergence;
pub use error::{ParamError, PassError};
pub use ledger::{Ledger, Phase};
pub use noise::Noise;
pub use objective::{AscentMode, Batch, Objective, Predict, Split};
pub use passes::{InputPass, JointPass, Passes, SplitPass, WeightPass};
pub use perturbation::{Ascent, Perturbation, PerturbationSpec};
pub use range::{RangePolicy, ValueRange};
pub use start::Start;
pub use step::{StepRule, StepSize};
pub use train::{
    Adversarial, Carried, FirstLayer, FreeAt, FreeLb, Noisy, PassReduction, R3f, Smart, Standard,
    TrainingMethod, Update, Vat, VatParts, Yopo, YopoParts,
};
#[cfg(feature = "burn-train")]
pub use train_step::{MethodStep, StepLoss, TrainItem};
