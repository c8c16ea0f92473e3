//! Layer normalisation of rows, on slices.

use super::parallel::{for_each_pair, for_each_piece, map, zeros};
use super::simd::dispatch;
use pulp::{Simd, WithSimd};

/// Rows of one piece of a parallel loop.
const ROWS: usize = 64;

/// Partial sums, so that the loops over a row vectorise; their number and order are fixed.
const LANES: usize = 16;

/// The sum of `term(i)`.
#[inline(always)]
fn sum(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let whole = n / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(start + lane);
        }
    }
    for i in whole..n {
        lanes[i - whole] += term(i);
    }
    lanes.into_iter().fold(0.0, |a, b| a + b)
}

struct Forward<'a> {
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
    out: &'a mut [f32],
    /// Mean and inverse deviation of each row.
    facts: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.gamma.len();
        let (gamma, beta) = (self.gamma, &self.beta[..n]);
        let rows = self.x.chunks_exact(n).zip(self.out.chunks_exact_mut(n));
        for ((x, out), facts) in rows.zip(self.facts.chunks_exact_mut(2)) {
            let mean = sum(n, |i| x[i]) / n as f32;
            let variance = sum(n, |i| (x[i] - mean) * (x[i] - mean)) / n as f32;
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            for i in 0..n {
                out[i] = (x[i] - mean) * inverse * gamma[i] + beta[i];
            }
            facts.copy_from_slice(&[mean, inverse]);
        }
    }
}

/// The normalised rows, and mean and inverse deviation of each.
pub(crate) fn forward(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let n = gamma.len();
    let mut out = zeros(x.len());
    let mut facts = vec![0.0; x.len() / n * 2];
    for_each_pair(
        &mut out,
        &mut facts,
        [ROWS * n, ROWS * 2],
        4 * x.len(),
        |i, out, facts| {
            let x = &x[i * ROWS * n..][..out.len()];
            dispatch(Forward {
                x,
                gamma,
                beta,
                epsilon,
                out,
                facts,
            });
        },
    );
    (out, facts)
}

struct InputGrad<'a> {
    x: &'a [f32],
    facts: &'a [f32],
    gamma: &'a [f32],
    grad: &'a mut [f32],
}

impl WithSimd for InputGrad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.gamma.len();
        let gamma = self.gamma;
        let rows = self.x.chunks_exact(n).zip(self.facts.chunks_exact(2));
        for ((x, facts), grad) in rows.zip(self.grad.chunks_exact_mut(n)) {
            let (mean, inverse) = (facts[0], facts[1]);
            let first = sum(n, |i| grad[i] * gamma[i]) / n as f32;
            let second = sum(n, |i| grad[i] * gamma[i] * (x[i] - mean)) * inverse / n as f32;
            for i in 0..n {
                let normal = (x[i] - mean) * inverse;
                grad[i] = inverse * (grad[i] * gamma[i] - first - normal * second);
            }
        }
    }
}

/// From the gradient of the result to that of the rows.
pub(crate) fn input_grad_in_place(x: &[f32], facts: &[f32], gamma: &[f32], grad: &mut [f32]) {
    let n = gamma.len();
    for_each_piece(grad, ROWS * n, 6 * x.len(), |i, grad| {
        dispatch(InputGrad {
            x: &x[i * ROWS * n..][..grad.len()],
            facts: &facts[i * ROWS * 2..][..grad.len() / n * 2],
            gamma,
            grad,
        });
    });
}

struct ParameterGrads<'a> {
    x: &'a [f32],
    facts: &'a [f32],
    dy: &'a [f32],
    gamma: &'a mut [f32],
    beta: &'a mut [f32],
}

impl WithSimd for ParameterGrads<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.gamma.len();
        let rows = self.x.chunks_exact(n).zip(self.dy.chunks_exact(n));
        for ((x, dy), facts) in rows.zip(self.facts.chunks_exact(2)) {
            let (mean, inverse) = (facts[0], facts[1]);
            for i in 0..n {
                self.gamma[i] += dy[i] * (x[i] - mean) * inverse;
                self.beta[i] += dy[i];
            }
        }
    }
}

/// The gradients of gamma and beta.
pub(crate) fn parameter_grads(n: usize, x: &[f32], facts: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let pieces = x.len().div_ceil(ROWS * n);
    let parts = map(pieces, 4 * x.len(), |i| {
        let (start, end) = (i * ROWS * n, ((i + 1) * ROWS * n).min(x.len()));
        let (mut gamma, mut beta) = (vec![0.0; n], vec![0.0; n]);
        dispatch(ParameterGrads {
            x: &x[start..end],
            facts: &facts[i * ROWS * 2..][..(end - start) / n * 2],
            dy: &dy[start..end],
            gamma: &mut gamma,
            beta: &mut beta,
        });
        (gamma, beta)
    });
    let mut total = (vec![0.0; n], vec![0.0; n]);
    for (gamma, beta) in parts {
        for i in 0..n {
            total.0[i] += gamma[i];
            total.1[i] += beta[i];
        }
    }
    total
}
