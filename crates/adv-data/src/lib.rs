//! Labelled images and sentences for training: known data sets, checked files, downloads and an addressable order of batches.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod cifar;
pub mod digits;
pub mod fetch;
pub mod idx;
pub mod metrics;
pub mod text;

mod batch;
mod catalog;
mod error;
mod expected;
mod folder;
mod hold_out;
mod image_set;
mod order;
mod prefetch;
mod read;
mod remote;
mod unpack;

pub use batch::HostBatch;
pub use catalog::{DatasetId, Download, Origin, Source, Splits, load, user_cache};
pub use error::{DataError, MirrorFailure, Result};
pub use hold_out::hold_out;
pub use image_set::{ImageItem, ImageSet, RawImages};
pub use order::{BatchPlan, Batches, LastBatch, Position, epoch_order};
pub use prefetch::Prefetch;
pub use remote::public_mirrors;
