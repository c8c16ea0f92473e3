//! Fast CPU kernels for adversarial training of small networks.
//!
//! Burn's own operations under other names: on the flex device, with or without autodiff, these
//! functions run kernels of this crate; on every other device, element type or gradient
//! checkpointing strategy they call Burn's operation. Results agree up to rounding.
//!
//! What they are for: an adversarial ascent asks for the gradient of the input alone, many times.
//! Gradients are computed only for tracked arguments, and results are bit-identical for every
//! number of threads.
//!
//! ```
//! use adv_ops::{conv2d_relu_max_pool2d, linear};
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! let device = Device::flex();
//! let uniform = Distribution::Uniform(-0.1, 0.1);
//! let kernel = Tensor::random([4, 1, 5, 5], uniform, &device);
//! let weight = Tensor::random([4 * 14 * 14, 10], uniform, &device);
//!
//! // The weights are constants: only the gradient of the input is computed.
//! let x = Tensor::<4>::ones([8, 1, 28, 28], &device).autodiff().require_grad();
//! let y = conv2d_relu_max_pool2d(x.clone(), kernel, None, [1, 1], [2, 2], [2, 2]);
//! let logits = linear(y.reshape([8, 4 * 14 * 14]), weight, None);
//! let grads = logits.sum().backward();
//! assert_eq!(x.grad(&grads).unwrap().dims(), [8, 1, 28, 28]);
//! ```
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
