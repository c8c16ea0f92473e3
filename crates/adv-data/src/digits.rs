//! The bundled data set: 1797 handwritten digits of 8×8 pixels with 17 levels of grey.
//!
//! It is the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning
//! Repository, <https://doi.org/10.24432/C50P49>), as packaged by scikit-learn, under CC BY 4.0. It is not MNIST: the
//! images are smaller, and figures on one say nothing about the other.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{DataError, Result, at};
use crate::hold_out::hold_out;
use crate::image_set::{ImageSet, RawImages};
use crate::read::content_of;

/// Images in the test part of the fixed split; the other 1437 train.
pub const TEST_IMAGES: usize = 360;

/// Seed of the fixed split. Never changed: figures on this data set would no longer compare.
const SPLIT_SEED: u64 = 0;
const SIDE: usize = 8;
/// The stored value that means 1.0.
const WHITE: u8 = 16;
const CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

static BUNDLED: &[u8] = include_bytes!("../data/digits.csv.gz");

/// The bundled digits, split into (training, test) as [`split`] does.
///
/// # Errors
///
/// None with an unchanged file; those of [`read`] otherwise.
pub fn bundled() -> Result<(ImageSet, ImageSet)> {
    split(&parse(BUNDLED, Path::new("the bundled digits.csv.gz"))?)
}

/// Reads digits from a text file, gzip-compressed or not: 64 pixels from 0 to 16 and the label a line, comma-separated.
///
/// # Errors
///
/// A [`DataError`] that names the file, the line and its first byte.
pub fn read(path: &Path) -> Result<ImageSet> {
    parse(File::open(path).map_err(at(path))?, path)
}

/// The fixed split into (training, test): a fifth of each class for the test, chosen with a fixed seed.
///
/// The writers are not known, so both parts hold digits of the same hands.
///
/// # Errors
///
/// [`DataError::TooFewImages`] if there are fewer than [`TEST_IMAGES`].
pub fn split(all: &ImageSet) -> Result<(ImageSet, ImageSet)> {
    hold_out(all, TEST_IMAGES, SPLIT_SEED)
}

fn parse(source: impl Read, path: &Path) -> Result<ImageSet> {
    let bytes = content_of(source, path)?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut offset = 0;
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let (values, label) = fields(line).map_err(|reason| DataError::BadLine {
            path: path.to_path_buf(),
            line: number + 1,
            offset: offset as u64,
            reason,
        })?;
        pixels.extend(values);
        labels.push(label);
        offset += line.len();
    }
    if labels.is_empty() {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
        });
    }
    ImageSet::new(RawImages {
        name: "digits".into(),
        shape: [1, SIDE, SIDE],
        classes: CLASSES.map(String::from).into(),
        pixels,
        white: WHITE,
        labels,
    })
}

/// The pixels and the label of one line, or what is wrong with it.
fn fields(line: &[u8]) -> std::result::Result<(Vec<u8>, u8), String> {
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8 text".to_string())?;
    let number = |field: &str| {
        field
            .trim()
            .parse()
            .map_err(|_| format!("`{}` is not a number from 0 to 255", field.trim()))
    };
    let mut values = line
        .split(',')
        .map(number)
        .collect::<std::result::Result<Vec<u8>, _>>()?;
    if values.len() != SIDE * SIDE + 1 {
        return Err(format!("{} fields instead of {}", values.len(), SIDE * SIDE + 1));
    }
    let label = values.pop().unwrap_or_default();
    if usize::from(label) >= CLASSES.len() {
        return Err(format!("label {label}: only 0 to 9 are classes of this data set"));
    }
    match values.iter().find(|&&value| value > WHITE) {
        Some(value) => Err(format!("pixel {value} is above {WHITE}")),
        None => Ok((values, label)),
    }
}
