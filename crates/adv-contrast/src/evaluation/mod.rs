//! What sentence vectors are worth.

mod geometry;
mod search;
mod sts;

pub use geometry::StsGeometry;
pub use search::{Hit, Index};
pub use sts::{StsScore, StsSummary, score_sts};
