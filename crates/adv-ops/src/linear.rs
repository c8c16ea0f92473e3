//! Fully connected layer.

use burn::tensor::{Tensor, module};

/// Fully connected layer: input `[B,I]`, weight `[I,O]` (the layout of Burn's `Linear`), bias
/// `[O]` to `[B,O]`.
///
/// # Panics
/// As Burn's own operation: shapes that do not fit together, arguments on different devices.
pub fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    module::linear(input, weight, bias)
}
