//! Writing whole files, with errors that name them.

use anyhow::{Context, Result};
use std::path::Path;

/// Writes a file in one step: a reader sees the old content or the new.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    adv_models::write_atomically(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
