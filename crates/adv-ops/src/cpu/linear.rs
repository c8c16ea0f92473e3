//! Fully connected layer on slices: input `[B,I]`, weight `[I,O]`.

use super::gather::{BLOCK_FLOATS, GatherGemm, Panels, Start};
use super::parallel::{for_each_piece, map};
use super::simd::{lanes, tile_vectors};
use super::transpose::transpose;

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

/// Tasks of the forward pass: few, since the longer a run of the weight matrix that a task reads,
/// the better the processor foresees it.
const TASKS: usize = 8;

/// `[B,O]`.
pub(crate) fn forward(g: &Geometry, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let panel = lanes() * tile_vectors(lanes());
    let rows = steps(g.batch, g.inputs);
    let cols = steps(g.inputs, 1);
    let starts = steps(g.inputs, g.outputs);
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

/// `[B,I]`: the rows of the weight matrix times the turned output gradient.
pub(crate) fn input_grad(g: &Geometry, weight: &[f32], output_grad: &[f32]) -> Vec<f32> {
    let cols = steps(g.outputs, 1);
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
    let mut panels = Panels::default();
    panels.pack(output_grad, &steps(g.batch, g.outputs), g.outputs, 1);
    let width = panels.width();
    let mut grad = vec![0.0; g.inputs * g.outputs];
    for_each_piece(&mut grad, ROWS * g.outputs, g.work(), |i, grad| {
        let rows = steps(grad.len() / g.outputs, 1);
        let data = &input[i * ROWS..];
        let (rows, cols, panels, start) = (&rows, &cols, &panels, Start::Zero);
        if width == g.outputs {
            GatherGemm {
                data,
                rows,
                cols,
                panels,
                start,
                out: grad,
            }
            .run();
            return;
        }
        let mut product = vec![0.0; rows.len() * width];
        GatherGemm {
            data,
            rows,
            cols,
            panels,
            start,
            out: &mut product,
        }
        .run();
        let lines = grad.chunks_exact_mut(g.outputs).zip(product.chunks_exact(width));
        lines.for_each(|(to, from)| to.copy_from_slice(&from[..g.outputs]));
    });
    grad
}

/// `[O]`.
pub(crate) fn bias_grad(g: &Geometry, output_grad: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0; g.outputs];
    for row in output_grad.chunks_exact(g.outputs) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sum
}
