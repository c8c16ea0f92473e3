//! The gradients of an LSTM, through time.

use super::{BACK, Geometry, KEPT, now_and_before, packed, tanh, unblock};
use crate::cpu::gather::{GatherGemm, Panels, Start};
use crate::cpu::linear;
use crate::cpu::parallel::for_each_piece;
use crate::cpu::simd::dispatch;
use pulp::{Simd, WithSimd};

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
