//! Sentence vectors on the command line: which encoder, which sentences, and how vectors are written.

mod args;
mod encoder;
mod input;
mod model;
mod output;
mod prompt_args;

pub use args::{EncodeArgs, EncoderArgs, ReadingArgs, SearchArgs, SimilarityArgs, StsArgs, TransferArgs};
pub(crate) use encoder::Sentencer;
pub(crate) use input::{data_root, sts_tasks, texts};
pub use model::{EncoderChoice, PromptChoice, SentenceEmbedder, SentenceModel};
pub(crate) use output::{Output, print_lines};
pub use prompt_args::{PromptAnalyseArgs, PromptCommand, PromptSearchArgs};
