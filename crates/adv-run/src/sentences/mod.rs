//! Sentence vectors on the command line: which encoder, which sentences, and how vectors are written.

mod args;
mod encoder;
mod input;
mod output;
mod prompt;

pub use args::{EncodeArgs, EncoderArgs, SearchArgs, SimilarityArgs, StsArgs, TransferArgs};
pub(crate) use encoder::Sentencer;
pub(crate) use input::texts;
pub(crate) use output::{Output, print_lines};
