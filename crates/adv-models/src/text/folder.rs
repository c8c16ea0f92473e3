//! Model folders in the layout of Hugging Face: reading weights.

use super::config::WeightFiles;
use super::head::HeadKind;
use super::{TextConfig, TextError, TextModel, names};
use crate::weights::{broken, compare, expected};
use crate::{ModelError, TensorProblem};
use burn::store::burn_pack::Tensor as FileTensor;
use burn::store::{
    FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, PytorchStore,
    SafetensorsStore,
};
use burn::tensor::DType;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What became of the tensors of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Tensors of the head that the file does not have: their values are new.
    pub new: Vec<String>,
    /// Tensors of the head that the file has in another shape, such as for another number of classes: their values are new, too.
    pub resized: Vec<String>,
    /// Tensors of the file that the model has no place for: those of another head.
    pub unused: Vec<String>,
}

impl WeightFiles {
    /// The weights of a folder: one safetensors file, else shards, else a pickle.
    pub(super) fn find(folder: &Path) -> Result<Self, TextError> {
        let one = folder.join("model.safetensors");
        if one.is_file() {
            return Ok(WeightFiles::One(one));
        }
        let index = folder.join("model.safetensors.index.json");
        if index.is_file() {
            return shards(folder, &index).map(WeightFiles::Shards);
        }
        let pickle = folder.join("pytorch_model.bin");
        if pickle.is_file() {
            return Ok(WeightFiles::Pickle(pickle));
        }
        Err(TextError::NoWeights {
            folder: folder.to_path_buf(),
        })
    }

    /// The file that errors name.
    fn path(&self, folder: &Path) -> PathBuf {
        match self {
            WeightFiles::One(path) | WeightFiles::Pickle(path) => path.clone(),
            WeightFiles::Shards(_) => folder.join("model.safetensors.index.json"),
        }
    }

    /// All tensors by the names of the files. Nothing is read but the headers.
    fn tensors(&self) -> Result<BTreeMap<String, FileTensor>, TextError> {
        match self {
            WeightFiles::One(path) => safetensors_of(path),
            WeightFiles::Shards(paths) => {
                let mut all = BTreeMap::new();
                for path in paths {
                    all.extend(safetensors_of(path)?);
                }
                Ok(all)
            }
            WeightFiles::Pickle(path) => {
                let mut store = PytorchStore::from_file(path);
                let tensors = store.get_all_tensors().map_err(|error| ModelError::Pickle {
                    path: path.clone(),
                    detail: error.to_string(),
                })?;
                Ok(tensors.clone())
            }
        }
    }
}

fn safetensors_of(path: &Path) -> Result<BTreeMap<String, FileTensor>, TextError> {
    let mut store = SafetensorsStore::from_file(path);
    let tensors = store.get_all_tensors().map_err(|error| broken(path, error))?;
    Ok(tensors.clone())
}

/// The shards that an index names. They must be in the folder itself.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, TextError> {
    let text = std::fs::read_to_string(index).map_err(|source| TextError::read(index, source))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| TextError::json(index, &error))?;
    let wrong = |found: String| TextError::Config {
        path: index.to_path_buf(),
        key: "weight_map".into(),
        expected: "an object with the name of a file of this folder for each tensor",
        found,
    };
    let Some(map) = value.get("weight_map").and_then(Value::as_object) else {
        return Err(wrong("something else".into()));
    };
    let mut files = BTreeSet::new();
    for file in map.values() {
        let name = file.as_str().ok_or_else(|| wrong(file.to_string()))?;
        // An index from somewhere must not reach other folders.
        if Path::new(name).file_name().is_none_or(|last| last != name) {
            return Err(wrong(name.into()));
        }
        files.insert(folder.join(name));
    }
    Ok(files.into_iter().collect())
}

/// Fills `model` with the weights of a folder. Tensors of the encoder must all be there, with the right shapes; those of the
/// head may be missing.
pub(super) fn fill(
    model: &mut TextModel,
    config: &TextConfig,
    head: HeadKind,
    folder: &Path,
) -> Result<LoadReport, TextError> {
    let files = WeightFiles::find(folder)?;
    let found: BTreeMap<String, FileTensor> = files
        .tensors()?
        .into_iter()
        .map(|(name, tensor)| (config.whole_name(&name), tensor))
        .collect();
    let ours = expected(model);
    let wanted: BTreeMap<String, Vec<usize>> = ours
        .iter()
        .map(|(name, shape)| (config.name_in_file(head, name), shape.clone()))
        .collect();
    let heads: BTreeSet<String> = ours
        .keys()
        .filter(|name| names::is_head(name))
        .map(|name| config.name_in_file(head, name))
        .collect();

    let mut report = LoadReport::default();
    let problems = compare(&wanted, &found)
        .into_iter()
        .filter(|problem| match problem {
            TensorProblem::Missing { name, .. } if heads.contains(name) => {
                report.new.push(name.clone());
                false
            }
            TensorProblem::Shape { name, .. } if heads.contains(name) => {
                report.resized.push(name.clone());
                false
            }
            TensorProblem::Extra { name, .. } if config.may_be_left_over(name) => {
                report.unused.push(name.clone());
                false
            }
            _ => true,
        });
    let problems: Vec<TensorProblem> = problems.collect();
    if !problems.is_empty() {
        return Err(ModelError::Mismatch {
            path: files.path(folder),
            architecture: format!(
                "the model of {} with this head",
                folder.join("config.json").display()
            ),
            problems,
        }
        .into());
    }

    let mut tensors = Vec::new();
    for name in ours.keys() {
        let in_file = config.name_in_file(head, name);
        if let Some(tensor) = found.get(&in_file).filter(|_| !report.resized.contains(&in_file)) {
            let mut tensor = tensor.clone();
            tensor.name = name.clone();
            tensors.push(tensor);
        }
    }
    let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    let applied = model.apply(tensors, None, Some(Box::new(adapter)), true);
    match applied.errors.first() {
        None => Ok(report),
        Some(error) => Err(ModelError::Format {
            path: files.path(folder),
            detail: format!("{error:?}"),
        }
        .into()),
    }
}
