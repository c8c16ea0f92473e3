//! The one error type of this crate: what is wrong, in which file and at which byte, and how to mend it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::catalog::DatasetId;

/// Shorthand for a result with [`DataError`].
pub type Result<T> = std::result::Result<T, DataError>;

/// Why a data set could not be made, read, fetched or cut.
///
/// Offsets count bytes of the uncompressed content, from 0, also where the file is gzip-compressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to read, write, rename or lock a file.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is gzip-compressed and the compressed stream is damaged or cut off.
    #[error(
        "{path}: corrupt gzip stream after {offset} uncompressed bytes ({source}); delete the file and fetch it anew"
    )]
    CorruptGzip {
        /// The compressed file.
        path: PathBuf,
        /// Uncompressed bytes that were read before the damage.
        offset: u64,
        /// The decoder's reason.
        source: io::Error,
    },
    /// The content ends before the header says it should.
    #[error(
        "{path}: truncated at byte {offset}: {needed} bytes are needed; delete the file and fetch it anew"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the content ends.
        offset: u64,
        /// How long it should be.
        needed: u64,
    },
    /// The first four bytes are not those of the wanted kind of IDX file.
    #[error(
        "{path}: wrong magic number {found:#010x} at byte 0: {expected:#010x} starts IDX {kind}; \
         are the image and label files mixed up?"
    )]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// The number found, big-endian.
        found: u32,
        /// The number of the wanted kind.
        expected: u32,
        /// "images" or "labels".
        kind: &'static str,
    },
    /// A size in the header makes no sense.
    #[error("{path}: bad header at byte {offset}: {reason}")]
    BadHeader {
        /// The file.
        path: PathBuf,
        /// Where the field starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// An image file and its label file hold different numbers of items.
    #[error(
        "{labels_path}: {labels} labels at byte 4, but {images_path} holds {images} images; take both files from one source"
    )]
    CountMismatch {
        /// The image file.
        images_path: PathBuf,
        /// Images in it.
        images: usize,
        /// The label file.
        labels_path: PathBuf,
        /// Labels in it.
        labels: usize,
    },
    /// A label is not the number of a class.
    #[error("{path}: label {label} at byte {offset}: only 0 to {} are classes of this data set", last(.classes))]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Where the label stands.
        offset: u64,
        /// The label.
        label: u64,
        /// The number of classes.
        classes: usize,
    },
    /// The file of fixed-size records ends within one.
    #[error("{path}: {len} bytes are not a multiple of {record}: the record at byte {offset} is incomplete")]
    PartialRecord {
        /// The file.
        path: PathBuf,
        /// Where the incomplete record starts.
        offset: u64,
        /// Length of the content.
        len: u64,
        /// Length of a record.
        record: usize,
    },
    /// The content goes on after what the header announces.
    #[error("{path}: {extra} bytes too many from byte {offset} on; delete the file and fetch it anew")]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Where the content should end.
        offset: u64,
        /// Bytes after that.
        extra: u64,
    },
    /// The file is well formed and holds no image.
    #[error("{path}: holds no image")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line of a text file cannot be understood.
    #[error("{path}: line {line} (byte {offset}): {reason}")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Where the line starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Training and test images differ in shape.
    #[error(
        "{test_path}: images of shape {test:?} ([channels, height, width]), but the training images have {train:?}"
    )]
    ShapeMismatch {
        /// A file of the test part.
        test_path: PathBuf,
        /// Shape of the training images.
        train: [usize; 3],
        /// Shape of the test images.
        test: [usize; 3],
    },
    /// Values given by the caller do not make an image set.
    #[error("image set `{name}`: {reason}")]
    InvalidImages {
        /// Name of the set.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An index is not that of an image.
    #[error("image set `{name}`: there is no image {index} among {len}")]
    NoSuchImage {
        /// Name of the set.
        name: String,
        /// The index.
        index: usize,
        /// Images in the set.
        len: usize,
    },
    /// More images were asked for than there are.
    #[error("image set `{name}`: {wanted} images wanted and {len} there; ask for fewer")]
    TooFewImages {
        /// Name of the set.
        name: String,
        /// Images asked for.
        wanted: usize,
        /// Images in the set.
        len: usize,
    },
    /// There is not one length for each sample.
    #[error("{lengths} lengths for {len} samples: give one for each")]
    Lengths {
        /// Samples of the plan.
        len: usize,
        /// Lengths that were given.
        lengths: usize,
    },
    /// A batch plan would yield no batch.
    #[error(
        "{len} images in batches of {size} give no batch (an incomplete one may be set to be dropped); choose another size"
    )]
    NoBatch {
        /// Images to draw from.
        len: usize,
        /// Images a batch.
        size: usize,
    },
    /// A name is not that of a known data set.
    #[error("unknown data set `{name}`; known: {known}")]
    UnknownDataset {
        /// The name given.
        name: String,
        /// The names known, separated by commas.
        known: String,
    },
    /// Files of a data set are in none of the folders searched, and may not be downloaded.
    #[error("{dataset}: not found: {}\n  searched: {}\n  {hint}", .wanted.join(", "), list(.searched))]
    MissingFiles {
        /// The data set.
        dataset: DatasetId,
        /// The names looked for; alternatives separated by "or".
        wanted: Vec<String>,
        /// The folders looked in.
        searched: Vec<PathBuf>,
        /// How to give the files.
        hint: String,
    },
    /// No mirror served the file.
    #[error(
        "{file}: none of {} mirrors served it:{}\n  Try again later (what has arrived is kept and continued), or fetch the \
         file by hand and put it into {}", .failures.len(), lines(.failures), .folder.display()
    )]
    Download {
        /// Name of the file.
        file: String,
        /// Each mirror and its reason.
        failures: Vec<MirrorFailure>,
        /// The folder where the file is kept.
        folder: PathBuf,
    },
    /// The thread that prepares batches ahead could not start or has panicked.
    #[error("preparing batches ahead failed: {reason}")]
    Prefetch {
        /// The panic's message or the system's reason.
        reason: String,
    },
}

/// One mirror that did not serve a file, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The address tried.
    pub url: String,
    /// Why it failed.
    pub reason: String,
}

impl fmt::Display for MirrorFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.reason)
    }
}

/// Adds the path to an error of the operating system.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> DataError {
    let path = path.into();
    move |source| DataError::Io { path, source }
}

fn last(classes: &usize) -> usize {
    classes.saturating_sub(1)
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "no folder (none was given)".to_string();
    }
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn lines(failures: &[MirrorFailure]) -> String {
    failures
        .iter()
        .map(|failure| format!("\n  - {failure}"))
        .collect()
}
