//! One file that holds all of a run, written atomically and checked when it is read.

use super::{Best, TrainState};
use crate::result::PassCounts;
use adv_core::{Carried, Ledger, Phase};
use anyhow::{Context, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::store::burn_pack::{Reader, Tensor as Entry, Writer};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const CHECKPOINT: &str = "checkpoint.bpk";
const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
const LAST_MODEL: &str = "last";
const BEST_MODEL: &str = "best";

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
        self.file(CHECKPOINT)
    }

    /// The weights after the last update.
    pub fn last(&self) -> PathBuf {
        self.file(LAST)
    }

    /// The weights of the best validation.
    pub fn best(&self) -> PathBuf {
        self.file(BEST)
    }

    /// The resolved settings.
    pub fn spec(&self) -> PathBuf {
        self.file("spec.toml")
    }

    /// A text model of the last update, in the layout of Hugging Face.
    pub fn last_model(&self) -> PathBuf {
        self.file(LAST_MODEL)
    }

    /// A text model of the best validation, in the layout of Hugging Face.
    pub fn best_model(&self) -> PathBuf {
        self.file(BEST_MODEL)
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

    /// Whether training has begun here. A spec alone may come from an attempt that failed before, at a network too
    /// large for the images or a missing data set.
    pub fn holds_run(&self) -> bool {
        self.metrics().exists()
    }

    /// Makes this process the only one that works in the folder, as long as the returned value lives, and clears
    /// away the scratch files of one that was killed while it wrote.
    pub fn claim(&self) -> anyhow::Result<File> {
        let spec = self.spec();
        let lock = File::open(&spec).with_context(|| format!("cannot open {}", spec.display()))?;
        // The system releases the lock when a process dies. A file system without locks cannot warn.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            bail!(
                "another adv is at work in {}: wait for its end, or stop it",
                self.folder.display()
            );
        }
        let folders = [self.folder.clone(), self.last_model(), self.best_model()];
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            clear(folder).with_context(|| format!("cannot clear up in {}", folder.display()))?;
        }
        Ok(lock)
    }
}

/// Removes what a killed process left half-written.
fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_scratch(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether a file of a run folder is one that an atomic write fills before it takes its final name.
fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let of_burn = [CHECKPOINT, LAST, BEST].iter().any(|known| {
        let rest = name.strip_prefix(known);
        rest.is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".tmp"))
    });
    let of_tempfile = name.strip_prefix(".tmp").is_some_and(|rest| rest.len() == 6);
    of_burn || of_tempfile || name == "metrics.csv.new"
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

/// The small values of a checkpoint, kept as TOML, which gives back every bit of a float (serde_json may not).
#[derive(Serialize, Deserialize)]
struct Small {
    version: u32,
    batches: u64,
    updates: u64,
    seconds: f64,
    last_robust: Option<f64>,
    best: Option<Best>,
    #[serde(default)]
    worse: u64,
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
        worse: state.worse,
        warnings: state.warnings.clone(),
        training: state.ledger.total(Phase::Training).into(),
        evaluation: state.ledger.total(Phase::Evaluation).into(),
        delta: delta_dims,
    };
    let small = toml::to_string(&small).map_err(|error| failed(error.to_string()))?;
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
    let small: Small = toml::from_str(&small).map_err(|error| failed(error.to_string()))?;
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
        model: model.into(),
        optimiser,
        carried: Carried { delta, replay: 0 },
        ledger: Ledger::from_totals(small.training.into(), small.evaluation.into()),
        batches: small.batches,
        updates: small.updates,
        seconds: small.seconds,
        last_robust: small.last_robust,
        best: small.best,
        worse: small.worse,
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

#[cfg(test)]
mod tests {
    use super::super::Validation;
    use super::*;
    use crate::optim::optimiser;
    use crate::spec::{OptimSpec, OptimiserName};
    use adv_models::{Architecture, ImageClassifier, Labels};
    use tempfile::TempDir;

    type State = TrainState<4, ImageClassifier>;

    fn fresh(seed: u64) -> State {
        let device = Device::flex().autodiff();
        let model = adv_models::build(Architecture::Mlp, [1, 2, 2], 3, seed, &device).expect("a model");
        let spec = OptimSpec {
            weight_decay: 0.01,
            ..OptimSpec::constant(OptimiserName::Adamw, 0.01)
        };
        TrainState::new(model, optimiser(&spec))
    }

    fn images() -> Tensor<4> {
        let pixels: Vec<f32> = (0..8).map(|i| i as f32 / 8.0).collect();
        Tensor::from_data(TensorData::new(pixels, [2, 1, 2, 2]), &Device::flex())
    }

