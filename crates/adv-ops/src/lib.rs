//! Fast CPU kernels for adversarial training of small networks.
//!
//! Burn's own operations under other names: on the flex device, with or without autodiff, these
//! functions run kernels of this crate; on every other device, element type or gradient
//! checkpointing strategy they call Burn's operation. Results agree up to rounding.
//!
//! What they are for: an adversarial ascent asks for the gradient of the input alone, many times.
//! Gradients are computed only for tracked arguments, and results are bit-identical for every
//! number of threads.
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
