//! Lines of a file, as text.

use super::TextDataError;
use std::path::Path;

/// How bytes become characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Encoding {
    /// UTF-8; a byte order mark is skipped.
    #[default]
    Utf8,
    /// A byte a character: some old corpora.
    Latin1,
}

/// A line and its number, from 1.
pub(super) type Line = (usize, String);

/// The lines of a file, gzip-compressed or not, ends of line of any system cut off, empty lines left out.
pub(super) fn lines(path: &Path, encoding: Encoding) -> Result<Vec<Line>, TextDataError> {
    let bytes = crate::read::content(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut found = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let text = match encoding {
            Encoding::Latin1 => line.iter().map(|byte| char::from(*byte)).collect(),
            Encoding::Utf8 => match std::str::from_utf8(line) {
                Ok(text) => text.to_string(),
                Err(_) => {
                    return Err(TextDataError::NotUtf8 {
                        path: path.to_path_buf(),
                        line: index + 1,
                    });
                }
            },
        };
        found.push((index + 1, text));
    }
    Ok(found)
}
