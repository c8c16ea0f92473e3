//! Wrong usage, which ends the program with exit code 2.

/// The command line or the spec asks for something that does not exist or does not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);
