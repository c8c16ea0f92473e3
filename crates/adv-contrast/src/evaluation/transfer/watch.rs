//! How far the fits of a task are, and whether they are still wanted.

use super::TransferError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the fits of a task, from any thread.
pub(super) struct Watch<'a> {
    done: AtomicUsize,
    all: usize,
    hear: &'a (dyn Fn(usize, usize) -> bool + Sync),
}

impl<'a> Watch<'a> {
    /// Of so many fits; `hear` is told how many are done.
    pub(super) fn new(all: usize, hear: &'a (dyn Fn(usize, usize) -> bool + Sync)) -> Self {
        Self {
            done: AtomicUsize::new(0),
            all,
            hear,
        }
    }

    /// One more is done. Errors: no more are wanted.
    pub(super) fn fitted(&self) -> Result<(), TransferError> {
        let done = 1 + self.done.fetch_add(1, Ordering::Relaxed);
        match (self.hear)(done, self.all) {
            true => Ok(()),
            false => Err(TransferError::Stopped),
        }
    }
}
