//! What can go wrong with a folder of a sentence encoder, or with sentences.

use adv_models::text::TextError;
use std::path::PathBuf;
use thiserror::Error;

/// Everything about sentence encoders that this library refuses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SentenceError {
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
    /// A file that is no JSON, or not of the form that it must have.
    #[error("{}: {detail}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A module that is not built here.
    #[error("{}: {module} is not built here: a Transformer, a Pooling, one Dense and a Normalize are", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What it names.
        module: String,
    },
    /// A pooling that is not built here.
    #[error("{}: the pooling is {found}; built here: one of cls, mean, max and mean_sqrt_len", path.display())]
    Pooling {
        /// The file.
        path: PathBuf,
        /// What it asks for.
        found: String,
    },
    /// Weights that do not fit.
    #[error("{}: {detail}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A pooling that the layout of sentence-transformers cannot express.
    #[error(
        "a folder of sentence-transformers cannot say that vectors are pooled by {pooling}: use cls, mean, max or mean_sqrt_len"
    )]
    NotSaved {
        /// The pooling.
        pooling: String,
    },
    /// A text without a token.
    #[error("text {index} has no token: leave it out")]
    NoToken {
        /// Its place, from 0.
        index: usize,
    },
    /// The model or its tokenizer.
    #[error(transparent)]
    Text(#[from] TextError),
}
