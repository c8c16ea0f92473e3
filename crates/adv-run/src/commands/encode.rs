//! `adv encode`: vectors of sentences.

use crate::sentences::{EncodeArgs, Output, Sentencer, texts};
use adv_contrast::sentence::Encoding;
use anyhow::Result;
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &EncodeArgs, stop: &AtomicBool) -> Result<()> {
    let out = Output::of(&args.out)?;
    let sentences = texts(&args.input, &args.column)?;
    let encoder = Sentencer::open(&args.encoder)?;
    let encoding = Encoding {
        normalised: args.normalise,
        width: args.truncate_dim.map(|width| width as usize),
        ..Encoding::default()
    };
    let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let vectors = encoder.vectors(&sentences, encoding, stop)?;
    out.write(&sentences, &vectors)?;
    if out != Output::Standard {
        eprintln!(
            "{} vectors of {} numbers: {}",
            vectors.len(),
            vectors.width(),
            args.out.display()
        );
    }
    Ok(())
}
