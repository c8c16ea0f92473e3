//! What is trained: a body and a head.

use super::TextError;
use super::batch::SpecialTokens;
use super::body::Body;
use super::encoder::{Delta, Place};
use super::folder::{LoadReport, fill};
use super::head::{Head, HeadKind};
use super::maker::Maker;
use super::text_config::TextConfig;
use super::tokens::Tokens;
use crate::{MaskPolicy, Masks};
use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Tensor};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug)]
struct Facts {
    config: TextConfig,
    head: HeadKind,
}

/// A transformer encoder or an LSTM, with a head.
///
/// As an [`Objective`](adv_core::Objective) over embeddings the perturbed tensor is **what is added** at [`Place`], so its clean value is zero
/// ([`clean`](Self::clean)): the word table then gets its gradient like every other weight. Its loss is the mean cross entropy,
/// for scores the mean squared error. As a [`Split`](adv_core::Split) its first layer is the embedding with the first transformer layer, or with what it
/// brings to the gates of an LSTM.
#[derive(Module, Debug)]
pub struct TextModel {
    pub(super) encoder: Body,
    pub(super) head: Option<Head>,
    #[module(skip)]
    pub(super) masks: Masks,
    #[module(skip)]
    place: Place,
    #[module(skip)]
    facts: Arc<Facts>,
}

impl TextModel {
    /// A model with random weights (of a transformer normal, with a standard deviation as the configuration says), which depend on
    /// configuration, head and seed only.
    ///
    /// # Panics
    ///
    /// If the head is that of a masked language model on an LSTM, or of one that guesses the next token on a transformer.
    pub fn new(config: impl Into<TextConfig>, head: HeadKind, seed: u64, device: &Device) -> Self {
        let config = config.into();
        if let Err(error) = config.takes(head) {
            panic!("{error}");
        }
        let masks = Masks::default();
        let mut maker = Maker::drawing(seed, config.deviation(), masks.clone(), device);
        let encoder = Body::new(&mut maker, &config);
        Self::with_head(&mut maker, encoder, config, head, masks)
    }

    /// The model of a folder in the layout of Hugging Face: `config.json`, and weights in one safetensors file, in shards, or
    /// in a pickle. What the weights do not have of the head, or have for another number of classes, is drawn from the seed; the report
    /// says so.
    ///
    /// Errors: files that are missing or broken, a model that is not built here, a head that does not go with it, weights below the
    /// head that do not fit (all of them are listed).
    pub fn from_folder(
        folder: &Path,
        head: HeadKind,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), TextError> {
        Self::load(TextConfig::read(folder)?, folder, head, seed, device)
    }

    /// The same with a configuration of the caller's, such as the folder's with another dropout.
    pub fn load(
        config: impl Into<TextConfig>,
        folder: &Path,
        head: HeadKind,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), TextError> {
        let config = config.into();
        config.takes(head)?;
        // Its decoder is the word table here.
        let tied = config.raw().get("tie_word_embeddings").and_then(Value::as_bool);
        if head == HeadKind::MaskedLm && tied == Some(false) {
            return Err(TextError::Unknown {
                path: folder.join("config.json"),
                key: "tie_word_embeddings".into(),
                found: "false".into(),
                known: "true, for a masked language model".into(),
            });
        }
        let masks = Masks::default();
        let mut maker = Maker::zeros(config.deviation(), masks.clone(), device);
        let encoder = Body::new(&mut maker, &config);
        maker.draw_from(seed);
        let mut model = Self::with_head(&mut maker, encoder, config.clone(), head, masks);
        let report = fill(&mut model, &config, head, folder)?;
        Ok((model, report))
    }

    fn with_head(
        maker: &mut Maker<'_>,
        encoder: Body,
        config: TextConfig,
        head: HeadKind,
        masks: Masks,
    ) -> Self {
        Self {
            encoder,
            head: Head::new(maker, &config, head),
            masks,
            place: Place::default(),
            facts: Arc::new(Facts { config, head }),
        }
    }

    /// The same model, perturbed at another place.
    ///
    /// Errors: the sum of embeddings of an LSTM, which has one alone.
    pub fn with_place(self, place: Place) -> Result<Self, TextError> {
        match (&self.encoder, place) {
            (Body::Lstm(_), Place::Sum) => Err(TextError::NoSum),
            _ => Ok(Self { place, ..self }),
        }
    }

