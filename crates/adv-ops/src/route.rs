//! Which tensors our kernels can take, and the way back.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};

/// The CPU backend's tensor.
pub(crate) type Raw = FloatTensor<Flex>;

/// Its tensor with autodiff, tracked or not.
pub(crate) type Node = FloatTensor<Autodiff<Flex>>;

/// An `f32` tensor on the flex device.
pub(crate) enum Operand {
    /// Without autodiff.
    Plain(Raw),
    /// With autodiff.
    Autodiff(Node),
}

/// The operand behind a tensor, `None` on every other device, element type and checkpointing
/// strategy: there the caller falls back to Burn's own operation.
pub(crate) fn operand<const D: usize>(tensor: &Tensor<D>) -> Option<Operand> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    if tensor.device().is_autodiff() {
        let tensor = tensor.clone().try_into_primitive::<Autodiff<Flex>>();
        tensor.ok().map(Operand::Autodiff)
    } else {
        tensor
            .clone()
            .try_into_primitive::<Flex>()
            .ok()
            .map(Operand::Plain)
    }
}

impl Operand {
    /// The values, without what autodiff knows of them.
    pub(crate) fn into_raw(self) -> Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Autodiff(node) => node.into_primitive(),
        }
    }

    /// On the autodiff device; a plain tensor becomes an untracked one, a constant.
    pub(crate) fn into_autodiff(self) -> Node {
        match self {
            Self::Plain(raw) => Node::new(raw),
            Self::Autodiff(tensor) => tensor,
        }
    }
}

/// A new tensor of the CPU backend; the values are moved.
pub(crate) fn raw<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Raw {
    Raw::from_data(TensorData::new(values, shape))
}

/// In row-major order, the whole of its storage. Takes its argument, so that no second handle stays where it is already so.
pub(crate) fn contiguous(raw: Raw) -> Raw {
    raw.to_contiguous()
}

/// The values in row-major order.
pub(crate) fn values(raw: &Raw) -> &[f32] {
    let range = raw.layout().contiguous_offsets();
    let (start, end) = range.expect("kernels get contiguous tensors only");
    &raw.storage::<f32>()[start..end]
}

/// Back to the public type.
pub(crate) fn plain<const D: usize>(raw: Raw) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(raw)
}

/// Back to the public type, on the autodiff device.
pub(crate) fn autodiff<const D: usize>(tensor: Node) -> Tensor<D> {
    Tensor::from_primitive::<Autodiff<Flex>>(tensor)
}
