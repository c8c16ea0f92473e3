//! A long short-term memory over a batch of sequences, on slices.
//!
//! The hidden units are cut into blocks; a task computes the gates of one block for the whole batch and then its cells, so that a step
//! needs one meeting of the threads. A block's values of one step lie side by side, a row a sequence: six parts forward (input, forget,
//! candidate and output gate, cell, output), five backward (the gradients of the four gates before their non-linearities, and what goes
//! to the cell of the step before). The tables of [`GatherGemm`] read all blocks of a step as one matrix.

use super::exp::exp_of_negative;
use super::gather::{GatherGemm, Panels, Start};
use super::linear;
use super::parallel::{for_each_piece, map};
use super::simd::{dispatch, lanes};
use pulp::{Simd, WithSimd};

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
    /// `None` for shapes that do not fit together, or empty ones. `gates`: `[B,T,4H]`, `weight`: `[4H,H]`.
    pub(crate) fn new(gates: [usize; 3], weight: [usize; 2]) -> Option<Self> {
        let [batch, steps, width] = gates;
        let [rows, hidden] = weight;
        let whole = Self { batch, steps, hidden };
        let sizes = [batch * steps * width, rows * hidden, whole.step(KEPT)];
        let fits = sizes.iter().all(|&size| size > 0 && size < u32::MAX as usize);
        (fits && width == 4 * hidden && rows == width).then_some(whole)
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

/// One step of a block: gates before their non-linearities, `sums`, four products of `[B, width]`, to the parts of the block.
struct Cells<'a> {
    geometry: Geometry,
    block: usize,
    width: usize,
    sums: &'a [f32],
    /// The block of the step before; empty at the first step.
    before: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Cells<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (u, n) = (self.geometry.units(), self.geometry.block(self.block).1);
        let size = self.sums.len() / 4;
        for (b, out) in self.out.chunks_exact_mut(KEPT * u).enumerate() {
            let sum = |q: usize| &self.sums[q * size + b * self.width..][..n];
            let (si, sf, sg, so) = (sum(0), sum(1), sum(2), sum(3));
            let (i, out) = out.split_at_mut(u);
            let (f, out) = out.split_at_mut(u);
            let (g, out) = out.split_at_mut(u);
            let (o, out) = out.split_at_mut(u);
            let (c, h) = out.split_at_mut(u);
            let (i, f, g, o, c, h) = (
                &mut i[..n],
                &mut f[..n],
                &mut g[..n],
                &mut o[..n],
                &mut c[..n],
                &mut h[..n],
            );
            match self.before {
                [] => c.fill(0.0),
                before => c.copy_from_slice(&before[b * KEPT * u + 4 * u..][..n]),
            }
            for k in 0..n {
                i[k] = sigmoid(si[k]);
                f[k] = sigmoid(sf[k]);
                g[k] = tanh(sg[k]);
                o[k] = sigmoid(so[k]);
                c[k] = f[k] * c[k] + i[k] * g[k];
                h[k] = o[k] * tanh(c[k]);
            }
        }
    }
}

/// The outputs, `[B,T,H]`, and what the way back needs, if it is asked for. `gates` is what the inputs bring to the gates, `[B,T,4H]`.
pub(crate) fn forward(g: &Geometry, gates: &[f32], weight: &[f32], keep: Keep) -> (Vec<f32>, Vec<f32>) {
    let (hidden, steps) = (g.hidden, g.steps);
    let (len, piece) = (g.step(KEPT), g.piece(KEPT));
    let kept = match keep {
        Keep::All => steps,
        Keep::Nothing => steps.min(2),
    };
    let panels = packed(g, |block| {
        let (first, n) = g.block(block);
        let starts: Vec<u32> = (0..hidden as u32).collect();
        [0, 1, 2, 3].map(|q| {
            let mut panels = Panels::default();
            panels.pack(&weight[(q * hidden + first) * hidden..], &starts, n, hidden);
            panels
        })
    });
    let rows = g.rows(KEPT);
    let cols: Vec<u32> = (0..hidden).map(|unit| g.column(KEPT, 5, unit)).collect();
    let mut record = vec![0.0; kept * len];
    let mut out = vec![0.0; g.batch * steps * hidden];
    for t in 0..steps {
        let (now, before) = now_and_before(&mut record, len, kept, t);
        let before = if t == 0 { &[] } else { before };
        for_each_piece(now, piece, g.work(), |block, values| {
            let (first, n) = g.block(block);
            let width = panels[block][0].width();
            let mut sums = vec![0.0; 4 * g.batch * width];
            for (q, sums) in sums.chunks_exact_mut(g.batch * width).enumerate() {
                for (b, sums) in sums.chunks_exact_mut(width).enumerate() {
                    let from = &gates[(b * steps + t) * 4 * hidden + q * hidden + first..];
                    sums[..n].copy_from_slice(&from[..n]);
                }
                if t > 0 {
                    GatherGemm {
                        data: before,
                        rows: &rows,
                        cols: &cols,
                        panels: &panels[block][q],
                        start: Start::Result,
                        out: sums,
                    }
                    .run();
                }
            }
            let own = if t == 0 {
                before
            } else {
                &before[block * piece..][..piece]
            };
            dispatch(Cells {
                geometry: *g,
                block,
                width,
                sums: &sums,
                before: own,
                out: values,
            });
        });
        unblock(g, KEPT, 5, now, t, &mut out);
    }
    if keep == Keep::Nothing {
        record = Vec::new();
    }
    (out, record)
}

/// Whether a way back follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It does: everything that it needs is kept.
    All,
    /// It does not.
    Nothing,
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

