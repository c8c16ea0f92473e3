//! How a command ends other than done: wrong usage (exit code 2), and stopped by the user.

/// The command line or the spec asks for something that does not exist or does not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The user asked to stop.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;
