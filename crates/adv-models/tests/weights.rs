//! Safetensors files: exact round trips, and strictness.

use adv_models::{Architecture, ImageClassifier, ModelError, TensorProblem, build};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

fn model(architecture: Architecture, seed: u64) -> ImageClassifier {
    build(architecture, [1, 16, 16], 10, seed, &Device::flex().autodiff()).unwrap()
}

fn logits(model: &ImageClassifier) -> Vec<f32> {
    let images = Tensor::<4>::ones([2, 1, 16, 16], &Device::flex()) * 0.7;
    model.valid().logits(images).into_data().try_to_vec().unwrap()
}

#[test]
fn what_was_saved_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for &architecture in Architecture::all() {
        let file = folder.path().join(format!("{architecture}.safetensors"));
        let saved = model(architecture, 1);
        saved.save_weights(&file).unwrap();
        assert_eq!(
            std::fs::read(&file).unwrap(),
            saved.to_safetensors().unwrap(),
            "{architecture}"
        );
        // A second time: the file is replaced.
        saved.save_weights(&file).unwrap();
        let loaded = model(architecture, 2).load_weights(&file).unwrap();
        assert_eq!(logits(&loaded), logits(&saved), "{architecture}");
        let again = folder.path().join("again.safetensors");
        loaded.save_weights(&again).unwrap();
        assert_eq!(
            std::fs::read(&file).unwrap(),
            std::fs::read(&again).unwrap(),
            "{architecture}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(
        left.len(),
        Architecture::all().len() + 1,
        "scratch files left: {left:?}"
    );
}

#[test]
fn names_and_shapes_are_those_of_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two_conv.safetensors");
    model(Architecture::TwoConv, 1).save_weights(&file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (name, tensor.shape().to_vec()))
        .collect();
    found.sort();
    let want: [(&str, &[usize]); 8] = [
        ("conv1.bias", &[10]),
        ("conv1.weight", &[10, 1, 5, 5]),
        ("conv2.bias", &[20]),
        ("conv2.weight", &[20, 10, 5, 5]),
        ("fc1.bias", &[50]),
        ("fc1.weight", &[50, 20]),
        ("fc2.bias", &[10]),
        ("fc2.weight", &[10, 50]),
    ];
    assert_eq!(found, want.map(|(name, shape)| (name, shape.to_vec())));
}

#[test]
fn every_tensor_that_does_not_fit_is_listed_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.safetensors");
    model(Architecture::WongCnn, 1).save_weights(&file).unwrap();
    edit(&file, |tensors| {
        tensors.retain(|(name, ..)| name != "conv2.bias");
        for (name, dtype, shape, bytes) in tensors.iter_mut() {
            match name.as_str() {
                "fc2.weight" => *shape = vec![100, 10],
                "fc2.bias" => *dtype = Dtype::I32,
                _ => {}
            }
            if name == "conv1.bias" {
                shape[0] = 15;
                bytes.truncate(60);
            }
        }
        tensors.push(("fc9.weight".into(), Dtype::F32, vec![1], vec![0; 4]));
    });
    let target = model(Architecture::WongCnn, 2);
    let before = logits(&target);
    let error = target.load_weights(&file).unwrap_err();
    let ModelError::Mismatch { problems, .. } = &error else {
        panic!("{error:?}")
    };
    let name = |name: &str| name.to_string();
    assert_eq!(
        *problems,
        [
            TensorProblem::Shape {
                name: name("conv1.bias"),
                expected: vec![16],
                found: vec![15]
            },
            TensorProblem::Missing {
                name: name("conv2.bias"),
                expected: vec![32]
            },
            TensorProblem::Type {
                name: name("fc2.bias"),
                found: name("I32")
            },
            TensorProblem::Shape {
                name: name("fc2.weight"),
                expected: vec![10, 100],
                found: vec![100, 10]
            },
            TensorProblem::Extra {
                name: name("fc9.weight"),
                found: vec![1]
            },
        ]
    );
    let text = error.to_string();
    assert!(
        text.contains("other.safetensors") && text.contains("fc2.weight is [100, 10], expected [10, 100]"),
        "{text}"
    );
    assert_eq!(logits(&target), before);
}

#[test]
fn weights_of_other_float_types_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("double.safetensors");
    let saved = model(Architecture::Mlp, 1);
    saved.save_weights(&file).unwrap();
    edit(&file, |tensors| {
        for (_, dtype, _, bytes) in tensors.iter_mut() {
            *dtype = Dtype::F64;
            *bytes = bytes
                .chunks_exact(4)
                .flat_map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])).to_le_bytes())
                .collect();
        }
    });
    let loaded = model(Architecture::Mlp, 2).load_weights(&file).unwrap();
    assert_eq!(logits(&loaded), logits(&saved));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Architecture::Mlp, 1);

    let missing = folder.path().join("missing.safetensors");
    let error = model.load_weights(&missing).unwrap_err();
    assert!(
        matches!(&error, ModelError::File { action: "read", path, .. } if *path == missing),
        "{error:?}"
    );

    let cut = folder.path().join("cut.safetensors");
    model.save_weights(&cut).unwrap();
    let bytes = std::fs::read(&cut).unwrap();
    for length in [0, 4, 100, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let error = model.load_weights(&cut).unwrap_err();
        assert!(
            matches!(&error, ModelError::Format { path, .. } if *path == cut),
            "{length}: {error:?}"
        );
        assert!(error.to_string().contains("cut.safetensors"), "{error}");
    }

    let nowhere = folder.path().join("no/such/folder.safetensors");
    let error = model.save_weights(&nowhere).unwrap_err();
    assert!(
        matches!(&error, ModelError::File { action: "write", .. }),
        "{error:?}"
    );
}

type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

/// Rewrites a file after a change of its tensors.
fn edit(file: &Path, change: impl FnOnce(&mut Vec<Entry>)) {
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut entries: Vec<Entry> = tensors
        .iter()
        .map(|(name, t)| (name.to_string(), t.dtype(), t.shape().to_vec(), t.data().to_vec()))
        .collect();
    change(&mut entries);
    let views = entries.iter().map(|(name, dtype, shape, data)| {
        (
            name.clone(),
            TensorView::new(*dtype, shape.clone(), data).unwrap(),
        )
    });
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}
