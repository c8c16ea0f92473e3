//! From texts to vectors by prompts.

use crate::encoder::{Denoising, Representation};
use crate::likely::Guesser;
use crate::soft::SoftPrompt;
use crate::{FittedTemplate, PromptEncoder, PromptError, PromptSettings, with_full_stop};
use adv_contrast::sentence::{
    Dense, Encoder, Encoding, HeadUse, SentenceError, SentenceSettings, Vectors, encode_batches,
};
use adv_models::text::{Encoded, HeadKind, Overlong, TextConfig, TextModel, Tokenizer, copy_tokenizer};
use burn::module::Module;
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// A prompted encoder with its tokenizer: texts in, vectors out.
#[derive(Debug, Clone)]
pub struct PromptEmbedder {
    encoder: PromptEncoder,
    settings: PromptSettings,
    /// The folder of the model, whose tokenizer a saved folder gets.
    origin: PathBuf,
    device: Device,
}

/// The kept head, and the trained vectors, of a folder.
const HEAD: &str = "head";
const SOFT: &str = "soft_prompt.safetensors";

impl PromptEmbedder {
    /// The encoder of a folder that has been saved as one.
    ///
    /// Errors: a folder without `prompt.json`, or with one that is wrong; those of [`with_settings`](Self::with_settings).
    pub fn from_folder(folder: &Path, device: &Device) -> Result<Self, PromptError> {
        let settings = PromptSettings::read(folder)?.ok_or_else(|| PromptError::Settings {
            path: folder.join(PromptSettings::FILE),
            detail: "there is no such file: this is no folder of a prompted encoder".into(),
        })?;
        let mut embedder = Self::with_settings(folder, settings, device)?;
        if folder.join(HEAD).is_dir() {
            let head = Dense::load(&folder.join(HEAD), device)?;
            embedder.encoder = embedder.encoder.with_head(head, HeadUse::Always);
        }
        let soft = folder.join(SOFT);
        if soft.is_file() {
            let soft = SoftPrompt::load(&soft, &embedder.encoder, device)?;
            embedder.encoder = embedder.encoder.with_soft_prompt(soft)?;
        }
        Ok(embedder)
    }

    /// A model of any folder, plain or of sentence-transformers, read by prompts.
    ///
    /// Errors: a folder that is none, files that are broken, a tokenizer without a mask, a template that does not fit, likely tokens
    /// without a head to guess them.
    pub fn with_settings(
        folder: &Path,
        settings: PromptSettings,
        device: &Device,
    ) -> Result<Self, PromptError> {
        let of_folder = SentenceSettings::read(folder)?;
        let origin = of_folder.model_folder(folder);
        let config = TextConfig::read(&origin)?;
        let tokenizer = Tokenizer::from_folder(&origin)?;
        tokenizer.check(config.vocabulary())?;
        let guesses = match settings.reading.representation {
            Representation::Likely(likely) => likely.guesser == Guesser::Head,
            Representation::Hidden => false,
        };
        let head = if guesses {
            HeadKind::MaskedLm
        } else {
            HeadKind::None
        };
        let (model, report) = TextModel::load(config.clone(), &origin, head, 0, device)?;
        // Drawn at random, it would guess nothing.
        if guesses && !report.new.is_empty() {
            return Err(PromptError::NoHead {
                folder: folder.into(),
            });
        }
        let templates = settings.templates.iter();
        let templates = templates.map(|template| FittedTemplate::new(template.clone(), &tokenizer, &config));
        let templates = templates.collect::<Result<Vec<_>, _>>()?;
        let settings = PromptSettings {
            lower_case: settings.lower_case || of_folder.lower_case,
            ..settings
        };
        Ok(Self {
            encoder: PromptEncoder::new(model, templates, settings.reading)?,
            settings,
            origin,
            device: device.clone(),
        })
    }

    /// The encoder.
    pub fn encoder(&self) -> &PromptEncoder {
        &self.encoder
    }

    /// How sentences become vectors.
    pub fn settings(&self) -> &PromptSettings {
        &self.settings
    }

    /// Where the encoder's weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same with another encoder, such as a trained one.
    pub fn with_encoder(self, encoder: PromptEncoder) -> Self {
        Self { encoder, ..self }
    }

