//! Weighted mean and variance of the rows of a table.

use crate::cpu::moments::{forward, table_grad};
use crate::route::{Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

/// Mean and variance of each column of a table `[V,E]`, with a share for each row, `[V]`: `[2,E]`.
///
/// The shares must sum to 1 and are constants. One pass over the table each way where Burn's operations make a table each. First order
/// only.
///
/// # Panics
/// If there is not one share for each row, or the arguments are on different devices.
pub fn weighted_moments(table: Tensor<2>, shares: Tensor<1>) -> Tensor<2> {
    let [rows, width] = table.dims();
    assert_eq!(shares.dims(), [rows], "a share for each row");
    let full = rows > 0 && width > 0;
    let (true, Some(x), Some(weights)) = (full, operand(&table), operand(&shares)) else {
        return reference(table, shares);
    };
    let weights = contiguous(weights.into_raw());
    match x {
        Operand::Plain(x) => plain(run(&contiguous(x), &weights, width)),
        Operand::Autodiff(x) => {
            let (x, node) = x.into_parts();
            let table = contiguous(x);
            let moments = run(&table, &weights, width);
            autodiff(
                match Moments
                    .prepare::<NoCheckpointing>([node])
                    .compute_bound()
                    .stateful()
                {
                    OpsKind::UnTracked(prep) => prep.finish(moments),
                    OpsKind::Tracked(prep) => {
                        let state = [table, weights, moments.clone()];
                        prep.finish(state, moments)
                    }
                },
            )
        }
    }
}

fn run(table: &Raw, shares: &Raw, width: usize) -> Raw {
    raw(forward(values(table), values(shares)), [2, width])
}

/// Burn's operations.
fn reference(table: Tensor<2>, shares: Tensor<1>) -> Tensor<2> {
    let shares = shares.inner().unsqueeze_dim::<2>(1);
    let mean = (table.clone() * shares.clone()).sum_dim(0);
    let variance = ((table - mean.clone()).square() * shares).sum_dim(0);
    Tensor::cat(vec![mean, variance], 0)
}

#[derive(Debug)]
struct Moments;

impl Backward<Flex, 1> for Moments {
    /// Table, shares and moments.
    type State = [Raw; 3];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = contiguous(grads.consume::<Flex>(&ops.node));
        let [table, shares, moments] = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let (x, moments) = (values(&table), values(&moments));
            let width = moments.len() / 2;
            let of_table = table_grad(x, values(&shares), moments, values(&grad));
            grads.register::<Flex>(node.id, raw(of_table, [x.len() / width, width]));
        }
    }
}
