//! Max pooling.

use crate::cpu::pool::{Geometry, forward, input_grad};
use crate::route::{Operand, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::MaxPoolOptions;
use std::sync::Arc;

/// Max pooling of `[B,C,H,W]` without padding; windows that do not fit are left out.
///
/// The gradient of a tie goes to the first of the window, row by row. A NaN wins.
///
/// # Panics
/// As Burn's own operation: a window larger than the image.
pub fn max_pool2d(input: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    let geometry = Geometry::new(input.dims(), kernel, stride);
    match geometry.and_then(|g| Some((g, operand(&input)?))) {
        Some((g, Operand::Plain(x))) => {
            let (output, _) = forward(&g, values(&contiguous(x)));
            plain(raw(output, g.output_shape()))
        }
        Some((g, Operand::Autodiff(tensor))) => {
            drop(input);
            let (x, node) = tensor.into_parts();
            let (output, choice) = forward(&g, values(&contiguous(x)));
            let output = raw(output, g.output_shape());
            autodiff(
                match MaxPool2d
                    .prepare::<NoCheckpointing>([node])
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::UnTracked(prep) => prep.finish(output),
                    OpsKind::Tracked(prep) => prep.finish((g, choice.into()), output),
                },
            )
        }
        None => {
            let options = MaxPoolOptions::new(kernel).with_stride(stride);
            module::max_pool2d(input, options)
        }
    }
}

#[derive(Debug)]
struct MaxPool2d;

impl Backward<Flex, 1> for MaxPool2d {
    /// The place of each maximum in its window.
    type State = (Geometry, Arc<[u8]>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (g, choice) = ops.state;
        let output_grad = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            let grad = input_grad(&g, &choice, values(&output_grad));
            grads.register::<Flex>(node.id, raw(grad, g.input_shape()));
        }
    }
}
