//! Attention shares.

use crate::cpu::softmax::{Geometry, backward_in_place, forward_in_place};
use crate::route::{Operand, Raw, autodiff, contiguous, operand, plain, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, activation};

/// Added to the scores that the mask forbids, where Burn's own operations run: their shares are then exactly zero.
const MASKED: f64 = -1e9;

/// Softmax over the last axis of `scale * scores`, `[B,H,T,S]`, where `mask`, `[B,S]`, is above 0; shares of other places are exactly
/// zero. A row needs one place at least.
///
/// The mask is a constant. Works in the memory of the scores where nothing else holds that. First order only.
///
/// # Panics
/// If the mask has not one value for each sample and place.
pub fn masked_softmax(scores: Tensor<4>, mask: Tensor<2>, scale: f64) -> Tensor<4> {
    let [batch, heads, rows, row] = scores.dims();
    assert_eq!(mask.dims(), [batch, row], "a mask for each sample and place");
    if scores.dims().contains(&0) {
        // Nothing to compute, and Burn's operations do not take every empty tensor.
        return scores;
    }
    let (Some(scores_there), Some(mask_there)) = (operand(&scores), operand(&mask)) else {
        let bias = mask.neg().add_scalar(1.0).mul_scalar(MASKED);
        let biased = scores.mul_scalar(scale) + bias.reshape([batch, 1, 1, row]);
        return activation::softmax(biased, 3);
    };
    drop(scores);
    let mask = contiguous(mask_there.into_raw());
    let g = Geometry {
        sample: heads * rows * row,
        row,
        scale: scale as f32,
    };
    let run = |scores: Raw| {
        let mut scores = contiguous(scores);
        forward_in_place(g, scores.storage_mut(), values(&mask));
        scores
    };
    match scores_there {
        Operand::Plain(scores) => plain(run(scores)),
        Operand::Autodiff(tensor) => {
            let (scores, node) = tensor.into_parts();
            let shares = run(scores);
            autodiff(
                match MaskedSoftmax
                    .prepare::<NoCheckpointing>([node])
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::UnTracked(prep) => prep.finish(shares),
                    OpsKind::Tracked(prep) => prep.finish((g, shares.clone()), shares),
                },
            )
        }
    }
}

#[derive(Debug)]
struct MaskedSoftmax;

impl Backward<Flex, 1> for MaskedSoftmax {
    /// The shares.
    type State = (Geometry, Raw);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            let (g, shares) = &ops.state;
            backward_in_place(*g, values(shares), grad.storage_mut());
            grads.register::<Flex>(node.id, grad);
        }
    }
}
