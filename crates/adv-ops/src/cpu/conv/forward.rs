//! The forward pass.

use super::epilogue::{pool, relu};
use super::{Block, Scratch, sized, with_scratch};
use crate::cpu::gather::{GatherGemm, Panels, Start};
use crate::cpu::parallel::for_each_pair;
use crate::cpu::transpose::transpose;

/// Result of a block.
pub(crate) struct Forward {
    pub(crate) output: Vec<f32>,
    /// The place of each maximum in its window; empty without pooling.
    pub(crate) choice: Vec<u8>,
}

/// `[B,C,H,W]`, `[O,C,kh,kw]`, `[O]` to `[B,O,H',W']`.
pub(crate) fn forward(block: &Block, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Forward {
    let g = &block.conv;
    let (pixels, taps) = g.offsets();
    let mut panels = Panels::default();
    let rows: Vec<u32> = (0..g.taps() as u32).collect();
    panels.pack(weight, &rows, g.c_out, g.taps());
    let width = panels.width();
    let mut first = vec![0.0; width];
    if let Some(bias) = bias {
        first[..g.c_out].copy_from_slice(bias);
    }

    let plane = block.plane();
    let len = g.c_out * plane;
    let mut output = vec![0.0; g.batch * len];
    // Without pooling, one unused byte an image.
    let choice_len = if block.pool.is_some() { len } else { 1 };
    let mut choice = vec![0; g.batch * choice_len];
    let pieces = [len, choice_len];
    for_each_pair(&mut output, &mut choice, pieces, g.work(), |b, out, choice| {
        with_scratch(|scratch| {
            let Scratch {
                padded,
                product,
                pooled,
                choice: chosen,
                ..
            } = scratch;
            let data = g.pad(&input[b * g.image()..][..g.image()], padded);
            let mut product = sized(product, pixels.len() * width);
            let (rows, cols, start) = (&pixels, &taps, Start::Row(&first));
            GatherGemm {
                data,
                rows,
                cols,
                panels: &panels,
                start,
                out: product,
            }
            .run();
            if let Some(window) = &block.pool {
                pooled.resize(plane * width, 0.0);
                chosen.resize(plane * width, 0);
                pool(window, product, width, pooled, chosen);
                transpose(chosen, width, choice, plane, |place| place as u8);
                product = pooled;
            }
            if block.relu {
                transpose(product, width, out, plane, relu);
            } else {
                transpose(product, width, out, plane, |value| value);
            }
        });
    });
    if block.pool.is_none() {
        choice.clear();
    }
    Forward { output, choice }
}
