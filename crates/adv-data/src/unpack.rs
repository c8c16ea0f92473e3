//! Taking CIFAR-10's files out of its downloaded archive.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tempfile::NamedTempFile;

use crate::error::{Result, at};
use crate::fetch::put_in_place;

/// Writes the `.bin` files and the class names of a `.tar.gz` archive into `folder`, each in one step, and removes the archive.
///
/// Folders within the archive are ignored, so nothing can be written elsewhere. The archive goes even if it is
/// unreadable: the next attempt must not meet it again.
pub(crate) fn records(archive: &Path, folder: &Path) -> Result<()> {
    let unpacked = unpack(archive, folder);
    fs::remove_file(archive).map_err(at(archive))?;
    unpacked
}

fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let file = BufReader::new(File::open(archive).map_err(at(archive))?);
    let mut entries = tar::Archive::new(MultiGzDecoder::new(file));
    for entry in entries.entries().map_err(at(archive))? {
        let mut entry = entry.map_err(at(archive))?;
        let path = entry.path().map_err(at(archive))?.into_owned();
        let Some(name) = path.file_name().filter(|_| entry.header().entry_type().is_file()) else {
            continue;
        };
        if name != "batches.meta.txt" && path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let target = folder.join(name);
        let mut output = NamedTempFile::new_in(folder).map_err(at(folder))?;
        std::io::copy(&mut entry, &mut output).map_err(at(archive))?;
        output.as_file().sync_all().map_err(at(&target))?;
        put_in_place(&output.into_temp_path(), &target)?;
    }
    Ok(())
}
