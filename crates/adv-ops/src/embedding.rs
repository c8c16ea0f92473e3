//! Rows of a table.

use crate::cpu::parallel::zeros;
use crate::route::{Operand, autodiff, contiguous, operand, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Int, Tensor, module};

/// The rows of `table`, `[V,E]`, at `ids`, `[B,T]`: `[B,T,E]`.
///
/// The gradient of the table is as large as the table. Without autodiff it is Burn's own operation. First order only.
///
/// # Panics
/// As Burn's own operation: an id that the table does not have.
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let shape = table.dims();
    let [batch, length] = ids.dims();
    let [entries, width] = shape;
    let full = batch * length * entries * width > 0;
    let (true, Some(Operand::Autodiff(tensor))) = (full, operand(&table)) else {
        return module::embedding(table, ids);
    };
    let ids = ids.into_data();
    let rows: Vec<usize> = ids.iter::<i64>().map(|id| checked(id, entries)).collect();
    let (table, node) = tensor.into_parts();
    let table = contiguous(table);
    let table = values(&table);
    let mut output = Vec::with_capacity(rows.len() * width);
    for &row in &rows {
        output.extend_from_slice(&table[row * width..][..width]);
    }
    let output = raw(output, [batch, length, width]);
    autodiff(
        match Embedding
            .prepare::<NoCheckpointing>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::UnTracked(prep) => prep.finish(output),
            OpsKind::Tracked(prep) => prep.finish((shape, rows), output),
        },
    )
}

/// The row of an id, or a panic in Burn's words.
fn checked(id: i64, entries: usize) -> usize {
    let row = usize::try_from(id).ok().filter(|&row| row < entries);
    row.unwrap_or_else(|| panic!("index {id} out of bounds for dimension of size {entries}"))
}

#[derive(Debug)]
struct Embedding;

impl Backward<Flex, 1> for Embedding {
    /// The shape of the table, and the row of each entry.
    type State = ([usize; 2], Vec<usize>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let output_grad = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = &ops.parents {
            let ([length, width], rows) = ops.state;
            let mut grad = zeros(length * width);
            for (row, from) in rows.into_iter().zip(values(&output_grad).chunks_exact(width)) {
                let to = &mut grad[row * width..][..width];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
            grads.register::<Flex>(node.id, raw(grad, [length, width]));
        }
    }
}
