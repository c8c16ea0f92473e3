//! Fast CPU kernels for adversarial training of small networks.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod conv;
mod cpu;
mod linear;
mod pool;
mod relu;
mod route;

pub use conv::{conv2d, conv2d_relu, conv2d_relu_max_pool2d};
pub use linear::linear;
pub use pool::max_pool2d;
pub use relu::relu;
