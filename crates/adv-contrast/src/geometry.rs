//! How vectors lie on the sphere: what a contrastive objective changes (Wang and Isola 2020).

use crate::cosine::unit_rows;
use burn::tensor::{Tensor, s};

/// Rows of a block of pairs: bounds the memory to this many times the number of vectors.
const BLOCK: usize = 512;

/// The mean squared distance between partners, scaled to length 1 first: `[N, H]` each. SimCSE has the pairs of STS-B with a score above 4
/// (Gao et al. 2021, eq. 2). NaN of no pair.
///
/// # Panics
///
/// If the shapes differ.
pub fn alignment(a: Tensor<2>, b: Tensor<2>) -> f64 {
    assert_eq!(a.dims(), b.dims(), "one partner for each vector");
    let squares = (unit_rows(a) - unit_rows(b)).square().sum_dim(1);
    mean(squares.into_data().iter::<f64>())
}

/// `log mean exp(-2 |u_i - u_j|²)` over all pairs of vectors, scaled to length 1 first: `[N, H]`. SimCSE has all sentences of STS-B (Gao
/// et al. 2021, eq. 3). NaN of less than two vectors.
pub fn uniformity(vectors: Tensor<2>) -> f64 {
    let unit = unit_rows(vectors);
    let count = unit.dims()[0];
    let mut total = 0.0;
    for start in (0..count).step_by(BLOCK) {
        let end = (start + BLOCK).min(count);
        // Of each pair once: the block itself counts twice, and has the diagonal.
        let rows: Tensor<2> = unit.clone().slice(s![start..end, ..]);
        let within = kernel_sums(rows.clone(), rows.clone());
        total += (within - (end - start) as f64) / 2.0;
        if end < count {
            total += kernel_sums(rows, unit.clone().slice(s![end.., ..]));
        }
    }
    let pairs = count as f64 * (count as f64 - 1.0) / 2.0;
    (total / pairs).ln()
}

/// The sum of `exp(-2 |u_i - v_j|²)` over all pairs.
fn kernel_sums(u: Tensor<2>, v: Tensor<2>) -> f64 {
    let cosines = u.matmul(v.transpose());
    // |u - v|² = 2 - 2 cos.
    let kernel = cosines.sub_scalar(1.0).mul_scalar(4.0).exp();
    kernel.sum_dim(1).into_data().iter::<f64>().sum()
}

/// The mean cosine of two different vectors: their anisotropy (Ethayarajh 2019). NaN of less than two vectors.
///
/// In time linear in their number: the sum over all pairs is the squared length of the sum of unit vectors.
pub fn mean_cosine(vectors: Tensor<2>) -> f64 {
    let [count, width] = vectors.dims();
    let mut sum = vec![0.0f64; width];
    let unit = unit_rows(vectors).into_data();
    let values: Vec<f64> = unit.iter::<f64>().collect();
    let mut own = 0.0;
    for row in values.chunks(width.max(1)) {
        for (total, value) in sum.iter_mut().zip(row) {
            *total += value;
            own += value * value;
        }
    }
    let all: f64 = sum.iter().map(|value| value * value).sum();
    let count = count as f64;
    (all - own) / (count * count - count)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}
