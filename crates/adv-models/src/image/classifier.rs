//! What is trained: normalisation and a network.

use crate::dropout::{MaskPolicy, Masks};
use crate::loss::{Labels, cross_entropy};
use crate::{Architecture, MadryCnn, Mlp, ModelError, Normalise, SmallCnn, TwoConv, WongCnn};
use adv_core::{Objective, Predict, Split};
use burn::module::Module;
use burn::tensor::Tensor;

/// One of the networks.
#[allow(clippy::large_enum_variant)] // A program has one or two of them, not a list.
#[derive(Module, Debug)]
pub enum Network {
    /// See [`WongCnn`].
    WongCnn(WongCnn),
    /// See [`MadryCnn`].
    MadryCnn(MadryCnn),
    /// See [`SmallCnn`].
    SmallCnn(SmallCnn),
    /// See [`TwoConv`].
    TwoConv(TwoConv),
    /// See [`Mlp`].
    Mlp(Mlp),
}

impl Network {
    fn first(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Network::WongCnn(net) => net.first(x),
            Network::MadryCnn(net) => net.first(x),
            Network::SmallCnn(net) => net.first(x),
            Network::TwoConv(net) => net.first(x),
            Network::Mlp(net) => net.first(x),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        match self {
            Network::MadryCnn(net) => net.forward(x),
            other => other.rest(other.first(x)),
        }
    }

    fn rest(&self, x: Tensor<4>) -> Tensor<2> {
        match self {
            Network::WongCnn(net) => net.rest(x),
            Network::MadryCnn(net) => net.rest(x),
            Network::SmallCnn(net) => net.rest(x),
            Network::TwoConv(net) => net.rest(x),
            Network::Mlp(net) => net.rest(x),
        }
    }
}

/// What a network was built for.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub architecture: Architecture,
    pub shape: [usize; 3],
    pub classes: usize,
    /// Of one forward of one image, layer by layer.
    pub multiply_adds: Vec<u64>,
}

/// A classifier of images with pixels in [0, 1]: normalisation, then a network. Made by [`build`](crate::build).
///
/// As an [`Objective`] its loss is the mean cross entropy; as a [`Split`] its first layer is normalisation, first
/// convolution (or linear layer) and ReLU.
#[derive(Module, Debug)]
pub struct ImageClassifier {
    pub(crate) network: Network,
    #[module(skip)]
    normalise: Normalise,
    #[module(skip)]
    masks: Masks,
    #[module(skip)]
    facts: Facts,
}

impl ImageClassifier {
    pub(crate) fn new(network: Network, facts: Facts, masks: Masks) -> Self {
        Self {
            network,
            normalise: Normalise::identity(),
            masks,
            facts,
        }
    }

    /// The same classifier with another normalisation. Errors: another number of channels than the images.
    pub fn with_normalise(self, normalise: Normalise) -> Result<Self, ModelError> {
        let expected = self.facts.shape[0];
        match normalise.channels() {
            Some(found) if found != expected => Err(ModelError::NormaliseChannels { expected, found }),
            _ => Ok(Self { normalise, ..self }),
        }
    }

    /// The logits of images: pixels `[B, C, H, W]` to `[B, classes]`.
    pub fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        self.masks.next_pass();
        self.network.forward(self.normalise.apply(x))
    }

    /// Dropout masks of a new mini-batch; call it once before its passes. The seed should depend on run and step.
    ///
    /// Clones share the masks, so an ascent on a frozen copy sees the same ones.
    pub fn begin_batch(&self, seed: u64) {
        self.masks.begin_batch(seed);
    }

    /// Whether the passes of a mini-batch share their dropout masks. They do at first.
    pub fn set_mask_policy(&self, policy: MaskPolicy) {
        self.masks.set_policy(policy);
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.facts.architecture
    }

    /// The shape of an image, `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.facts.shape
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.facts.classes
    }

    /// The normalisation.
    pub fn normalise(&self) -> &Normalise {
        &self.normalise
    }

    /// Multiply-adds of convolutions and linear layers in one forward of one image.
    pub fn multiply_adds(&self) -> u64 {
        self.facts.multiply_adds.iter().sum() // tidy: small
    }

    /// The share of the multiply-adds that the first layer makes: what a first-layer pass of YOPO costs, in whole ones.
    pub fn first_layer_share(&self) -> f64 {
        self.facts.multiply_adds[0] as f64 / self.multiply_adds() as f64
    }
}

impl Objective<4> for ImageClassifier {
    type Targets = Labels;

    fn loss(&self, input: Tensor<4>, targets: &Labels) -> Tensor<1> {
        self.judge(self.logits(input), targets)
    }
}

impl Predict<4> for ImageClassifier {
    fn outputs(&self, input: Tensor<4>, _: &Labels) -> Tensor<2> {
        self.logits(input)
    }

    fn judge(&self, outputs: Tensor<2>, targets: &Labels) -> Tensor<1> {
        cross_entropy(outputs, targets).mean()
    }
}

impl Split<4> for ImageClassifier {
    fn first(&self, input: Tensor<4>, _: &Labels) -> Tensor<4> {
        self.masks.next_pass();
        self.network.first(self.normalise.apply(input))
    }

    fn rest(&self, activation: Tensor<4>, targets: &Labels) -> Tensor<1> {
        self.judge(self.network.rest(activation), targets)
    }
}
