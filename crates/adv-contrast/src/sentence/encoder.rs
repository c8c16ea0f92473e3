//! Sentence encoders as what is trained and used.

use super::{Dense, Pooling};
use adv_models::MaskPolicy;
use adv_models::text::{Place, SpecialTokens, TextError, TextModel, Tokens};
use burn::module::Module;
use burn::tensor::Tensor;

/// From tokens to one vector a sentence.
///
/// An implementation may bring its own tokens (prompts) and its own way to the vector. Not the encoder of
/// [`adv_models::text`], which gives one vector a token.
pub trait Encoder: Module {
    /// The vectors that a loss compares, `[B, W]`: in train mode under the dropout masks of this view of the mini-batch; `delta` is added
    /// to the embeddings.
    fn view(&self, view: u32, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2>;

    /// The vectors that are used, `[B, W]`, of any length. Call it on a `valid()` copy.
    fn encode(&self, tokens: &Tokens) -> Tensor<2>;

    /// The text model below.
    fn model(&self) -> &TextModel;

    /// Tells that a mini-batch begins: its dropout masks depend on this seed.
    fn begin_batch(&self, seed: u64) {
        self.model().begin_batch(seed);
    }

    /// Whether the passes of a view share their dropout masks.
    fn set_mask_policy(&self, policy: MaskPolicy) {
        self.model().set_mask_policy(policy);
    }

    /// Where a perturbation may live: see [`TextModel::mask`].
    fn mask(&self, tokens: &Tokens, special: SpecialTokens) -> Tensor<3> {
        self.model().mask(tokens, special)
    }
}

/// Whether vectors are used as they leave the head, or as they enter it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeadUse {
    /// In training only: SimCSE without labels, where vectors are better before the head.
    #[default]
    Training,
    /// Always: SimCSE with labels.
    Always,
}

/// A text model, pooling, and a head where there is one.
#[derive(Module, Debug)]
pub struct SentenceEncoder {
    model: TextModel,
    head: Option<Dense>,
    #[module(skip)]
    pooling: Pooling,
    #[module(skip)]
    head_use: HeadUse,
}

impl SentenceEncoder {
    /// Without a head.
    pub fn new(model: TextModel, pooling: Pooling) -> Self {
        Self {
            model,
            head: None,
            pooling,
            head_use: HeadUse::Training,
        }
    }

    /// With a head behind the pooling.
    ///
    /// # Panics
    ///
    /// If it takes vectors of another width.
    pub fn with_head(self, head: Dense, head_use: HeadUse) -> Self {
        assert_eq!(
            head.widths()[0],
            self.model.config().hidden(),
            "a head as wide as the model"
        );
        Self {
            head: Some(head),
            head_use,
            ..self
        }
    }

    /// With what is perturbed in the model: see [`Place`].
    ///
    /// Errors: a place that the model does not have.
    pub fn with_place(self, place: Place) -> Result<Self, TextError> {
        let model = self.model.with_place(place)?;
        Ok(Self { model, ..self })
    }

    /// How tokens become a sentence.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The head, if vectors are used behind it.
    pub fn kept_head(&self) -> Option<&Dense> {
        self.head.as_ref().filter(|_| self.head_use == HeadUse::Always)
    }

    /// Width of the vectors that are used.
    pub fn width(&self) -> usize {
        let hidden = self.model.config().hidden();
        self.kept_head().map_or(hidden, |head| head.widths()[1])
    }
}

impl Encoder for SentenceEncoder {
    fn view(&self, view: u32, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        self.model.begin_view(view);
        let pooled = self.pooling.vectors(&self.model, tokens, delta);
        match &self.head {
            Some(head) => head.forward(pooled),
            None => pooled,
        }
    }

    fn encode(&self, tokens: &Tokens) -> Tensor<2> {
        let pooled = self.pooling.vectors(&self.model, tokens, None);
        match self.kept_head() {
            Some(head) => head.forward(pooled),
            None => pooled,
        }
    }

    fn model(&self) -> &TextModel {
        &self.model
    }
}
