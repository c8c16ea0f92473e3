//! A perturbation as a value, and the one ascent loop that serves all of them.

use crate::ball::unit;
use crate::{
    Axes, Ball, Batch, Ledger, Noise, Norm, Objective, ParamError, PassError, RangePolicy, Start, StepRule,
    StepSize, ValueRange,
};
use burn::tensor::Tensor;

/// The parts of a perturbation, unchecked. [`check`](PerturbationSpec::check) makes the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerturbationSpec {
    /// The bound of the perturbation.
    pub ball: Ball,
    /// Where the ascent starts.
    pub start: Start,
    /// How a gradient becomes a direction.
    pub rule: StepRule,
    /// The length of a step.
    pub size: StepSize,
    /// The number of steps, at least 1.
    pub steps: usize,
    /// Momentum decay: the direction is taken of `m = decay * m + g / mean|g|` (per sample).
    pub momentum: Option<f64>,
    /// The legal values of the input, and where they are enforced.
    pub range: Option<(ValueRange, RangePolicy)>,
}

impl PerturbationSpec {
    /// The perturbation, if every part is valid and the parts fit together.
    pub fn check(self) -> Result<Perturbation, ParamError> {
        self.ball.check()?;
        self.start.check(&self.ball)?;
        if self.steps == 0 {
            return Err(ParamError::CountZero("steps"));
        }
        if let Some(decay) = self.momentum
            && !(decay.is_finite() && decay >= 0.0)
        {
            return Err(ParamError::Momentum(decay));
        }
        Ok(Perturbation {
            step_size: self.size.resolve(&self.ball)?,
            spec: self,
        })
    }
}

/// A perturbation: ball, start, step rule, schedule and value range, checked.
///
/// The named constructors are the methods of the literature; anything else is built from a [`PerturbationSpec`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perturbation {
    spec: PerturbationSpec,
    step_size: f64,
}

/// What an ascent ends with.
#[derive(Debug, Clone)]
pub struct Ascent<const D: usize> {
    /// The perturbation: inside its ball, zero outside the mask.
    pub delta: Tensor<D>,
    /// The perturbed input, clamped to the value range.
    pub input: Tensor<D>,
    /// The loss seen by each pass, before the step it led to.
    pub losses: Vec<f64>,
}

impl Perturbation {
    /// One sign step of the whole radius under Linf (Goodfellow et al. 2015, section 4).
    pub fn fgsm(radius: f64) -> Result<Self, ParamError> {
        Self::pgd(radius, radius, 1)
    }

    /// One step of the whole radius along the gradient under L2 (Miyato et al. 2017, eq. 4), per sample.
    pub fn fgm(radius: f64) -> Result<Self, ParamError> {
        Self::pgd_l2(radius, radius, 1)
    }

    /// K sign steps under Linf from zero (Madry et al. 2018). A random start is [`Self::with_start`].
    pub fn pgd(radius: f64, step: f64, steps: usize) -> Result<Self, ParamError> {
        let ball = Ball::linf(radius);
        Self::plain(ball, StepRule::Sign, step, steps)
    }

    /// K steps along the gradient under L2 from zero, per sample.
    pub fn pgd_l2(radius: f64, step: f64, steps: usize) -> Result<Self, ParamError> {
        let ball = Ball::l2(radius);
        Self::plain(ball, StepRule::UnitL2(Axes::Sample), step, steps)
    }

    /// K sign steps along an averaged gradient (MI-FGSM, Dong et al. 2018, Algorithm 1): the gradients are
    /// averaged, not their signs.
    pub fn mi_fgsm(radius: f64, step: f64, steps: usize, decay: f64) -> Result<Self, ParamError> {
        PerturbationSpec {
            momentum: Some(decay),
            ..Self::pgd(radius, step, steps)?.spec
        }
        .check()
    }

    /// One sign step from a uniform start (Wong et al. 2020, Algorithm 3). The published step is 1.25 radii.
    pub fn fgsm_rs(radius: f64, step: f64) -> Result<Self, ParamError> {
        Self::pgd(radius, step, 1)?.with_start(Start::Uniform { half_width: radius })
    }

    /// One sign step of one radius from a uniform start of `noise` radii, **not** projected
    /// (de Jorge et al. 2022, eq. 5). The published noise is 2 radii.
    pub fn n_fgsm(radius: f64, noise: f64) -> Result<Self, ParamError> {
        let half_width = noise * radius;
        PerturbationSpec {
            ball: Ball::Unbounded,
            start: Start::Uniform { half_width },
            ..Self::fgsm(radius)?.spec
        }
        .check()
    }

    /// K raw steps from normal noise, scaled back to a largest entry of 1 per token after each (SMART, the released program: noise
    /// 1e-5, K = 1, step 1e-3 in its class and 1e-5 in its script; it divides by the largest entry plus 1e-6). The paper projects onto a
    /// ball of radius 1e-5 instead. Noise 0 stays at zero, where nothing has a gradient.
    pub fn smart(noise: f64, step: f64, steps: usize) -> Result<Self, ParamError> {
        PerturbationSpec {
            ball: Ball::Surface {
                norm: Norm::Linf,
                radius: 1.0,
                axes: Axes::Token,
            },
            start: Start::Gaussian { std: noise },
            rule: StepRule::Raw,
            size: StepSize::Absolute(step),
            steps,
            momentum: None,
            range: None,
        }
        .check()
    }

    fn plain(ball: Ball, rule: StepRule, step: f64, steps: usize) -> Result<Self, ParamError> {
        let (start, size) = (Start::Zero, StepSize::Absolute(step));
        PerturbationSpec {
            ball,
            start,
            rule,
            size,
            steps,
            momentum: None,
            range: None,
        }
        .check()
    }

