//! Documents in an archive, one file each.

use super::TextDataError;
use super::format::{Reader, Rows};
use super::set::Answer;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Which documents of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// The first nine tenths of each class, by number.
    Train,
    /// The last tenth.
    Test,
}

/// The first number of the last of ten folds: of the 1000 documents of each class.
const LAST_FOLD: u32 = 900;

/// Reads the documents `.../neg/cvNNN_*.txt` (class 0) and `.../pos/cvNNN_*.txt` (class 1) of a zip archive, in the order of their
/// names, lines joined by blanks. Errors count documents, from 1.
///
/// The authors cross-validate on ten folds by number (Pang and Lee 2004); here the last one is tested on.
pub(super) fn read(reader: &Reader<'_>, fold: Fold) -> Result<Rows, TextDataError> {
    let path = reader.path;
    let broken = |detail: String| TextDataError::Archive {
        path: path.to_path_buf(),
        detail,
    };
    let file = File::open(path).map_err(crate::error::at(path))?;
    let mut archive =
        zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|error| broken(error.to_string()))?;
    let mut names: Vec<(u32, String, usize)> = Vec::new();
    for place in 0..archive.len() {
        let entry = archive
            .by_index(place)
            .map_err(|error| broken(error.to_string()))?;
        let name = entry
            .name()
            .map_err(|error| broken(error.to_string()))?
            .into_owned();
        if let Some(class) = wanted(&name, fold) {
            names.push((class, name, place));
        }
    }
    names.sort();
    let mut rows = Vec::with_capacity(names.len());
    for (number, (class, name, place)) in names.iter().enumerate() {
        let mut bytes = Vec::new();
        let mut entry = archive
            .by_index(*place)
            .map_err(|error| broken(error.to_string()))?;
        let read = entry.read_to_end(&mut bytes);
        read.map_err(|error| broken(format!("{name}: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| broken(format!("{name}: not UTF-8")))?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.push(reader.with_answer(number + 1, &text, None, Answer::Class(*class))?);
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let notes = match fold {
        Fold::Train => Vec::new(),
        Fold::Test => vec![format!(
            "the last of ten folds of {file} is tested on: {} documents, cv{LAST_FOLD} to cv999 of each class",
            rows.len()
        )],
    };
    Ok(Rows { rows, notes })
}

/// The class of a document, if it is one of this fold.
fn wanted(name: &str, fold: Fold) -> Option<u32> {
    let path = Path::new(name);
    let class = match path.parent()?.file_name()?.to_str()? {
        "neg" => 0,
        "pos" => 1,
        _ => return None,
    };
    let number = path.file_name()?.to_str()?.strip_prefix("cv")?.get(..3)?;
    let number: u32 = number.parse().ok()?;
    let this = if number < LAST_FOLD {
        Fold::Train
    } else {
        Fold::Test
    };
    (this == fold && name.ends_with(".txt")).then_some(class)
}
