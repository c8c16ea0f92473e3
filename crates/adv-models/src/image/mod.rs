//! Classifiers of images.

mod architecture;
mod classifier;
mod layers;
mod madry_cnn;
mod mlp;
mod normalise;
mod small_cnn;
mod two_conv;
mod weights;
mod wong_cnn;

pub use architecture::{Architecture, build};
pub use classifier::{ImageClassifier, Network};
pub use madry_cnn::MadryCnn;
pub use mlp::Mlp;
pub use normalise::Normalise;
pub use small_cnn::SmallCnn;
pub use two_conv::TwoConv;
pub use wong_cnn::WongCnn;
