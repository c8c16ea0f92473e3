//! A golden set: tensors, numbers and criteria, read from its two files.

use super::criterion::Criterion;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use std::path::Path;

/// A tensor on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Array {
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        Self {
            shape: tensor.dims().to_vec(),
            values: tensor.into_data().try_to_vec().unwrap(),
        }
    }

    pub fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        let shape: [usize; D] = self.shape.clone().try_into().unwrap();
        Tensor::from_data(TensorData::new(self.values.clone(), shape), device)
    }

    /// Entries of one row: everything behind the first axis.
    pub fn row_length(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// The L2 norm of each row.
    pub fn row_norms(&self) -> Vec<f32> {
        let rows = self.values.chunks(self.row_length());
        rows.map(|row| norm(row) as f32).collect()
    }
}

/// The L2 norm, summed in f64.
pub fn norm(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

pub struct Set {
    bytes: Vec<u8>,
    json: Value,
}

impl Set {
    pub fn read(folder: &Path, stem: &str) -> Self {
        let open = |ending: &str| {
            let path = folder.join(format!("{stem}.{ending}"));
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        Self {
            bytes: open("safetensors"),
            json: serde_json::from_slice(&open("json")).unwrap(),
        }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .tensors()
            .names()
            .into_iter()
            .map(ToString::to_string)
            .collect();
        names.sort();
        names
    }

    fn view(&self, name: &str, dtype: Dtype) -> (Vec<usize>, Vec<u8>) {
        let tensors = self.tensors();
        let view = tensors
            .tensor(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.dtype(), dtype, "{name}");
        (view.shape().to_vec(), view.data().to_vec())
    }

    pub fn tensor(&self, name: &str) -> Array {
        let (shape, bytes) = self.view(name, Dtype::F32);
        let values = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Array {
            shape,
            values: values.collect(),
        }
    }

    pub fn integers(&self, name: &str) -> Vec<i64> {
        let (_, bytes) = self.view(name, Dtype::I64);
        let values = bytes
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()));
        values.collect()
    }

    /// The length of a tensor's first axis.
    pub fn length(&self, name: &str) -> usize {
        self.tensors().tensor(name).unwrap().shape()[0]
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors().tensor(name).is_ok()
    }

    /// A list of texts.
    pub fn strings(&self, name: &str) -> Vec<String> {
        let list = self.json[name]
            .as_array()
            .unwrap_or_else(|| panic!("no list {name}"));
        list.iter()
            .map(|text| text.as_str().unwrap().to_string())
            .collect()
    }

    /// A hyper-parameter that is two texts.
    pub fn pair(&self, name: &str) -> [String; 2] {
        let list = self.json["config"][name].as_array();
        let list = list.unwrap_or_else(|| panic!("config {name} is no list"));
        [0, 1].map(|place| list[place].as_str().unwrap().to_string())
    }

    /// A hyper-parameter.
    pub fn config(&self, name: &str) -> f64 {
        let value = &self.json["config"][name];
        value
            .as_f64()
            .unwrap_or_else(|| panic!("config {name} is {value}"))
    }

    /// A plain number or a list of them: exact, and as a float32 run gave it.
    pub fn numbers(&self, name: &str) -> (Vec<f64>, Vec<f64>) {
        let read = |part: &str| -> Vec<f64> {
            match &self.json[part][name] {
                Value::Array(list) => list.iter().map(|value| value.as_f64().unwrap()).collect(),
                value => vec![
                    value
                        .as_f64()
                        .unwrap_or_else(|| panic!("{part} {name} is {value}")),
                ],
            }
        };
        (read("values"), read("values_float32_run"))
    }

    /// Numbers by name.
    pub fn named_numbers(&self, name: &str) -> std::collections::BTreeMap<String, f64> {
        let object = self.json["values"][name]
            .as_object()
            .unwrap_or_else(|| panic!("no object {name}"));
        let numbers = object
            .iter()
            .map(|(name, value)| (name.clone(), value.as_f64().unwrap()));
        numbers.collect()
    }

    /// The names of all numbers.
    pub fn number_names(&self) -> Vec<String> {
        self.json["values"].as_object().unwrap().keys().cloned().collect()
    }

    /// How close a tensor must be.
    pub fn criterion(&self, name: &str) -> Criterion {
        let agreement = self.json["float32_agreement"].get(name);
        Criterion::parse(&agreement.unwrap_or_else(|| panic!("no criterion for {name}"))["criterion"])
    }

    /// Writes the network's weights, which are the tensors without a folder that have a dot in their name.
    pub fn write_weights(&self, path: &Path) {
        let tensors = self.tensors();
        let weights = tensors
            .iter()
            .filter(|(name, _)| !name.contains('/') && name.contains('.'));
        let views: Vec<(&str, TensorView)> = weights.collect();
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }
}
