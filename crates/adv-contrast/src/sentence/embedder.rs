//! From texts to vectors: what most users of a sentence encoder want.

use super::{Encoder, HeadUse, SentenceEncoder, SentenceError, SentenceSettings, Vectors};
use adv_models::text::{Encoded, HeadKind, Overlong, TextConfig, TextModel, Tokenizer, Tokens};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::{Path, PathBuf};

/// How texts are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Texts of a pass.
    pub batch: usize,
    /// Whether vectors are scaled to length 1, where the folder does not ask for it anyway.
    pub normalised: bool,
    /// Numbers of a vector that are kept, before it is scaled; all if none.
    pub width: Option<usize>,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            batch: 64,
            normalised: false,
            width: None,
        }
    }
}

impl Encoding {
    /// Vectors as they leave: cut, and scaled if the folder or the caller asks for it.
    pub fn finish(&self, vectors: Vectors, normalised: bool) -> Vectors {
        let kept = match self.width {
            Some(width) => vectors.truncated(width),
            None => vectors,
        };
        match self.normalised || normalised {
            true => kept.normalised(),
            false => kept,
        }
    }
}

/// A sentence encoder with its tokenizer: texts in, vectors out.
#[derive(Debug, Clone)]
pub struct Embedder {
    pub(super) encoder: SentenceEncoder,
    pub(super) tokenizer: Tokenizer,
    pub(super) settings: SentenceSettings,
    /// The folder of the model, whose tokenizer a saved folder gets.
    pub(super) origin: PathBuf,
    device: Device,
}

impl Embedder {
    /// The encoder of a folder: of sentence-transformers, or a plain model, whose tokens are averaged.
    ///
    /// Errors: a folder that is none, files that are broken, modules or weights that are not built here.
    pub fn from_folder(folder: &Path, device: &Device) -> Result<Self, SentenceError> {
        Self::with_settings(folder, SentenceSettings::read(folder)?, device)
    }

    /// The same with other settings, such as another pooling.
    pub fn with_settings(
        folder: &Path,
        settings: SentenceSettings,
        device: &Device,
    ) -> Result<Self, SentenceError> {
        let origin = settings.model_folder(folder);
        let config = TextConfig::read(&origin)?;
        let tokenizer = Tokenizer::from_folder(&origin)?;
        tokenizer.check(config.vocabulary())?;
        let longest = settings.longest.unwrap_or(usize::MAX).min(config.longest());
        let (model, _) = TextModel::load(config, &origin, HeadKind::None, 0, device)?;
        let encoder = SentenceEncoder::new(model, settings.pooling);
        let encoder = match settings.head(folder, device)? {
            Some(head) if head.widths()[0] != encoder.width() => {
                return Err(SentenceError::Weights {
                    path: folder.to_path_buf(),
                    detail: format!(
                        "its linear layer takes vectors of {} numbers, the model gives {}",
                        head.widths()[0],
                        encoder.width()
                    ),
                });
            }
            Some(head) => encoder.with_head(head, HeadUse::Always),
            None => encoder,
        };
        Ok(Self {
            encoder,
            tokenizer: tokenizer.with_longest(longest)?,
            settings,
            origin,
            device: device.clone(),
        })
    }

    /// The folder of the model itself.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Where the encoder's weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The encoder.
    pub fn encoder(&self) -> &SentenceEncoder {
        &self.encoder
    }

    /// The tokenizer, which cuts texts to the longest that the folder allows.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What the folder says.
    pub fn settings(&self) -> &SentenceSettings {
        &self.settings
    }

    /// The same with another encoder, such as a trained one.
    pub fn with_encoder(self, encoder: SentenceEncoder) -> Self {
        Self { encoder, ..self }
    }

    /// The same, cutting texts to so many tokens, if the model takes as many.
    ///
    /// Errors: no room for anything but special tokens.
    pub fn with_longest(mut self, longest: usize) -> Result<Self, SentenceError> {
        let longest = longest.min(self.encoder.model().config().longest());
        self.tokenizer = self.tokenizer.with_longest(longest)?;
        Ok(self)
    }

    /// Token ids, and how many texts were cut.
    ///
    /// Errors: a text without a token, or one that the tokenizer refuses.
    pub fn tokens(&self, texts: &[&str]) -> Result<(Vec<Encoded>, Overlong), SentenceError> {
        let lower: Vec<String> = match self.settings.lower_case {
            true => texts.iter().map(|text| text.to_lowercase()).collect(),
            false => Vec::new(),
        };
        let inputs: Vec<(&str, Option<&str>)> = match self.settings.lower_case {
            true => lower.iter().map(|text| (text.as_str(), None)).collect(),
            false => texts.iter().map(|text| (*text, None)).collect(),
        };
        let (encoded, overlong) = self.tokenizer.encode(&inputs)?;
        if let Some(index) = encoded.iter().position(Encoded::is_empty) {
            return Err(SentenceError::NoToken { index });
        }
        Ok((encoded, overlong))
    }

    /// One vector a text, in order, and how many texts were cut. Texts of like length share a pass; a text has the same vector alone and
    /// among others, up to rounding. `progress` hears how many are done; its error ends it.
    ///
    /// Errors: those of [`tokens`](Self::tokens), and that of `progress`.
    pub fn encode<E: From<SentenceError>>(
        &self,
        texts: &[&str],
        encoding: &Encoding,
        progress: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(Vectors, Overlong), E> {
        let (encoded, overlong) = self.tokens(texts)?;
        let frozen = self.encoder.valid();
        let device = self.device.clone().inner();
        let config = frozen.model().config();
        let pass = |tokens: &Tokens| frozen.encode(tokens);
        let all = encode_batches(&encoded, config, encoding.batch, &device, pass, progress)?;
        Ok((encoding.finish(all, self.settings.normalised), overlong))
    }
}

/// One vector for each of these, in order, by passes of `batch` of like length. `progress` hears how many are done; its error ends it.
///
/// Errors: tokens that are none of the model's; that of `progress`.
pub fn encode_batches<E: From<SentenceError>>(
    encoded: &[Encoded],
    config: &TextConfig,
    batch: usize,
    device: &Device,
    pass: impl Fn(&Tokens) -> Tensor<2>,
    mut progress: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vectors, E> {
    let mut order: Vec<usize> = (0..encoded.len()).collect();
    // The longest first: what does not fit into memory fails at once.
    order.sort_by_key(|&place| std::cmp::Reverse(encoded[place].len()));
    let mut all = Vectors::zeros(0, config.hidden());
    let mut done = 0;
    for places in order.chunks(batch.max(1)) {
        progress(done)?;
        let rows: Vec<Encoded> = places.iter().map(|&place| encoded[place].clone()).collect();
        let tokens = Tokens::new(&rows, config, device).map_err(SentenceError::from)?;
        let vectors = pass(&tokens);
        if all.is_empty() {
            all = Vectors::zeros(encoded.len(), vectors.dims()[1]);
        }
        let values: Vec<f32> = vectors.into_data().iter::<f32>().collect();
        for (&place, row) in places.iter().zip(values.chunks_exact(all.width())) {
            all.row_mut(place).copy_from_slice(row);
        }
        done += places.len();
    }
    progress(done)?;
    Ok(all)
}
