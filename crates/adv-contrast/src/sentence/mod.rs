//! Sentence encoders: from tokens, and from text, to one vector a sentence.

mod dense;
mod dense_files;
mod embedder;
mod encoder;
mod error;
mod folder;
mod pooling;
mod saving;
mod vectors;

pub use dense::{Dense, DenseActivation};
pub use embedder::{Embedder, Encoding, encode_batches};
pub use encoder::{Encoder, HeadUse, SentenceEncoder};
pub use error::SentenceError;
pub use folder::SentenceSettings;
pub use pooling::Pooling;
pub use vectors::Vectors;
pub(crate) use vectors::cosine;
