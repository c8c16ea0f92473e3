//! Dropout with draws of the caller's.

use crate::cpu::dropout::{Rule, backward_in_place, forward_in_place};
use crate::route::{Operand, Raw, autodiff, contiguous, operand, plain};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, TensorData};

/// Dropout (Srivastava et al. 2014): entries become 0 with a probability, the others `1 / (1 - probability)` times themselves.
///
/// `draws(first, out)` gives uniform draws of 16 bits for the entries from number `first` on, which is even; it must give the same ones
/// however they are asked for, since threads share the work. Works in the memory of its argument where nothing else holds that.
/// First order only.
///
/// # Panics
/// If the probability is not in [0, 1).
pub fn dropout<const D: usize>(
    x: Tensor<D>,
    probability: f64,
    draws: impl Fn(usize, &mut [u16]) + Sync + Send,
) -> Tensor<D> {
    assert!((0.0..1.0).contains(&probability), "a probability below 1");
    let rule = Rule::new(probability);
    match operand(&x) {
        Some(Operand::Plain(raw)) => {
            drop(x);
            let mut raw = contiguous(raw);
            forward_in_place(rule, draws, raw.storage_mut());
            plain(raw)
        }
        Some(Operand::Autodiff(tensor)) => {
            drop(x);
            let (raw, node) = tensor.into_parts();
            let mut raw = contiguous(raw);
            let stays = forward_in_place(rule, draws, raw.storage_mut());
            autodiff(
                match Dropout
                    .prepare::<NoCheckpointing>([node])
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::UnTracked(prep) => prep.finish(raw),
                    OpsKind::Tracked(prep) => prep.finish((rule, stays), raw),
                },
            )
        }
        None => {
            let shape = x.dims();
            let mut drawn = vec![0; shape.iter().product()];
            draws(0, &mut drawn);
            let factors: Vec<f32> = drawn.into_iter().map(|draw| rule.factor(draw)).collect();
            let options = (&x.device(), x.dtype());
            let factors = Tensor::<D>::from_data(TensorData::new(factors, shape), options);
            x * factors
        }
    }
}

#[derive(Debug)]
struct Dropout;

impl Backward<Flex, 1> for Dropout {
    /// The rule, and 1 for each entry that stayed.
    type State = (Rule, Vec<u8>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad: Raw = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            let (rule, stays) = &ops.state;
            backward_in_place(*rule, stays, grad.storage_mut());
            grads.register::<Flex>(node.id, grad);
        }
    }
}
