//! What the golden tests share: the stored set, the criteria, and the model of the set.

pub mod changes;
pub mod criterion;
pub mod probe;
pub mod set;
pub mod table;
pub mod text_probe;

use adv_core::Noise;
use adv_models::{Architecture, ImageClassifier, build};
use burn::tensor::Device;
use set::{Array, Set};

/// The device of the tests.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// `wong_cnn` with the weights of the set, read through a weight file of its own.
pub fn model(set: &Set) -> ImageClassifier {
    let x = set.tensor("x");
    let classes = set.tensor("fc2.bias").values.len();
    let shape = [x.shape[1], x.shape[2], x.shape[3]];
    let model = build(Architecture::WongCnn, shape, classes, 0, &device()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    set.write_weights(&file);
    model.load_weights(&file).unwrap()
}

/// Stored ids as one sentence: the first and the last token are special.
pub fn encoded(ids: &[u32]) -> adv_models::text::Encoded {
    let last = ids.len().saturating_sub(1);
    adv_models::text::Encoded {
        ids: ids.to_vec(),
        types: vec![0; ids.len()],
        special: (0..ids.len())
            .map(|at| u32::from(at == 0 || at == last))
            .collect(),
    }
}

/// Stored numbers in place of a generator: the first ones that are asked for.
pub struct StoredNoise(Array);

impl StoredNoise {
    pub fn new(values: Array) -> Self {
        Self(values)
    }
}

impl Noise for StoredNoise {
    fn uniform(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.0.values[..out.len()]);
    }

    fn normal(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.0.values[..out.len()]);
    }
}
