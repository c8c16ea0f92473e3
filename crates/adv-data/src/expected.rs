//! Comparing a downloaded file with what is known of it.

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::read::each_block;

/// What is known in advance of a file's uncompressed content; mirrors differ in how they compress it.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The exact length.
    pub len: Option<u64>,
    /// The first bytes.
    pub head: Vec<u8>,
    /// The sha256 sum, in lower-case hexadecimal digits.
    pub sha256: Option<String>,
}

impl Expected {
    /// Reads the whole file, compressed or not; the reason if something differs.
    pub(crate) fn check(&self, path: &Path) -> Result<(), String> {
        let (mut sum, mut len, mut head) = (Sha256::new(), 0, Vec::new());
        let file = File::open(path).map_err(|error| error.to_string())?;
        let read = each_block(file, path, |block| {
            let missing = self.head.len().saturating_sub(head.len());
            head.extend_from_slice(&block[..missing.min(block.len())]);
            len += block.len() as u64;
            sum.update(block);
        });
        read.map_err(|error| match error {
            DataError::CorruptGzip { offset, source, .. } => {
                format!("corrupt gzip stream after {offset} uncompressed bytes ({source})")
            }
            other => other.to_string(),
        })?;
        if let Some(wanted) = self.len.filter(|&wanted| wanted != len) {
            return Err(format!("{len} uncompressed bytes, {wanted} expected"));
        }
        if head != self.head {
            return Err(format!(
                "starts with the bytes {head:02x?}, {:02x?} expected",
                self.head
            ));
        }
        let sum = hex(&sum.finalize());
        match &self.sha256 {
            Some(wanted) if *wanted != sum => Err(format!(
                "sha256 of the uncompressed bytes is {sum}, {wanted} expected"
            )),
            _ => Ok(()),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
