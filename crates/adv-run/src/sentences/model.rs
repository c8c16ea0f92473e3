//! The encoders that commands and runs know: plain ones and prompted ones, one type for both.

use crate::spec::PoolingName;
use adv_contrast::sentence::{
    Dense, Embedder, Encoder, Encoding, HeadUse, SentenceEncoder, SentenceError, SentenceSettings, Vectors,
};
use adv_models::text::{Encoded, Overlong, Place, TextModel, Tokens};
use adv_prompt::{PromptEmbedder, PromptEncoder, PromptError, PromptSettings, Reading, SoftPrompt, Template};
use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::Path;

/// An encoder of sentences.
#[derive(Module, Debug)]
pub enum SentenceModel {
    /// One that pools the tokens of a sentence.
    Plain(SentenceEncoder),
    /// One that reads the mask of a template.
    Prompted(PromptEncoder),
}

impl SentenceModel {
    /// With a head behind all else.
    pub fn with_head(self, head: Dense, head_use: HeadUse) -> Self {
        match self {
            Self::Plain(encoder) => Self::Plain(encoder.with_head(head, head_use)),
            Self::Prompted(encoder) => Self::Prompted(encoder.with_head(head, head_use)),
        }
    }

    /// With what is perturbed in the model.
    ///
    /// Errors: a place that the model does not have.
    pub fn with_place(self, place: Place) -> Result<Self> {
        Ok(match self {
            Self::Plain(encoder) => Self::Plain(encoder.with_place(place)?),
            Self::Prompted(encoder) => Self::Prompted(encoder.with_place(place)?),
        })
    }

    /// With trained vectors in place of the words of its one template, and its weights fixed (OptiPrompt). A plain one stays as it is.
    ///
    /// Errors: more than one template.
    pub fn with_soft_prompt(self) -> Result<Self> {
        let Self::Prompted(encoder) = self else {
            return Ok(self);
        };
        let soft = SoftPrompt::of_words(encoder.model(), &encoder.templates()[0]);
        Ok(Self::Prompted(encoder.with_soft_prompt(soft)?.with_fixed_model()))
    }

    /// The head, if vectors are used behind it.
    pub fn kept_head(&self) -> Option<&Dense> {
        match self {
            Self::Plain(encoder) => encoder.kept_head(),
            Self::Prompted(encoder) => encoder.kept_head(),
        }
    }

    /// Width of the vectors that are used.
    pub fn width(&self) -> usize {
        match self {
            Self::Plain(encoder) => encoder.width(),
            Self::Prompted(encoder) => encoder.width(),
        }
    }
}

impl Encoder for SentenceModel {
    fn view(&self, view: u32, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        match self {
            Self::Plain(encoder) => encoder.view(view, tokens, delta),
            Self::Prompted(encoder) => encoder.view(view, tokens, delta),
        }
    }

    fn encode(&self, tokens: &Tokens) -> Tensor<2> {
        match self {
            Self::Plain(encoder) => encoder.encode(tokens),
            Self::Prompted(encoder) => encoder.encode(tokens),
        }
    }

    fn model(&self) -> &TextModel {
        match self {
            Self::Plain(encoder) => encoder.model(),
            Self::Prompted(encoder) => encoder.model(),
        }
    }
}

/// How sentences are to become vectors, where it is not what the folder says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncoderChoice {
    /// How tokens become a sentence.
    pub pooling: Option<PoolingName>,
    /// Templates instead.
    pub prompt: Option<PromptChoice>,
    /// The longest sentence in tokens; with a prompt, of the sentence alone.
    pub longest: Option<usize>,
}

/// Templates and how they are read.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptChoice {
    /// The templates.
    pub templates: Vec<Template>,
    /// Whether the vectors of all are averaged.
    pub averaged: bool,
    /// How vectors are made.
    pub reading: Reading,
}

/// An encoder of sentences with its tokenizer.
#[derive(Debug, Clone)]
pub enum SentenceEmbedder {
    /// One that pools the tokens of a sentence.
    Plain(Box<Embedder>),
    /// One that reads the mask of a template.
    Prompted(Box<PromptEmbedder>),
}

impl SentenceEmbedder {
    /// The encoder of a folder: of sentence-transformers, of a prompted encoder, or a plain model.
    ///
    /// Errors: those of the folder, of a template that does not fit.
    pub fn open(folder: &Path, choice: &EncoderChoice, device: &Device) -> Result<Self> {
        if let Some(prompt) = &choice.prompt {
            let settings = PromptSettings {
                templates: prompt.templates.clone(),
                averaged: prompt.averaged,
                reading: prompt.reading,
                longest: choice.longest,
                ..PromptSettings::new(Template::first())
            };
            let embedder = PromptEmbedder::with_settings(folder, settings, device)?;
            return Ok(Self::Prompted(Box::new(embedder)));
        }
        let of_folder = match choice.pooling {
            None => PromptSettings::read(folder)?,
            Some(_) => None,
        };
        if let Some(settings) = of_folder {
            let embedder = PromptEmbedder::from_folder(folder, device)?;
            let longest = choice.longest.or(settings.longest);
            return Ok(Self::Prompted(Box::new(embedder.with_longest(longest))));
        }
        let mut settings = SentenceSettings::read(folder)?;
        if let Some(pooling) = choice.pooling {
            settings.pooling = pooling.into();
        }
        settings.longest = choice.longest.or(settings.longest);
        let embedder = Embedder::with_settings(folder, settings, device)?;
        Ok(Self::Plain(Box::new(embedder)))
    }

