//! Convolution.

use crate::cpu::conv::{Geometry, bias_grad, forward, input_grad, weight_grad};
use crate::route::{Node, Operand, Raw, autodiff, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::ConvOptions;

/// Convolution in two dimensions, dilation 1, groups 1: input `[B,C,H,W]`, weight `[O,C,kh,kw]`,
/// bias `[O]` to `[B,O,H',W']`.
///
/// Computes gradients only for the arguments that are tracked. First order only: the gradient
/// itself cannot be differentiated.
///
/// # Panics
/// As Burn's own operation: shapes that do not fit together, arguments on different devices.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let bias_len = bias.as_ref().map(|bias| bias.dims()[0]);
    let geometry = Geometry::new(input.dims(), weight.dims(), bias_len, stride, padding);
    let operands = || {
        let bias = match &bias {
            Some(bias) => Some(operand(bias)?),
            None => None,
        };
        Some((geometry?, operand(&input)?, operand(&weight)?, bias))
    };
    match operands() {
        Some((g, Operand::Plain(x), Operand::Plain(w), None)) => {
            plain(run(&g, &x.to_contiguous(), &w.to_contiguous(), None))
        }
        Some((g, Operand::Plain(x), Operand::Plain(w), Some(Operand::Plain(b)))) => plain(run(
            &g,
            &x.to_contiguous(),
            &w.to_contiguous(),
            Some(&b.to_contiguous()),
        )),
        Some((g, x, w, None)) => autodiff(tracked(g, [x, w])),
        Some((g, x, w, Some(b))) => autodiff(tracked(g, [x, w, b])),
        None => {
            let options = ConvOptions::new(stride, padding, [1, 1], 1);
            module::conv2d(input, weight, bias, options)
        }
    }
}

fn run(g: &Geometry, x: &Raw, w: &Raw, b: Option<&Raw>) -> Raw {
    raw(forward(g, values(x), values(w), b.map(values)), g.output_shape())
}

#[derive(Debug)]
struct Conv2d;

/// What the backward pass needs: the input only for the weight gradient, and the other way round.
#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    input: Option<Raw>,
    weight: Option<Raw>,
}

/// `arguments`: input, weight and possibly bias.
fn tracked<const N: usize>(geometry: Geometry, arguments: [Operand; N]) -> Node {
    let arguments = arguments.map(Operand::into_autodiff);
    let track = [arguments[0].is_tracked(), arguments[1].is_tracked()];
    let nodes = arguments.each_ref().map(|argument| argument.node());
    let raw = arguments.map(|argument| argument.into_primitive().to_contiguous());
    let output = run(&geometry, &raw[0], &raw[1], raw.get(2));
    match Conv2d
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
                    geometry,
                    input,
                    weight,
                },
                output,
            )
        }
    }
}

impl<const N: usize> Backward<Flex, N> for Conv2d {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            geometry: g,
            input,
            weight,
        } = ops.state;
        let output_grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let dy = values(&output_grad);
        if let (Some(node), Some(w)) = (&ops.parents[0], weight) {
            let grad = input_grad(&g, values(&w), dy);
            grads.register::<Flex>(node.id, raw(grad, g.input_shape()));
        }
        if let (Some(node), Some(x)) = (&ops.parents[1], input) {
            let grad = weight_grad(&g, values(&x), dy);
            grads.register::<Flex>(node.id, raw(grad, g.weight_shape()));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let grad = bias_grad(&g, dy);
            let len = grad.len();
            grads.register::<Flex>(node.id, raw(grad, [len]));
        }
    }
}
