//! Weights in safetensors files with PyTorch's names and layout.

use crate::weights::{broken, compare, expected};
use crate::{ImageClassifier, ModelError};
use burn::store::{
    BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter,
    SafetensorsStore, SafetensorsStoreError,
};
use burn::tensor::DType;
use std::path::Path;

fn pytorch_layout(store: SafetensorsStore) -> SafetensorsStore {
    store
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true)
        .clear_metadata()
        // What PyTorch's own tools write, and some readers insist on.
        .metadata("format", "pt")
}

impl ImageClassifier {
    /// Writes the weights: `conv1.weight`, `conv1.bias`, ...; linear layers are `[out, in]`. Replaces the file in one
    /// step, so that no reader ever sees half of it. The normalisation is not part of it.
    ///
    /// Errors: the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let mut store = pytorch_layout(SafetensorsStore::from_file(path)).overwrite(true);
        let written = self.network.save_into(&mut store);
        written.map_err(|error| ModelError::File {
            action: "write",
            path: path.to_path_buf(),
            source: match error {
                SafetensorsStoreError::Io(source) => source,
                other => std::io::Error::other(other.to_string()),
            },
        })
    }

    /// The content of the file that [`save_weights`](Self::save_weights) writes, for a program that writes files its
    /// own way.
    ///
    /// Errors: a weight cannot be read from its device.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let mut store = pytorch_layout(SafetensorsStore::from_bytes(None));
        let written = self.network.save_into(&mut store);
        written
            .and_then(|()| store.get_bytes())
            .map_err(|error| ModelError::Encode(error.to_string()))
    }

    /// The same classifier with the weights of a file; this one is not changed.
    ///
    /// The tensors of the file must be exactly those of the network. Errors: the file cannot be read, is not a complete
    /// safetensors file, or holds other tensors: all that are missing, too many or of another shape are listed.
    pub fn load_weights(&self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let mut store = SafetensorsStore::from_file(path)
            .with_from_adapter(PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32)))
            .skip_enum_variants(true);
        let broken = |error| broken(path, error);

        // Compared first: the store changes its module before it reports an error, and passes over extra tensors.
        let found = store.get_all_tensors().map_err(broken)?;
        let problems = compare(&expected(&self.network), found);
        if !problems.is_empty() {
            return Err(ModelError::Mismatch {
                path: path.to_path_buf(),
                architecture: self.architecture().to_string(),
                problems,
            });
        }
        let mut loaded = self.clone();
        loaded.network.load_from(&mut store).map_err(broken)?;
        Ok(loaded)
    }
}
