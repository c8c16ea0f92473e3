//! Models of text: transformer encoders of the BERT family and an LSTM, with heads, and their folders in the layout of Hugging Face.

mod batch;
mod block;
mod body;
mod config;
mod encoder;
mod error;
mod folder;
mod head;
mod layout;
mod lstm;
mod lstm_config;
mod maker;
mod masking;
mod model;
mod names;
mod norm;
mod saving;
mod text_config;
mod tokenizer;
mod tokens;
mod vocabulary;

pub use batch::{Answers, SpecialTokens, TextBatch};
pub use body::Body;
pub use config::{Activation, EncoderConfig, Family};
pub use encoder::{Encoder, Place};
pub use error::TextError;
pub use folder::LoadReport;
pub use head::{Head, HeadKind, LastHead, MaskedLmHead, NextTokenHead, SequenceHead};
pub use lstm::Lstm;
pub use lstm_config::LstmConfig;
pub use masking::{HiddenTokens, Masking};
pub use model::TextModel;
pub use saving::copy_tokenizer;
pub use text_config::TextConfig;
pub use tokenizer::{Overlong, Tokenizer};
pub use tokens::{Encoded, Tokens};
