//! Parallel loops whose partition never depends on the number of threads.

use rayon::prelude::*;

/// Multiply-adds (or copied values) below which waking a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 400_000;

/// So many zeros. All threads write them: they come from memory that is in no cache as a rule.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    const LINE: usize = 64;
    if len < 1 << 16 {
        return vec![0.0; len];
    }
    let lines = (0..len.div_ceil(LINE)).into_par_iter().with_min_len(1 << 8);
    let mut values = lines.map(|_| [0.0; LINE]).collect::<Vec<_>>().into_flattened();
    values.truncate(len);
    values
}

/// Calls `f(i, piece)` for every piece of `out` of `len` values; `work` is that of all pieces.
pub(crate) fn for_each_piece<T: Send>(
    out: &mut [T],
    len: usize,
    work: usize,
    f: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if work < WORTH_A_THREAD || out.len() <= len {
        out.chunks_mut(len).enumerate().for_each(|(i, piece)| f(i, piece));
    } else {
        out.par_chunks_mut(len)
            .enumerate()
            .for_each(|(i, piece)| f(i, piece));
    }
}

/// As [`for_each_piece`] for two slices with equally many pieces, each with its length of a piece.
pub(crate) fn for_each_pair<T: Send, U: Send>(
    a: &mut [T],
    b: &mut [U],
    [a_len, b_len]: [usize; 2],
    work: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Send + Sync,
) {
    if work < WORTH_A_THREAD || a.len() <= a_len {
        let pieces = a.chunks_mut(a_len).zip(b.chunks_mut(b_len));
        pieces.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    } else {
        let pieces = a.par_chunks_mut(a_len).zip(b.par_chunks_mut(b_len));
        pieces.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    }
}

/// As [`for_each_piece`] for three slices of one length.
pub(crate) fn for_each_three<T: Send>(
    [a, b, c]: [&mut [T]; 3],
    len: usize,
    work: usize,
    f: impl Fn(usize, [&mut [T]; 3]) + Send + Sync,
) {
    assert!(
        a.len() == b.len() && a.len() == c.len(),
        "three slices of one length"
    );
    if work < WORTH_A_THREAD || a.len() <= len {
        let pieces = a.chunks_mut(len).zip(b.chunks_mut(len)).zip(c.chunks_mut(len));
        pieces.enumerate().for_each(|(i, ((a, b), c))| f(i, [a, b, c]));
    } else {
        let pieces = a
            .par_chunks_mut(len)
            .zip(b.par_chunks_mut(len))
            .zip(c.par_chunks_mut(len));
        pieces.enumerate().for_each(|(i, ((a, b), c))| f(i, [a, b, c]));
    }
}

/// The results of `f(i)` for `i` in `0..n`, in order; `work` is that of all of them.
pub(crate) fn map<T: Send>(n: usize, work: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if work < WORTH_A_THREAD || n < 2 {
        (0..n).map(f).collect()
    } else {
        (0..n).into_par_iter().map(f).collect()
    }
}
