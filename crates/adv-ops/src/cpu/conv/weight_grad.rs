//! Gradients of the weights and of the bias.

use super::epilogue::{Frame, masked, spread};
use super::{Block, OutputGrad, Scratch, with_scratch};
use crate::cpu::gather::{GatherGemm, Start};
use crate::cpu::parallel::map;
use crate::cpu::transpose::transpose;

/// Gradient of the weights: sums over images in chunks fixed by the batch size alone.
pub(crate) fn weight_grad(block: &Block, input: &[f32], output_grad: &OutputGrad) -> Vec<f32> {
    let g = &block.conv;
    let (pixels, taps) = g.offsets();
    let order: Vec<u32> = (0..g.pixels() as u32).collect();
    let frame = Frame {
        width: g.out[1],
        plane: g.pixels(),
        origin: 0,
    };
    let per_chunk = g.batch.div_ceil(16).max(4);
    let sums = map(g.batch.div_ceil(per_chunk), g.work(), |chunk| {
        with_scratch(|scratch| {
            let mut sum = Vec::new();
            let mut start = Start::Zero;
            for b in chunk * per_chunk..g.batch.min((chunk + 1) * per_chunk) {
                let Scratch {
                    padded,
                    panels,
                    dense,
                    ..
                } = &mut *scratch;
                spread(block, output_grad, b, frame, dense);
                panels.pack(dense, &order, g.c_out, g.pixels());
                let data = g.pad(&input[b * g.image()..][..g.image()], padded);
                sum.resize(taps.len() * panels.width(), 0.0);
                let (rows, cols) = (&taps, &pixels);
                GatherGemm {
                    data,
                    rows,
                    cols,
                    panels,
                    start,
                    out: &mut sum,
                }
                .run();
                start = Start::Result;
            }
            sum
        })
    });
    let total = sums.into_iter().reduce(add).unwrap_or_default();
    let mut grad = vec![0.0; g.c_out * taps.len()];
    transpose(&total, total.len() / taps.len(), &mut grad, taps.len(), |value| {
        value
    });
    grad
}

fn add(mut sum: Vec<f32>, part: Vec<f32>) -> Vec<f32> {
    sum.iter_mut().zip(&part).for_each(|(a, b)| *a += b);
    sum
}

/// Gradient of the bias.
pub(crate) fn bias_grad(block: &Block, output_grad: &OutputGrad) -> Vec<f32> {
    let plane = block.plane();
    let sums = map(block.conv.batch, output_grad.values.len(), |b| {
        let image = b * block.conv.c_out * plane..(b + 1) * block.conv.c_out * plane;
        let channels = output_grad.values[image.clone()].chunks_exact(plane);
        let mut sums = Vec::with_capacity(block.conv.c_out);
        if block.relu {
            let output = output_grad.output[image].chunks_exact(plane);
            sums.extend(channels.zip(output).map(|(g, y)| lane_sum(g, y, masked)));
        } else {
            sums.extend(channels.map(|g| lane_sum(g, g, |g, _| g)));
        }
        sums
    });
    sums.into_iter().reduce(add).unwrap_or_default()
}

/// Sum of `f(a, b)` in eight lanes, which the compiler can keep in one register.
#[inline(always)]
fn lane_sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += f(a, b);
        }
    }
    lanes.iter().sum()
}
