//! The one inner loop of this crate: a matrix product whose left factor is gathered by two offset
//! tables, so that a convolution needs no im2col copy.

use super::parallel::{for_each_piece, zeros};
use super::simd::{dispatch, lanes, tile_vectors};
use pulp::{Simd, WithSimd};

/// Floats of a block of panel rows that stays in the first-level cache.
pub(crate) const BLOCK_FLOATS: usize = 7168;

/// The right factor `[k, n]`, cut into panels of a few vectors, each stored row by row and
/// padded with zeros to whole vectors.
#[derive(Default)]
pub(crate) struct Panels {
    /// As long as the longest so far; what is packed is in front.
    data: Vec<f32>,
    k: usize,
    width: usize,
    lanes: usize,
}

impl Panels {
    /// Packs the matrix with element `(r, c)` at `src[rows[r] + c * stride]`.
    pub(crate) fn pack(&mut self, src: &[f32], rows: &[u32], n: usize, stride: usize) {
        self.pack_for(lanes(), src, rows, n, stride);
    }

    fn pack_for(&mut self, lanes: usize, src: &[f32], rows: &[u32], n: usize, stride: usize) {
        self.lanes = lanes;
        self.k = rows.len();
        self.width = n.next_multiple_of(self.lanes);
        let len = self.k * self.width;
        if self.data.len() < len {
            self.data = zeros(len);
        }
        let data = &mut self.data[..len];
        let most = self.lanes * tile_vectors(self.lanes);
        let whole = self.width;
        let dense = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
        for_each_piece(data, most * rows.len(), rows.len() * n, |i, panel| {
            let start = i * most;
            let width = most.min(whole - start);
            let used = width.min(n - start);
            let src = &src[start * stride..];
            if stride != 1 && dense {
                transpose_into(panel, width, src, rows, used, stride);
                return;
            }
            for (line, &row) in panel.chunks_exact_mut(width).zip(rows) {
                let src = &src[row as usize..];
                if stride == 1 {
                    line[..used].copy_from_slice(&src[..used]);
                } else {
                    let src = src.iter().step_by(stride);
                    line[..used]
                        .iter_mut()
                        .zip(src)
                        .for_each(|(to, from)| *to = *from);
                }
                line[used..].fill(0.0);
            }
        });
    }

    /// Columns with the padding: the row length of a result.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }
}

/// Writes a panel whose columns lie in one piece each in the source.
fn transpose_into(panel: &mut [f32], width: usize, src: &[f32], rows: &[u32], used: usize, stride: usize) {
    /// Lines at a time, by way of a block that stays in the cache: the source is read in long runs.
    const LINES: usize = 64;
    let mut block = vec![0.0; LINES * used];
    for (lines, rows) in panel.chunks_mut(LINES * width).zip(rows.chunks(LINES)) {
        for (column, to) in block.chunks_exact_mut(LINES).enumerate() {
            let src = &src[column * stride + rows[0] as usize..];
            to[..rows.len()].copy_from_slice(&src[..rows.len()]);
        }
        for (r, line) in lines.chunks_exact_mut(width).enumerate() {
            let from = block[r..].iter().step_by(LINES);
            line[..used]
                .iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = *from);
            line[used..].fill(0.0);
        }
    }
}

/// What the sums of a product begin with.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    Zero,
    /// The same row, `panels.width()` values, everywhere.
    Row(&'a [f32]),
    /// What the result holds.
    Result,
}

/// `out[m][n] = start + sum over r of data[rows[m] + cols[r]] * panels[r][n]`, `out` in rows of
/// `panels.width()`.
///
/// Each element is one chain of multiply-adds in the order of `r`, whatever the tile sizes.
pub(crate) struct GatherGemm<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: &'a [u32],
    pub(crate) cols: &'a [u32],
    pub(crate) panels: &'a Panels,
    pub(crate) start: Start<'a>,
    pub(crate) out: &'a mut [f32],
}

