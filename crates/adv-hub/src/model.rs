//! Which files of a model are wanted, and which of them the cache has.

use super::HubError;
use super::cache::{Known, RepoCache};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The configuration, and what makes a tokenizer. A model has some of them.
pub(crate) const COMPANIONS: [&str; 10] = [
    CONFIG,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
];
pub(crate) const CONFIG: &str = "config.json";
const SAFETENSORS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLE: &str = "pytorch_model.bin";
/// The files that weights begin with, the preferred one first.
pub(crate) const WEIGHTS: [&str; 3] = [SAFETENSORS, INDEX, PICKLE];

/// What the cache has of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// All that the commit has and we want.
    Complete,
    /// All that a model needs; the hub may have more, such as a better format of the weights.
    Usable,
    /// Less.
    Lacking(&'static str),
}

pub(crate) fn state(cache: &RepoCache, commit: &str) -> State {
    let known = |name: &str| cache.known(commit, name);
    let here = |name: &str| known(name) == Known::Here;
    if !here(CONFIG) {
        return State::Lacking(CONFIG);
    }
    let Some(weights) = WEIGHTS.iter().find(|name| here(name)) else {
        return State::Lacking(SAFETENSORS);
    };
    if *weights == INDEX {
        let shards = shards(&cache.snapshot(commit).join(INDEX)).unwrap_or_default();
        if shards.is_empty() || !shards.iter().all(|name| here(name)) {
            return State::Lacking("shards of the weights");
        }
    }
    let tokenizer = here("tokenizer.json") || here("vocab.txt") || (here("vocab.json") && here("merges.txt"));
    // It may have none; only the hub knows.
    if !tokenizer && COMPANIONS.iter().any(|name| known(name) == Known::Unknown) {
        return State::Lacking("tokenizer.json");
    }
    let better = WEIGHTS.iter().take_while(|name| *name != weights);
    match COMPANIONS
        .iter()
        .chain(better)
        .all(|name| known(name) != Known::Unknown)
    {
        true => State::Complete,
        false => State::Usable,
    }
}

/// The first file of the weights, of the files that there are.
pub(crate) fn weights(files: &[String]) -> Option<&'static str> {
    WEIGHTS
        .into_iter()
        .find(|name| files.iter().any(|file| file == name))
}

/// The shards that an index names; none for another file. They must be in the folder itself.
pub(crate) fn shards(index: &Path) -> Result<Vec<String>, HubError> {
    if index.file_name().is_none_or(|name| name != INDEX) {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(index).map_err(super::error::at(index))?;
    let wrong = || HubError::Answer {
        url: index.display().to_string(),
        reason: "`weight_map` is no object with the name of a file of this folder for each tensor".into(),
    };
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let map = value["weight_map"].as_object().ok_or_else(wrong)?;
    let plain = |name: &Value| {
        let name = name.as_str()?;
        // An index from somewhere must not reach other folders.
        let inner = super::place::is_inner_path(name) && !name.contains('/');
        inner.then(|| name.to_string())
    };
    let names: Option<BTreeSet<String>> = map.values().map(plain).collect();
    Ok(names.ok_or_else(wrong)?.into_iter().collect())
}
