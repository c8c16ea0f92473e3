//! The networks by name, and building one for a data set.

use super::classifier::{Facts, ImageClassifier, Network};
use super::layers::Layers;
use crate::dropout::Masks;
use crate::{MadryCnn, Mlp, ModelError, SmallCnn, TwoConv, WongCnn};
use burn::tensor::Device;
use std::fmt;
use std::str::FromStr;

/// The architectures, by the names of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// [`WongCnn`].
    WongCnn,
    /// [`MadryCnn`].
    MadryCnn,
    /// [`SmallCnn`].
    SmallCnn,
    /// [`TwoConv`].
    TwoConv,
    /// [`Mlp`].
    Mlp,
}

impl Architecture {
    /// All of them.
    pub const fn all() -> &'static [Architecture] {
        &[
            Architecture::WongCnn,
            Architecture::MadryCnn,
            Architecture::SmallCnn,
            Architecture::TwoConv,
            Architecture::Mlp,
        ]
    }

    /// The name: `wong_cnn`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::WongCnn => "wong_cnn",
            Architecture::MadryCnn => "madry_cnn",
            Architecture::SmallCnn => "small_cnn",
            Architecture::TwoConv => "two_conv",
            Architecture::Mlp => "mlp",
        }
    }

    /// The least height and width of an image.
    pub const fn least_size(self) -> usize {
        match self {
            Architecture::WongCnn | Architecture::MadryCnn => 4,
            Architecture::SmallCnn | Architecture::TwoConv => 16,
            Architecture::Mlp => 1,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let found = Self::all()
            .iter()
            .find(|architecture| architecture.name() == name);
        found.copied().ok_or_else(|| ModelError::UnknownArchitecture {
            name: name.to_string(),
        })
    }
}

/// A classifier for images of `shape` (`[C, H, W]`), with first weights that depend on architecture, shape, number of
/// classes and seed only.
///
/// `device`: an autodiff device for a model that is to be trained. Errors: images too small, no channel, fewer than two
/// classes.
pub fn build(
    architecture: Architecture,
    shape: [usize; 3],
    classes: usize,
    seed: u64,
    device: &Device,
) -> Result<ImageClassifier, ModelError> {
    let [channels, height, width] = shape;
    if channels == 0 || classes < 2 {
        return Err(ModelError::Empty { channels, classes });
    }
    let least = architecture.least_size();
    if height.min(width) < least {
        return Err(ModelError::TooSmall {
            architecture,
            height,
            width,
            least,
        });
    }
    let masks = Masks::default();
    let mut layers = Layers::new(shape, seed, masks.clone(), device);
    let network = match architecture {
        Architecture::WongCnn => Network::WongCnn(WongCnn::new(&mut layers, classes)),
        Architecture::MadryCnn => Network::MadryCnn(MadryCnn::new(&mut layers, classes)),
        Architecture::SmallCnn => Network::SmallCnn(SmallCnn::new(&mut layers, classes)),
        Architecture::TwoConv => Network::TwoConv(TwoConv::new(&mut layers, classes)),
        Architecture::Mlp => Network::Mlp(Mlp::new(&mut layers, classes)),
    };
    let facts = Facts {
        architecture,
        shape,
        classes,
        multiply_adds: layers.multiply_adds(),
    };
    Ok(ImageClassifier::new(network, facts, masks))
}
