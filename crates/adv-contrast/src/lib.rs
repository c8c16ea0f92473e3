//! Contrastive learning of sentence embeddings: SimCSE, SCAL and USCAL, with adversarial views.
#![doc = include_str!("../README.md")]
#![doc = ""]
#![doc = include_str!("../COST.md")]
#![deny(missing_docs)]

pub mod evaluation;
pub mod sentence;

mod cosine;
mod error;
mod geometry;
mod grad_cache;
mod info_nce;
mod queue;
mod scal;
mod sup_con;
mod text;
mod uscal;
mod views;

pub use cosine::unit_rows;
pub use error::ContrastError;
pub use geometry::{alignment, mean_cosine, uniformity};
pub use grad_cache::{GradCache, InChunks};
pub use info_nce::{InfoNce, Negatives, Pairs, duplicates};
pub use queue::MomentumQueue;
pub use scal::{Represent, Scal, ScalWeights, Through};
pub use sup_con::SupCon;
pub use text::{Contrastive, SentenceBatch};
pub use uscal::{Uscal, UscalForm};
pub use views::{AdversarialMask, View, Views, between_views};
