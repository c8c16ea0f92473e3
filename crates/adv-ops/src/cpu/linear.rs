//! Fully connected layer on slices: input `[B,I]`, weight `[I,O]`.

use super::gather::{BLOCK_FLOATS, GatherGemm, Panels, Start};
use super::parallel::{for_each_piece, map, zeros};
use super::simd::{dispatch, lanes, tile_vectors};
use super::transpose::transpose;
use pulp::{Simd, WithSimd};
use std::cell::Cell;

/// Shapes of a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Geometry {
    /// `None` for shapes that do not fit together, or empty ones.
    pub(crate) fn new(input: [usize; 2], weight: [usize; 2], bias: Option<usize>) -> Option<Self> {
        let [batch, inputs] = input;
        let [rows, outputs] = weight;
        let sizes = [batch * inputs, inputs * outputs, batch * outputs];
        let fits = sizes.iter().all(|&size| size > 0 && size < u32::MAX as usize);
        let agree = rows == inputs && bias.is_none_or(|len| len == outputs);
        (fits && agree).then_some(Self {
            batch,
            inputs,
            outputs,
        })
    }

    fn work(&self) -> usize {
        self.batch * self.inputs * self.outputs
    }
}

/// `0, step, 2 step, ...`
fn steps(n: usize, step: usize) -> Vec<u32> {
    (0..n).map(|i| (i * step) as u32).collect()
}

thread_local! {
    /// Memory for panels, kept from call to call: fresh memory is slow.
    static PANELS: Cell<Panels> = Cell::default();
}

/// Bytes up to which that memory is kept: more than any layer of a transformer but the one to the words of its vocabulary.
const KEPT: usize = 64 << 20;

fn with_panels<T>(f: impl FnOnce(&mut Panels) -> T) -> T {
    let mut panels = PANELS.take();
    let result = f(&mut panels);
    if panels.bytes() <= KEPT {
        PANELS.set(panels);
    }
    result
}

/// Rows of the batch from which on the weights are packed once for all of them.
const MANY: usize = 256;

/// Pieces of a batch of many rows.
const PIECES: usize = 16;

/// Rows of a tile of the inner loop.
const TILE: usize = 6;

/// `[B,N]`: `data`, `[B,K]`, times the panels, piece by piece of the batch. Sums begin with `start`.
fn many_rows(batch: usize, data: &[f32], panels: &Panels, n: usize, start: Start) -> Vec<f32> {
    let depth = data.len() / batch;
    let cols = steps(depth, 1);
    let piece = batch.div_ceil(PIECES).next_multiple_of(TILE);
    let mut out = zeros(batch * n);
    for_each_piece(&mut out, piece * n, batch * depth * n, |i, out| {
        let rows = steps(out.len() / n, depth);
        let data = &data[i * piece * depth..];
        let (rows, cols) = (&rows, &cols);
        in_lines(out, n, panels.width(), |out| {
            GatherGemm {
                data,
                rows,
                cols,
                panels,
                start,
                out,
            }
            .run();
        });
    });
    out
}

/// A product in lines of `width`, cut to lines of `n` where they are shorter.
fn in_lines(out: &mut [f32], n: usize, width: usize, product: impl FnOnce(&mut [f32])) {
    if width == n {
        return product(out);
    }
    let mut wide = vec![0.0; out.len() / n * width];
    product(&mut wide);
    let lines = out.chunks_exact_mut(n).zip(wide.chunks_exact(width));
    lines.for_each(|(to, from)| to.copy_from_slice(&from[..n]));
}

/// Tasks of the forward pass: few, since the longer a run of the weight matrix that a task reads,
/// the better the processor foresees it.
const TASKS: usize = 8;

