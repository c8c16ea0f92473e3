//! Transposition of a small matrix on its way to the result.

/// Columns handled at a time: as many streams are written side by side.
const STREAMS: usize = 8;

/// `out[n][m] = f(src[m][n])`: `src` in rows of `width`, `out` in rows of `len`, as many as it has.
pub(crate) fn transpose<T: Copy, U>(
    src: &[T],
    width: usize,
    out: &mut [U],
    len: usize,
    f: impl Fn(T) -> U + Copy,
) {
    let mut column = 0;
    let mut groups = out.chunks_exact_mut(STREAMS * len);
    for group in &mut groups {
        let mut streams = group.chunks_exact_mut(len);
        let mut streams: [&mut [U]; STREAMS] =
            std::array::from_fn(|_| streams.next().expect("a group has this many rows"));
        for (m, src) in src.chunks_exact(width).take(len).enumerate() {
            let src = &src[column..column + STREAMS];
            for (stream, &value) in streams.iter_mut().zip(src) {
                stream[m] = f(value);
            }
        }
        column += STREAMS;
    }
    for stream in groups.into_remainder().chunks_exact_mut(len) {
        for (to, src) in stream.iter_mut().zip(src.chunks_exact(width)) {
            *to = f(src[column]);
        }
        column += 1;
    }
}
