//! One thread that prepares the next batches while the current one trains.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::error::{DataError, Result};

/// Finished items that wait at most; one more is in the thread's hands.
const WAITING: usize = 2;

/// Runs an iterator ahead on one thread and yields its items in the same order.
///
/// The thread uses no global random generator and no device, so it cannot change a result. A panic in it is yielded
/// as [`DataError::Prefetch`], and then the iterator ends. Dropping it stops the thread after the item at hand.
#[derive(Debug)]
pub struct Prefetch<T> {
    items: Option<Receiver<Result<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// [`DataError::Prefetch`] if the system gives no thread.
    pub fn new<I>(source: I) -> Result<Self>
    where
        I: Iterator<Item = T> + Send + 'static,
    {
        let (sender, items) = sync_channel(WAITING);
        let mut source = source;
        let run = move || {
            loop {
                // The iterator is never touched again after a panic, so its broken state cannot be seen.
                let next = catch_unwind(AssertUnwindSafe(|| source.next()));
                let (item, is_last) = match next {
                    Ok(Some(item)) => (Ok(item), false),
                    Ok(None) => return,
                    Err(panic) => (
                        Err(DataError::Prefetch {
                            reason: message(&*panic),
                        }),
                        true,
                    ),
                };
                if sender.send(item).is_err() || is_last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("adv-prefetch".into()).spawn(run);
        let thread = thread.map_err(|error| DataError::Prefetch {
            reason: error.to_string(),
        })?;
        Ok(Self {
            items: Some(items),
            thread: Some(thread),
        })
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.items.as_ref()?.recv().ok()
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        // The receiver goes first: it frees a thread that waits for room.
        self.items = None;
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and sent, and whoever drops this no longer wants them.
            let _ = thread.join();
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_end() {
        let source = (0..5).map(|number| {
            if number == 2 {
                panic!("bad number {number}")
            } else {
                number
            }
        });
        let mut items = Prefetch::new(source).expect("thread");
        assert_eq!(items.next().expect("0").expect("0"), 0);
        assert_eq!(items.next().expect("1").expect("1"), 1);
        let error = items.next().expect("the panic").expect_err("the panic");
        assert_eq!(error.to_string(), "preparing batches ahead failed: bad number 2");
        assert!(items.next().is_none());
    }

    #[test]
    fn it_runs_ahead_by_a_bounded_number_and_stops_on_drop() {
        let (started, guard) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let (count, held) = (started.clone(), guard.clone());
        let source = std::iter::repeat_with(move || {
            let _held = &held;
            count.fetch_add(1, Ordering::SeqCst)
        });
        let mut items = Prefetch::new(source).expect("thread");
        assert_eq!(items.next().expect("endless").expect("no panic"), 0);
        drop(items);
        // Joined: the source is gone. One item taken, two waiting, one in hand when the receiver went.
        assert_eq!(Arc::strong_count(&guard), 1);
        assert!(started.load(Ordering::SeqCst) <= 2 + WAITING);
    }
}
