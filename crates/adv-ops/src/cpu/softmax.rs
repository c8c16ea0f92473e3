//! Softmax of rows with a mask, on slices.

use super::exp::exp_of_negative;
use super::parallel::for_each_piece;
use super::simd::dispatch;
use pulp::{Simd, WithSimd};

/// Rows of scores: `[B,H,T,S]` with a mask `[B,S]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// Entries of one sample of the batch, all heads and rows.
    pub(crate) sample: usize,
    /// Entries of a row.
    pub(crate) row: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
}

/// Partial sums and maxima, so that the loops over a row vectorise; their number and order are fixed.
const LANES: usize = 16;

#[inline(always)]
fn fold(row: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = join(*lane, *value);
    }
    lanes.into_iter().fold(start, join)
}

struct Forward<'a> {
    mask: &'a [f32],
    geometry: Geometry,
    scores: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Geometry { row, scale, .. } = self.geometry;
        for out in self.scores.chunks_exact_mut(row) {
            for (out, mask) in out.iter_mut().zip(self.mask) {
                *out = if *mask > 0.0 {
                    *out * scale
                } else {
                    f32::NEG_INFINITY
                };
            }
            // A NaN must not hide behind a comparison: the sum carries it.
            let largest = fold(out, f32::NEG_INFINITY, |a, b| if a > b { a } else { b });
            for out in out.iter_mut() {
                *out = exp_of_negative(*out - largest);
            }
            let inverse = 1.0 / fold(out, 0.0, |a, b| a + b);
            for out in out.iter_mut() {
                *out *= inverse;
            }
        }
    }
}

/// From scores to the shares of each row: softmax of `scale * scores` where the mask is above 0, and 0 elsewhere.
pub(crate) fn forward_in_place(g: Geometry, scores: &mut [f32], mask: &[f32]) {
    let work = 8 * scores.len();
    for_each_piece(scores, g.sample, work, |b, scores| {
        dispatch(Forward {
            mask: &mask[b * g.row..][..g.row],
            geometry: g,
            scores,
        });
    });
}

struct Backward<'a> {
    shares: &'a [f32],
    geometry: Geometry,
    grad: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Geometry { row, scale, .. } = self.geometry;
        for (shares, grad) in self.shares.chunks_exact(row).zip(self.grad.chunks_exact_mut(row)) {
            let mut lanes = [0.0; LANES];
            for (shares, grad) in shares.chunks(LANES).zip(grad.chunks(LANES)) {
                for ((lane, share), grad) in lanes.iter_mut().zip(shares).zip(grad) {
                    *lane += share * grad;
                }
            }
            let mean = lanes.into_iter().fold(0.0, |a, b| a + b);
            for (grad, share) in grad.iter_mut().zip(shares) {
                *grad = scale * share * (*grad - mean);
            }
        }
    }
}

/// From the gradient of the shares to that of the scores.
pub(crate) fn backward_in_place(g: Geometry, shares: &[f32], grad: &mut [f32]) {
    assert_eq!(shares.len(), grad.len(), "gradient of the shares' shape");
    for_each_piece(grad, g.sample, 4 * shares.len(), |b, grad| {
        dispatch(Backward {
            shares: &shares[b * g.sample..][..grad.len()],
            geometry: g,
            grad,
        });
    });
}
