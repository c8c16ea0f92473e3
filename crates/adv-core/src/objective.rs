//! What the core knows of a model: the loss of a batch as a function of the perturbed tensor.

use burn::module::Module;
use burn::tensor::Tensor;

/// The loss of a batch as a function of the perturbed tensor.
///
/// `D` is the rank of that tensor: 4 for images `[B, C, H, W]`, 3 for embeddings `[B, T, E]`. The targets
/// (labels, pairs, nothing) are opaque to the core.
///
/// An implementation must give the same loss for the same input within one mini-batch, dropout apart.
pub trait Objective<const D: usize> {
    /// What the loss compares with.
    type Targets;

    /// The **mean** loss over the batch, as a tensor with one element.
    ///
    /// Step rules other than [`StepRule::Raw`](crate::StepRule::Raw) do not depend on the scale of the loss.
    fn loss(&self, input: Tensor<D>, targets: &Self::Targets) -> Tensor<1>;

    /// How many forwards of the whole network one call of [`loss`](Self::loss) makes.
    ///
    /// The ledger counts that many forwards and backwards. A loss over two forwards, or over a doubled batch,
    /// returns 2.
    fn forwards(&self) -> u64 {
        1
    }
}

/// A model that can be cut after its first layer. Only [`Yopo`](crate::Yopo) needs it.
///
/// `loss(x, t)` must equal `rest(first(x, t), t)`. The activation has the rank of the input; a layer with another
/// rank reshapes it (a dense layer `[B, N]` to `[B, N, 1, 1]`).
pub trait Split<const D: usize>: Objective<D> {
    /// The first layer, its non-linearity included. The targets are there for what a layer needs beside the perturbed
    /// tensor, such as the padding of sentences.
    fn first(&self, input: Tensor<D>, targets: &Self::Targets) -> Tensor<D>;

    /// All other layers and the loss, from the output of [`first`](Self::first).
    fn rest(&self, activation: Tensor<D>, targets: &Self::Targets) -> Tensor<1>;
}

/// A model whose outputs at two inputs can be compared. [`Smart`](crate::Smart), [`R3f`](crate::R3f) and
/// [`Vat`](crate::Vat) need it.
pub trait Predict<const D: usize>: Objective<D> {
    /// The outputs of one forward, `[B, C]`: logits, or a score (`C` = 1).
    fn outputs(&self, input: Tensor<D>, targets: &Self::Targets) -> Tensor<2>;

    /// The **mean** loss of outputs. `loss(x, t)` must equal `judge(outputs(x, t), t)`.
    fn judge(&self, outputs: Tensor<2>, targets: &Self::Targets) -> Tensor<1>;
}

/// The mode of the network during the ascent.
///
/// Both copies are frozen, so that no weight gradient is computed, and neither touches the running statistics
/// of the model that is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AscentMode {
    /// Dropout active, batch norm with the statistics of the batch. What most training code does.
    #[default]
    Train,
    /// Dropout off, batch norm with the running statistics. What evaluation needs.
    Eval,
}

impl AscentMode {
    /// A frozen copy of the model for the ascent; shares storage, costs microseconds.
    pub fn freeze<M: Module>(self, model: &M) -> M {
        // `valid()` first: `clone().no_grad()` would share batch-norm statistics with the model, and would freeze
        // a model whose parameters do not exist yet.
        match self {
            AscentMode::Train => model.valid().train().no_grad(),
            AscentMode::Eval => model.valid(),
        }
    }
}

/// One mini-batch: the clean tensor, what the loss compares with, and where a perturbation may live.
#[derive(Debug)]
pub struct Batch<'a, const D: usize, T> {
    clean: Tensor<D>,
    targets: &'a T,
    mask: Option<Tensor<D>>,
}

impl<'a, const D: usize, T> Batch<'a, D, T> {
    /// A batch that may be perturbed everywhere.
    ///
    /// A tensor that is tracked by autodiff is taken as a constant.
    pub fn new(clean: Tensor<D>, targets: &'a T) -> Self {
        Self {
            clean: clean.inner(),
            targets,
            mask: None,
        }
    }

    /// Restricts perturbations to the places where `mask` is 1; 0 elsewhere (padding, special tokens).
    ///
    /// # Panics
    ///
    /// If the mask has another shape than the clean tensor.
    pub fn with_mask(mut self, mask: Tensor<D>) -> Self {
        assert_eq!(
            mask.dims(),
            self.clean.dims(),
            "the mask must have the shape of the clean tensor"
        );
        self.mask = Some(mask.inner());
        self
    }

    /// The clean tensor, not tracked.
    pub fn clean(&self) -> Tensor<D> {
        self.clean.clone()
    }

    /// What the loss compares with.
    pub fn targets(&self) -> &'a T {
        self.targets
    }

    /// The mask, if perturbations are restricted.
    pub fn mask(&self) -> Option<&Tensor<D>> {
        self.mask.as_ref()
    }

    /// `t` with zeros outside the mask.
    pub fn masked(&self, t: Tensor<D>) -> Tensor<D> {
        match &self.mask {
            Some(mask) => t * mask.clone(),
            None => t,
        }
    }
}