    fn step(state: &mut State) {
        let labels = Labels::new([0, 2], 3, &Device::flex()).expect("labels");
        let pass = state
            .ledger
            .weight_gradients(&*state.model, images(), &labels, 1.0)
            .expect("finite");
        state.ledger.update(&pass.gradients).expect("gradients");
        state.step(0.01, pass.gradients);
    }

    fn logits(state: &State) -> Vec<u32> {
        let logits = state.model.valid().logits(images()).into_data();
        logits.iter::<f32>().map(f32::to_bits).collect()
    }

    fn reread(state: &State, folder: &TempDir) -> State {
        let path = folder.path().join(CHECKPOINT);
        write(&path, state).expect("written");
        let TrainState { model, optimiser, .. } = fresh(99);
        read(&path, model.clone(), optimiser, &Device::flex()).expect("read")
    }

    #[test]
    fn all_of_a_state_comes_back_and_trains_on_alike() {
        let folder = TempDir::new().expect("a folder");
        let mut state = fresh(1);
        step(&mut state);
        step(&mut state);
        state.carried.delta = Some(images() * 0.1 - 0.03);
        (state.batches, state.seconds) = (7, 1.0 / 3.0);
        state.warnings.push("\"quoted\"".into());
        let mut copy = reread(&state, &folder);

        assert_eq!((copy.batches, copy.updates, copy.seconds), (7, 2, 1.0 / 3.0));
        assert_eq!(
            (copy.ledger.total(Phase::Training), &copy.warnings),
            (state.ledger.total(Phase::Training), &state.warnings)
        );
        let delta = |state: &State| state.carried.delta.clone().map(Tensor::into_data);
        assert_eq!(delta(&copy), delta(&state));
        assert_eq!(logits(&copy), logits(&state));
        // The moments too: without them the third step would be another one.
        step(&mut state);
        step(&mut copy);
        assert_eq!(logits(&copy), logits(&state));
        assert!(logits(&copy) != logits(&fresh(1)));
    }

    #[test]
    fn accuracies_come_back_to_the_last_bit() {
        let folder = TempDir::new().expect("a folder");
        // A best accuracy that is off by one bit would let a resumed run choose other best weights. 7/60 is one that
        // serde_json reads back wrongly without its feature `float_roundtrip`.
        for share in [7.0 / 60.0, 0.1 + 0.2, 1.0 / 3.0, 1.0 - f64::EPSILON / 2.0, 0.0] {
            let mut state = fresh(1);
            let (clean, robust) = (share, Some(share));
            state.keep_if_best(Validation { clean, robust });
            (state.last_robust, state.seconds) = (Some(share), share);
            let copy = reread(&state, &folder);
            assert_eq!(copy.best, state.best);
            assert_eq!((copy.last_robust, copy.seconds), (Some(share), share));
        }
    }

    #[test]
    fn no_flipped_byte_goes_unnoticed_or_unreported() {
        let folder = TempDir::new().expect("a folder");
        let mut state = fresh(1);
        step(&mut state);
        state.carried.delta = Some(images());
        let path = folder.path().join(CHECKPOINT);
        write(&path, &state).expect("written");
        let good = std::fs::read(&path).expect("read");
        let expected = logits(&state);
        // Head and metadata closely, the tensors here and there.
        for at in (0..1500)
            .step_by(11)
            .chain((1500..good.len()).step_by(good.len() / 40))
        {
            let mut bytes = good.clone();
            bytes[at] ^= 0x40;
            std::fs::write(&path, bytes).expect("written");
            let TrainState { model, optimiser, .. } = fresh(2);
            match read::<4, ImageClassifier>(&path, model.clone(), optimiser, &Device::flex()) {
                Err(error) => assert!(error.to_string().contains("start the run anew"), "{error}"),
                // Padding between the parts means nothing.
                Ok(copy) => assert_eq!(logits(&copy), expected, "byte {at} of {}", good.len()),
            }
        }
    }

    #[test]
    fn one_process_works_in_a_folder_and_clears_up_after_a_killed_one() {
        let folder = TempDir::new().expect("a folder");
        let files = Files {
            folder: folder.path().into(),
        };
        let kept = ["spec.toml", "metrics.csv", "notes.tmp", "best.safetensors"];
        let scratch = [
            "checkpoint.bpk.17-0.tmp",
            "last.safetensors.1-2.tmp",
            ".tmpa1B2c3",
            "metrics.csv.new",
        ];
        for name in kept.iter().chain(&scratch) {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let claim = files.claim().expect("the first");
        for name in kept {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        for name in scratch {
            assert!(!folder.path().join(name).exists(), "{name}");
        }
        let error = files.claim().expect_err("taken").to_string();
        assert!(error.contains("another adv is at work"), "{error}");
        drop(claim);
        files.claim().expect("free again");
    }
}
