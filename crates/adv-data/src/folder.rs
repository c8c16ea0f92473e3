//! Which files of a folder make a data set, under the names they commonly have.

use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::DatasetId;
use crate::error::{DataError, Result, at};
use crate::image_set::ImageSet;
use crate::{cifar, digits, idx};

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];
/// The folder that CIFAR-10's archive makes.
const CIFAR_FOLDER: &str = "cifar-10-batches-bin";

/// The names looked for, for messages. Each may also end in `.gz`.
pub(crate) fn wanted(id: DatasetId) -> Vec<String> {
    let names: &[&str] = match id {
        DatasetId::Digits => &["digits.csv[.gz]"],
        DatasetId::Mnist | DatasetId::FashionMnist => &[
            "train-images-idx3-ubyte[.gz]",
            "train-labels-idx1-ubyte[.gz]",
            "t10k-images-idx3-ubyte[.gz]",
            "t10k-labels-idx1-ubyte[.gz] (also with a dot before idx)",
        ],
        DatasetId::Cifar10 => &[
            "data_batch_1.bin[.gz] to data_batch_5.bin[.gz] or train*.bin[.gz]",
            "test_batch.bin[.gz] or test*.bin[.gz]",
        ],
    };
    names.iter().map(|name| name.to_string()).collect()
}

/// Training and test images from the files in `folder`; `None` if some are not there.
pub(crate) fn read(id: DatasetId, folder: &Path) -> Result<Option<(ImageSet, ImageSet)>> {
    match id {
        DatasetId::Digits => read_digits(folder),
        DatasetId::Mnist => read_idx(id.name(), folder, &DIGITS),
        DatasetId::FashionMnist => read_idx(id.name(), folder, &CLOTHES),
        DatasetId::Cifar10 => match read_cifar(folder)? {
            None => read_cifar(&folder.join(CIFAR_FOLDER)),
            found => Ok(found),
        },
    }
}

fn read_digits(folder: &Path) -> Result<Option<(ImageSet, ImageSet)>> {
    match plain_or_gz(folder, "digits.csv") {
        Some(path) => digits::split(&digits::read(&path)?).map(Some),
        None => Ok(None),
    }
}

fn read_idx(name: &str, folder: &Path, classes: &[&str]) -> Result<Option<(ImageSet, ImageSet)>> {
    let find = |stem: &str, kind: &str| {
        ["-", "."]
            .iter()
            .find_map(|dash| plain_or_gz(folder, &format!("{stem}{dash}{kind}-ubyte")))
    };
    let pair = |part: &str| {
        Some((
            find(&format!("{part}-images"), "idx3")?,
            find(&format!("{part}-labels"), "idx1")?,
        ))
    };
    let (Some((train_images, train_labels)), Some((test_images, test_labels))) =
        (pair("train"), pair("t10k"))
    else {
        return Ok(None);
    };
    let train = idx::read(name, &train_images, &train_labels, classes)?;
    let test = idx::read(name, &test_images, &test_labels, classes)?;
    if train.shape() != test.shape() {
        return Err(DataError::ShapeMismatch {
            test_path: test_images,
            train: train.shape(),
            test: test.shape(),
        });
    }
    Ok(Some((train, test)))
}

fn read_cifar(folder: &Path) -> Result<Option<(ImageSet, ImageSet)>> {
    let official = (1..=5)
        .map(|number| plain_or_gz(folder, &format!("data_batch_{number}.bin")))
        .collect();
    let official = Option::<Vec<PathBuf>>::zip(official, plain_or_gz(folder, "test_batch.bin"));
    let (train, test) = match official {
        Some((train, test)) => (train, vec![test]),
        None => (records(folder, "train")?, records(folder, "test")?),
    };
    if train.is_empty() || test.is_empty() {
        return Ok(None);
    }
    let classes = match folder.join("batches.meta.txt") {
        path if path.is_file() => cifar::read_classes(&path)?,
        _ => cifar::CLASSES.map(String::from).into(),
    };
    let name = DatasetId::Cifar10.name();
    Ok(Some((
        cifar::read(name, &train, &classes)?,
        cifar::read(name, &test, &classes)?,
    )))
}

/// The files `PREFIX*.bin[.gz]` of a folder by name; of a plain and a compressed one of the same name the plain one.
fn records(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut stems = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let name = entry
                .map_err(at(folder))?
                .file_name()
                .to_string_lossy()
                .into_owned();
            let stem = name.strip_suffix(".gz").unwrap_or(&name);
            if stem.starts_with(prefix) && stem.ends_with(".bin") {
                stems.push(stem.to_string());
            }
        }
    }
    stems.sort();
    stems.dedup();
    Ok(stems
        .iter()
        .filter_map(|stem| plain_or_gz(folder, stem))
        .collect())
}

/// `folder/name` or `folder/name.gz`, whichever is a file.
fn plain_or_gz(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.is_file())
}
