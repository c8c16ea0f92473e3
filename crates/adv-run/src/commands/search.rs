//! `adv search`: the sentences of a file that are nearest to a query.

use crate::sentences::{SearchArgs, Sentencer, print_lines, texts};
use crate::usage::UsageError;
use adv_contrast::evaluation::Index;
use adv_contrast::sentence::Encoding;
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &SearchArgs, stop: &AtomicBool) -> Result<()> {
    let standard = |path: &Path| path == Path::new("-");
    if standard(&args.corpus) && args.queries.as_deref().is_some_and(standard) {
        return Err(UsageError("--corpus and --queries cannot both be the standard input".into()).into());
    }
    let corpus = texts(&args.corpus, &args.column)?;
    let queries = match &args.queries {
        Some(path) => texts(path, &args.column)?,
        None => args.query.clone(),
    };
    let encoder = Sentencer::open(&args.encoder)?;
    let all: Vec<&str> = corpus.iter().chain(&queries).map(String::as_str).collect();
    let vectors = encoder.vectors(&all, Encoding::default(), stop)?;
    let (corpus_part, query_part) = vectors.split_at(corpus.len());
    let index = Index::new(corpus_part);
    let found = queries.iter().zip(query_part.rows()).flat_map(|(query, vector)| {
        let hits = index.search(vector, args.top_k as usize, args.threshold);
        hits.into_iter().map(move |hit| (query, hit))
    });
    print_lines(found.map(|(query, hit)| {
        let sentence = &corpus[hit.place];
        match args.json {
            true => {
                let line = hit.place + 1;
                json!({"query": query, "line": line, "cosine": hit.score, "sentence": sentence}).to_string()
            }
            false if queries.len() > 1 => format!("{query}\t{:.4}\t{sentence}", hit.score),
            false => format!("{:.4}\t{sentence}", hit.score),
        }
    }))
}