    /// The encoder.
    pub fn encoder(&self) -> SentenceModel {
        match self {
            Self::Plain(embedder) => SentenceModel::Plain(embedder.encoder().clone()),
            Self::Prompted(embedder) => SentenceModel::Prompted(embedder.encoder().clone()),
        }
    }

    /// The text model below.
    pub fn model(&self) -> &TextModel {
        match self {
            Self::Plain(embedder) => embedder.encoder().model(),
            Self::Prompted(embedder) => embedder.encoder().model(),
        }
    }

    /// Width of the vectors.
    pub fn width(&self) -> usize {
        match self {
            Self::Plain(embedder) => embedder.encoder().width(),
            Self::Prompted(embedder) => embedder.encoder().width(),
        }
    }

    /// Whether its vectors are scaled to length 1.
    pub fn is_normalised(&self) -> bool {
        match self {
            Self::Plain(embedder) => embedder.settings().normalised,
            Self::Prompted(embedder) => embedder.settings().normalised,
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> &Device {
        match self {
            Self::Plain(embedder) => embedder.device(),
            Self::Prompted(embedder) => embedder.device(),
        }
    }

    /// The same with trained weights; those of another kind are left out.
    pub fn with_encoder(self, encoder: SentenceModel) -> Self {
        match (self, encoder) {
            (Self::Plain(embedder), SentenceModel::Plain(encoder)) => {
                Self::Plain(Box::new(embedder.with_encoder(encoder)))
            }
            (Self::Prompted(embedder), SentenceModel::Prompted(encoder)) => {
                Self::Prompted(Box::new(embedder.with_encoder(encoder)))
            }
            (embedder, _) => embedder,
        }
    }

    /// As weights are chosen by.
    pub fn for_choosing(self) -> Self {
        match self {
            Self::Prompted(embedder) => Self::Prompted(Box::new(embedder.for_choosing())),
            plain => plain,
        }
    }

    /// Views of a sentence that have tokens of their own.
    pub fn kinds_of_tokens(&self) -> usize {
        match self {
            Self::Plain(_) => 1,
            Self::Prompted(embedder) => embedder.encoder().templates().len().min(2),
        }
    }

    /// Tokens to learn from: those of the first view, or of the others; and how many texts were cut.
    ///
    /// Errors: a text without a token, or one that the tokenizer refuses.
    pub fn tokens(&self, first: bool, texts: &[&str], longest: usize) -> Result<(Vec<Encoded>, Overlong)> {
        match self {
            Self::Plain(embedder) => {
                let embedder = embedder.as_ref().clone().with_longest(longest)?;
                Ok(embedder.tokens(texts)?)
            }
            Self::Prompted(embedder) => {
                let template = self.template(first);
                Ok(embedder.tokens(template, texts, Some(longest))?)
            }
        }
    }

    /// The number of tokens that each text becomes in use, those of the first template included.
    ///
    /// Errors: a text without a token, or one that the tokenizer refuses.
    pub fn count_tokens(&self, texts: &[&str]) -> Result<Vec<usize>> {
        let (encoded, _) = match self {
            Self::Plain(embedder) => embedder.tokens(texts)?,
            Self::Prompted(embedder) => embedder.tokens(0, texts, None)?,
        };
        Ok(encoded.iter().map(Encoded::len).collect())
    }

    /// The tokens of the sentence itself, of those of a view.
    pub fn bare<'a>(&self, first: bool, tokens: &'a Encoded) -> &'a [u32] {
        match self {
            Self::Plain(_) => &tokens.ids,
            Self::Prompted(embedder) => embedder.encoder().templates()[self.template(first)].sentence(tokens),
        }
    }

    fn template(&self, first: bool) -> usize {
        match self {
            Self::Prompted(embedder) if !first => embedder.encoder().templates().len() - 1,
            _ => 0,
        }
    }

    /// One vector a text, in order, and how many texts were cut. `progress` hears how many are done; its error ends it.
    ///
    /// Errors: those of the texts, and that of `progress`.
    pub fn encode<E: From<SentenceError> + From<PromptError>>(
        &self,
        texts: &[&str],
        encoding: &Encoding,
        progress: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(Vectors, Overlong), E> {
        match self {
            Self::Plain(embedder) => embedder.encode(texts, encoding, progress),
            Self::Prompted(embedder) => embedder.encode(texts, encoding, progress),
        }
    }

    /// Writes a folder that [`open`](Self::open) reads; of a plain encoder one of sentence-transformers.
    ///
    /// Errors: the folder cannot be written; a pooling that it cannot express.
    pub fn save(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Plain(embedder) => embedder.save(folder)?,
            Self::Prompted(embedder) => embedder.save(folder)?,
        }
        Ok(())
    }
}
