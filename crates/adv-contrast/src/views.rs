//! Two views of each sentence, as functions of what is added to its embeddings.

use adv_core::Objective;
use burn::tensor::Tensor;

/// A view of the samples of a mini-batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// The anchors.
    First,
    /// Their positives: the same samples under other dropout masks, or other samples where the data has pairs.
    Second,
    /// The anchors again, under dropout masks of their own.
    Third,
}

/// A model that gives vectors of views, and contrasts them.
///
/// As an [`Objective`] its loss is the contrast of the first view with the second, both at the same perturbed tensor:
/// [`between_views`] is that. Then [`Standard`](adv_core::Standard) training is SimCSE.
pub trait Views<const D: usize>: Objective<D> {
    /// Vectors of a view, `[B, H]`. Within a mini-batch a view is one function of the input, also on a frozen copy.
    fn vectors(&self, view: View, input: Tensor<D>, targets: &Self::Targets) -> Tensor<2>;

    /// Vectors of a hard negative for each sample, `[B, H]`, if the mini-batch has them.
    fn negatives(&self, _targets: &Self::Targets) -> Option<Tensor<2>> {
        None
    }

    /// The **mean** contrast of vectors with their partners and negatives, `[B, H]` each.
    fn contrast(
        &self,
        anchors: Tensor<2>,
        positives: Tensor<2>,
        negatives: Option<Tensor<2>>,
        targets: &Self::Targets,
    ) -> Tensor<1>;
}

/// The contrast of the first view with the second, both at one input: two forwards, and one more for hard negatives.
pub fn between_views<const D: usize, M: Views<D>>(
    model: &M,
    input: Tensor<D>,
    targets: &M::Targets,
) -> Tensor<1> {
    let first = model.vectors(View::First, input.clone(), targets);
    let second = model.vectors(View::Second, input, targets);
    model.contrast(first, second, model.negatives(targets), targets)
}

/// The dropout masks of the adversarial view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdversarialMask {
    /// Those of the first view, in which the perturbation was looked for.
    #[default]
    First,
    /// Masks of its own.
    Own,
}

impl AdversarialMask {
    pub(crate) fn view(self) -> View {
        match self {
            AdversarialMask::First => View::First,
            AdversarialMask::Own => View::Third,
        }
    }
}
