//! ReLU and max pooling on one image straight after its product, and the way back of a gradient.

use super::{Block, OutputGrad};
use crate::cpu::pool::Geometry;
use crate::cpu::simd::dispatch;
use pulp::{Simd, WithSimd};

/// `max(x, 0)`, NaN kept.
#[inline(always)]
pub(super) fn relu(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// Max pooling of rows of `width` channels, one row a pixel: the first maximum of each window, and
/// its place in it; a NaN wins.
pub(super) fn pool(g: &Geometry, src: &[f32], width: usize, out: &mut [f32], choice: &mut [u32]) {
    dispatch(Pool {
        g,
        src,
        width,
        out,
        choice,
    });
}

struct Pool<'a> {
    g: &'a Geometry,
    src: &'a [f32],
    width: usize,
    out: &'a mut [f32],
    choice: &'a mut [u32],
}

impl WithSimd for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (g, width) = (self.g, self.width);
        let pixels = self
            .out
            .chunks_exact_mut(width)
            .zip(self.choice.chunks_exact_mut(width));
        for (i, (best, choice)) in pixels.enumerate() {
            let corner = g.corner(i);
            best.copy_from_slice(&self.src[corner * width..][..width]);
            choice.fill(0);
            for place in 1..g.window() {
                let from = &self.src[(corner + g.place(place)) * width..][..width];
                for ((best, choice), &value) in best.iter_mut().zip(&mut *choice).zip(from) {
                    let take = value > *best || value.is_nan();
                    *best = if take { value } else { *best };
                    *choice = if take { place as u32 } else { *choice };
                }
            }
        }
    }
}

/// The gradient of the convolution's own output for image `b`, `[O,H',W']`.
pub(super) fn dense<'a>(
    block: &Block,
    grad: &OutputGrad<'a>,
    b: usize,
    buffer: &'a mut Vec<f32>,
) -> &'a [f32] {
    let plane = block.plane();
    let image = b * block.conv.c_out * plane..(b + 1) * block.conv.c_out * plane;
    let values = &grad.values[image.clone()];
    if !block.relu && block.pool.is_none() {
        return values;
    }
    let output = &grad.output[image.clone()];
    let masked = values
        .iter()
        .zip(output)
        .map(|(&g, &y)| if block.relu { masked(g, y) } else { g });
    buffer.clear();
    let Some(window) = &block.pool else {
        buffer.extend(masked);
        return buffer;
    };
    buffer.resize(block.conv.c_out * block.conv.pixels(), 0.0);
    let places: Vec<usize> = (0..window.window()).map(|place| window.place(place)).collect();
    let mut pixels = masked.zip(&grad.choice[image]);
    for channel in buffer.chunks_exact_mut(block.conv.pixels()) {
        for (i, (value, &choice)) in pixels.by_ref().take(plane).enumerate() {
            channel[window.corner(i) + places[choice as usize]] += value;
        }
    }
    buffer
}

/// The gradient through a ReLU with this output.
#[inline(always)]
pub(super) fn masked(grad: f32, output: f32) -> f32 {
    if output <= 0.0 { 0.0 } else { grad }
}
