//! Where the public files of each data set are, and what is known of their content.

use crate::catalog::DatasetId;
use crate::fetch::{Expected, RemoteFile};
use crate::idx;

/// A file of MNIST's layout: name, items, true for images, sha256 of MNIST's own (uncompressed).
type IdxFile = (&'static str, u32, bool, &'static str);

const IDX_FILES: [IdxFile; 4] = [
    (
        "train-images-idx3-ubyte.gz",
        60_000,
        true,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        60_000,
        false,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        10_000,
        true,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        10_000,
        false,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
];

/// The archive that holds CIFAR-10's files.
pub(crate) const CIFAR_ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// Public folders that hold the files of a data set, the preferred one first; none for the bundled one.
pub fn public_mirrors(id: DatasetId) -> &'static [&'static str] {
    match id {
        DatasetId::Digits => &[],
        DatasetId::Mnist => &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        DatasetId::FashionMnist => &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        DatasetId::Cifar10 => &["https://www.cs.toronto.edu/~kriz/"],
    }
}

/// The files to download for a data set, from `mirrors` (folders, with or without a final slash).
///
/// MNIST is checked by sha256. For Fashion-MNIST the header and the exact length are checked, since no sum of its
/// content was at hand to verify; for CIFAR-10 the archive's own checksums, and each file when it is read.
pub(crate) fn files(id: DatasetId, mirrors: &[String]) -> Vec<RemoteFile> {
    let file = |name: &str, expected| RemoteFile {
        name: name.to_string(),
        urls: mirrors
            .iter()
            .map(|base| format!("{}/{name}", base.trim_end_matches('/')))
            .collect(),
        expected,
    };
    let idx_file = |&(name, items, images, sum): &IdxFile| {
        let sum = (id == DatasetId::Mnist).then_some(sum);
        file(name, idx_content(items, images, sum))
    };
    match id {
        DatasetId::Digits => Vec::new(),
        DatasetId::Mnist | DatasetId::FashionMnist => IDX_FILES.iter().map(idx_file).collect(),
        DatasetId::Cifar10 => vec![file(CIFAR_ARCHIVE, Expected::default())],
    }
}

/// Header, length and sum of a file of `items` images of 28×28 pixels, or of their labels.
fn idx_content(items: u32, images: bool, sha256: Option<&str>) -> Expected {
    let header: &[u32] = if images {
        &[idx::IMAGES, items, 28, 28]
    } else {
        &[idx::LABELS, items]
    };
    let head: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    let size = if images { 28 * 28 } else { 1 };
    Expected {
        len: Some(head.len() as u64 + u64::from(items) * size),
        head,
        sha256: sha256.map(String::from),
    }
}
