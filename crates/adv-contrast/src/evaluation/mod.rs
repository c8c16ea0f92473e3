//! What sentence vectors are worth.

mod geometry;
mod search;
mod sts;
mod transfer;

pub use geometry::StsGeometry;
pub use search::{Hit, Index};
pub use sts::{StsScore, StsSummary, score_sts};
pub use transfer::{
    LogisticRegression, TransferError, TransferProtocol, TransferScore, folds, score_transfer,
};
