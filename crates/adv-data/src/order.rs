//! The order of the batches: a permutation that (seed, epoch) alone decide, so that any position can be found again.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::error::{DataError, Result};

/// The permutation of `0..len` for one epoch: Fisher-Yates over the ChaCha8 key stream of (seed, epoch).
///
/// The same arguments give the same order for ever: the key is laid out here and not by a library's seeding rule, and
/// the draws are our own, so no update of a random number crate changes it. Every permutation is equally likely.
pub fn epoch_order(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    permutation(len, seed, epoch, *b"adv-data: epochs")
}

/// A permutation for another purpose than the epochs' order; `purpose` separates the streams.
pub(crate) fn permutation(len: usize, seed: u64, number: u64, purpose: [u8; 16]) -> Vec<usize> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    key[16..].copy_from_slice(&purpose);
    let mut random = ChaCha8Rng::from_seed(key);
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, below(&mut random, last as u64 + 1) as usize);
    }
    order
}

/// A number from `0..bound`, all equally likely (Lemire 2019, <https://arxiv.org/abs/1805.10941>).
fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    let unfair = bound.wrapping_neg() % bound;
    loop {
        // Two words, low one first: how a library joins them is not left to the library.
        let word = u64::from(random.next_u32()) | u64::from(random.next_u32()) << 32;
        let product = u128::from(word) * u128::from(bound);
        if product as u64 >= unfair {
            return (product >> 64) as u64;
        }
    }
}

/// What becomes of a last batch with fewer images than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBatch {
    /// It is used.
    Keep,
    /// It is left out; other images are left out in the next epoch.
    Drop,
}

/// A place in the sequence of batches: the batch that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Number of the epoch, from 0.
    pub epoch: u64,
    /// Number of the batch within its epoch, from 0.
    pub batch: usize,
}

/// How a set of `len` samples is cut into batches, epoch after epoch. At least one batch an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    len: usize,
    size: usize,
    last: LastBatch,
    seed: u64,
    lengths: Option<Arc<[usize]>>,
}

/// Batches whose samples are sorted by length together. More of them pad less and mix less.
const POOL: usize = 50;

impl BatchPlan {
    /// A plan for `len` samples in batches of `size`.
    ///
    /// # Errors
    ///
    /// [`DataError::NoBatch`] if an epoch would have no batch.
    pub fn new(len: usize, size: usize, last: LastBatch, seed: u64) -> Result<Self> {
        let enough = if last == LastBatch::Drop {
            len >= size
        } else {
            len > 0
        };
        if size == 0 || !enough {
            return Err(DataError::NoBatch { len, size });
        }
        Ok(Self {
            len,
            size,
            last,
            seed,
            lengths: None,
        })
    }

    /// The same with samples of about the same length in each batch, so that little is padded: each epoch's order is cut into
    /// pools of 50 batches, each pool sorted by length and cut, and the batches put in an order of their own. A short last batch
    /// stays last.
    ///
    /// # Errors
    ///
    /// [`DataError::Lengths`] if there is not one length for each sample.
    pub fn with_lengths(self, lengths: impl Into<Arc<[usize]>>) -> Result<Self> {
        let lengths = lengths.into();
        if lengths.len() != self.len {
            return Err(DataError::Lengths {
                len: self.len,
                lengths: lengths.len(),
            });
        }
        Ok(Self {
            lengths: Some(lengths),
            ..self
        })
    }

    /// Number of batches in each epoch.
    pub fn batches_per_epoch(&self) -> usize {
        match self.last {
            LastBatch::Keep => self.len.div_ceil(self.size),
            LastBatch::Drop => self.len / self.size,
        }
    }

    /// The position of the `count`-th batch since the start, from 0.
    pub fn position(&self, count: u64) -> Position {
        let batches = self.batches_per_epoch() as u64;
        Position {
            epoch: count / batches,
            batch: (count % batches) as usize,
        }
    }

    /// The batches of one epoch in its order. Skipping is free: `plan.epoch(e).skip(n)`.
    pub fn epoch(&self, epoch: u64) -> Batches {
        let order = epoch_order(self.len, self.seed, epoch);
        self.cut(match &self.lengths {
            None => order,
            Some(lengths) => self.by_length(order, lengths, epoch),
        })
    }

    /// An epoch's order with samples of about the same length side by side.
    fn by_length(&self, mut order: Vec<usize>, lengths: &[usize], epoch: u64) -> Vec<usize> {
        for pool in order.chunks_mut(POOL * self.size) {
            // Stable, so that equal lengths stay shuffled.
            pool.sort_by_key(|&sample| lengths[sample]);
        }
        let whole = self.len / self.size;
        let batches = permutation(whole, self.seed, epoch, *b"adv-data: length");
        let mut mixed = Vec::with_capacity(self.len);
        for batch in batches {
            mixed.extend_from_slice(&order[batch * self.size..(batch + 1) * self.size]);
        }
        mixed.extend_from_slice(&order[whole * self.size..]);
        mixed
    }

    /// The batches of one pass in the order of the set, as for evaluation.
    pub fn in_order(&self) -> Batches {
        self.cut((0..self.len).collect())
    }

    fn cut(&self, order: Vec<usize>) -> Batches {
        Batches {
            order: order.into(),
            size: self.size,
            next: 0,
            end: self.batches_per_epoch(),
        }
    }
}

/// Iterator over the batches of one epoch, each a list of indices into the set.
#[derive(Debug, Clone)]
pub struct Batches {
    order: Arc<[usize]>,
    size: usize,
    next: usize,
    end: usize,
}

impl Iterator for Batches {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.nth(0)
    }

    // `skip` comes here: nothing is made of what is skipped.
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        let batch = self.next.saturating_add(n).min(self.end);
        if batch == self.end {
            self.next = self.end;
            return None;
        }
        self.next = batch + 1;
        let start = batch * self.size;
        Some(self.order[start..(start + self.size).min(self.order.len())].to_vec())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl ExactSizeIterator for Batches {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with a program of its own in Python (ChaCha8 by RFC 8439's rules with 8 rounds and a 64-bit counter).
    #[test]
    fn the_order_never_changes() {
        let check = |len, seed, epoch, start: &[usize]| {
            assert_eq!(
                &epoch_order(len, seed, epoch)[..start.len()],
                start,
                "{len} {seed} {epoch}"
            );
        };
        check(10, 0, 0, &[7, 6, 9, 5, 3, 4, 2, 8, 0, 1]);
        check(10, 0, 1, &[3, 2, 8, 0, 7, 1, 5, 4, 6, 9]);
        check(10, 1, 0, &[5, 1, 9, 3, 2, 8, 6, 4, 7, 0]);
        check(10, u64::MAX, u64::MAX, &[7, 3, 8, 2, 0, 6, 4, 5, 1, 9]);
        check(
            60_000,
            42,
            7,
            &[19597, 51817, 12980, 52110, 49612, 48585, 58703, 8473],
        );
        check(1, 5, 5, &[0]);
        check(0, 5, 5, &[]);
    }

    #[test]
    fn all_permutations_of_three_are_equally_frequent() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *counts.entry(epoch_order(3, 1, epoch)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // Five standard deviations of a binomial with p = 1/6.
        assert!(
            counts.values().all(|&count: &i32| (count - 1000).abs() < 145),
            "{counts:?}"
        );
    }
}
