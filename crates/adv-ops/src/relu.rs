//! Rectified linear unit.

use crate::cpu::elementwise::{relu_grad_in_place, relu_in_place};
use crate::route::{Operand, Raw, autodiff, contiguous, operand, plain};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, activation};

/// `max(x, 0)`; the gradient at 0 is 0, a NaN stays one.
///
/// Works in the memory of its argument where nothing else holds that.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match operand(&x) {
        Some(Operand::Plain(raw)) => {
            drop(x);
            plain(run(raw))
        }
        Some(Operand::Autodiff(tensor)) => {
            drop(x);
            let (raw, node) = tensor.into_parts();
            let output = run(raw);
            autodiff(
                match Relu.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
                    OpsKind::UnTracked(prep) => prep.finish(output),
                    OpsKind::Tracked(prep) => prep.finish(output.clone(), output),
                },
            )
        }
        None => activation::relu(x),
    }
}

fn run(raw: Raw) -> Raw {
    let mut raw = contiguous(raw);
    relu_in_place(raw.storage_mut());
    raw
}

#[derive(Debug)]
struct Relu;

impl Backward<Flex, 1> for Relu {
    /// The output.
    type State = Raw;

    fn backward(self, ops: Ops<Raw, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            relu_grad_in_place(ops.state.storage(), grad.storage_mut());
            grads.register::<Flex>(node.id, grad);
        }
    }
}
