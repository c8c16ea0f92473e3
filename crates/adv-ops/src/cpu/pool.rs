//! Max pooling on slices in NCHW order.

use super::parallel::{for_each_pair, for_each_piece};

/// Shapes of a pooling without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    planes: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    out: [usize; 2],
}

impl Geometry {
    /// `None` for shapes that do not fit together, or empty ones, or a window of more than 256.
    pub(crate) fn new(input: [usize; 4], kernel: [usize; 2], stride: [usize; 2]) -> Option<Self> {
        let [b, c, h, w] = input;
        if input.contains(&0) || kernel.contains(&0) || stride.contains(&0) {
            return None;
        }
        if kernel[0].checked_mul(kernel[1])? > 256 {
            return None;
        }
        let out = [
            h.checked_sub(kernel[0])? / stride[0] + 1,
            w.checked_sub(kernel[1])? / stride[1] + 1,
        ];
        Some(Self {
            planes: [b, c],
            size: [h, w],
            kernel,
            stride,
            out,
        })
    }

    pub(crate) fn input_shape(&self) -> [usize; 4] {
        [self.planes[0], self.planes[1], self.size[0], self.size[1]]
    }

    pub(crate) fn output_shape(&self) -> [usize; 4] {
        [self.planes[0], self.planes[1], self.out[0], self.out[1]]
    }

    /// Places of a window.
    pub(crate) fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The first pixel, in its plane, of the window of output pixel `i`.
    #[inline(always)]
    pub(crate) fn corner(&self, i: usize) -> usize {
        i / self.out[1] * self.stride[0] * self.size[1] + i % self.out[1] * self.stride[1]
    }

    /// The offset of a place from the first of its window in rows of `width`.
    #[inline(always)]
    pub(crate) fn at(&self, place: usize, width: usize) -> usize {
        place / self.kernel[1] * width + place % self.kernel[1]
    }

    pub(crate) fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Pixels of an input row.
    pub(crate) fn columns(&self) -> usize {
        self.size[1]
    }

    fn in_plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn out_plane(&self) -> usize {
        self.out[0] * self.out[1]
    }

    fn in_len(&self) -> usize {
        self.planes[0] * self.planes[1] * self.in_plane()
    }

    fn out_len(&self) -> usize {
        self.planes[0] * self.planes[1] * self.out_plane()
    }
}

/// The maxima, and the place of each in its window, row by row.
pub(crate) fn forward(g: &Geometry, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let mut output = vec![0.0; g.out_len()];
    let mut choice = vec![0; g.out_len()];
    for_each_pair(
        &mut output,
        &mut choice,
        [g.out_plane(); 2],
        g.in_len(),
        |i, output, choice| {
            let plane = &input[i * g.in_plane()..][..g.in_plane()];
            let rows = output
                .chunks_exact_mut(g.out[1])
                .zip(choice.chunks_exact_mut(g.out[1]));
            for (y, (output, choice)) in rows.enumerate() {
                let lines = &plane[y * g.stride[0] * g.size[1]..];
                for (x, (output, choice)) in output.iter_mut().zip(choice).enumerate() {
                    (*output, *choice) = largest(g, &lines[x * g.stride[1]..]);
                }
            }
        },
    );
    (output, choice)
}

/// The first maximum of the window at the start of `lines`; a NaN wins.
#[inline(always)]
fn largest(g: &Geometry, lines: &[f32]) -> (f32, u8) {
    let (mut best, mut choice) = (lines[0], 0);
    let mut place = 0u8;
    for line in lines.chunks(g.size[1]).take(g.kernel[0]) {
        for &value in &line[..g.kernel[1]] {
            let take = value > best || value.is_nan();
            best = std::hint::select_unpredictable(take, value, best);
            choice = std::hint::select_unpredictable(take, place, choice);
            place = place.wrapping_add(1);
        }
    }
    (best, choice)
}

/// Each output gradient at the place its maximum came from.
pub(crate) fn input_grad(g: &Geometry, choice: &[u8], output_grad: &[f32]) -> Vec<f32> {
    let places: Vec<usize> = (0..g.window()).map(|place| g.at(place, g.columns())).collect();
    let mut grad = vec![0.0; g.in_len()];
    for_each_piece(&mut grad, g.in_plane(), g.in_len(), |i, grad| {
        let plane = i * g.out_plane()..(i + 1) * g.out_plane();
        let choice = choice[plane.clone()].chunks_exact(g.out[1]);
        let rows = output_grad[plane].chunks_exact(g.out[1]).zip(choice);
        for (y, (output_grad, choice)) in rows.enumerate() {
            let lines = &mut grad[y * g.stride[0] * g.size[1]..];
            for (x, (value, &choice)) in output_grad.iter().zip(choice).enumerate() {
                lines[x * g.stride[1] + places[choice as usize]] += value;
            }
        }
    });
    grad
}
