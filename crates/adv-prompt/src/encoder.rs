//! Encoders that read a sentence at the mask of a template.

use crate::likely::{Guesser, LikelyTokens};
use crate::soft::SoftPrompt;
use crate::{FittedTemplate, PromptError};
use adv_contrast::sentence::{Dense, Encoder, HeadUse};
use adv_models::text::{Place, TextModel, Tokens};
use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use std::sync::Arc;

/// What of the mask makes the vector of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Representation {
    /// Its hidden state.
    #[default]
    Hidden,
    /// The average of the static embeddings of the tokens that the model finds likeliest there (Jiang et al. 2022, Eq. 4).
    Likely(LikelyTokens),
}

impl Representation {
    /// The average of so many likely tokens, or the hidden state where no number is given.
    pub fn of(likely: Option<usize>, guesser: Guesser) -> Self {
        let likely = likely.map(|k| LikelyTokens { k, guesser });
        likely.map_or(Representation::Hidden, Representation::Likely)
    }
}

/// Where the bias of the template, the vector that it has without the sentence, is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denoising {
    /// Nowhere.
    Off,
    /// In training and where weights are chosen, not in use: PromptBERT without labels.
    #[default]
    Training,
    /// In use as well: PromptBERT with labels.
    Always,
}

/// Which position the template without a sentence begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BiasPositions {
    /// The model's first.
    #[default]
    Model,
    /// The first row of its table, also where its sentences begin two rows later: what PromptBERT's program does with RoBERTa.
    Table,
}

/// How a prompted encoder makes its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// What of the mask.
    pub representation: Representation,
    /// Where the bias of the template is taken off.
    pub denoising: Denoising,
    /// Its positions.
    pub bias_positions: BiasPositions,
}

/// A text model that reads sentences within templates, at the mask: PromptBERT (Jiang et al. 2022, arXiv 2201.04337).
///
/// Tokens are those of [`FittedTemplate::fill`]: of the first template for the first view and in use, of the last one for the others. With
/// a single template the views differ by their dropout masks alone.
#[derive(Module, Debug)]
pub struct PromptEncoder {
    model: TextModel,
    head: Option<Dense>,
    soft: Option<SoftPrompt>,
    #[module(skip)]
    templates: Arc<Vec<FittedTemplate>>,
    #[module(skip)]
    reading: Reading,
    #[module(skip)]
    head_use: HeadUse,
}

/// The dropout masks of a template without its sentence are those of the view that it belongs to, and this.
const BIAS: u32 = 1 << 8;

impl PromptEncoder {
    /// Without a head.
    ///
    /// Errors: no template; likely tokens of a model that has no head to guess them with, unless its word table does.
    pub fn new(
        model: TextModel,
        templates: Vec<FittedTemplate>,
        reading: Reading,
    ) -> Result<Self, PromptError> {
        if templates.is_empty() {
            return Err(PromptError::Count {
                found: 0,
                wanted: "at least one is needed",
            });
        }
        if let Representation::Likely(likely) = reading.representation {
            likely.check(&model)?;
        }
        Ok(Self {
            model,
            head: None,
            soft: None,
            templates: Arc::new(templates),
            reading,
            head_use: HeadUse::Training,
        })
    }

    /// With a head behind all else.
    ///
    /// # Panics
    ///
    /// If it takes vectors of another width.
    pub fn with_head(self, head: Dense, head_use: HeadUse) -> Self {
        assert_eq!(
            head.widths()[0],
            self.bare_width(),
            "a head as wide as the vectors"
        );
        Self {
            head: Some(head),
            head_use,
            ..self
        }
    }

    /// With trained vectors in place of the words of its one template (OptiPrompt).
    ///
    /// Errors: more than one template; a model that is perturbed elsewhere than at its words.
    pub fn with_soft_prompt(self, soft: SoftPrompt) -> Result<Self, PromptError> {
        if self.templates.len() != 1 {
            return Err(PromptError::Count {
                found: self.templates.len(),
                wanted: "one is trained at a time",
            });
        }
        let model = self.model.with_place(Place::Words)?;
        Ok(Self {
            soft: Some(soft),
            model,
            ..self
        })
    }

    /// With what is perturbed in the model: see [`Place`].
    ///
    /// Errors: a place that the model does not have.
    pub fn with_place(self, place: Place) -> Result<Self, PromptError> {
        let model = self.model.with_place(place)?;
        Ok(Self { model, ..self })
    }

    /// The same, reading otherwise.
    pub fn with_reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// The same with the weights of the model, below all else, fixed: what is left to learn is a soft prompt, and a head.
    pub fn with_fixed_model(self) -> Self {
        Self {
            model: self.model.no_grad(),
            ..self
        }
    }

    /// The templates.
    pub fn templates(&self) -> &[FittedTemplate] {
        &self.templates
    }

