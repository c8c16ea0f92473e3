//! The IDX format of MNIST and Fashion-MNIST: a big-endian header, then bytes.

use std::path::Path;

use crate::error::{DataError, Result};
use crate::image_set::{ImageSet, RawImages};
use crate::read::content;

/// First four bytes of a file of images: unsigned bytes, three dimensions.
pub(crate) const IMAGES: u32 = 0x0803;
/// First four bytes of a file of labels: unsigned bytes, one dimension.
pub(crate) const LABELS: u32 = 0x0801;

/// Reads one part (training or test) of a data set from its two files, gzip-compressed or not.
///
/// The images are `[1, rows, columns]` with the sizes of the header.
///
/// # Errors
///
/// A [`DataError`] that names the file and the byte: truncated, trailing bytes, wrong magic number, a size of zero, image and
/// label counts that differ, a label that is no class, a damaged gzip stream, or what the system says.
pub fn read(name: &str, images_path: &Path, labels_path: &Path, classes: &[&str]) -> Result<ImageSet> {
    let (header, pixels) = items(images_path, IMAGES, "images", 3)?;
    let (_, labels) = items(labels_path, LABELS, "labels", 1)?;
    let [images, height, width] = [header[0], header[1], header[2]];
    if images != labels.len() {
        return Err(DataError::CountMismatch {
            images_path: images_path.to_path_buf(),
            images,
            labels_path: labels_path.to_path_buf(),
            labels: labels.len(),
        });
    }
    if let Some(at) = labels
        .iter()
        .position(|&label| usize::from(label) >= classes.len())
    {
        return Err(DataError::LabelOutOfRange {
            path: labels_path.to_path_buf(),
            offset: (8 + at) as u64,
            label: labels[at].into(),
            classes: classes.len(),
        });
    }
    ImageSet::new(RawImages {
        name: name.to_string(),
        shape: [1, height, width],
        classes: classes.iter().map(|class| class.to_string()).collect(),
        pixels,
        white: 255,
        labels,
    })
}

/// The sizes in the header of a file with `dimensions` sizes, and the bytes after it.
fn items(path: &Path, magic: u32, kind: &'static str, dimensions: usize) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut bytes = content(path)?;
    let len = bytes.len() as u64;
    let truncated = |needed| DataError::Truncated {
        path: path.to_path_buf(),
        offset: len,
        needed,
    };
    let head = &bytes[..bytes.len().min(16)];
    let words: Vec<u32> = head
        .chunks_exact(4)
        .map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]))
        .collect();
    match words.first() {
        Some(&found) if found == magic => {}
        Some(&found) => {
            return Err(DataError::WrongMagic {
                path: path.to_path_buf(),
                found,
                expected: magic,
                kind,
            });
        }
        None => return Err(truncated(4)),
    }
    let start = 4 + 4 * dimensions;
    let sizes: Vec<usize> = match words.get(1..=dimensions) {
        Some(sizes) => sizes.iter().map(|&size| size as usize).collect(),
        None => return Err(truncated(start as u64)),
    };
    let bad = |field: usize, reason: String| DataError::BadHeader {
        path: path.to_path_buf(),
        offset: (4 + 4 * field) as u64,
        reason,
    };
    if sizes[0] == 0 {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
        });
    }
    if let Some(field) = sizes.iter().position(|&size| size == 0) {
        return Err(bad(field, "images without pixels".into()));
    }
    let body = sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    let end = body.and_then(|body| body.checked_add(start as u64));
    let end = end.ok_or_else(|| bad(0, format!("the sizes {sizes:?} are impossible")))?;
    if len < end {
        return Err(truncated(end));
    }
    if len > end {
        return Err(DataError::TrailingBytes {
            path: path.to_path_buf(),
            offset: end,
            extra: len - end,
        });
    }
    bytes.drain(..start);
    Ok((sizes, bytes))
}
