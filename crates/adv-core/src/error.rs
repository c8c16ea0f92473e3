//! What can go wrong: parameters that make no sense, and passes that cannot be used.

use thiserror::Error;

/// A parameter that no valid value can be built from. One variant per rule.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The radius of a ball is negative, infinite or not a number. Zero is legal: it is the clean step.
    #[error("the radius must be a finite number of at least 0, got {0}")]
    Radius(f64),
    /// The step size is negative, infinite or not a number.
    #[error("the step size must be a finite number of at least 0, got {0}")]
    StepSize(f64),
    /// A relative step size needs a ball to be relative to.
    #[error("a step size relative to the radius needs a ball: give an absolute one, or a ball")]
    RelativeStepWithoutBall,
    /// An ascent without steps.
    #[error("the number of {0} must be at least 1")]
    CountZero(&'static str),
    /// The scale of the start (half width, magnitude, standard deviation) is unusable.
    #[error("the scale of the start must be a finite number of at least 0, got {0}")]
    StartScale(f64),
    /// A start inside the ball needs a ball.
    #[error("a start drawn inside the ball needs a ball: choose another start, or a ball")]
    StartWithoutBall,
    /// A start inside the ball is drawn per sample.
    #[error("a start drawn inside an L2 ball is drawn per sample: use `Axes::Sample`")]
    StartAxes,
    /// Momentum decay outside 0 ..
    #[error("the momentum decay must be a finite number of at least 0, got {0}")]
    Momentum(f64),
    /// A value range that is empty or not finite.
    #[error("the value range must have finite bounds with low < high, got [{low}, {high}]")]
    Range {
        /// Lower bound as given.
        low: f64,
        /// Upper bound as given.
        high: f64,
    },
    /// A share of the clean loss outside [0, 1).
    #[error("the share of the clean loss must be in [0, 1), got {0}; for 1 use `Standard`")]
    CleanShare(f64),
    /// A method that takes one plain step in each pass was given several steps, or momentum.
    #[error("this method takes one step in each pass, without momentum: give a perturbation of one step")]
    OneStep,
    /// A share of the radius outside [0, 1].
    #[error("the share of the radius must be in [0, 1], got {0}")]
    RadiusShare(f64),
    /// A share of the weight of a penalty outside [0, 1].
    #[error("the share of the penalty's weight must be in [0, 1], got {0}")]
    WeightShare(f64),
    /// The weight of a penalty is negative, infinite or not a number.
    #[error("the weight of the penalty must be a finite number of at least 0, got {0}")]
    Weight(f64),
    /// A maximal gradient norm that clips everything, or nothing.
    #[error("the maximal gradient norm must be a positive finite number, got {0}")]
    MaxNorm(f64),
    /// A loop that makes one update per mini-batch was given a method that makes more.
    #[error(
        "this loop makes one update per mini-batch, the method makes {0}: use a loop that replays the batch"
    )]
    Replays(usize),
}

/// A pass or an update whose result must not be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PassError {
    /// The loss is NaN or infinite.
    #[error("the loss of {pass} is {loss}: lower the learning rate, or look at the inputs of this batch")]
    NonFiniteLoss {
        /// The value read.
        loss: f64,
        /// Which pass made it.
        pass: &'static str,
    },
    /// The loss does not depend on the input.
    #[error("the loss of {pass} does not depend on its input, so there is no direction to climb")]
    NoInputGradient {
        /// Which pass made it.
        pass: &'static str,
    },
    /// A divergence of probabilities between outputs that are no logits.
    #[error("outputs of one column are scores, no logits: compare them by the squared error (`for_scores`)")]
    OneOutput,
    /// An update without gradients: an optimiser would silently do nothing.
    #[error(
        "the update holds no gradients: is every parameter frozen? (a model must exist, and not be frozen, before it is trained)"
    )]
    EmptyUpdate,
    /// A loop handed over the gradients of several devices, whose ascents it cannot keep apart.
    #[error("this adapter trains on one device: use burn-train's strategy for a single device")]
    SeveralDevices,
}
