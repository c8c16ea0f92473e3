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

/// The lines of a text file, gzip-compressed or not, in order: empty ones too, so that each keeps its number.
///
/// Errors: a file that cannot be read, a line that is no UTF-8, no line.
pub fn read_lines(path: &Path) -> Result<Vec<String>, TextDataError> {
    lines_of(&crate::read::content(path)?, path)
}

/// The same of bytes at hand; `path` is for errors.
///
/// Errors: a line that is no UTF-8, no line.
pub fn lines_of(bytes: &[u8], path: &Path) -> Result<Vec<String>, TextDataError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // What follows the last end of line is no line.
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        let path = path.to_path_buf();
        return Err(TextDataError::NoRows { path });
    }
    let numbered = bytes.split(|byte| *byte == b'\n').zip(1..);
    numbered
        .map(|(line, number)| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let text = std::str::from_utf8(line).map_err(|_| TextDataError::NotUtf8 {
                path: path.to_path_buf(),
                line: number,
            })?;
            Ok(text.to_string())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_keeps_its_number() {
        let path = Path::new("some.txt");
        let lines = lines_of(b"\xef\xbb\xbfone\r\n\n three\n", path).unwrap();
        assert_eq!(lines, ["one", "", " three"]);
        assert_eq!(lines_of(b"\n\n", path).unwrap(), ["", ""]);
        let error = lines_of(b"one\n\xff\n", path).unwrap_err().to_string();
        assert!(error.contains("some.txt, line 2: not UTF-8"), "{error}");
        assert!(lines_of(b"", path).is_err());
    }
}
