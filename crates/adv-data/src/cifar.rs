//! The binary version of CIFAR-10: records of a label and 32×32 pixels in three planes.

use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::image_set::{ImageSet, RawImages};
use crate::read::content;

/// Bytes a record: the label, then 1024 red, 1024 green and 1024 blue pixels, row by row.
pub const RECORD: usize = 1 + 3 * 32 * 32;

/// The ten classes, as in the data set's `batches.meta.txt`.
pub const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Reads and joins files of records, gzip-compressed or not; the images are `[3, 32, 32]`.
///
/// # Errors
///
/// A [`DataError`] that names the file and the byte: not whole records, no record, a label that is no class, a damaged gzip
/// stream, or what the system says.
pub fn read(name: &str, paths: &[PathBuf], classes: &[String]) -> Result<ImageSet> {
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for path in paths {
        let bytes = content(path)?;
        let (records, rest) = bytes.as_chunks::<RECORD>();
        if !rest.is_empty() {
            return Err(DataError::PartialRecord {
                path: path.clone(),
                offset: (bytes.len() - rest.len()) as u64,
                len: bytes.len() as u64,
                record: RECORD,
            });
        }
        if records.is_empty() {
            return Err(DataError::Empty { path: path.clone() });
        }
        for (number, [label, planes @ ..]) in records.iter().enumerate() {
            if usize::from(*label) >= classes.len() {
                return Err(DataError::LabelOutOfRange {
                    path: path.clone(),
                    offset: (number * RECORD) as u64,
                    label: u64::from(*label),
                    classes: classes.len(),
                });
            }
            labels.push(*label);
            pixels.extend_from_slice(planes);
        }
    }
    let (name, classes) = (name.to_string(), classes.to_vec());
    ImageSet::new(RawImages {
        name,
        shape: [3, 32, 32],
        classes,
        pixels,
        white: 255,
        labels,
    })
}

/// Reads class names, one a line, blank lines ignored.
///
/// # Errors
///
/// [`DataError::BadLine`] if there are not exactly ten names or the text is not UTF-8, or what the system says.
pub fn read_classes(path: &Path) -> Result<Vec<String>> {
    let bytes = content(path)?;
    let bad = |offset: usize, reason: String| DataError::BadLine {
        path: path.to_path_buf(),
        line: bytes[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1,
        offset: offset as u64,
        reason,
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|error| bad(error.valid_up_to(), "not UTF-8 text".into()))?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect();
    if names.len() != CLASSES.len() {
        return Err(bad(
            bytes.len(),
            format!("{} class names, {} expected", names.len(), CLASSES.len()),
        ));
    }
    Ok(names)
}
