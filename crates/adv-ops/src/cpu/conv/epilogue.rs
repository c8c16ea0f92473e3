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
    let places: Vec<usize> = (0..g.window()).map(|place| g.at(place, g.columns())).collect();
    dispatch(Pool {
        g,
        places: &places,
        src,
        width,
        out,
        choice,
    });
}

struct Pool<'a> {
    g: &'a Geometry,
    places: &'a [usize],
    src: &'a [f32],
    width: usize,
    out: &'a mut [f32],
    choice: &'a mut [u32],
}

impl WithSimd for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (src, _) = S::as_simd_f32s(self.src);
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let (choice, _) = S::as_mut_simd_u32s(self.choice);
        let vectors = self.width / S::F32_LANES;
        let pixels = out
            .chunks_exact_mut(vectors)
            .zip(choice.chunks_exact_mut(vectors));
        for (i, (out, choice)) in pixels.enumerate() {
            let corner = self.g.corner(i);
            for (v, (out, choice)) in out.iter_mut().zip(choice).enumerate() {
                let mut best = src[corner * vectors + v];
                let mut place = simd.splat_u32s(0);
                for (k, offset) in self.places.iter().enumerate().skip(1) {
                    let value = src[(corner + offset) * vectors + v];
                    let nan = simd.not_m32s(simd.equal_f32s(value, value));
                    let take = simd.or_m32s(simd.greater_than_f32s(value, best), nan);
                    best = simd.select_f32s(take, value, best);
                    place = simd.select_u32s(take, simd.splat_u32s(k as u32), place);
                }
                *out = best;
                *choice = place;
            }
        }
    }
}

/// Where an image's planes lie in a buffer of zeros: rows `width` apart, planes `plane` apart, the
/// first pixel at `origin`.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) plane: usize,
    pub(super) origin: usize,
}

/// Writes the gradient of the convolution's own output for image `b` into `frame`.
pub(super) fn spread(block: &Block, grad: &OutputGrad, b: usize, frame: Frame, buffer: &mut Vec<f32>) {
    buffer.clear();
    buffer.resize(block.conv.c_out * frame.plane, 0.0);
    let [_, channels, h, w] = block.output_shape();
    let image = b * channels * h * w..(b + 1) * channels * h * w;
    let values = &grad.values[image.clone()];
    // Without a ReLU nothing is masked, and the second factor is of no account.
    let output = if block.relu {
        &grad.output[image.clone()]
    } else {
        values
    };
    let rows = values.chunks_exact(w).zip(output.chunks_exact(w));
    let Some(window) = &block.pool else {
        for (i, (row, output)) in rows.enumerate() {
            let to = &mut buffer[i / h * frame.plane + frame.origin + i % h * frame.width..][..w];
            for (to, (&value, &y)) in to.iter_mut().zip(row.iter().zip(output)) {
                *to = if block.relu { masked(value, y) } else { value };
            }
        }
        return;
    };
    let places: Vec<usize> = (0..window.window()).map(|k| window.at(k, frame.width)).collect();
    let [sy, sx] = window.stride();
    let choices = grad.choice[image].chunks_exact(w);
    for (i, ((row, output), choice)) in rows.zip(choices).enumerate() {
        let to = &mut buffer[i / h * frame.plane + frame.origin + i % h * sy * frame.width..];
        for (x, ((&value, &y), &k)) in row.iter().zip(output).zip(choice).enumerate() {
            to[x * sx + places[k as usize]] += if block.relu { masked(value, y) } else { value };
        }
    }
}

/// The gradient through a ReLU with this output.
#[inline(always)]
pub(super) fn masked(grad: f32, output: f32) -> f32 {
    if output <= 0.0 { 0.0 } else { grad }
}
