//! Under construction.

pub mod events;
pub mod metrics_csv;
pub mod report;
