//! The encoder of a command.

use super::{EncoderArgs, prompt::Prompt};
use crate::hub;
use crate::progress::measuring;
use crate::usage::UsageError;
use adv_contrast::sentence::{Embedder, Encoding, Pooling, SentenceSettings, Vectors};
use adv_models::text::Tokenizer;
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// An encoder as a command asks for it.
pub(crate) struct Sentencer {
    embedder: Embedder,
    /// A template, and the text of the model's mask.
    prompt: Option<(Prompt, String)>,
    batch: usize,
}

impl Sentencer {
    pub(crate) fn open(args: &EncoderArgs) -> Result<Self> {
        let device = args.device.open()?;
        let folder = hub::folder(&args.model_dir)?;
        if !folder.is_dir() {
            return Err(UsageError(format!("--model-dir: there is no folder {}", folder.display())).into());
        }
        let mut settings = SentenceSettings::read(&folder)?;
        if let Some(pooling) = args.pooling {
            settings.pooling = pooling.into();
        }
        let mut prompt = None;
        if let Some(template) = &args.prompt {
            let tokenizer = Tokenizer::from_folder(&settings.model_folder(&folder))?;
            let mask = tokenizer.mask().and_then(|id| Some((id, tokenizer.token(id)?)));
            let Some((id, text)) = mask else {
                return Err(UsageError("--prompt: the tokenizer has no mask token".into()).into());
            };
            settings.pooling = Pooling::Token(id);
            // A cut would take the mask away.
            settings.longest = None;
            prompt = Some((template.clone(), text));
        }
        if let Some(longest) = args.max_length {
            settings.longest = Some(longest);
        }
        Ok(Self {
            embedder: Embedder::with_settings(&folder, settings, &device)?,
            prompt,
            batch: args.batch as usize,
        })
    }

    /// One vector a text, with progress on a terminal; says how many texts were cut.
    pub(crate) fn vectors(&self, texts: &[&str], encoding: Encoding, stop: &AtomicBool) -> Result<Vectors> {
        let filled: Vec<String> = match &self.prompt {
            Some((prompt, mask)) => texts.iter().map(|text| prompt.around(text, mask)).collect(),
            None => Vec::new(),
        };
        let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
        let texts = if self.prompt.is_some() { &filled } else { texts };
        let encoding = Encoding {
            batch: self.batch,
            ..encoding
        };
        let progress = measuring("encoding".into(), texts.len(), stop);
        let (vectors, overlong) = self.embedder.encode(texts, &encoding, progress)?;
        if overlong.cut > 0 {
            eprintln!(
                "warning: {} of {} sentences were too long and were cut: see --max-length",
                overlong.cut, overlong.texts
            );
        }
        Ok(vectors)
    }
}