/// The way back of one step of a block.
struct CellGrads<'a> {
    geometry: Geometry,
    block: usize,
    width: usize,
    /// The gradient of the output, `[B, width]`.
    output: &'a [f32],
    /// The block as it was kept, and that of the step before; empty at the first step.
    kept: &'a [f32],
    before: &'a [f32],
    /// The way back of the step that follows; empty at the last step.
    after: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for CellGrads<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (u, n) = (self.geometry.units(), self.geometry.block(self.block).1);
        for (b, out) in self.out.chunks_exact_mut(BACK * u).enumerate() {
            let kept = |part: usize| &self.kept[(b * KEPT + part) * u..][..n];
            let (i, f, g, o, c) = (kept(0), kept(1), kept(2), kept(3), kept(4));
            let dh = &self.output[b * self.width..][..n];
            let (di, out) = out.split_at_mut(u);
            let (df, out) = out.split_at_mut(u);
            let (dg, out) = out.split_at_mut(u);
            let (d_o, dc) = out.split_at_mut(u);
            let (di, df, dg, d_o, dc) = (
                &mut di[..n],
                &mut df[..n],
                &mut dg[..n],
                &mut d_o[..n],
                &mut dc[..n],
            );
            match self.after {
                [] => dc.fill(0.0),
                after => dc.copy_from_slice(&after[(b * BACK + 4) * u..][..n]),
            }
            // The cell of the step before waits in the place of the forget gate's gradient.
            match self.before {
                [] => df.fill(0.0),
                before => df.copy_from_slice(&before[(b * KEPT + 4) * u..][..n]),
            }
            for k in 0..n {
                let out = tanh(c[k]);
                let d = dc[k] + dh[k] * o[k] * (1.0 - out * out);
                di[k] = d * g[k] * i[k] * (1.0 - i[k]);
                df[k] *= d * f[k] * (1.0 - f[k]);
                dg[k] = d * i[k] * (1.0 - g[k] * g[k]);
                d_o[k] = dh[k] * out * o[k] * (1.0 - o[k]);
                dc[k] = d * f[k];
            }
        }
    }
}

/// The gradient of the gates, `[B,T,4H]`, from that of the outputs, `[B,T,H]`.
pub(crate) fn gate_grads(g: &Geometry, record: &[f32], weight: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let (hidden, steps) = (g.hidden, g.steps);
    let (len, piece) = (g.step(BACK), g.piece(BACK));
    let (kept_len, kept_piece) = (g.step(KEPT), g.piece(KEPT));
    let panels = packed(g, |block| {
        let (first, n) = g.block(block);
        let starts: Vec<u32> = (0..4 * hidden).map(|row| (row * hidden) as u32).collect();
        let mut panels = Panels::default();
        panels.pack(&weight[first..], &starts, n, 1);
        panels
    });
    let rows = g.rows(BACK);
    let cols: Vec<u32> = (0..4 * hidden)
        .map(|row| g.column(BACK, row / hidden, row % hidden))
        .collect();
    let slots = steps.min(2);
    let mut back = vec![0.0; slots * len];
    let mut parts = [0; 4].map(|_| vec![0.0; g.batch * steps * hidden]);
    for (index, t) in (0..steps).rev().enumerate() {
        let (now, after) = now_and_before(&mut back, len, slots, index);
        let after = if index == 0 { &[] } else { after };
        for_each_piece(now, piece, g.work(), |block, values| {
            let (first, n) = g.block(block);
            let width = panels[block].width();
            let mut output = vec![0.0; g.batch * width];
            for (b, output) in output.chunks_exact_mut(width).enumerate() {
                output[..n].copy_from_slice(&output_grad[(b * steps + t) * hidden + first..][..n]);
            }
            if index > 0 {
                GatherGemm {
                    data: after,
                    rows: &rows,
                    cols: &cols,
                    panels: &panels[block],
                    start: Start::Result,
                    out: &mut output,
                }
                .run();
            }
            let kept = |t: usize| &record[t * kept_len + block * kept_piece..][..kept_piece];
            dispatch(CellGrads {
                geometry: *g,
                block,
                width,
                output: &output,
                kept: kept(t),
                before: if t == 0 { &[] } else { kept(t - 1) },
                after: if index == 0 {
                    after
                } else {
                    &after[block * piece..][..piece]
                },
                out: values,
            });
        });
        for (part, out) in parts.iter_mut().enumerate() {
            unblock(g, BACK, part, now, t, out);
        }
    }
    let mut all = Vec::with_capacity(4 * parts[0].len());
    for row in 0..g.batch * steps {
        parts
            .iter()
            .for_each(|part| all.extend_from_slice(&part[row * hidden..][..hidden]));
    }
    all
}

/// The gradient of the weight, `[4H,H]`: one product over all steps.
pub(crate) fn weight_grad(g: &Geometry, outputs: &[f32], gate_grads: &[f32]) -> Vec<f32> {
    let (hidden, steps) = (g.hidden, g.steps);
    // What came in at each step: the output of the step before.
    let mut inputs = vec![0.0; outputs.len()];
    let sequences = inputs
        .chunks_exact_mut(steps * hidden)
        .zip(outputs.chunks_exact(steps * hidden));
    for (to, from) in sequences {
        to[hidden..].copy_from_slice(&from[..(steps - 1) * hidden]);
    }
    let product = linear::Geometry {
        batch: g.batch * steps,
        inputs: 4 * hidden,
        outputs: hidden,
    };
    linear::weight_grad(&product, gate_grads, &inputs)
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
