//! Files of vectors.

use crate::files::write_atomically;
use crate::usage::UsageError;
use adv_contrast::sentence::Vectors;
use anyhow::Result;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where vectors go, and how they are written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// JSON lines on the standard output.
    Standard,
    /// NumPy's own format, version 1.0: a matrix of 32-bit floats.
    Npy(PathBuf),
    /// One tensor, `embeddings`.
    Safetensors(PathBuf),
    /// JSON objects, one a line.
    Jsonl(PathBuf),
}

impl Output {
    /// By the ending of the file. Errors: one that is not known.
    pub(crate) fn of(path: &Path) -> Result<Self, UsageError> {
        if path == Path::new("-") {
            return Ok(Output::Standard);
        }
        let owned = path.to_path_buf();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(Output::Npy(owned)),
            Some("safetensors") => Ok(Output::Safetensors(owned)),
            Some("jsonl") => Ok(Output::Jsonl(owned)),
            _ => Err(UsageError(format!(
                "--out {}: name it .npy, .safetensors or .jsonl, so that its format is known",
                path.display()
            ))),
        }
    }

    /// Writes the vectors of these texts; a file in one step.
    pub(crate) fn write(&self, texts: &[&str], vectors: &Vectors) -> Result<()> {
        match self {
            Output::Standard => print_lines(
                texts
                    .iter()
                    .zip(vectors.rows())
                    .map(|(text, row)| line(text, row)),
            ),
            Output::Npy(path) => write_atomically(path, &npy(vectors)),
            Output::Safetensors(path) => {
                let bytes = little_endian(vectors);
                let shape = vec![vectors.len(), vectors.width()];
                let view = TensorView::new(Dtype::F32, shape, &bytes)?;
                write_atomically(path, &safetensors::serialize([("embeddings", view)], None)?)
            }
            Output::Jsonl(path) => {
                let mut text = String::new();
                for (sentence, row) in texts.iter().zip(vectors.rows()) {
                    text += &line(sentence, row);
                    text.push('\n');
                }
                write_atomically(path, text.as_bytes())
            }
        }
    }
}

/// Lines on the standard output; a reader that has had enough is no error.
pub(crate) fn print_lines(lines: impl Iterator<Item = String>) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        flushed => Ok(flushed?),
    }
}

fn line(text: &str, row: &[f32]) -> String {
    json!({"sentence": text, "embedding": row}).to_string()
}

fn little_endian(vectors: &Vectors) -> Vec<u8> {
    vectors
        .values()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn npy(vectors: &Vectors) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    const ALIGNED: usize = 64;
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        vectors.len(),
        vectors.width()
    );
    // Blanks and a line feed, so that the numbers begin at a multiple of 64.
    let before = MAGIC.len() + 2;
    let whole = (before + header.len() + 1).next_multiple_of(ALIGNED);
    header += &" ".repeat(whole - before - header.len() - 1);
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    // A header of two numbers is far below 64 KiB.
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(little_endian(vectors));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides() {
        let of = |name: &str| Output::of(Path::new(name));
        assert_eq!(of("-"), Ok(Output::Standard));
        assert_eq!(of("a.npy"), Ok(Output::Npy("a.npy".into())));
        assert!(
            of("a.txt")
                .unwrap_err()
                .to_string()
                .contains(".npy, .safetensors or .jsonl")
        );
    }

    #[test]
    fn a_file_of_numpy_has_its_header_and_its_numbers() {
        let bytes = npy(&Vectors::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, -6.0], 3));
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + header) % 64, 0);
        let text = std::str::from_utf8(&bytes[10..10 + header]).unwrap();
        assert!(text.contains("'shape': (2, 3)") && text.ends_with('\n'), "{text}");
        assert_eq!(bytes.len(), 10 + header + 6 * 4);
        assert_eq!(bytes[bytes.len() - 4..], (-6.0f32).to_le_bytes());
    }
}
