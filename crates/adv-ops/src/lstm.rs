//! A long short-term memory, all steps of a sequence in one operation.

use crate::cpu::lstm::{Geometry, Keep, forward, gate_grads, weight_grad};
use crate::route::{Node, Operand, Raw, autodiff, contiguous, operand, plain, raw, values};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, s};

/// The recurrence of an LSTM (Hochreiter and Schmidhuber 1997, with Gers' forget gate) from zero states: what the inputs bring to the
/// gates, `[B,T,4H]`, biases included, and the weight of the recurrence, `[4H,H]`, to the outputs of all steps, `[B,T,H]`.
///
/// Gates and weight are in PyTorch's order and layout: input, forget, candidate, output. The inputs' own product is left to the caller,
/// who makes it for all steps at once. Computes gradients only for the arguments that are tracked. First order only.
///
/// # Panics
/// If the shapes do not fit together, or the arguments are on different devices.
pub fn lstm(gates: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let ([_, _, width], [rows, hidden]) = (gates.dims(), weight.dims());
    assert!(
        width == 4 * hidden && rows == width,
        "gates [B,T,4H] and a weight [4H,H], not {:?} and {:?}",
        gates.dims(),
        weight.dims()
    );
    let geometry = Geometry::new(gates.dims(), hidden);
    let (Some(g), Some(x), Some(w)) = (geometry, operand(&gates), operand(&weight)) else {
        return reference(gates, weight);
    };
    drop(gates);
    let shape = [g.batch, g.steps, g.hidden];
    let arguments = [x, w];
    if arguments
        .iter()
        .all(|argument| matches!(argument, Operand::Plain(_)))
    {
        let [x, w] = arguments.map(|argument| contiguous(argument.into_raw()));
        let (out, _) = forward(&g, values(&x), values(&w), Keep::Nothing);
        return plain(raw(out, shape));
    }
    let arguments = arguments.map(Operand::into_autodiff);
    let tracked = arguments.each_ref().map(Node::is_tracked);
    let nodes = arguments.each_ref().map(Node::node);
    let [x, weight] = arguments.map(|argument| contiguous(argument.into_primitive()));
    let keep = match tracked {
        [false, false] => Keep::Nothing,
        _ => Keep::All,
    };
    let (out, record) = forward(&g, values(&x), values(&weight), keep);
    let output = raw(out, shape);
    autodiff(
        match Lstm.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(output),
            OpsKind::Tracked(prep) => {
                let state = State {
                    geometry: g,
                    record,
                    weight,
                    outputs: tracked[1].then(|| output.clone()),
                };
                prep.finish(state, output)
            }
        },
    )
}

/// Burn's operations, step by step.
fn reference(gates: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, steps, width] = gates.dims();
    let hidden = width / 4;
    if batch * steps * hidden == 0 {
        // Nothing to compute, and Burn's operations do not take every empty tensor.
        return gates.slice(s![.., .., 0..hidden]);
    }
    let options = (&gates.device(), gates.dtype());
    let weight = weight.transpose();
    let mut h = Tensor::<2>::zeros([batch, hidden], options);
    let mut c = h.clone();
    let mut all = Vec::with_capacity(steps);
    for t in 0..steps {
        let own: Tensor<3> = gates.clone().slice(s![.., t..t + 1, ..]);
        let sums = own.reshape([batch, width]) + h.matmul(weight.clone());
        let part = |q: usize| sums.clone().slice(s![.., q * hidden..(q + 1) * hidden]);
        c = sigmoid(part(1)) * c + sigmoid(part(0)) * part(2).tanh();
        h = sigmoid(part(3)) * c.clone().tanh();
        all.push(h.clone().reshape([batch, 1, hidden]));
    }
    Tensor::cat(all, 1)
}

#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    /// Gates, cells and outputs of all steps.
    record: Vec<f32>,
    weight: Raw,
    /// For the weight's gradient.
    outputs: Option<Raw>,
}

#[derive(Debug)]
struct Lstm;

impl Backward<Flex, 2> for Lstm {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State {
            geometry: g,
            record,
            weight,
            outputs,
        } = ops.state;
        let output_grad = contiguous(grads.consume::<Flex>(&ops.node));
        let [of_gates, of_weight] = ops.parents;
        let of_all = gate_grads(&g, &record, values(&weight), values(&output_grad));
        if let (Some(node), Some(outputs)) = (of_weight, outputs) {
            let grad = weight_grad(&g, values(&outputs), &of_all);
            grads.register::<Flex>(node.id, raw(grad, [4 * g.hidden, g.hidden]));
        }
        if let Some(node) = of_gates {
            grads.register::<Flex>(node.id, raw(of_all, [g.batch, g.steps, 4 * g.hidden]));
        }
    }
}
