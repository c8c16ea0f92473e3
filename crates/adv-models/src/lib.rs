//! Image classifiers for adversarial training, with PyTorch weights in and out.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod architecture;
mod classifier;
mod dropout;
mod error;
mod init;
mod layers;
mod loss;
mod madry_cnn;
mod mlp;
mod normalise;
mod small_cnn;
mod two_conv;
mod weights;
mod wong_cnn;

pub use architecture::{Architecture, build};
pub use classifier::{ImageClassifier, Network};
pub use dropout::{Dropout, MaskPolicy, Masks};
pub use error::{ModelError, TensorProblem};
pub use loss::{Labels, cross_entropy};
pub use madry_cnn::MadryCnn;
pub use mlp::Mlp;
pub use normalise::Normalise;
pub use small_cnn::SmallCnn;
pub use two_conv::TwoConv;
pub use wong_cnn::WongCnn;
