//! Kernels on plain slices: no tensors here.

pub(crate) mod conv;
pub(crate) mod elementwise;
mod gather;
pub(crate) mod linear;
mod parallel;
pub(crate) mod pool;
mod simd;
mod transpose;