impl GatherGemm<'_> {
    /// Computes `out`.
    pub(crate) fn run(self) {
        self.check();
        assert_eq!(
            self.panels.lanes,
            lanes(),
            "panels packed for this instruction set"
        );
        dispatch(self);
    }

    /// What the unchecked reads of the inner loop rely on.
    fn check(&self) {
        let reach = largest(self.rows) + largest(self.cols);
        assert!(
            reach < self.data.len() || self.rows.is_empty() || self.cols.is_empty(),
            "offset tables reach {reach} in {} values",
            self.data.len()
        );
        assert_eq!(self.cols.len(), self.panels.k, "one panel row per column offset");
        assert_ne!(self.panels.k, 0, "an empty sum");
        assert_eq!(
            self.out.len(),
            self.rows.len() * self.panels.width,
            "size of the result"
        );
    }

    #[inline(always)]
    fn panel<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, panel: &[f32], column: usize) {
        let width = self.panels.width;
        let (panel, _) = S::as_simd_f32s(panel);
        let (panel, _) = panel.as_chunks::<V>();
        let block = BLOCK_FLOATS / (V * S::F32_LANES);
        let mut start = self.start;
        for (cols, lines) in self.cols.chunks(block).zip(panel.chunks(block)) {
            let tiles = self.rows.chunks(M).zip(self.out.chunks_mut(M * width));
            for (rows, out) in tiles {
                // The last tile repeats its last row in place of missing ones.
                let mut base = [self.data; M];
                for m in 0..M {
                    base[m] = &self.data[rows[m.min(rows.len() - 1)] as usize..];
                }
                let mut acc = [[simd.splat_f32s(0.0); V]; M];
                match start {
                    Start::Zero => {}
                    Start::Row(row) => {
                        let (row, _) = S::as_simd_f32s(&row[column..]);
                        for acc in &mut acc {
                            acc.copy_from_slice(&row[..V]);
                        }
                    }
                    Start::Result => {
                        for (acc, out) in acc.iter_mut().zip(out.chunks_exact(width)) {
                            let (out, _) = S::as_simd_f32s(&out[column..]);
                            acc.copy_from_slice(&out[..V]);
                        }
                    }
                }
                for (&col, line) in cols.iter().zip(lines) {
                    for m in 0..M {
                        // SAFETY: `check` saw that the largest row offset and the largest
                        // column offset together stay inside `data`; `base[m]` starts at a row offset.
                        let a = simd.splat_f32s(unsafe { *base[m].get_unchecked(col as usize) });
                        for v in 0..V {
                            acc[m][v] = simd.mul_add_e_f32s(a, line[v], acc[m][v]);
                        }
                    }
                }
                for (acc, out) in acc.iter().zip(out.chunks_exact_mut(width)) {
                    let (out, _) = S::as_mut_simd_f32s(&mut out[column..]);
                    out[..V].copy_from_slice(acc);
                }
            }
            start = Start::Result;
        }
    }
}

impl WithSimd for GatherGemm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = self.panels;
        let k = panels.k;
        let mut column = 0;
        while column < panels.width {
            let vectors = (panels.width - column) / S::F32_LANES;
            let vectors = vectors.min(const { tile_vectors(S::F32_LANES) });
            let floats = vectors * S::F32_LANES;
            let panel = &panels.data[column * k..(column + floats) * k];
            match (vectors, const { tile_vectors(S::F32_LANES) }) {
                (1, _) => self.panel::<S, 7, 1>(simd, panel, column),
                (2, 2) => self.panel::<S, 6, 2>(simd, panel, column),
                (2, _) => self.panel::<S, 7, 2>(simd, panel, column),
                (3, _) => self.panel::<S, 7, 3>(simd, panel, column),
                _ => self.panel::<S, 6, 4>(simd, panel, column),
            }
            column += floats;
        }
    }
}

/// `out[c][f] = sum over r of weights[c][r] * data[f + cols[r]]` for `f` in `0..out_len`: for few
/// channels, the vectors run along the pixels instead.
pub(crate) struct FlatGemm<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) cols: &'a [u32],
    pub(crate) weights: &'a [f32],
    /// `channels` rows of the same length, a multiple of [`FlatGemm::step`].
    pub(crate) out: &'a mut [f32],
    pub(crate) channels: usize,
}

/// Channels up to which [`FlatGemm`] is the faster kernel.
pub(crate) const FLAT_CHANNELS: usize = 4;

