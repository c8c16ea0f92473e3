//! What can go wrong with a model folder.

use crate::ModelError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Everything about models of text that this library refuses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file that is no JSON.
    #[error("{} is no valid JSON, line {line}: {detail}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// A JSON file that does not hold an object.
    #[error("{} must hold a JSON object", path.display())]
    NotObject {
        /// The file.
        path: PathBuf,
    },
    /// A value of `config.json` that nothing can be built from.
    #[error("{}: `{key}` must be {expected}, found {found}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A model that this library does not build.
    #[error("{}: `{key}` is `{found}`; built here: {known}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it is.
        found: String,
        /// What it may be.
        known: String,
    },
    /// A folder without weights.
    #[error(
        "{} holds no weights: expected model.safetensors, model.safetensors.index.json with its shards, or \
         pytorch_model.bin", folder.display()
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder without a tokenizer.
    #[error("{} holds no tokenizer: expected tokenizer.json, vocab.txt, or vocab.json with merges.txt", folder.display())]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
    },
    /// A tokenizer that cannot be used.
    #[error("the tokenizer in {}: {detail}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A length that special tokens alone fill.
    #[error(
        "a length of {longest} leaves no room for {texts} beside the special tokens ({special}): allow more"
    )]
    NoRoom {
        /// The length in tokens.
        longest: usize,
        /// What is to be cut: a text, or a pair.
        texts: &'static str,
        /// Special tokens that come with it.
        special: usize,
    },
    /// A tokenizer with ids that the word embedding does not have.
    #[error(
        "the tokenizer in {} has token ids up to {largest}, the word embedding has {rows} rows: tokenizer and weights do \
         not belong together", folder.display()
    )]
    Vocabulary {
        /// The folder.
        folder: PathBuf,
        /// The largest id.
        largest: usize,
        /// Rows of the embedding.
        rows: usize,
    },
    /// A batch that the encoder cannot take.
    #[error("sentence {index}: {problem}")]
    Sentence {
        /// Its place in the batch, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// A head that does not go with what it stands on.
    #[error("a head for {head} needs {needs}")]
    Head {
        /// The head.
        head: &'static str,
        /// What it stands on.
        needs: &'static str,
    },
    /// A place that a model does not have.
    #[error("an LSTM has no positions or types: perturb its words or the rows of its table")]
    NoSum,
    /// Counts that no frequencies can be made of.
    #[error("the frequencies of words: {problem}")]
    Frequencies {
        /// What is wrong.
        problem: String,
    },
    /// Answers that a model cannot be compared with.
    #[error("the answers of the batch: {problem}")]
    Answers {
        /// What is wrong.
        problem: String,
    },
    /// A score that is no number.
    #[error("the score of sentence {index} is {score}")]
    Score {
        /// Its place in the batch, from 0.
        index: usize,
        /// The score as given.
        score: f32,
    },
    /// Numbers that nothing can be hidden with.
    #[error(
        "cannot hide a share of {share} of the tokens with mask token {mask}: the share must be in (0, 1], the mask one of the \
         {vocabulary} tokens"
    )]
    Masking {
        /// The share as given.
        share: f64,
        /// The mask token.
        mask: u32,
        /// Tokens of the vocabulary.
        vocabulary: usize,
    },
    /// Weights that do not fit, or labels that are no classes.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl TextError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        TextError::Read {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        TextError::Write {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        TextError::Json {
            path: path.to_path_buf(),
            line: error.line(),
            detail: error.to_string(),
        }
    }
}
