//! Image classifiers and text encoders for adversarial training, with PyTorch weights in and out.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod image;
pub mod text;

mod dropout;
mod error;
mod files;
mod init;
mod loss;
mod weights;

pub use dropout::{Dropout, MaskPolicy, Masks};
pub use error::{ModelError, TensorProblem};
pub use files::write_atomically;
pub use image::{
    Architecture, ImageClassifier, MadryCnn, Mlp, Network, Normalise, SmallCnn, TwoConv, WongCnn, build,
};
pub use loss::{Labels, cross_entropy};
