//! SCAL: supervised learning with an adversarial sample, clean and adversarial vectors drawn together.

use crate::error::weight;
use crate::{ContrastError, InfoNce, Pairs};
use adv_core::{
    AscentMode, Batch, Carried, Ledger, Noise, ParamError, PassError, Passes, Perturbation, Predict,
    TrainingMethod, Update,
};
use burn::module::Module;
use burn::tensor::Tensor;

/// A classifier that also gives the vectors its outputs are made of.
pub trait Represent<const D: usize>: Predict<D> {
    /// Outputs `[B, C]` and sentence vectors `[B, H]` of one forward.
    fn outputs_and_vectors(&self, input: Tensor<D>, targets: &Self::Targets) -> (Tensor<2>, Tensor<2>);
}

/// How the three losses add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalWeights {
    /// `clean + adversarial · perturbed + contrast · InfoNCE`; 1 and 1 are the default.
    Sum {
        /// α, of the loss at the perturbed samples.
        adversarial: f64,
        /// β, of the contrast.
        contrast: f64,
    },
    /// `(1 − λ) / 2 · (clean + perturbed) + λ · InfoNCE`: as CAT has it (Pan et al. 2022, recalled).
    Convex(f64),
}

impl Default for ScalWeights {
    fn default() -> Self {
        ScalWeights::Sum {
            adversarial: 1.0,
            contrast: 1.0,
        }
    }
}

impl ScalWeights {
    fn check(self) -> Result<Self, ContrastError> {
        match self {
            ScalWeights::Sum {
                adversarial,
                contrast,
            } => {
                weight("the loss at the perturbed samples", adversarial)?;
                weight("the contrast", contrast)?;
            }
            ScalWeights::Convex(share) if !(0.0..=1.0).contains(&share) => {
                return Err(ContrastError::Share(share));
            }
            ScalWeights::Convex(_) => {}
        }
        Ok(self)
    }

    /// Of the clean loss, the perturbed one and the contrast.
    fn factors(self) -> [f64; 3] {
        match self {
            ScalWeights::Sum {
                adversarial,
                contrast,
            } => [1.0, adversarial, contrast],
            ScalWeights::Convex(share) => [(1.0 - share) / 2.0, (1.0 - share) / 2.0, share],
        }
    }
}

/// Which vectors the gradient of the contrast flows through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Through {
    /// Clean and perturbed ones.
    #[default]
    Both,
    /// Perturbed ones; the clean ones are constants.
    Perturbed,
    /// Clean ones; the perturbed ones are constants.
    Clean,
}

/// SCAL: the loss at clean samples, the loss at samples perturbed against it, and the contrast of the two vectors of a sample.
///
/// The idea is that of Miao et al. 2021 (arXiv 2111.13301), of which we know the abstract; weights, place, norm and anchors are **our
/// definition**.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scal {
    perturbation: Perturbation,
    contrast: InfoNce,
    weights: ScalWeights,
    through: Through,
    mode: AscentMode,
}

impl Scal {
    /// All weights 1.
    pub fn new(perturbation: Perturbation, contrast: InfoNce) -> Self {
        Self {
            perturbation,
            contrast,
            weights: ScalWeights::default(),
            through: Through::Both,
            mode: AscentMode::Train,
        }
    }

    /// Other weights.
    pub fn with_weights(self, weights: ScalWeights) -> Result<Self, ContrastError> {
        Ok(Self {
            weights: weights.check()?,
            ..self
        })
    }

    /// Which vectors the gradient of the contrast flows through.
    pub fn with_gradient_through(self, through: Through) -> Self {
        Self { through, ..self }
    }

    /// The mode of the network during the ascent.
    pub fn with_mode(self, mode: AscentMode) -> Self {
        Self { mode, ..self }
    }
}

impl<const D: usize, M: Represent<D> + Module> TrainingMethod<D, M> for Scal {
    fn expected_cost(&self) -> Passes {
        let steps = self.perturbation.steps() as u64;
        Passes {
            forwards: steps + 2,
            full_backwards: 2,
            input_backwards: steps,
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
        let frozen = self.mode.freeze(model);
        let ascent = self.perturbation.ascend(&frozen, batch, noise, ledger)?;
        let targets = batch.targets();
        let (outputs, clean) = model.outputs_and_vectors(batch.clean(), targets);
        let (moved_outputs, moved) = model.outputs_and_vectors(ascent.input, targets);
        let (clean, moved) = match self.through {
            Through::Both => (clean, moved),
            Through::Perturbed => (clean.detach(), moved),
            Through::Clean => (clean, moved.detach()),
        };
        let terms = [
            model.judge(outputs, targets),
            model.judge(moved_outputs, targets),
            self.contrast.loss(&Pairs::new(clean, moved)),
        ];
        let weighed = terms.into_iter().zip(self.weights.factors());
        let total = weighed
            .map(|(term, factor)| term.mul_scalar(factor))
            .reduce(|sum, term| sum + term);
        let total = total.expect("there are three terms");
        Ok(ledger.gradients_of(model, total, 2)?.into())
    }
}
