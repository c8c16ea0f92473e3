//! What the paper rests on: static token embeddings are biased by frequency, subwords, case and punctuation, and that is what spoils the
//! average of them as the vector of a sentence (Jiang et al. 2022, section 2).
//!
//! The conditions are those of the authors' program; which figures each gives is not published in a form known to us, so all figures are
//! our own.

mod bias;
mod projection;
mod tokens;

pub use bias::{BiasRow, Influence, Removed, StaticVectors};
pub use projection::principal_plane;
pub use tokens::{TokenKind, TokenKinds};
