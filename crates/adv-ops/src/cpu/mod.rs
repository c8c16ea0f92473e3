//! Kernels on plain slices: no tensors here.

pub(crate) mod adam;
pub(crate) mod conv;
pub(crate) mod dropout;
pub(crate) mod elementwise;
mod exp;
mod gather;
pub(crate) mod gelu;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod lstm;
pub(crate) mod moments;
pub(crate) mod parallel;
pub(crate) mod pool;
mod simd;
pub(crate) mod softmax;
mod transpose;