/// `[B,O]`.
pub(crate) fn forward(g: &Geometry, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let starts = steps(g.inputs, g.outputs);
    if g.batch >= MANY {
        return with_panels(|panels| {
            panels.pack(weight, &starts, g.outputs, 1);
            let mut row = vec![0.0; panels.width()];
            if let Some(bias) = bias {
                row[..g.outputs].copy_from_slice(bias);
            }
            many_rows(g.batch, input, panels, g.outputs, Start::Row(&row))
        });
    }
    let panel = lanes() * tile_vectors(lanes());
    let rows = steps(g.batch, g.inputs);
    let cols = steps(g.inputs, 1);
    // A task is a few panels of outputs; their weights are packed block by block into the cache.
    let block = BLOCK_FLOATS / panel;
    let panel = panel * g.outputs.div_ceil(panel).div_ceil(TASKS);
    let columns = map(g.outputs.div_ceil(panel), g.work(), |i| {
        let first = i * panel;
        let n = panel.min(g.outputs - first);
        let width = n.next_multiple_of(lanes());
        let mut row = vec![0.0; width];
        if let Some(bias) = bias {
            row[..n].copy_from_slice(&bias[first..first + n]);
        }
        let mut out = vec![0.0; g.batch * width];
        let mut panels = Panels::default();
        let mut start = Start::Row(&row);
        for (cols, starts) in cols.chunks(block).zip(starts.chunks(block)) {
            panels.pack(&weight[first..], starts, n, 1);
            let (data, rows) = (input, &rows);
            GatherGemm {
                data,
                rows,
                cols,
                panels: &panels,
                start,
                out: &mut out,
            }
            .run();
            start = Start::Result;
        }
        out
    });
    let mut output = Vec::with_capacity(g.batch * g.outputs);
    for b in 0..g.batch {
        for (i, out) in columns.iter().enumerate() {
            let width = out.len() / g.batch;
            let n = panel.min(g.outputs - i * panel);
            output.extend_from_slice(&out[b * width..][..n]);
        }
    }
    output
}

/// Rows of the weight matrix of one task.
const ROWS: usize = 96;

/// `[B,I]`: the rows of the weight matrix times the turned output gradient, or for many rows that gradient times the turned weights.
pub(crate) fn input_grad(g: &Geometry, weight: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let cols = steps(g.outputs, 1);
    if g.batch >= MANY {
        return with_panels(|panels| {
            panels.pack(weight, &cols, g.inputs, g.outputs);
            many_rows(g.batch, output_grad, panels, g.inputs, Start::Zero)
        });
    }
    let mut panels = Panels::default();
    panels.pack(output_grad, &cols, g.batch, g.outputs);
    let width = panels.width();
    let mut product = vec![0.0; g.inputs * width];
    for_each_piece(&mut product, ROWS * width, g.work(), |i, out| {
        let rows = steps(out.len() / width, g.outputs);
        let data = &weight[i * ROWS * g.outputs..];
        let (rows, cols, start) = (&rows, &cols, Start::Zero);
        GatherGemm {
            data,
            rows,
            cols,
            panels: &panels,
            start,
            out,
        }
        .run();
    });
    let mut grad = vec![0.0; g.batch * g.inputs];
    transpose(&product, width, &mut grad, g.inputs, |value| value);
    grad
}

/// `[I,O]`.
pub(crate) fn weight_grad(g: &Geometry, input: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let cols = steps(g.batch, g.inputs);
    with_panels(|panels| {
        panels.pack(output_grad, &steps(g.batch, g.outputs), g.outputs, 1);
        let mut grad = zeros(g.inputs * g.outputs);
        for_each_piece(&mut grad, ROWS * g.outputs, g.work(), |i, grad| {
            let rows = steps(grad.len() / g.outputs, 1);
            let data = &input[i * ROWS..];
            let (rows, cols, panels, start) = (&rows, &cols, &*panels, Start::Zero);
            in_lines(grad, g.outputs, panels.width(), |out| {
                GatherGemm {
                    data,
                    rows,
                    cols,
                    panels,
                    start,
                    out,
                }
                .run();
            });
        });
        grad
    })
}

/// Outputs whose bias gradients are summed together.
const COLUMNS: usize = 64;

struct Sums<'a> {
    rows: &'a [f32],
    row: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks(self.row) {
            self.sums
                .iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
    }
}

/// `[O]`.
pub(crate) fn bias_grad(g: &Geometry, output_grad: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; g.outputs];
    for_each_piece(&mut sums, COLUMNS, 4 * output_grad.len(), |i, sums| {
        dispatch(Sums {
            rows: &output_grad[i * COLUMNS..],
            row: g.outputs,
            sums,
        });
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_kept_unless_they_are_large() {
        let kept = |lines: usize| {
            with_panels(|panels| panels.pack(&[1.0; 512], &vec![0; lines], 512, 1));
            with_panels(|panels| panels.bytes())
        };
        let line = 512 * size_of::<f32>();
        assert_eq!(kept(40), 40 * line);
        assert_eq!(kept(3), 40 * line);
        assert_eq!(kept(90), 90 * line);
        assert_eq!(kept(KEPT / line), KEPT);
        assert_eq!(kept(KEPT / line + 1), 0);
    }
}
