//! Convolution, alone or with the ReLU and the max pooling that follow it.

use crate::cpu::conv::{Block, Forward, Geometry, OutputGrad};
use crate::cpu::conv::{bias_grad, forward, input_grad, weight_grad};
use crate::cpu::pool;
use crate::route::{Node, Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::ConvOptions;
use std::sync::Arc;

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
    let follow = Follow {
        relu: false,
        pool: None,
    };
    run([&input, &weight], bias.as_ref(), stride, padding, follow).unwrap_or_else(|| {
        let options = ConvOptions::new(stride, padding, [1, 1], 1);
        module::conv2d(input, weight, bias, options)
    })
}

/// [`conv2d`] and [`relu`](crate::relu) in one pass over the memory.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_relu(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let follow = Follow {
        relu: true,
        pool: None,
    };
    run([&input, &weight], bias.as_ref(), stride, padding, follow)
        .unwrap_or_else(|| crate::relu(conv2d(input, weight, bias, stride, padding)))
}

/// [`conv2d_relu`] and [`max_pool2d`](crate::max_pool2d) with windows `[h, w]` side by side, in one
/// pass over the memory: the unpooled activations are never stored.
///
/// # Panics
/// As [`conv2d`] and [`max_pool2d`](crate::max_pool2d).
pub fn conv2d_relu_max_pool2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
    window: [usize; 2],
) -> Tensor<4> {
    let follow = Follow {
        relu: true,
        pool: Some(window),
    };
    run([&input, &weight], bias.as_ref(), stride, padding, follow).unwrap_or_else(|| {
        let x = crate::relu(conv2d(input, weight, bias, stride, padding));
        crate::max_pool2d(x, window, window)
    })
}

/// What follows the convolution.
#[derive(Clone, Copy)]
struct Follow {
    relu: bool,
    pool: Option<[usize; 2]>,
}

/// `None` where the kernels do not apply.
fn run(
    [input, weight]: [&Tensor<4>; 2],
    bias: Option<&Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
    follow: Follow,
) -> Option<Tensor<4>> {
    let bias_len = bias.map(|bias| bias.dims()[0]);
    let conv = Geometry::new(input.dims(), weight.dims(), bias_len, stride, padding)?;
    let pool = match follow.pool {
        Some(window) => Some(pool::Geometry::new(conv.output_shape(), window, window)?),
        None => None,
    };
    let block = Block {
        conv,
        relu: follow.relu,
        pool,
    };
    let (x, w) = (operand(input)?, operand(weight)?);
    Some(match bias {
        None => apply(block, [x, w]),
        Some(bias) => apply(block, [x, w, operand(bias)?]),
    })
}

/// `arguments`: input, weight and possibly bias.
fn apply<const N: usize>(block: Block, arguments: [Operand; N]) -> Tensor<4> {
    if arguments
        .iter()
        .all(|argument| matches!(argument, Operand::Plain(_)))
    {
        let raw = arguments.map(|argument| contiguous(argument.into_raw()));
        return plain(compute(&block, &raw).0);
    }
    let arguments = arguments.map(Operand::into_autodiff);
    let track = [arguments[0].is_tracked(), arguments[1].is_tracked()];
    let nodes = arguments.each_ref().map(Node::node);
    let raw = arguments.map(|argument| contiguous(argument.into_primitive()));
    let (output, choice) = compute(&block, &raw);
    autodiff(
        match Conv2d
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(output),
            OpsKind::Tracked(prep) => {
                let state = State {
                    block,
                    input: track[1].then(|| raw[0].clone()),
                    weight: track[0].then(|| raw[1].clone()),
                    output: block.relu.then(|| output.clone()),
                    choice: choice.into(),
                };
                prep.finish(state, output)
            }
        },
    )
}

fn compute(block: &Block, arguments: &[Raw]) -> (Raw, Vec<u8>) {
    let [x, w] = [&arguments[0], &arguments[1]].map(values);
    let Forward { output, choice } = forward(block, x, w, arguments.get(2).map(values));
    (raw(output, block.output_shape()), choice)
}

#[derive(Debug)]
struct Conv2d;

/// What the backward pass needs: the input only for the weight gradient, and the other way round.
#[derive(Clone, Debug)]
struct State {
    block: Block,
    input: Option<Raw>,
    weight: Option<Raw>,
    output: Option<Raw>,
    choice: Arc<[u8]>,
}

impl<const N: usize> Backward<Flex, N> for Conv2d {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            block,
            input,
            weight,
            output,
            choice,
        } = ops.state;
        let grad = contiguous(grads.consume::<Flex>(&ops.node));
        let output = output.as_ref().map_or(&[][..], values);
        let grad = OutputGrad {
            values: values(&grad),
            output,
            choice: &choice,
        };
        if let (Some(node), Some(w)) = (&ops.parents[0], weight) {
            let grad = input_grad(&block, values(&w), &grad);
            grads.register::<Flex>(node.id, raw(grad, block.conv.input_shape()));
        }
        if let (Some(node), Some(x)) = (&ops.parents[1], input) {
            let grad = weight_grad(&block, values(&x), &grad);
            grads.register::<Flex>(node.id, raw(grad, block.conv.weight_shape()));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let grad = bias_grad(&block, &grad);
            let len = grad.len();
            grads.register::<Flex>(node.id, raw(grad, [len]));
        }
    }
}
