//! PromptBERT: sentence vectors read at the mask of a template.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod analysis;

mod card;
mod embedder;
mod encoder;
mod error;
mod fitted;
mod likely;
mod settings;
mod soft;
mod template;

pub use embedder::PromptEmbedder;
pub use encoder::{BiasPositions, Denoising, PromptEncoder, Reading, Representation};
pub use error::PromptError;
pub use fitted::FittedTemplate;
pub use likely::{Guesser, LikelyTokens};
pub use settings::PromptSettings;
pub use soft::SoftPrompt;
pub use template::{Template, with_full_stop};
