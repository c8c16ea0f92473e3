//! The tensors of a network against those of a file.

use crate::{ModelError, TensorProblem};
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, SafetensorsStoreError, burn_pack};
use std::collections::BTreeMap;
use std::path::Path;

/// What a failure to read this safetensors file means.
pub(crate) fn broken(path: &Path, error: SafetensorsStoreError) -> ModelError {
    match error {
        SafetensorsStoreError::Io(source) => ModelError::File {
            action: "read",
            path: path.to_path_buf(),
            source,
        },
        other => ModelError::Format {
            path: path.to_path_buf(),
            detail: other.to_string(),
        },
    }
}

/// Shapes by name.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// Names and shapes of the network's tensors as PyTorch has them.
pub(crate) fn expected<M: ModuleSnapshot>(network: &M) -> Shapes {
    let tensors = network.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor.shape.to_vec()))
        .collect()
}

/// Everything that does not fit.
pub(crate) fn compare(expected: &Shapes, found: &BTreeMap<String, burn_pack::Tensor>) -> Vec<TensorProblem> {
    let mut problems = Vec::new();
    for (name, shape) in expected {
        let (name, expected) = (name.clone(), shape.clone());
        match found.get(&name) {
            None => problems.push(TensorProblem::Missing { name, expected }),
            Some(tensor) if tensor.shape.to_vec() != expected => problems.push(TensorProblem::Shape {
                name,
                expected,
                found: tensor.shape.to_vec(),
            }),
            Some(tensor) if !tensor.dtype.is_float() => problems.push(TensorProblem::Type {
                name,
                found: format!("{:?}", tensor.dtype),
            }),
            Some(_) => {}
        }
    }
    let extra = found.iter().filter(|(name, _)| !expected.contains_key(*name));
    problems.extend(extra.map(|(name, tensor)| TensorProblem::Extra {
        name: name.clone(),
        found: tensor.shape.to_vec(),
    }));
    problems
}
