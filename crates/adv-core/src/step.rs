//! From a gradient to a step: direction and size.

use crate::ball::unit;
use crate::{Axes, Ball, Norm, ParamError};
use burn::tensor::Tensor;

/// How a gradient becomes a direction. A zero gradient gives a zero step under every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepRule {
    /// The gradient itself. The only rule that depends on the scale of the loss.
    Raw,
    /// Its sign, with sign(0) = 0: FGSM, PGD under Linf. It hides a NaN; the ledger looks at the loss.
    Sign,
    /// Divided by its L2 norm: FGM, FreeLB.
    UnitL2(Axes),
    /// Divided by its largest absolute entry: FreeLB under Linf, SMART. Not the sign.
    UnitMax(Axes),
}

impl StepRule {
    /// The direction of a gradient, same shape.
    pub fn direction<const D: usize>(&self, gradient: Tensor<D>) -> Tensor<D> {
        match *self {
            StepRule::Raw => gradient,
            StepRule::Sign => gradient.sign(),
            StepRule::UnitL2(axes) => unit(gradient, Norm::L2, axes),
            StepRule::UnitMax(axes) => unit(gradient, Norm::Linf, axes),
        }
    }
}

/// The length of a step along its direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepSize {
    /// In units of the perturbed tensor.
    Absolute(f64),
    /// In radii of the ball.
    RelativeToRadius(f64),
}

impl StepSize {
    /// The size for a ball whose radius is `share` of the old one.
    pub(crate) fn scaled(self, share: f64) -> Self {
        match self {
            StepSize::Absolute(size) => StepSize::Absolute(size * share),
            StepSize::RelativeToRadius(_) => self,
        }
    }

    /// The size in units of the perturbed tensor.
    pub(crate) fn resolve(&self, ball: &Ball) -> Result<f64, ParamError> {
        let (factor, unit) = match *self {
            StepSize::Absolute(size) => (size, 1.0),
            StepSize::RelativeToRadius(share) => {
                (share, ball.radius().ok_or(ParamError::RelativeStepWithoutBall)?)
            }
        };
        if factor.is_finite() && factor >= 0.0 {
            Ok(factor * unit)
        } else {
            Err(ParamError::StepSize(factor))
        }
    }
}