impl FlatGemm<'_> {
    /// Results computed at a time.
    pub(crate) fn step(channels: usize) -> usize {
        lanes() * Self::vectors(channels)
    }

    const fn vectors(channels: usize) -> usize {
        match channels {
            1 => 8,
            2 => 6,
            3 => 4,
            _ => 3,
        }
    }

    /// Computes `out`.
    pub(crate) fn run(self) {
        dispatch(self);
    }

    #[inline(always)]
    fn tiles<S: Simd, const C: usize, const V: usize>(self, simd: S) {
        let len = self.out.len() / C;
        let step = V * S::F32_LANES;
        let k = self.cols.len();
        let mut weights = [self.weights; C];
        for (row, weights) in weights.iter_mut().zip(self.weights.chunks_exact(k)) {
            *row = weights;
        }
        for f in (0..len).step_by(step) {
            let mut acc = [[simd.splat_f32s(0.0); V]; C];
            for (r, &col) in self.cols.iter().enumerate() {
                let (line, _) = S::as_simd_f32s(&self.data[f + col as usize..][..step]);
                for c in 0..C {
                    let w = simd.splat_f32s(weights[c][r]);
                    for v in 0..V {
                        acc[c][v] = simd.mul_add_e_f32s(w, line[v], acc[c][v]);
                    }
                }
            }
            for (acc, out) in acc.iter().zip(self.out.chunks_exact_mut(len)) {
                let (out, _) = S::as_mut_simd_f32s(&mut out[f..f + step]);
                out.copy_from_slice(acc);
            }
        }
    }
}

impl WithSimd for FlatGemm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.channels {
            1 => self.tiles::<S, 1, { FlatGemm::vectors(1) }>(simd),
            2 => self.tiles::<S, 2, { FlatGemm::vectors(2) }>(simd),
            3 => self.tiles::<S, 3, { FlatGemm::vectors(3) }>(simd),
            4 => self.tiles::<S, 4, { FlatGemm::vectors(4) }>(simd),
            n => unreachable!("FlatGemm is for at most {FLAT_CHANNELS} channels, not {n}"),
        }
    }
}

fn largest(offsets: &[u32]) -> usize {
    offsets.iter().copied().max().unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product with this instruction set against the sum in double precision.
    struct Check {
        rows: usize,
        n: usize,
        k: usize,
    }

    impl WithSimd for Check {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            let Self { rows: m, n, k } = self;
            let wave = |len: usize| (0..len).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<f32>>();
            let rows: Vec<u32> = (0..m as u32).map(|i| i * 2).collect();
            let cols: Vec<u32> = (0..k as u32).map(|r| r * 3 % 7 + r).collect();
            let data = wave(largest(&rows) + largest(&cols) + 1);
            let b = wave(k * n);
            // In memory that was in use before, for more.
            let mut panels = Panels::default();
            panels.pack_for(S::F32_LANES, &vec![f32::NAN; 2 * n], &vec![0; k + 2], 2 * n, 1);
            let starts: Vec<u32> = (0..k as u32).map(|r| r * n as u32).collect();
            panels.pack_for(S::F32_LANES, &b, &starts, n, 1);
            let mut out = vec![f32::NAN; m * panels.width()];
            let row = vec![0.5; panels.width()];
            for start in [Start::Zero, Start::Row(&row), Start::Result] {
                let (data, rows, cols, panels) = (&data, &rows, &cols, &panels);
                let product = GatherGemm {
                    data,
                    rows,
                    cols,
                    panels,
                    start,
                    out: &mut out,
                };
                product.check();
                product.with_simd(simd);
                for i in 0..m {
                    for j in 0..n {
                        let a = |r: usize| f64::from(data[(rows[i] + cols[r]) as usize]);
                        let sum: f64 = (0..k).map(|r| a(r) * f64::from(b[r * n + j])).sum();
                        // The third product is added to the second.
                        let expected = match start {
                            Start::Zero => sum,
                            Start::Row(_) => 0.5 + sum,
                            Start::Result => 0.5 + 2.0 * sum,
                        };
                        let error = (f64::from(out[i * panels.width() + j]) - expected).abs();
                        assert!(error < 1e-4, "{simd:?}: {m}x{n}x{k} at {i}, {j}: off by {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_of_this_machine() {
        for (rows, n, k) in [(1, 1, 1), (13, 70, 150), (6, 48, 9), (8, 33, 500), (20, 130, 3)] {
            let check = || Check { rows, n, k };
            check().with_simd(pulp::Scalar);
            #[cfg(target_arch = "x86_64")]
            {
                if let Some(simd) = pulp::x86::V3::try_new() {
                    Simd::vectorize(simd, check());
                }
                if let Some(simd) = pulp::x86::V4::try_new() {
                    Simd::vectorize(simd, check());
                }
            }
            #[cfg(target_arch = "aarch64")]
            if let Some(simd) = pulp::aarch64::Neon::try_new() {
                Simd::vectorize(simd, check());
            }
        }
    }
}
