//! `adv serve`: an encoder behind HTTP.

use crate::sentences::Sentencer;
use crate::serve::{ServeArgs, serve};
use anyhow::Result;
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &ServeArgs, stop: &AtomicBool) -> Result<()> {
    let encoder = Sentencer::open(&args.encoder)?;
    serve(args, encoder.into_embedder(), stop)
}