    /// An LSTM whose embeddings are normalised by these frequencies of the tokens, one for each of the vocabulary, whatever they sum
    /// to. The folder of a model keeps them. A transformer stays as it is.
    ///
    /// Errors: another number of them, one that is negative or not finite, none above zero.
    pub fn with_frequencies(self, frequencies: &[f64]) -> Result<Self, TextError> {
        match self.encoder {
            Body::Transformer(_) => Ok(self),
            Body::Lstm(lstm) => Ok(Self {
                encoder: Body::Lstm(lstm.with_frequencies(frequencies)?),
                ..self
            }),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &TextConfig {
        &self.facts.config
    }

    /// The kind of the head.
    pub fn head(&self) -> HeadKind {
        self.facts.head
    }

    /// What makes vectors of tokens.
    pub fn body(&self) -> &Body {
        &self.encoder
    }

    /// The parameters by depth: the embedding first, then each layer, the head last. Shared layers are one.
    pub fn depths(&self) -> Vec<ParamGroup> {
        let mut groups = self.encoder.depths();
        groups.push(ParamGroup::from_predicate("head."));
        groups
    }

    /// Biases and the parameters of normalisations: what weight decay leaves out, as in the programs of BERT and FreeLB.
    pub fn without_decay() -> ParamGroup {
        ParamGroup::from_any_predicates(vec!["bias", "norm."])
    }

    /// The share of the multiply-adds that embedding and first layer make: what a first-layer pass of YOPO costs, in whole ones.
    pub fn first_layer_share(&self) -> f64 {
        self.facts.config.first_layer_share()
    }

    /// Dropout masks of a new mini-batch; call it once before its passes. The seed should depend on run and step.
    ///
    /// Clones share the masks, so an ascent on a frozen copy sees the same ones.
    pub fn begin_batch(&self, seed: u64) {
        self.masks.begin_batch(seed);
    }

    /// Dropout masks of another view of the mini-batch, 0 at first; see [`MaskPolicy::Replay`]. Going back to a view goes back to its
    /// masks.
    pub fn begin_view(&self, view: u32) {
        self.masks.begin_view(view);
    }

    /// Passes that follow take `count` sentences of the mini-batch from number `first` on, under the dropout masks that they have in a pass
    /// of all of them; see [`Tokens::rows`].
    pub fn begin_rows(&self, first: usize, count: usize) {
        self.masks.begin_rows(first, count);
    }

    /// What `run` gives under the dropout masks of another view, and of `count` sentences of it from number `first` on; those at hand come
    /// back afterwards.
    pub fn aside<T>(&self, view: u32, first: usize, count: usize, run: impl FnOnce() -> T) -> T {
        self.masks.aside(view, first, count, run)
    }

    /// Whether the passes of a mini-batch share their dropout masks. They do at first.
    pub fn set_mask_policy(&self, policy: MaskPolicy) {
        self.masks.set_policy(policy);
    }

    /// No perturbation: zeros in the shape of what is added at the model's [`Place`].
    pub fn clean(&self, tokens: &Tokens) -> Tensor<3> {
        Tensor::zeros(self.shape(tokens), &tokens.mask.device())
    }

    /// Where a perturbation may live: 1 at tokens, 0 at padding and, if they are kept, at special tokens. A row of the word table
    /// may be perturbed where one of its tokens may.
    pub fn mask(&self, tokens: &Tokens, special: SpecialTokens) -> Tensor<3> {
        let [rows, columns, width] = self.shape(tokens);
        let mask = match special {
            SpecialTokens::Perturbed => tokens.mask(),
            SpecialTokens::Kept => tokens.words(),
        };
        let mask = match self.place {
            Place::Table => tokens.of_distinct(mask),
            Place::Words | Place::Sum => mask,
        };
        mask.unsqueeze_dim::<3>(2).expand([rows, columns, width])
    }

    fn shape(&self, tokens: &Tokens) -> [usize; 3] {
        let [batch, length] = tokens.shape();
        let width = self.facts.config.embedding();
        match self.place {
            Place::Words | Place::Sum => [batch, length, width],
            Place::Table => [1, tokens.distinct(), width],
        }
    }

    pub(super) fn delta(&self, values: Option<Tensor<3>>) -> Option<Delta> {
        let place = self.place;
        values.map(|values| Delta { place, values })
    }
}
