//! `adv similarity`: the cosine of each pair.

use super::predict;
use crate::sentences::{Sentencer, SimilarityArgs, print_lines};
use crate::usage::UsageError;
use adv_contrast::sentence::Encoding;
use anyhow::Result;
use serde_json::json;
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &SimilarityArgs, stop: &AtomicBool) -> Result<()> {
    let texts = predict::read(&args.input, args.columns.as_deref())?;
    let mut pairs = Vec::new();
    for (place, (first, second)) in texts.iter().enumerate() {
        let Some(second) = second else {
            return Err(UsageError(format!(
                "{}: sentence {} stands alone: put a tab and its partner behind it",
                args.input.display(),
                place + 1
            ))
            .into());
        };
        pairs.push((first.as_str(), second.as_str()));
    }
    let encoder = Sentencer::open(&args.encoder)?;
    let sentences: Vec<&str> = pairs
        .iter()
        .flat_map(|(first, second)| [*first, *second])
        .collect();
    let vectors = encoder.vectors(&sentences, Encoding::default(), stop)?;
    print_lines(pairs.iter().enumerate().map(|(place, (first, second))| {
        let cosine = vectors.cosine(2 * place, 2 * place + 1);
        match args.json {
            true => json!({"first": first, "second": second, "cosine": cosine}).to_string(),
            false => format!("{cosine:.4}\t{first}\t{second}"),
        }
    }))
}
