//! Convolution in two dimensions on slices in NCHW order: forward, and the gradients of its three
//! arguments.
//!
//! Each image is padded into a small buffer, and offset tables do the work of im2col. A ReLU and a
//! max pooling can follow while the image is still in the cache.

mod epilogue;
mod forward;
mod input_grad;
mod weight_grad;

pub(crate) use forward::{Forward, forward};
pub(crate) use input_grad::input_grad;
pub(crate) use weight_grad::{bias_grad, weight_grad};

use super::gather::Panels;
use super::pool;
use std::cell::RefCell;

/// Shapes of a convolution; dilation 1, groups 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    batch: usize,
    c_in: usize,
    size: [usize; 2],
    c_out: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    out: [usize; 2],
}

/// A convolution and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) conv: Geometry,
    pub(crate) relu: bool,
    pub(crate) pool: Option<pool::Geometry>,
}

impl Block {
    pub(crate) fn output_shape(&self) -> [usize; 4] {
        self.pool
            .map_or(self.conv.output_shape(), |pool| pool.output_shape())
    }

    /// Values of one channel of one image in the output.
    fn plane(&self) -> usize {
        let [_, _, h, w] = self.output_shape();
        h * w
    }
}

/// The output gradient of a block, and what of its forward pass tells where it goes.
pub(crate) struct OutputGrad<'a> {
    pub(crate) values: &'a [f32],
    /// The output, which a ReLU needs.
    pub(crate) output: &'a [f32],
    /// The place of each maximum in its window, which a pooling needs.
    pub(crate) choice: &'a [u8],
}

/// Buffers of one thread, kept between calls.
#[derive(Default)]
struct Scratch {
    padded: Vec<f32>,
    product: Vec<f32>,
    pooled: Vec<f32>,
    choice: Vec<u32>,
    dense: Vec<f32>,
    panels: Panels,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(f)
}

/// The first `len` values of a buffer, whatever they are.
fn sized<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

impl Geometry {
    /// `None` for shapes that do not fit together, or empty ones.
    pub(crate) fn new(
        input: [usize; 4],
        weight: [usize; 4],
        bias: Option<usize>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Option<Self> {
        let [batch, c_in, h, w] = input;
        let [c_out, c_weight, kh, kw] = weight;
        let empty = input.contains(&0) || weight.contains(&0) || stride.contains(&0);
        if empty || c_in != c_weight || bias.is_some_and(|n| n != c_out) {
            return None;
        }
        let out = |i: usize, size: usize, kernel: usize| {
            Some((size + 2 * padding[i]).checked_sub(kernel)? / stride[i] + 1)
        };
        let out = [out(0, h, kh)?, out(1, w, kw)?];
        let largest = c_in.max(c_out) * (h + 2 * padding[0] + kh) * (w + 2 * padding[1] + kw);
        let fits = largest.max(c_in * c_out * kh * kw) < u32::MAX as usize;
        fits.then_some(Self {
            batch,
            c_in,
            size: [h, w],
            c_out,
            kernel: [kh, kw],
            stride,
            padding,
            out,
        })
    }

    pub(crate) fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.c_out, self.out[0], self.out[1]]
    }

    pub(crate) fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.c_in, self.size[0], self.size[1]]
    }

    pub(crate) fn weight_shape(&self) -> [usize; 4] {
        [self.c_out, self.c_in, self.kernel[0], self.kernel[1]]
    }

    fn taps(&self) -> usize {
        self.c_in * self.kernel[0] * self.kernel[1]
    }

    fn pixels(&self) -> usize {
        self.out[0] * self.out[1]
    }

    fn image(&self) -> usize {
        self.c_in * self.size[0] * self.size[1]
    }

    /// Multiply-adds of one pass.
    fn work(&self) -> usize {
        self.batch * self.pixels() * self.taps() * self.c_out
    }

    fn padded(&self) -> [usize; 2] {
        [0, 1].map(|i| self.size[i] + 2 * self.padding[i])
    }

    /// Offsets into a padded image: of each output pixel, and of each tap.
    fn offsets(&self) -> (Vec<u32>, Vec<u32>) {
        let [hp, wp] = self.padded();
        let pixels = [0, self.stride[0] * wp, self.stride[1]];
        let pixels = grid([1, self.out[0], self.out[1]], pixels);
        let taps = grid([self.c_in, self.kernel[0], self.kernel[1]], [hp * wp, wp, 1]);
        (pixels, taps)
    }

    /// One image within its border of zeros.
    fn pad<'a>(&self, image: &'a [f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        if self.padding == [0, 0] {
            return image;
        }
        pad(image, self.size, self.padding, self.padded(), buffer);
        buffer
    }
}

/// Offsets of a grid of `dims` with these strides, last dimension fastest.
fn grid(dims: [usize; 3], strides: [usize; 3]) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(dims.iter().product());
    for i in 0..dims[0] {
        for j in 0..dims[1] {
            let start = i * strides[0] + j * strides[1];
            offsets.extend((0..dims[2]).map(|k| (start + k * strides[2]) as u32));
        }
    }
    offsets
}

/// Copies planes of `size` into planes of `padded`, `before` rows and columns from the corner.
fn pad(src: &[f32], size: [usize; 2], before: [usize; 2], padded: [usize; 2], dst: &mut Vec<f32>) {
    let [h, w] = size;
    let planes = src.len() / (h * w);
    dst.clear();
    dst.resize(planes * padded[0] * padded[1], 0.0);
    for (src, dst) in src
        .chunks_exact(h * w)
        .zip(dst.chunks_exact_mut(padded[0] * padded[1]))
    {
        let rows = dst[before[0] * padded[1]..].chunks_exact_mut(padded[1]);
        for (src, dst) in src.chunks_exact(w).zip(rows) {
            dst[before[1]..before[1] + w].copy_from_slice(src);
        }
    }
}
