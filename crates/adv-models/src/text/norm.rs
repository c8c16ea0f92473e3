//! Layer normalisation.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Layer normalisation (Ba et al. 2016), by the kernels of adv-ops. Named as Burn's own, since files of PyTorch are read by the
/// names of layers.
#[derive(Module, Debug)]
pub struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    pub(super) fn new(gamma: Param<Tensor<1>>, beta: Param<Tensor<1>>, epsilon: f64) -> Self {
        Self { gamma, beta, epsilon }
    }

    /// Rows `[N, E]` to rows.
    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        adv_ops::layer_norm(rows, self.gamma.val(), self.beta.val(), self.epsilon)
    }
}
