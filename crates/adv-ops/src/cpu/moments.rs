//! Weighted mean and variance of the rows of a table, on slices.

use super::parallel::{for_each_piece, map};
use super::simd::dispatch;
use pulp::{Simd, WithSimd};

/// Rows of one piece of a parallel loop.
const ROWS: usize = 256;

/// `sum += share * (row - centre)^power` over rows.
struct Sum<'a> {
    rows: &'a [f32],
    shares: &'a [f32],
    centre: Option<&'a [f32]>,
    sum: &'a mut [f32],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.sum.len();
        for (row, share) in self.rows.chunks_exact(n).zip(self.shares) {
            match self.centre {
                None => {
                    for (sum, x) in self.sum.iter_mut().zip(row) {
                        *sum += share * x;
                    }
                }
                Some(centre) => {
                    for ((sum, x), c) in self.sum.iter_mut().zip(row).zip(centre) {
                        *sum += share * (x - c) * (x - c);
                    }
                }
            }
        }
    }
}

/// The sum of shares times rows, or times squared distances from a centre.
fn sum(table: &[f32], shares: &[f32], centre: Option<&[f32]>) -> Vec<f32> {
    let n = table.len() / shares.len();
    let parts = map(shares.len().div_ceil(ROWS), table.len(), |i| {
        let shares = &shares[i * ROWS..];
        let shares = &shares[..ROWS.min(shares.len())];
        let rows = &table[i * ROWS * n..][..shares.len() * n];
        let mut sum = vec![0.0; n];
        dispatch(Sum {
            rows,
            shares,
            centre,
            sum: &mut sum,
        });
        sum
    });
    let mut total = vec![0.0; n];
    for part in parts {
        total
            .iter_mut()
            .zip(part)
            .for_each(|(total, part)| *total += part);
    }
    total
}

/// Means, then variances: `[2,E]` of a table `[V,E]` with shares `[V]`.
pub(crate) fn forward(table: &[f32], shares: &[f32]) -> Vec<f32> {
    let mut mean = sum(table, shares, None);
    let variance = sum(table, shares, Some(&mean));
    mean.extend(variance);
    mean
}

struct Grad<'a> {
    rows: &'a [f32],
    shares: &'a [f32],
    mean: &'a [f32],
    of_mean: &'a [f32],
    of_variance: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Grad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.mean.len();
        let (of_mean, of_variance) = (&self.of_mean[..n], &self.of_variance[..n]);
        let rows = self.rows.chunks_exact(n).zip(self.out.chunks_exact_mut(n));
        for ((row, out), share) in rows.zip(self.shares) {
            for k in 0..n {
                out[k] = share * (of_mean[k] + 2.0 * of_variance[k] * (row[k] - self.mean[k]));
            }
        }
    }
}

/// The gradient of the table from that of its moments. `moments` as [`forward`] gave them, with shares that sum to 1.
pub(crate) fn table_grad(table: &[f32], shares: &[f32], moments: &[f32], grad: &[f32]) -> Vec<f32> {
    let n = moments.len() / 2;
    let mut out = vec![0.0; table.len()];
    for_each_piece(&mut out, ROWS * n, table.len(), |i, out| {
        dispatch(Grad {
            rows: &table[i * ROWS * n..][..out.len()],
            shares: &shares[i * ROWS..],
            mean: &moments[..n],
            of_mean: &grad[..n],
            of_variance: &grad[n..],
            out,
        });
    });
    out
}
