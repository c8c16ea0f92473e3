//! Gaussian error linear unit.

use crate::cpu::gelu::{backward_in_place, forward};
use crate::route::{Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, activation};

/// `x Phi(x)`, Phi the normal distribution function (Hendrycks and Gimpel 2016), not its approximation by the hyperbolic tangent; any
/// rank.
///
/// Keeps its argument for the way back, and nothing else. First order only.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    match operand(&x) {
        Some(Operand::Plain(input)) => plain(run(&contiguous(input), shape)),
        Some(Operand::Autodiff(tensor)) => {
            let (input, node) = tensor.into_parts();
            let input = contiguous(input);
            let output = run(&input, shape);
            autodiff(
                match Gelu.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
                    OpsKind::UnTracked(prep) => prep.finish(output),
                    OpsKind::Tracked(prep) => prep.finish(input, output),
                },
            )
        }
        None => activation::gelu(x),
    }
}

fn run<const D: usize>(input: &Raw, shape: [usize; D]) -> Raw {
    raw(forward(values(input)), shape)
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    /// The input.
    type State = Raw;

    fn backward(self, ops: Ops<Raw, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            backward_in_place(values(&ops.state), grad.storage_mut());
            grads.register::<Flex>(node.id, grad);
        }
    }
}
