//! What can go wrong: a network that does not fit the data, and weights that do not fit the network.

use crate::Architecture;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Everything that this library refuses to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No architecture has this name.
    #[error("there is no architecture `{name}`: choose one of {}", names())]
    UnknownArchitecture {
        /// The name as given.
        name: String,
    },
    /// The images are too small for the network: nothing would be left after its convolutions and pools.
    #[error(
        "images of {height}x{width} pixels are too small for {architecture}: it needs at least {least}x{least}; choose \
         another architecture"
    )]
    TooSmall {
        /// The architecture.
        architecture: Architecture,
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
        /// The least height and width.
        least: usize,
    },
    /// A number of channels or classes that no classifier can have.
    #[error(
        "a classifier needs at least one channel and two classes, got {channels} channels and {classes} classes"
    )]
    Empty {
        /// Channels of the images.
        channels: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A normalisation with another number of channels than the images.
    #[error("the normalisation has {found} channels, the images have {expected}")]
    NormaliseChannels {
        /// Channels of the images.
        expected: usize,
        /// Channels of the normalisation.
        found: usize,
    },
    /// A mean or a standard deviation that nothing can be normalised with.
    #[error(
        "channel {channel} cannot be normalised with mean {mean} and standard deviation {std}: both must be finite, the \
         latter positive"
    )]
    NormaliseValue {
        /// Channel, from 0.
        channel: usize,
        /// Its mean as given; not a number where there is none.
        mean: f32,
        /// Its standard deviation as given; not a number where there is none.
        std: f32,
    },
    /// A label that is not a class.
    #[error("label {label} of sample {index} is not one of the {classes} classes 0 to {}", classes - 1)]
    Label {
        /// Index in the batch.
        index: usize,
        /// The label as given.
        label: i64,
        /// Number of classes.
        classes: usize,
    },
    /// A file of weights that cannot be read or written.
    #[error("cannot {action} the weights in {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Weights that cannot be read from their device or laid out.
    #[error("cannot put the weights into the safetensors format: {0}")]
    Encode(String),
    /// A file that is not a whole safetensors file.
    #[error("{} is not a complete safetensors file ({detail}): was it cut off, or is it of another format?", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        detail: String,
    },
    /// A file that is no pickle of weights.
    #[error("{} is no complete PyTorch file of weights ({detail})", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        detail: String,
    },
    /// A file whose tensors are not those of the network. All of them are listed.
    #[error(
        "the weights in {} do not fit {architecture}:\n  {}\nchoose the architecture, the data set and the file that \
         belong together",
        path.display(),
        lines(problems)
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The architecture that was to be filled.
        architecture: String,
        /// Everything that does not fit, by name.
        problems: Vec<TensorProblem>,
    },
}

/// One tensor of a file that does not fit. Shapes are those of the file's layout (PyTorch's).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TensorProblem {
    /// The network has it, the file does not.
    Missing {
        /// Name in the file.
        name: String,
        /// Its shape in the network.
        expected: Vec<usize>,
    },
    /// The file has it, the network does not.
    Extra {
        /// Name in the file.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// Both have it, with different shapes.
    Shape {
        /// Name in the file.
        name: String,
        /// Its shape in the network.
        expected: Vec<usize>,
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// It does not hold floating-point numbers.
    Type {
        /// Name in the file.
        name: String,
        /// What it holds.
        found: String,
    },
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorProblem::Missing { name, expected } => write!(f, "missing: {name} {expected:?}"),
            TensorProblem::Extra { name, found } => write!(f, "not in the network: {name} {found:?}"),
            TensorProblem::Shape {
                name,
                expected,
                found,
            } => write!(f, "wrong shape: {name} is {found:?}, expected {expected:?}"),
            TensorProblem::Type { name, found } => {
                write!(
                    f,
                    "wrong type: {name} holds {found}, expected floating-point numbers"
                )
            }
        }
    }
}

fn lines(problems: &[TensorProblem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n  ")
}

fn names() -> String {
    let names: Vec<_> = Architecture::all().iter().map(ToString::to_string).collect();
    names.join(", ")
}
