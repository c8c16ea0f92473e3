//! What can be wrong with the numbers of an objective.

use adv_core::ParamError;
use thiserror::Error;

/// A number that makes no objective or method.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ContrastError {
    /// A temperature that is zero, negative or not finite.
    #[error("the temperature must be a positive finite number (0.05 in SimCSE), got {0}")]
    Temperature(f64),
    /// A weight of a negative that is zero, negative or not finite.
    #[error("the weight of a hard negative must be a positive finite number (1 leaves it as it is), got {0}")]
    NegativeWeight(f64),
    /// A weight of a term of the loss that is negative or not finite.
    #[error("the weight of {term} must be a finite number of at least 0, got {weight}")]
    Weight {
        /// Which term.
        term: &'static str,
        /// The weight given.
        weight: f64,
    },
    /// A share outside [0, 1].
    #[error("the share of the contrast must be in [0, 1], got {0}")]
    Share(f64),
    /// A momentum outside [0, 1].
    #[error("the momentum of a queue must be in [0, 1] (0.995 in ESimCSE), got {0}")]
    Momentum(f64),
    /// A part of the perturbation.
    #[error(transparent)]
    Perturbation(#[from] ParamError),
}

/// A positive finite number, or the error made of it.
pub(crate) fn positive(value: f64, error: fn(f64) -> ContrastError) -> Result<f64, ContrastError> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(error(value))
    }
}

/// The weight of a term: finite and at least 0.
pub(crate) fn weight(term: &'static str, weight: f64) -> Result<f64, ContrastError> {
    if weight.is_finite() && weight >= 0.0 {
        Ok(weight)
    } else {
        Err(ContrastError::Weight { term, weight })
    }
}
