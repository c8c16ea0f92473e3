//! Small files of each format, and where the real ones are.
#![allow(dead_code)] // Each test program uses a part.

pub mod server;

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The folder of real data sets, or a printed line that says how to give it.
pub fn data_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("ADV_DATA_DIR").map(PathBuf::from);
    if dir.is_none() {
        println!("skipped: set ADV_DATA_DIR");
    }
    dir
}

/// An IDX file with this header and body.
pub fn idx(header: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend_from_slice(body);
    bytes
}

/// Three images of 2×2 pixels.
pub fn images() -> Vec<u8> {
    idx(&[0x803, 3, 2, 2], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])
}

/// Their labels.
pub fn labels() -> Vec<u8> {
    idx(&[0x801, 3], &[7, 0, 9])
}

/// A CIFAR-10 file with one record a label; a record's pixels all have its label as value.
pub fn cifar(labels: &[u8]) -> Vec<u8> {
    labels.iter().flat_map(|&label| [label; 3073]).collect()
}

/// The bytes, gzip-compressed.
pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}
