//! Virtual adversarial training.

use super::smooth::{Apart, Penalty, comparable};
use super::{Carried, TrainingMethod, Update};
use crate::ball::unit;
use crate::perturbation::checked_share;
use crate::{
    AscentMode, Axes, Ball, Batch, Divergence, Ledger, Noise, Norm, ParamError, PassError, Passes, Predict,
    Start,
};
use burn::module::Module;
use burn::tensor::Tensor;

/// The parts of virtual adversarial training, unchecked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VatParts {
    /// ε, the L2 norm of the perturbation of a sample.
    pub radius: f64,
    /// ξ, the norm at which the direction is looked for. The image program has 1e-6, the text program 0.1; in 32 bits it must move the
    /// input by more than rounding does, so 0.1 to 10 for images.
    pub probe: f64,
    /// Power iterations; 1 in all published runs.
    pub iterations: usize,
    /// The weight of the penalty; 1 in all published runs.
    pub weight: f64,
}

/// VAT (Miyato et al. 2018, Algorithm 1): the clean loss, plus a weight times `KL(p(x) || p(x + r))`, r in the direction that
/// changes the outputs most, found by power iterations; p(x) is a constant. On embeddings: Miyato et al. 2017; without the
/// gradient through p(x) it is also ALUM's penalty. The pass at x + r moves running statistics of batch norm, which the original
/// program switches off there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vat {
    parts: VatParts,
    penalty: Divergence,
    labelled: bool,
}

impl Vat {
    /// For logits.
    pub fn new(parts: VatParts) -> Result<Self, ParamError> {
        for length in [parts.radius, parts.probe] {
            if !(length.is_finite() && length >= 0.0) {
                return Err(ParamError::Radius(length));
            }
        }
        if parts.iterations == 0 {
            return Err(ParamError::CountZero("power iterations"));
        }
        super::checked_weight(parts.weight)?;
        Ok(Self {
            parts,
            penalty: Divergence::Kl,
            labelled: true,
        })
    }

    /// For scores: the squared error.
    pub fn for_scores(self) -> Self {
        Self {
            penalty: Divergence::SquaredError,
            ..self
        }
    }

    /// The penalty alone, for samples without labels.
    pub fn unlabelled(self) -> Self {
        Self {
            labelled: false,
            ..self
        }
    }

    /// The same with a weight of `share` of the old one; it lies in [0, 1]. A mini-batch in several parts, each with its share of the
    /// samples, has the mean over all of them.
    pub fn with_weight_share(mut self, share: f64) -> Result<Self, ParamError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(ParamError::WeightShare(share));
        }
        self.parts.weight *= share;
        Ok(self)
    }

    /// The same with a radius of `share` of the old one; it lies in [0, 1].
    pub fn with_radius_share(mut self, share: f64) -> Result<Self, ParamError> {
        self.parts.radius *= checked_share(share)?;
        Ok(self)
    }

    /// The perturbation r of a batch, for the outputs of a frozen model at the clean input.
    fn direction<const D: usize, M: Predict<D>>(
        &self,
        frozen: &M,
        reference: Tensor<2>,
        batch: &Batch<'_, D, M::Targets>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Tensor<D>, PassError> {
        let apart = Apart {
            frozen,
            reference,
            divergence: self.penalty,
        };
        let mut direction = Start::Gaussian { std: 1.0 }.draw(batch, &Ball::Unbounded, noise);
        for _ in 0..self.parts.iterations {
            let probe = unit(direction, Norm::L2, Axes::Sample).mul_scalar(self.parts.probe);
            let pass = ledger.input_gradient(&apart, batch.clean() + probe, batch.targets())?;
            direction = batch.masked(pass.gradient);
        }
        Ok(unit(direction, Norm::L2, Axes::Sample).mul_scalar(self.parts.radius))
    }
}

impl<const D: usize, M: Predict<D> + Module> TrainingMethod<D, M> for Vat {
    fn expected_cost(&self) -> Passes {
        let iterations = self.parts.iterations as u64;
        // Without labels nothing flows through the clean outputs.
        let full = if self.labelled { 2 } else { 1 };
        Passes {
            forwards: iterations + 2,
            full_backwards: full,
            input_backwards: iterations,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(self.with_radius_share(share)?))
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
        let clean = if self.labelled {
            comparable(model.outputs(batch.clean(), batch.targets()), self.penalty)?
        } else {
            let outputs = ledger.forwards(frozen.forwards(), || {
                frozen.outputs(batch.clean(), batch.targets())
            });
            comparable(outputs, self.penalty)?
        };
        let reference = clean.clone().inner();
        let r = self.direction(&frozen, reference.clone(), batch, noise, ledger)?;
        let moved = model.outputs(batch.clean() + r, batch.targets());
        let penalty = Penalty {
            divergence: self.penalty,
            weight: self.parts.weight,
        };
        if self.labelled {
            return penalty.update(model, batch, [clean, reference, moved], ledger);
        }
        let loss = penalty.of(reference, moved);
        Ok(ledger.gradients_of(model, loss, model.forwards())?.into())
    }
}
