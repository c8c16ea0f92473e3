//! The runner behind the command line `adv`: specs, the training loop, attacks that measure, reports.
//!
//! A thin layer over `adv-core`, `adv-models`, `adv-contrast`, `adv-prompt`, `adv-data` and `adv-hub`, and the only crate that knows which devices exist.
#![deny(missing_docs)]

mod adam;
pub mod attack;
pub mod cli;
pub mod commands;
mod contrast;
pub mod device;
pub mod events;
mod files;
pub mod hub;
pub mod image;
pub mod memory;
pub mod methods;
pub mod metrics_csv;
pub mod optim;
pub mod progress;
pub mod report;
mod report_of;
pub mod result;
pub mod run;
pub mod sentences;
pub mod serve;
pub mod spec;
pub mod streams;
pub mod text;
pub mod trainer;
pub mod usage;
