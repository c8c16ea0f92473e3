//! The outputs of an LSTM.

use super::{Geometry, KEPT, now_and_before, packed, sigmoid, tanh, unblock};
use crate::cpu::gather::{GatherGemm, Panels, Start};
use crate::cpu::parallel::for_each_piece;
use crate::cpu::simd::dispatch;
use pulp::{Simd, WithSimd};

/// Whether a way back follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It does: everything that it needs is kept.
    All,
    /// It does not.
    Nothing,
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
