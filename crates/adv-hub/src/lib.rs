//! Models and data sets by name, from the Hugging Face hub or its cache on this machine.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod cache;
mod client;
mod error;
mod hub;
mod model;
mod place;
mod settings;
mod transfer;

pub use error::HubError;
pub use hub::{Fetched, Hub};
pub use place::{HubFile, HubModel};
pub use settings::{HubSettings, Network, Token};
pub use transfer::Progress;
