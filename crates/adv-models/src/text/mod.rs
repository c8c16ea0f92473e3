//! Models of text: transformer encoders of the BERT family with heads, and their folders in the layout of Hugging Face.

mod batch;
mod block;
mod config;
mod encoder;
mod error;
mod folder;
mod head;
mod maker;
mod masking;
mod model;
mod names;
mod norm;
mod saving;
mod tokenizer;
mod tokens;
mod vocabulary;

pub use batch::{Answers, SpecialTokens, TextBatch};
pub use config::{Activation, EncoderConfig, Family};
pub use encoder::{Encoder, Place};
pub use error::TextError;
pub use folder::LoadReport;
pub use head::{Head, HeadKind, MaskedLmHead, SequenceHead};
pub use masking::{HiddenTokens, Masking};
pub use model::TextModel;
pub use saving::copy_tokenizer;
pub use tokenizer::{Overlong, Tokenizer};
pub use tokens::{Encoded, Tokens};