    /// The same, cutting sentences to so many tokens, if there is room for as many; all that the model takes if none.
    pub fn with_longest(mut self, longest: Option<usize>) -> Self {
        self.settings.longest = longest;
        self
    }

    /// As weights are chosen by in PromptBERT's training: denoised if training is, and without a full stop.
    pub fn for_choosing(mut self) -> Self {
        let mut reading = self.encoder.reading();
        if reading.denoising == Denoising::Training {
            reading.denoising = Denoising::Always;
        }
        self.encoder = self.encoder.with_reading(reading);
        self.settings.reading = reading;
        self.settings.full_stop = false;
        self
    }

    /// Token ids of texts as they stand, within a template, and how many texts were cut.
    ///
    /// Errors: a text without a token, or one that the tokenizer refuses.
    ///
    /// # Panics
    ///
    /// If there is no such template.
    pub fn tokens(
        &self,
        template: usize,
        texts: &[&str],
        longest: Option<usize>,
    ) -> Result<(Vec<Encoded>, Overlong), PromptError> {
        let lower: Vec<String> = match self.settings.lower_case {
            true => texts.iter().map(|text| text.to_lowercase()).collect(),
            false => Vec::new(),
        };
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let texts = if self.settings.lower_case { &lower } else { texts };
        let fitted = &self.encoder.templates()[template];
        let longest = longest.or(self.settings.longest).unwrap_or(usize::MAX);
        let (filled, overlong) = fitted.fill(texts, longest)?;
        match filled.iter().position(|one| fitted.sentence(one).is_empty()) {
            Some(index) => Err(SentenceError::NoToken { index }.into()),
            None => Ok((filled, overlong)),
        }
    }

    /// One vector a text, in order, and how many texts were cut. `progress` hears how many are done; its error ends it.
    ///
    /// Errors: those of [`tokens`](Self::tokens), and that of `progress`.
    pub fn encode<E: From<PromptError> + From<SentenceError>>(
        &self,
        texts: &[&str],
        encoding: &Encoding,
        mut progress: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(Vectors, Overlong), E> {
        let stopped: Vec<String> = match self.settings.full_stop {
            true => texts.iter().map(|text| with_full_stop(text)).collect(),
            false => Vec::new(),
        };
        let stopped: Vec<&str> = stopped.iter().map(String::as_str).collect();
        let texts = if self.settings.full_stop { &stopped } else { texts };
        let frozen = self.encoder.valid();
        let device = self.device.clone().inner();
        let used = if self.settings.averaged {
            self.encoder.templates().len()
        } else {
            1
        };
        let mut cut = Overlong::default();
        let mut sum: Option<Vectors> = None;
        for template in 0..used {
            let (filled, overlong) = self.tokens(template, texts, None)?;
            cut = overlong;
            let done = template * filled.len();
            let pass = |tokens: &_| frozen.encode_in(template, tokens);
            let vectors = encode_batches(
                &filled,
                frozen.model().config(),
                encoding.batch,
                &device,
                pass,
                |at| progress((done + at) / used),
            )?;
            sum = Some(match sum {
                None => vectors,
                Some(sum) => sum.plus(&vectors),
            });
        }
        // There is at least one template.
        let all = sum.unwrap_or_else(|| Vectors::new(Vec::new(), self.encoder.width()));
        let all = all.scaled(1.0 / used as f32);
        Ok((encoding.finish(all, self.settings.normalised), cut))
    }

    /// Writes a folder that [`from_folder`](Self::from_folder) opens, with the same vectors: the model in the layout of Hugging Face, its
    /// tokenizer, `prompt.json`, and a card that says how it is used. Each file is replaced in one step, `prompt.json` last.
    ///
    /// Errors: the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), PromptError> {
        self.encoder.model().save(folder, None)?;
        copy_tokenizer(&self.origin, folder)?;
        if let Some(head) = self.encoder.kept_head() {
            head.save(&folder.join(HEAD))?;
        }
        if let Some(soft) = self.encoder.soft_prompt() {
            soft.save(&folder.join(SOFT))?;
        }
        write(
            &folder.join("README.md"),
            crate::card::card(&self.settings).as_bytes(),
        )?;
        write(&folder.join(PromptSettings::FILE), &self.settings.to_json())
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), PromptError> {
    let written = adv_models::write_atomically(path, bytes);
    Ok(written.map_err(|source| SentenceError::Write {
        path: path.into(),
        source,
    })?)
}
