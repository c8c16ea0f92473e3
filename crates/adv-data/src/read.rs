//! Reading a file, gzip-compressed or not.

use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{DataError, Result, at};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The uncompressed content of a file. Its first two bytes, not its name, say whether it is compressed.
pub(crate) fn content(path: &Path) -> Result<Vec<u8>> {
    content_of(File::open(path).map_err(at(path))?, path)
}

/// The uncompressed content of `source`; `path` is for messages.
pub(crate) fn content_of(source: impl Read, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    each_block(source, path, |block| bytes.extend_from_slice(block))?;
    Ok(bytes)
}

/// Feeds the uncompressed content of `source` to `sink`, block by block; `path` is for messages.
pub(crate) fn each_block(mut source: impl Read, path: &Path, mut sink: impl FnMut(&[u8])) -> Result<()> {
    let mut head = Vec::new();
    source.by_ref().take(2).read_to_end(&mut head).map_err(at(path))?;
    let compressed = head == GZIP_MAGIC;
    let whole = BufReader::new(Cursor::new(head).chain(source));
    let mut plain: Box<dyn Read + '_> = if compressed {
        Box::new(MultiGzDecoder::new(whole))
    } else {
        Box::new(whole)
    };
    let mut block = vec![0; 64 * 1024];
    let mut offset = 0;
    loop {
        match plain.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                sink(&block[..read]);
                offset += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) if compressed => {
                return Err(DataError::CorruptGzip {
                    path: path.to_path_buf(),
                    offset,
                    source,
                });
            }
            Err(source) => return Err(at(path)(source)),
        }
    }
}
