//! You Only Propagate Once.

use super::{Carried, TrainingMethod, Update};
use crate::{
    AscentMode, Ball, Batch, Ledger, Noise, ParamError, PassError, Passes, Perturbation, PerturbationSpec,
};
use crate::{RangePolicy, Split, Start, StepRule, StepSize, ValueRange, gradients};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Which gradients the weights of the first layer get. Paper and program differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstLayer {
    /// Those of the Hamiltonian at the updated perturbation only (the paper, Algorithm 1). A full pass then stops at the
    /// first layer.
    #[default]
    Paper,
    /// These and the ordinary ones of the full pass: what the released program does, by an accident that its authors
    /// agree to (their issue 4).
    Code,
}

/// What becomes of the weight gradients of the m full passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PassReduction {
    /// Their sum: the released program, which divides the learning rate by m instead.
    #[default]
    Sum,
    /// Their mean: the scale of every other method.
    Mean,
}

/// The parts of YOPO-m-n, unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YopoParts {
    /// m, the full passes.
    pub passes: usize,
    /// n, the first-layer steps per full pass.
    pub inner_steps: usize,
    /// The radius under Linf.
    pub radius: f64,
    /// The size of a first-layer sign step.
    pub step: f64,
    /// The value range of the input.
    pub range: Option<ValueRange>,
}

/// YOPO-m-n (Zhang et al. 2019, Algorithm 1): m full passes; after each, n sign steps that pass through the first layer
/// only, with the gradient of its output (the co-state) held fixed.
///
/// The start is uniform in the ball and not clamped to the value range, as in the released program; the first-layer
/// steps see the clamped input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yopo {
    passes: usize,
    perturbation: Perturbation,
    first_layer: FirstLayer,
    reduction: PassReduction,
}

impl Yopo {
    /// The paper's first-layer accounting, gradients summed over the m passes.
    pub fn new(parts: YopoParts) -> Result<Self, ParamError> {
        let YopoParts {
            passes,
            inner_steps,
            radius,
            step,
            range,
        } = parts;
        for (count, name) in [(passes, "full passes"), (inner_steps, "first-layer steps")] {
            if count == 0 {
                return Err(ParamError::CountZero(name));
            }
        }
        let perturbation = PerturbationSpec {
            ball: Ball::linf(radius),
            start: Start::Uniform { half_width: radius },
            rule: StepRule::Sign,
            size: StepSize::Absolute(step),
            steps: inner_steps,
            momentum: None,
            range: range.map(|range| (range, RangePolicy::Final)),
        };
        Ok(Self {
            passes,
            perturbation: perturbation.check()?,
            first_layer: FirstLayer::Paper,
            reduction: PassReduction::Sum,
        })
    }

    /// The start, steps, ball and range of any perturbation; its steps are n. For text (the baseline of Zhu et al. 2020): L2 steps
    /// of the length of a gradient's direction.
    pub fn with_perturbation(self, perturbation: Perturbation) -> Self {
        Self { perturbation, ..self }
    }

    /// The same method from another start.
    pub fn with_start(self, start: Start) -> Result<Self, ParamError> {
        Ok(Self {
            perturbation: self.perturbation.with_start(start)?,
            ..self
        })
    }

    /// Another accounting of the first layer's gradients.
    pub fn with_first_layer(self, first_layer: FirstLayer) -> Self {
        Self { first_layer, ..self }
    }

    /// Another reduction over the full passes.
    pub fn with_reduction(self, reduction: PassReduction) -> Self {
        Self { reduction, ..self }
    }

    /// n first-layer steps from `delta`: the inner loop.
    fn climb<const D: usize, M: Split<D>>(
        &self,
        frozen: &M,
        batch: &Batch<'_, D, M::Targets>,
        co_state: &Tensor<D>,
        mut delta: Tensor<D>,
        momentum: &mut Option<Tensor<D>>,
        ledger: &mut Ledger,
    ) -> Result<Tensor<D>, PassError> {
        for _ in 0..self.perturbation.steps() {
            let raw = batch.clean() + delta.clone();
            let input = self.perturbation.apply(batch, delta.clone());
            let mut gradient = ledger
                .first_layer_input_gradient(frozen, input, batch.targets(), co_state)?
                .gradient;
            if let Some(range) = self.perturbation.range() {
                gradient = range.backward_clamp(raw, gradient);
            }
            delta = self.perturbation.step(batch, delta, gradient, momentum);
            if let Some(range) = self.perturbation.range() {
                delta = batch.masked(range.clamp_delta(batch.clean(), delta));
            }
        }
        Ok(delta)
    }
}

impl<const D: usize, M: Split<D> + Module> TrainingMethod<D, M> for Yopo {
    fn expected_cost(&self) -> Passes {
        let m = self.passes as u64;
        let first = m * (self.perturbation.steps() as u64 + 1);
        Passes {
            forwards: m,
            full_backwards: m,
            first_forwards: first,
            first_backwards: first,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(Self {
            perturbation: self.perturbation.scaled(share)?,
            ..*self
        }))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        _carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let frozen = AscentMode::Train.freeze(model);
        let mut delta = self.perturbation.start(batch, noise);
        let mut momentum = None;
        let mut losses = Vec::with_capacity(self.passes);
        let mut total = GradientsParams::new();
        for _ in 0..self.passes {
            let input = batch.clean() + delta.clone();
            let keeps_first = self.first_layer == FirstLayer::Code;
            let pass = ledger.split_gradients(model, input, batch.targets(), keeps_first)?;
            losses.push(pass.loss);
            delta = self.climb(&frozen, batch, &pass.co_state, delta, &mut momentum, ledger)?;
            let input = self.perturbation.apply(batch, delta.clone());
            let first = ledger.first_layer_weight_gradients(model, input, batch.targets(), &pass.co_state)?;
            total = gradients::sum(total, pass.gradients, model);
            total = gradients::sum(total, first.gradients, model);
        }
        if self.reduction == PassReduction::Mean {
            total = gradients::scale(total, model, 1.0 / self.passes as f64);
        }
        Ok(Update {
            gradients: total,
            losses,
        })
    }
}