    /// The same perturbation from another start.
    pub fn with_start(self, start: Start) -> Result<Self, ParamError> {
        PerturbationSpec { start, ..self.spec }.check()
    }

    /// The same perturbation for inputs with a value range.
    pub fn with_range(mut self, range: ValueRange, policy: RangePolicy) -> Self {
        self.spec.range = Some((range, policy));
        self
    }

    /// The same perturbation, smaller: radius, start and step times `share`, which lies in [0, 1].
    ///
    /// A `share` that grows over the first mini-batches is the warm-up that lets a network begin to learn before the
    /// adversary is at full strength.
    pub fn scaled(self, share: f64) -> Result<Self, ParamError> {
        let share = checked_share(share)?;
        PerturbationSpec {
            ball: self.spec.ball.scaled(share),
            start: self.spec.start.scaled(share),
            size: self.spec.size.scaled(share),
            ..self.spec
        }
        .check()
    }

    /// The parts.
    pub fn spec(&self) -> &PerturbationSpec {
        &self.spec
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        self.spec.steps
    }

    /// The length of a step, in units of the perturbed tensor.
    pub fn step_size(&self) -> f64 {
        self.step_size
    }

    /// The value range, if inputs have one.
    pub fn range(&self) -> Option<ValueRange> {
        self.spec.range.map(|(range, _)| range)
    }

    /// The start of an ascent, same shape as the clean tensor; inside the value range where each step is.
    pub fn start<const D: usize, T>(&self, batch: &Batch<'_, D, T>, noise: &mut dyn Noise) -> Tensor<D> {
        let delta = self.spec.start.draw(batch, &self.spec.ball, noise);
        self.keep_in_range(batch, delta)
    }

    /// One ascent step: direction, size, mask, ball and value range. `momentum` is carried from step to step.
    pub fn step<const D: usize, T>(
        &self,
        batch: &Batch<'_, D, T>,
        delta: Tensor<D>,
        gradient: Tensor<D>,
        momentum: &mut Option<Tensor<D>>,
    ) -> Tensor<D> {
        // Masked first, so that a norm, and the mean that momentum divides by, count only what may be perturbed.
        let gradient = batch.masked(gradient);
        let gradient = match self.spec.momentum {
            None => gradient,
            Some(decay) => {
                let fresh = mean_scaled(gradient);
                let sum = match momentum.take() {
                    Some(old) => old.mul_scalar(decay) + fresh,
                    None => fresh,
                };
                *momentum = Some(sum.clone());
                sum
            }
        };
        let direction = self.spec.rule.direction(gradient);
        let delta = delta + direction.mul_scalar(self.step_size);
        self.keep_in_range(batch, self.spec.ball.project(delta))
    }

    /// The perturbed input, clamped to the value range.
    pub fn apply<const D: usize, T>(&self, batch: &Batch<'_, D, T>, delta: Tensor<D>) -> Tensor<D> {
        let input = batch.clean() + delta;
        match self.spec.range {
            Some((range, _)) => range.clamp(input),
            None => input,
        }
    }

    /// Draws a start and climbs: one forward and one input-only backward per step.
    ///
    /// `objective` must be frozen ([`AscentMode::freeze`](crate::AscentMode::freeze)), or its weight gradients are
    /// computed and thrown away.
    pub fn ascend<const D: usize, O: Objective<D>>(
        &self,
        objective: &O,
        batch: &Batch<'_, D, O::Targets>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Ascent<D>, PassError> {
        let start = self.start(batch, noise);
        self.ascend_from(objective, batch, start, ledger)
    }

    /// Climbs from a given start. See [`ascend`](Self::ascend).
    pub fn ascend_from<const D: usize, O: Objective<D>>(
        &self,
        objective: &O,
        batch: &Batch<'_, D, O::Targets>,
        start: Tensor<D>,
        ledger: &mut Ledger,
    ) -> Result<Ascent<D>, PassError> {
        let mut delta = start;
        let mut momentum = None;
        let mut losses = Vec::with_capacity(self.spec.steps);
        for _ in 0..self.spec.steps {
            let input = batch.clean() + delta.clone();
            let pass = ledger.input_gradient(objective, input, batch.targets())?;
            losses.push(pass.loss);
            delta = self.step(batch, delta, pass.gradient, &mut momentum);
        }
        let input = self.apply(batch, delta.clone());
        Ok(Ascent { delta, input, losses })
    }

    fn keep_in_range<const D: usize, T>(&self, batch: &Batch<'_, D, T>, delta: Tensor<D>) -> Tensor<D> {
        match self.spec.range {
            Some((range, RangePolicy::EachStep)) => batch.masked(range.clamp_delta(batch.clean(), delta)),
            _ => delta,
        }
    }
}

/// A share of the radius.
pub(crate) fn checked_share(share: f64) -> Result<f64, ParamError> {
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(ParamError::RadiusShare(share))
    }
}

/// The gradient over its mean absolute value, per sample; a zero gradient stays zero.
fn mean_scaled<const D: usize>(gradient: Tensor<D>) -> Tensor<D> {
    let dims = gradient.dims();
    // Scaled to a largest entry of 1 first: the mean of a tiny gradient is then still exact.
    let rows =
        unit(gradient, Norm::Linf, Axes::Sample).reshape([dims[0], dims[1..].iter().product::<usize>()]);
    let mean = rows
        .clone()
        .abs()
        .mean_dim(1)
        .clamp_min(f64::from(f32::MIN_POSITIVE));
    (rows / mean).reshape(dims)
}
