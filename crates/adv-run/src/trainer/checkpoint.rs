//! One file that holds all of a run, written atomically and checked when it is read.

use super::{Best, TrainState};
use crate::result::PassCounts;
use adv_core::{Carried, Ledger, Phase};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::store::burn_pack::{Reader, Tensor as Entry, Writer};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The files of a run folder.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder.
    pub folder: PathBuf,
}

impl Files {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// All that a resumed run needs.
    pub fn checkpoint(&self) -> PathBuf {
        self.file("checkpoint.bpk")
    }

    /// The weights after the last update.
    pub fn last(&self) -> PathBuf {
        self.file("last.safetensors")
    }

    /// The weights of the best validation.
    pub fn best(&self) -> PathBuf {
        self.file("best.safetensors")
    }

    /// The resolved settings.
    pub fn spec(&self) -> PathBuf {
        self.file("spec.toml")
    }

    /// The curves.
    pub fn metrics(&self) -> PathBuf {
        self.file("metrics.csv")
    }

    /// The result as one JSON object.
    pub fn result(&self) -> PathBuf {
        self.file("result.json")
    }

    /// The page to look at.
    pub fn report(&self) -> PathBuf {
        self.file("report.html")
    }
}

/// A checkpoint that cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It could not be written.
    #[error("cannot write the checkpoint {}: {reason}; is there space on the disk?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// It could not be read.
    #[error("cannot read the checkpoint {}: {reason}; start the run anew in another folder", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Its bytes are not those that were written.
    #[error("the checkpoint {} is damaged: its checksum does not fit; start the run anew in another folder", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The small values of a checkpoint. Floats survive JSON: they are written in the shortest form that reads back.
#[derive(Serialize, Deserialize)]
struct Small {
    version: u32,
    batches: u64,
    updates: u64,
    seconds: f64,
    last_robust: Option<f64>,
    best: Option<Best>,
    warnings: Vec<String>,
    training: PassCounts,
    evaluation: PassCounts,
    delta: Option<Vec<usize>>,
}

const VERSION: u32 = 1;

/// Writes the state; the old file stays whole until the new one is.
pub(super) fn write<const D: usize, M: Module>(
    path: &Path,
    state: &TrainState<D, M>,
) -> Result<(), CheckpointError> {
    let failed = |reason: String| CheckpointError::Write {
        path: path.into(),
        reason,
    };
    // `valid()` merges pending batch-norm statistics, which a record taken right after a forward would miss.
    let model = state
        .model
        .valid()
        .into_record()
        .into_bytes()
        .map_err(|error| failed(error.to_string()))?;
    let optimiser = state
        .optimiser
        .into_bytes()
        .map_err(|error| failed(error.to_string()))?;
    let (delta, delta_dims) = match &state.carried.delta {
        None => (Vec::new(), None),
        Some(delta) => {
            let dims = delta.dims().to_vec();
            let values: Vec<u8> = delta
                .clone()
                .into_data()
                .iter::<f32>()
                .flat_map(f32::to_le_bytes)
                .collect();
            (values, Some(dims))
        }
    };
    let small = Small {
        version: VERSION,
        batches: state.batches,
        updates: state.updates,
        seconds: state.seconds,
        last_robust: state.last_robust,
        best: state.best,
        warnings: state.warnings.clone(),
        training: state.ledger.total(Phase::Training).into(),
        evaluation: state.ledger.total(Phase::Evaluation).into(),
        delta: delta_dims,
    };
    let small = serde_json::to_string(&small).map_err(|error| failed(error.to_string()))?;
    let checksum = checksum(&small, [&model, &optimiser, &delta]);
    let entry = |name: &str, bytes: Bytes| Entry::new(name.into(), DType::U8, [bytes.len()], None, bytes);
    let entries = vec![
        entry("model", model),
        entry("optimiser", optimiser),
        entry("delta", Bytes::from_bytes_vec(delta)),
    ];
    Writer::new(entries)
        .with_metadata("state", &small)
        .with_metadata("sha256", &checksum)
        .auto_extension(false)
        .write_to_file(path)
        .map_err(|error| failed(error.to_string()))
}

/// Reads a state back into a fresh model and optimiser of the same architecture.
pub fn read<const D: usize, M: Module>(
    path: &Path,
    model: M,
    optimiser: ModuleOptimizer,
    device: &Device,
) -> Result<TrainState<D, M>, CheckpointError> {
    let failed = |reason: String| CheckpointError::Read {
        path: path.into(),
        reason,
    };
    let reader = Reader::from_file_exact(path).map_err(|error| failed(error.to_string()))?;
    let metadata = |key: &str| {
        reader
            .metadata()
            .get(key)
            .cloned()
            .ok_or_else(|| failed(format!("it has no `{key}`")))
    };
    let (small, expected) = (metadata("state")?, metadata("sha256")?);
    let part = |name: &str| {
        reader
            .tensor_data(name)
            .map_err(|error| failed(error.to_string()))
    };
    let (record, moments, delta) = (part("model")?, part("optimiser")?, part("delta")?);
    if checksum(&small, [&record, &moments, &delta]) != expected {
        return Err(CheckpointError::Damaged { path: path.into() });
    }
    let small: Small = serde_json::from_str(&small).map_err(|error| failed(error.to_string()))?;
    if small.version != VERSION {
        return Err(failed(format!(
            "it has version {}, this program reads {VERSION}",
            small.version
        )));
    }
    let record =
        ModuleRecord::from_bytes(Bytes::from_bytes_vec(record)).map_err(|error| failed(error.to_string()))?;
    let model = model
        .try_load_record(record)
        .map_err(|error| failed(error.to_string()))?;
    let optimiser = optimiser
        .from_bytes(Bytes::from_bytes_vec(moments))
        .map_err(|error| failed(error.to_string()))?;
    let delta = match small.delta {
        None => None,
        Some(dims) => {
            let dims: [usize; D] = dims
                .try_into()
                .map_err(|_| failed(format!("the carried delta has not {D} axes")))?;
            let values: Vec<f32> = delta
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            if values.len() != dims.iter().product::<usize>() {
                return Err(failed("the carried delta has another size than its shape".into()));
            }
            Some(Tensor::from_data(TensorData::new(values, dims), device))
        }
    };
    Ok(TrainState {
        model,
        optimiser,
        carried: Carried { delta },
        ledger: Ledger::from_totals(small.training.into(), small.evaluation.into()),
        batches: small.batches,
        updates: small.updates,
        seconds: small.seconds,
        last_robust: small.last_robust,
        best: small.best,
        warnings: small.warnings,
    })
}

/// SHA-256 over the small values and every part: the container itself does not notice a flipped byte.
fn checksum(small: &str, parts: [&[u8]; 3]) -> String {
    let mut hash = Sha256::new();
    hash.update((small.len() as u64).to_le_bytes());
    hash.update(small);
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