    /// How vectors are made.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// The trained vectors of the template, if there are.
    pub fn soft_prompt(&self) -> Option<&SoftPrompt> {
        self.soft.as_ref()
    }

    /// The head, if vectors are used behind it.
    pub fn kept_head(&self) -> Option<&Dense> {
        self.head.as_ref().filter(|_| self.head_use == HeadUse::Always)
    }

    /// Width of the vectors that are used.
    pub fn width(&self) -> usize {
        self.kept_head()
            .map_or(self.bare_width(), |head| head.widths()[1])
    }

    /// Before a head.
    fn bare_width(&self) -> usize {
        match self.reading.representation {
            Representation::Hidden => self.model.config().hidden(),
            Representation::Likely(_) => self.model.config().embedding(),
        }
    }

    /// The vectors of a template without its sentence, one for each of these lengths: `[L, W]`, what denoising takes off.
    ///
    /// # Panics
    ///
    /// If there is no such template, or the model is not long enough.
    pub fn biases(&self, template: usize, lengths: std::ops::Range<usize>, like: &Tokens) -> Tensor<2> {
        let fitted = &self.templates[template];
        let config = self.model.config();
        let first = match self.reading.bias_positions {
            BiasPositions::Model => config.first_position(),
            BiasPositions::Table => 0,
        };
        let device = like.mask().device();
        // Sentences that fit into the template fit with their positions, too.
        let tokens = fitted
            .without_sentence(lengths, first, config, &device)
            .expect("positions of a sentence that was filled in");
        self.at_mask(fitted, &tokens, None)
    }

    /// The vectors of sentences in this template, `[B, W]`, before a head and with the template's bias.
    ///
    /// # Panics
    ///
    /// If there is no such template.
    pub fn vectors(&self, template: usize, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        self.at_mask(&self.templates[template], tokens, delta)
    }

    fn at_mask(&self, fitted: &FittedTemplate, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        let delta = match (&self.soft, delta) {
            (Some(soft), Some(delta)) => Some(delta + soft.shift(&self.model, fitted, tokens)),
            (Some(soft), None) => Some(soft.shift(&self.model, fitted, tokens)),
            (None, delta) => delta,
        };
        let hidden = self.model.vectors_at(tokens, delta, fitted.mask_places(tokens));
        match self.reading.representation {
            Representation::Hidden => hidden,
            Representation::Likely(likely) => likely.average(&self.model, hidden),
        }
    }

    /// Vectors without the bias of the template.
    fn denoised(&self, template: usize, tokens: &Tokens, vectors: Tensor<2>, view: u32) -> Tensor<2> {
        let lengths = self.templates[template].sentence_lengths(tokens);
        let (Some(&least), Some(&most)) = (lengths.iter().min(), lengths.iter().max()) else {
            return vectors;
        };
        // A row for each length between, whatever the lengths at hand: then a part of a mini-batch has the masks of the whole.
        let range = least..most + 1;
        let count = range.len();
        let biases = self
            .model
            .aside(BIAS + view, least, count, || self.biases(template, range, tokens));
        let places: Vec<i64> = lengths.iter().map(|length| (length - least) as i64).collect();
        let count = places.len();
        let places: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(places, [count]), &tokens.mask().device());
        vectors - biases.select(0, places)
    }

    /// The template of a view's tokens.
    fn template_of(&self, view: u32) -> usize {
        match view {
            // The adversarial view is made of the first one's tokens.
            0 | 2 => 0,
            _ => self.templates.len() - 1,
        }
    }

    /// The vectors that are used of sentences in this template, `[B, W]`.
    ///
    /// # Panics
    ///
    /// If there is no such template.
    pub fn encode_in(&self, template: usize, tokens: &Tokens) -> Tensor<2> {
        let vectors = self.vectors(template, tokens, None);
        let vectors = match self.reading.denoising {
            Denoising::Always => self.denoised(template, tokens, vectors, 0),
            Denoising::Off | Denoising::Training => vectors,
        };
        match self.kept_head() {
            Some(head) => head.forward(vectors),
            None => vectors,
        }
    }
}

impl Encoder for PromptEncoder {
    fn view(&self, view: u32, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        let template = self.template_of(view);
        self.model.begin_view(view);
        let vectors = self.vectors(template, tokens, delta);
        let vectors = match self.reading.denoising {
            Denoising::Off => vectors,
            Denoising::Training | Denoising::Always => self.denoised(template, tokens, vectors, view),
        };
        match &self.head {
            Some(head) => head.forward(vectors),
            None => vectors,
        }
    }

    fn encode(&self, tokens: &Tokens) -> Tensor<2> {
        self.encode_in(0, tokens)
    }

    fn model(&self) -> &TextModel {
        &self.model
    }
}
