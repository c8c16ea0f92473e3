//! Convolution in two dimensions on slices in NCHW order: forward, and the gradients of its three
//! arguments.
//!
//! Each image is padded into a small buffer, and offset tables do the work of im2col.

use super::gather::{FLAT_CHANNELS, FlatGemm, GatherGemm, Panels};
use super::parallel::{for_each_piece, map};
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

/// Buffers of one thread, kept between calls.
#[derive(Default)]
struct Scratch {
    padded: Vec<f32>,
    product: Vec<f32>,
    panels: Panels,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(f)
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
        let out = |size: usize, k: usize, s: usize, p: usize| Some((size + 2 * p).checked_sub(k)? / s + 1);
        let out = [
            out(h, kh, stride[0], padding[0])?,
            out(w, kw, stride[1], padding[1])?,
        ];
        let largest = c_in.max(c_out) * (h + 2 * padding[0] + kh) * (w + 2 * padding[1] + kw);
        (largest < u32::MAX as usize).then_some(Self {
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
        let pixels = grid(
            [1, self.out[0], self.out[1]],
            [0, self.stride[0] * wp, self.stride[1]],
        );
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

/// `[B,C,H,W]`, `[O,C,kh,kw]`, `[O]` to `[B,O,H',W']`.
pub(crate) fn forward(g: &Geometry, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (pixels, taps) = g.offsets();
    let mut panels = Panels::default();
    let rows: Vec<u32> = (0..g.taps() as u32).collect();
    panels.pack(weight, &rows, g.c_out, g.taps());
    let mut first = vec![0.0; panels.width()];
    if let Some(bias) = bias {
        first[..g.c_out].copy_from_slice(bias);
    }

    let mut output = vec![0.0; g.batch * g.c_out * g.pixels()];
    for_each_piece(&mut output, g.c_out * g.pixels(), g.work(), |b, out| {
        with_scratch(|scratch| {
            let image = &input[b * g.image()..][..g.image()];
            let data = g.pad(image, &mut scratch.padded);
            let product = &mut scratch.product;
            product.clear();
            pixels.iter().for_each(|_| product.extend_from_slice(&first));
            GatherGemm {
                data,
                rows: &pixels,
                cols: &taps,
                panels: &panels,
                out: product,
            }
            .run();
            transpose(product, panels.width(), out, g.pixels());
        });
    });
    output
}

/// `out[n][m] = src[m][n]` for as many rows `n` as `out` has.
fn transpose(src: &[f32], width: usize, out: &mut [f32], len: usize) {
    for (n, out) in out.chunks_exact_mut(len).enumerate() {
        for (to, from) in out.iter_mut().zip(src[n..].iter().step_by(width)) {
            *to = *from;
        }
    }
}

/// The input pixels that meet the same taps: those of one residue of the position by the stride.
struct Phase {
    /// Offsets into the padded output gradient: of each pixel, and of each (channel, tap).
    rows: Vec<u32>,
    cols: Vec<u32>,
    /// Where the weights of (channel, tap) start.
    weights: Vec<u32>,
    /// Rows and columns of this phase, and its first pixel in the image.
    dims: [usize; 2],
    first: [usize; 2],
}

/// Gradient of the input: a convolution of the output gradient with the turned kernel, one for
/// each phase of the stride.
pub(crate) fn input_grad(g: &Geometry, weight: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let (phases, before, padded) = phases(g);
    let area = g.kernel[0] * g.kernel[1];
    let flat = g.c_in <= FLAT_CHANNELS;
    let panels: Vec<Panels> = phases
        .iter()
        .map(|phase| {
            let mut panels = Panels::default();
            if !flat {
                panels.pack(weight, &phase.weights, g.c_in, area);
            }
            panels
        })
        .collect();
    let weights: Vec<Vec<f32>> = phases
        .iter()
        .map(|phase| {
            let channels = if flat { g.c_in } else { 0 };
            let row = |c: usize| {
                phase
                    .weights
                    .iter()
                    .map(move |&start| weight[start as usize + c * area])
            };
            (0..channels).flat_map(row).collect()
        })
        .collect();

    let mut input_grad = vec![0.0; g.batch * g.image()];
    let len = g.c_out * g.pixels();
    for_each_piece(&mut input_grad, g.image(), g.work(), |b, image| {
        with_scratch(|scratch| {
            let Scratch {
                padded: data,
                product,
                ..
            } = scratch;
            pad(&output_grad[b * len..][..len], g.out, before, padded, data);
            for ((phase, panels), weights) in phases.iter().zip(&panels).zip(&weights) {
                if phase.rows.is_empty() || phase.cols.is_empty() {
                    continue;
                }
                if flat {
                    flat_phase(g, phase, weights, data, padded[1], product, image);
                    continue;
                }
                product.clear();
                product.resize(phase.rows.len() * panels.width(), 0.0);
                GatherGemm {
                    data,
                    rows: &phase.rows,
                    cols: &phase.cols,
                    panels,
                    out: product,
                }
                .run();
                let stride = [phase.dims[1] * panels.width(), panels.width()];
                place(g, phase, product, 1, stride, image);
            }
        });
    });
    input_grad
}

/// One phase with the vectors along the pixels of the padded plane, columns of the border included.
fn flat_phase(
    g: &Geometry,
    phase: &Phase,
    weights: &[f32],
    data: &mut Vec<f32>,
    width: usize,
    product: &mut Vec<f32>,
    image: &mut [f32],
) {
    let first = phase.rows[0] as usize;
    let len = (phase.dims[0] - 1) * width + phase.dims[1];
    let len = len.next_multiple_of(FlatGemm::step(g.c_in));
    let reach = first + len + phase.cols.iter().copied().max().unwrap_or(0) as usize;
    if data.len() < reach {
        data.resize(reach, 0.0);
    }
    product.resize(g.c_in * len, 0.0);
    let product = &mut product[..g.c_in * len];
    let data = &data[first..];
    FlatGemm {
        data,
        cols: &phase.cols,
        weights,
        out: product,
        channels: g.c_in,
    }
    .run();
    place(g, phase, product, len, [width, 1], image);
}

/// Copies the results of a phase to its pixels of the image; `channel` and `stride` are the steps
/// of a channel, a row and a column in `product`.
fn place(
    g: &Geometry,
    phase: &Phase,
    product: &[f32],
    channel: usize,
    stride: [usize; 2],
    image: &mut [f32],
) {
    let [h, w] = g.size;
    for (c, plane) in image.chunks_exact_mut(h * w).enumerate() {
        let rows = plane[phase.first[0] * w..].chunks_mut(g.stride[0] * w);
        for (y, row) in rows.take(phase.dims[0]).enumerate() {
            let from = product[c * channel + y * stride[0]..].iter().step_by(stride[1]);
            let to = row[phase.first[1]..w].iter_mut().step_by(g.stride[1]);
            for (to, from) in to.zip(from) {
                *to = *from;
            }
        }
    }
}

/// The phases, the border before the output gradient, and its padded size.
fn phases(g: &Geometry) -> (Vec<Phase>, [usize; 2], [usize; 2]) {
    let [kh, kw] = g.kernel;
    let before = [0, 1].map(|i| g.kernel[i].div_ceil(g.stride[i]) - 1);
    let padded = [0, 1].map(|i| {
        let last = (g.size[i] - 1 + g.padding[i]) / g.stride[i];
        before[i] + g.out[i].max(last + 1)
    });
    let plane = padded[0] * padded[1];
    let mut phases = Vec::with_capacity(g.stride[0] * g.stride[1]);
    for ay in 0..g.stride[0] {
        for ax in 0..g.stride[1] {
            let a = [ay, ax];
            // Pixels i with (i + padding) % stride == a, and taps a, a + stride, ... of the kernel.
            let first = [0, 1].map(|i| (a[i] + g.stride[i] - g.padding[i] % g.stride[i]) % g.stride[i]);
            let dims = [0, 1].map(|i| g.size[i].saturating_sub(first[i]).div_ceil(g.stride[i]));
            let taps = [0, 1].map(|i| g.kernel[i].saturating_sub(a[i]).div_ceil(g.stride[i]));
            let at = [0, 1].map(|i| (first[i] + g.padding[i]) / g.stride[i]);
            // Tap j of pixel q reads the output gradient at q - j: rows hold q, columns `before - j`.
            let mut rows = grid([1, dims[0], dims[1]], [0, padded[1], 1]);
            rows.iter_mut()
                .for_each(|row| *row += (at[0] * padded[1] + at[1]) as u32);
            let mut cols = Vec::with_capacity(g.c_out * taps[0] * taps[1]);
            let mut weights = Vec::with_capacity(cols.capacity());
            for o in 0..g.c_out {
                for jy in 0..taps[0] {
                    for jx in 0..taps[1] {
                        cols.push((o * plane + (before[0] - jy) * padded[1] + before[1] - jx) as u32);
                        let tap = (ay + jy * g.stride[0]) * kw + ax + jx * g.stride[1];
                        weights.push((o * g.c_in * kh * kw + tap) as u32);
                    }
                }
            }
            phases.push(Phase {
                rows,
                cols,
                weights,
                dims,
                first,
            });
        }
    }
    (phases, before, padded)
}

/// Gradient of the weights: sums over images in chunks fixed by the batch size alone.
pub(crate) fn weight_grad(g: &Geometry, input: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let (pixels, taps) = g.offsets();
    let order: Vec<u32> = (0..g.pixels() as u32).collect();
    let len = g.c_out * g.pixels();
    let per_chunk = g.batch.div_ceil(16).max(4);
    let chunks = g.batch.div_ceil(per_chunk);
    let sums = map(chunks, g.work(), |chunk| {
        with_scratch(|scratch| {
            let mut sum = Vec::new();
            for b in chunk * per_chunk..g.batch.min((chunk + 1) * per_chunk) {
                let Scratch { padded, panels, .. } = &mut *scratch;
                let data = g.pad(&input[b * g.image()..][..g.image()], padded);
                panels.pack(&output_grad[b * len..][..len], &order, g.c_out, g.pixels());
                sum.resize(taps.len() * panels.width(), 0.0);
                GatherGemm {
                    data,
                    rows: &taps,
                    cols: &pixels,
                    panels,
                    out: &mut sum,
                }
                .run();
            }
            sum
        })
    });
    let total = sums.into_iter().reduce(add).unwrap_or_default();
    let mut grad = vec![0.0; g.c_out * taps.len()];
    transpose(&total, total.len() / taps.len(), &mut grad, taps.len());
    grad
}

fn add(mut sum: Vec<f32>, part: Vec<f32>) -> Vec<f32> {
    sum.iter_mut().zip(&part).for_each(|(a, b)| *a += b);
    sum
}

/// Gradient of the bias.
pub(crate) fn bias_grad(g: &Geometry, output_grad: &[f32]) -> Vec<f32> {
    let len = g.c_out * g.pixels();
    let sums = map(g.batch, output_grad.len(), |b| {
        let image = &output_grad[b * len..][..len];
        image.chunks_exact(g.pixels()).map(lane_sum).collect::<Vec<f32>>()
    });
    sums.into_iter().reduce(add).unwrap_or_default()
}

/// Sum in eight lanes, which the compiler can keep in one register.
fn lane_sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}
