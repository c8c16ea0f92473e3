//! The encoder of a command.

use super::{EncoderArgs, EncoderChoice, PromptChoice, SentenceEmbedder};
use crate::hub;
use crate::progress::measuring;
use crate::usage::UsageError;
use adv_contrast::sentence::{Encoding, Vectors};
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// An encoder as a command asks for it.
pub(crate) struct Sentencer {
    embedder: SentenceEmbedder,
    batch: usize,
}

impl Sentencer {
    pub(crate) fn open(args: &EncoderArgs) -> Result<Self> {
        let device = args.device.open()?;
        let folder = hub::folder(&args.model_dir)?;
        if !folder.is_dir() {
            return Err(UsageError(format!("--model-dir: there is no folder {}", folder.display())).into());
        }
        if let Some(flag) = args.reading.given().filter(|_| args.prompt.is_empty()) {
            return Err(UsageError(format!("{flag} is about a template: name one with --prompt")).into());
        }
        let prompt = (!args.prompt.is_empty()).then(|| PromptChoice {
            templates: args.prompt.clone(),
            averaged: args.prompt.len() > 1,
            reading: args.reading.reading(),
        });
        let choice = EncoderChoice {
            pooling: args.pooling,
            prompt,
            longest: args.max_length,
        };
        Ok(Self {
            embedder: SentenceEmbedder::open(&folder, &choice, &device)?,
            batch: args.batch as usize,
        })
    }

    /// The encoder itself.
    pub(crate) fn into_embedder(self) -> SentenceEmbedder {
        self.embedder
    }

    /// One vector a text, with progress on a terminal; says how many texts were cut.
    pub(crate) fn vectors(&self, texts: &[&str], encoding: Encoding, stop: &AtomicBool) -> Result<Vectors> {
        let encoding = Encoding {
            batch: self.batch,
            ..encoding
        };
        let progress = measuring("encoding".into(), texts.len(), stop);
        let (vectors, overlong) = self
            .embedder
            .encode::<anyhow::Error>(texts, &encoding, progress)?;
        if overlong.cut > 0 {
            eprintln!(
                "warning: {} of {} sentences were too long and were cut: see --max-length",
                overlong.cut, overlong.texts
            );
        }
        Ok(vectors)
    }
}
