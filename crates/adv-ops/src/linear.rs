//! Fully connected layer.

use crate::cpu::linear::{Geometry, bias_grad, forward, input_grad, weight_grad};
use crate::route::{Node, Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, module};

/// Fully connected layer: input `[B,I]`, weight `[I,O]` (the layout of Burn's `Linear`), bias
/// `[O]` to `[B,O]`.
///
/// Computes gradients only for the arguments that are tracked. First order only.
///
/// # Panics
/// As Burn's own operation: shapes that do not fit together, arguments on different devices.
pub fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    run(&input, &weight, bias.as_ref()).unwrap_or_else(|| module::linear(input, weight, bias))
}

/// `None` where the kernels do not apply.
fn run(input: &Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Option<Tensor<2>> {
    let bias_len = bias.map(|bias| bias.dims()[0]);
    let g = Geometry::new(input.dims(), weight.dims(), bias_len)?;
    let (x, w) = (operand(input)?, operand(weight)?);
    Some(match bias {
        None => apply(g, [x, w]),
        Some(bias) => apply(g, [x, w, operand(bias)?]),
    })
}

/// `arguments`: input, weight and possibly bias.
fn apply<const N: usize>(g: Geometry, arguments: [Operand; N]) -> Tensor<2> {
    if arguments
        .iter()
        .all(|argument| matches!(argument, Operand::Plain(_)))
    {
        return plain(compute(
            &g,
            &arguments.map(|argument| contiguous(argument.into_raw())),
        ));
    }
    let arguments = arguments.map(Operand::into_autodiff);
    let track = [arguments[0].is_tracked(), arguments[1].is_tracked()];
    let nodes = arguments.each_ref().map(Node::node);
    let raw = arguments.map(|argument| contiguous(argument.into_primitive()));
    let output = compute(&g, &raw);
    autodiff(
        match Linear
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(output),
            OpsKind::Tracked(prep) => {
                let input = track[1].then(|| raw[0].clone());
                let weight = track[0].then(|| raw[1].clone());
                prep.finish(
                    State {
                        geometry: g,
                        input,
                        weight,
                    },
                    output,
                )
            }
        },
    )
}

fn compute(g: &Geometry, arguments: &[Raw]) -> Raw {
    let [x, w] = [&arguments[0], &arguments[1]].map(values);
    raw(
        forward(g, x, w, arguments.get(2).map(values)),
        [g.batch, g.outputs],
    )
}

#[derive(Debug)]
struct Linear;

/// What the backward pass needs: the input only for the weight gradient, and the other way round.
#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    input: Option<Raw>,
    weight: Option<Raw>,
}

impl<const N: usize> Backward<Flex, N> for Linear {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            geometry: g,
            input,
            weight,
        } = ops.state;
        let output_grad = contiguous(grads.consume::<Flex>(&ops.node));
        let dy = values(&output_grad);
        if let (Some(node), Some(w)) = (&ops.parents[0], weight) {
            let grad = input_grad(&g, values(&w), dy);
            grads.register::<Flex>(node.id, raw(grad, [g.batch, g.inputs]));
        }
        if let (Some(node), Some(x)) = (&ops.parents[1], input) {
            let grad = weight_grad(&g, values(&x), dy);
            grads.register::<Flex>(node.id, raw(grad, [g.inputs, g.outputs]));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            grads.register::<Flex>(node.id, raw(bias_grad(&g, dy), [g.outputs]));
        }
    }
}
