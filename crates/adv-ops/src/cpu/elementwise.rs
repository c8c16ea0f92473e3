//! Element-wise kernels.

use super::parallel::for_each_piece;

/// Values of one piece of a parallel loop.
const PIECE: usize = 1 << 15;

/// `max(x, 0)`, NaN kept.
pub(crate) fn relu_in_place(values: &mut [f32]) {
    let work = values.len() / 4;
    for_each_piece(values, PIECE, work, |_, values| {
        for value in values {
            *value = if *value <= 0.0 { 0.0 } else { *value };
        }
    });
}

/// Sets the gradient to 0 where the output is.
pub(crate) fn relu_grad_in_place(output: &[f32], grad: &mut [f32]) {
    assert_eq!(output.len(), grad.len(), "gradient of the output's shape");
    let work = grad.len() / 4;
    for_each_piece(grad, PIECE, work, |i, grad| {
        for (grad, output) in grad.iter_mut().zip(&output[i * PIECE..]) {
            *grad = if *output <= 0.0 { 0.0 } else { *grad };
        }
    });
}
