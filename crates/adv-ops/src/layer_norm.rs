//! Layer normalisation.

use crate::cpu::layer_norm::{forward, input_grad_in_place, parameter_grads};
use crate::route::{Node, Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

/// Layer normalisation (Ba et al. 2016): rows `[N,E]` to mean 0 and variance 1, times `gamma`, `[E]`, plus `beta`, `[E]`.
///
/// Computes gradients only for the arguments that are tracked. First order only.
///
/// # Panics
/// As Burn's own operations: shapes that do not fit together, arguments on different devices.
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let [rows, width] = x.dims();
    let fits = gamma.dims() == [width] && beta.dims() == [width];
    if fits && rows * width == 0 {
        // Nothing to compute, and Burn's operations do not take every empty tensor.
        return x;
    }
    let (Some(input), Some(scale), Some(shift)) = (operand(&x), operand(&gamma), operand(&beta)) else {
        return reference(x, gamma, beta, epsilon);
    };
    if !fits {
        return reference(x, gamma, beta, epsilon);
    }
    drop(x);
    let arguments = [input, scale, shift];
    if arguments
        .iter()
        .all(|argument| matches!(argument, Operand::Plain(_)))
    {
        let [x, gamma, beta] = arguments.map(|argument| contiguous(argument.into_raw()));
        return plain(run(&x, &gamma, &beta, epsilon).0);
    }
    let arguments = arguments.map(Operand::into_autodiff);
    let nodes = arguments.each_ref().map(Node::node);
    let [x, gamma, beta] = arguments.map(|argument| contiguous(argument.into_primitive()));
    let (output, facts) = run(&x, &gamma, &beta, epsilon);
    autodiff(
        match LayerNorm
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(output),
            OpsKind::Tracked(prep) => prep.finish(State { x, gamma, facts }, output),
        },
    )
}

/// Burn's operations.
fn reference(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    let normal = centred / variance.add_scalar(epsilon).sqrt();
    normal * gamma.unsqueeze() + beta.unsqueeze()
}

/// The output, and mean and inverse deviation of each row.
fn run(x: &Raw, gamma: &Raw, beta: &Raw, epsilon: f64) -> (Raw, Vec<f32>) {
    let (x, gamma) = (values(x), values(gamma));
    let (out, facts) = forward(x, gamma, values(beta), epsilon as f32);
    let width = gamma.len();
    let rows = out.len() / width;
    (raw(out, [rows, width]), facts)
}

#[derive(Clone, Debug)]
struct State {
    x: Raw,
    gamma: Raw,
    /// Mean and inverse deviation of each row.
    facts: Vec<f32>,
}

#[derive(Debug)]
struct LayerNorm;

impl Backward<Flex, 3> for LayerNorm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { x, gamma, facts } = ops.state;
        let mut grad = contiguous(grads.consume::<Flex>(&ops.node));
        let (x, gamma) = (values(&x), values(&gamma));
        let width = gamma.len();
        let [of_x, of_gamma, of_beta] = ops.parents;
        if of_gamma.is_some() || of_beta.is_some() {
            let (gamma, beta) = parameter_grads(width, x, &facts, values(&grad));
            for (node, grad) in [(of_gamma, gamma), (of_beta, beta)] {
                if let Some(node) = node {
                    grads.register::<Flex>(node.id, raw(grad, [width]));
                }
            }
        }
        if let Some(node) = of_x {
            input_grad_in_place(x, &facts, gamma, grad.storage_mut());
            grads.register::<Flex>(node.id, grad);
        }
    }
}
