//! Cosines between the rows of two matrices.

use burn::tensor::Tensor;

/// Rows of length 1, `[N, H]`; a row of zeros stays one, and has no gradient.
pub fn unit_rows(vectors: Tensor<2>) -> Tensor<2> {
    // The square root has no gradient at zero. Squares below this are below the smallest that torch tells from zero (1e-12, squared).
    const LEAST: f64 = 1e-24;
    let length = vectors.clone().square().sum_dim(1).clamp_min(LEAST).sqrt();
    vectors / length
}

/// `cos(a_i, b_j)`, `[N, M]`.
pub(crate) fn cosines(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    unit_rows(a).matmul(unit_rows(b).transpose())
}

/// What is added to the logit of a column that does not count. Finite, since infinite logits make a loss that is no number.
pub(crate) const LEFT_OUT: f64 = -1e9;

/// `[N, N]` with `value` on the diagonal, 0 elsewhere.
pub(crate) fn diagonal(size: usize, value: f64, like: &Tensor<2>) -> Tensor<2> {
    Tensor::eye(size, &like.device()).mul_scalar(value)
}
