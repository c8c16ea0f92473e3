//! A long short-term memory over a batch of sequences, on slices.
//!
//! The hidden units are cut into blocks; a task computes the gates of one block for the whole batch and then its cells, so that a step
//! needs one meeting of the threads. A block's values of one step lie side by side, a row a sequence: six parts forward (input, forget,
//! candidate and output gate, cell, output), five backward (the gradients of the four gates before their non-linearities, and what goes
//! to the cell of the step before). The tables of [`GatherGemm`](super::gather::GatherGemm) read all blocks of a step as one matrix.

mod backward;
mod forward;

pub(crate) use backward::{gate_grads, weight_grad};
pub(crate) use forward::{Keep, forward};

use super::exp::exp_of_negative;
use super::parallel::map;
use super::simd::lanes;

/// Hidden units of one block.
const UNITS: usize = 64;

/// Parts of a block forward and backward.
const KEPT: usize = 6;
const BACK: usize = 5;

/// `B` sequences of `T` steps, `H` hidden units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    pub(crate) hidden: usize,
}

impl Geometry {
    /// For gates `[B,T,4H]`; `None` for empty shapes, or too large ones.
    pub(crate) fn new(gates: [usize; 3], hidden: usize) -> Option<Self> {
        let [batch, steps, width] = gates;
        if gates.contains(&0) {
            return None;
        }
        let whole = Self { batch, steps, hidden };
        let sizes = [batch * steps * width, width * hidden, whole.step(KEPT)];
        let fits = sizes.iter().all(|&size| size < u32::MAX as usize);
        fits.then_some(whole)
    }

    /// Units of a block, the last one apart: whole vectors.
    fn units(&self) -> usize {
        UNITS.min(self.hidden.next_multiple_of(lanes()))
    }

    fn blocks(&self) -> usize {
        self.hidden.div_ceil(self.units())
    }

    /// First unit and number of units of a block.
    fn block(&self, index: usize) -> (usize, usize) {
        let first = index * self.units();
        (first, self.units().min(self.hidden - first))
    }

    /// Values of a block.
    fn piece(&self, parts: usize) -> usize {
        self.batch * parts * self.units()
    }

    /// Values of a step.
    fn step(&self, parts: usize) -> usize {
        self.blocks() * self.piece(parts)
    }

    /// Where the rows of a step begin, and where part `part` of a unit is from there.
    fn rows(&self, parts: usize) -> Vec<u32> {
        (0..self.batch)
            .map(|b| (b * parts * self.units()) as u32)
            .collect()
    }

    fn column(&self, parts: usize, part: usize, unit: usize) -> u32 {
        let (block, rest) = (unit / self.units(), unit % self.units());
        (block * self.piece(parts) + part * self.units() + rest) as u32
    }

    /// Multiply-adds of a step.
    fn work(&self) -> usize {
        4 * self.batch * self.hidden * self.hidden
    }
}

/// A step's values, and those of the step that was computed before it, where `kept` of them are held.
fn now_and_before(record: &mut [f32], len: usize, kept: usize, index: usize) -> (&mut [f32], &[f32]) {
    let slot = index % kept;
    if slot == 0 {
        // The step before, if there was one, is the last one held.
        let (now, rest) = record.split_at_mut(len);
        let start = rest.len().saturating_sub(len);
        return (now, &rest[start..]);
    }
    let (before, now) = record.split_at_mut(slot * len);
    (&mut now[..len], &before[(slot - 1) * len..])
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp_of_negative(-x.abs());
    let upper = 1.0 / (1.0 + e);
    if x < 0.0 { e * upper } else { upper }
}

/// The hyperbolic tangent.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let e = exp_of_negative(-2.0 * x.abs());
    let far = (1.0 - e) / (1.0 + e);
    let far = if x < 0.0 { -far } else { far };
    // Near 0 the difference has few digits; Taylor's series.
    let s = x * x;
    let near = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    if s < 0.09 { near } else { far }
}

/// Panels of each block.
fn packed<T: Send>(g: &Geometry, pack: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    map(g.blocks(), 4 * g.hidden * g.hidden, pack)
}

/// Copies one part of a step from the blocks to its rows of `[B,T,H]`.
fn unblock(g: &Geometry, parts: usize, part: usize, step: &[f32], t: usize, out: &mut [f32]) {
    let (hidden, u) = (g.hidden, g.units());
    for (b, out) in out.chunks_exact_mut(g.steps * hidden).enumerate() {
        for (block, out) in out[t * hidden..][..hidden].chunks_mut(u).enumerate() {
            let from = block * g.piece(parts) + b * parts * u + part * u;
            out.copy_from_slice(&step[from..][..out.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_non_linearities_are_exact() {
        for i in -40_000..=40_000 {
            let x = i as f32 * 5e-4;
            let wide = f64::from(x);
            let (got, want) = (f64::from(tanh(x)), wide.tanh());
            assert!((got - want).abs() <= 5e-7 * want.abs(), "tanh {x}: {got}, {want}");
            let (got, want) = (f64::from(sigmoid(x)), 1.0 / (1.0 + (-wide).exp()));
            assert!((got - want).abs() <= 5e-7 * want, "sigmoid {x}: {got}, {want}");
        }
        for (x, s, t) in [(-200.0, 0.0, -1.0), (200.0, 1.0, 1.0), (0.0, 0.5, 0.0)] {
            assert_eq!((sigmoid(x), tanh(x)), (s, t));
        }
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
