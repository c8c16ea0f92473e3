//! Fast CPU kernels for adversarial training of small networks and of transformers.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod adam;
mod conv;
mod cpu;
mod dropout;
mod embedding;
mod gelu;
mod layer_norm;
mod linear;
mod lstm;
mod moments;
mod pool;
mod relu;
mod route;
mod softmax;

pub use adam::{Adam, Decay};
pub use conv::{conv2d, conv2d_relu, conv2d_relu_max_pool2d};
pub use dropout::dropout;
pub use embedding::embedding;
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use lstm::lstm;
pub use moments::weighted_moments;
pub use pool::max_pool2d;
pub use relu::relu;
pub use softmax::masked_softmax;
