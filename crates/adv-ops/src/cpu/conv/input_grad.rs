//! Gradient of the input.

use super::epilogue::{Frame, spread};
use super::{Block, Geometry, OutputGrad, Scratch, grid, sized, with_scratch};
use crate::cpu::gather::{FLAT_CHANNELS, FlatGemm, GatherGemm, Panels, Start};
use crate::cpu::parallel::for_each_piece;

/// The input pixels that meet the same taps: those of one residue of the position by the stride.
struct Phase {
    /// Offsets into the padded output gradient: of each pixel, and of each (channel, tap).
    rows: Vec<u32>,
    cols: Vec<u32>,
    kernel: Kernel,
    /// Rows and columns of this phase, and its first pixel in the image.
    dims: [usize; 2],
    first: [usize; 2],
}

/// The weights of a phase, as its kernel wants them.
enum Kernel {
    /// No tap reaches these pixels: their gradient is zero.
    Nothing,
    /// `[C][(channel, tap)]`, for few channels: the vectors run along the pixels.
    Flat(Vec<f32>),
    Gather(Panels),
}

/// Where the phases find the output gradient: its padded size and the border before it.
struct Border {
    padded: [usize; 2],
    before: [usize; 2],
}

/// Gradient of the input: a convolution of the output gradient with the turned kernel, one for
/// each phase of the stride.
pub(crate) fn input_grad(block: &Block, weight: &[f32], output_grad: &OutputGrad) -> Vec<f32> {
    let g = &block.conv;
    let border = Border::new(g);
    let phases: Vec<Phase> = (0..g.stride[0])
        .flat_map(|y| (0..g.stride[1]).map(move |x| [y, x]))
        .map(|residue| Phase::new(g, &border, residue, weight))
        .collect();
    let [height, width] = border.padded;
    let origin = border.before[0] * width + border.before[1];
    let frame = Frame {
        width,
        plane: height * width,
        origin,
    };
    let mut input_grad = vec![0.0; g.batch * g.image()];
    for_each_piece(&mut input_grad, g.image(), g.work(), |b, image| {
        with_scratch(|scratch| {
            let Scratch {
                padded: data,
                product,
                ..
            } = scratch;
            spread(block, output_grad, b, frame, data);
            for phase in &phases {
                phase.run(g, data, width, product, image);
            }
        });
    });
    input_grad
}

impl Border {
    fn new(g: &Geometry) -> Self {
        let before = [0, 1].map(|i| g.kernel[i].div_ceil(g.stride[i]) - 1);
        let padded = [0, 1].map(|i| {
            let last = (g.size[i] - 1 + g.padding[i]) / g.stride[i];
            before[i] + g.out[i].max(last + 1)
        });
        Self { padded, before }
    }
}

impl Phase {
    /// The phase of pixels `i` with `(i + padding) % stride == residue`; taps `residue`,
    /// `residue + stride`, ... of the kernel meet them.
    fn new(g: &Geometry, border: &Border, residue: [usize; 2], weight: &[f32]) -> Self {
        let [kh, kw] = g.kernel;
        let [height, width] = border.padded;
        let first = [0, 1].map(|i| (residue[i] + g.stride[i] - g.padding[i] % g.stride[i]) % g.stride[i]);
        let dims = [0, 1].map(|i| g.size[i].saturating_sub(first[i]).div_ceil(g.stride[i]));
        let taps = [0, 1].map(|i| g.kernel[i].saturating_sub(residue[i]).div_ceil(g.stride[i]));
        // Tap j of pixel q reads the output gradient at q - j: rows hold q, columns `before - j`.
        let q = [0, 1].map(|i| (first[i] + g.padding[i]) / g.stride[i]);
        let mut rows = grid([1, dims[0], dims[1]], [0, width, 1]);
        rows.iter_mut()
            .for_each(|row| *row += (q[0] * width + q[1]) as u32);
        let (mut cols, mut starts) = (Vec::new(), Vec::new());
        for o in 0..g.c_out {
            for jy in 0..taps[0] {
                for jx in 0..taps[1] {
                    let [y, x] = [border.before[0] - jy, border.before[1] - jx];
                    cols.push((o * height * width + y * width + x) as u32);
                    let tap = (residue[0] + jy * g.stride[0]) * kw + residue[1] + jx * g.stride[1];
                    starts.push((o * g.taps() + tap) as u32);
                }
            }
        }
        let kernel = if rows.is_empty() || cols.is_empty() {
            Kernel::Nothing
        } else if g.c_in <= FLAT_CHANNELS {
            let channels = (0..g.c_in).map(|c| c * kh * kw);
            let weights = channels.flat_map(|c| starts.iter().map(move |&s| weight[s as usize + c]));
            Kernel::Flat(weights.collect())
        } else {
            let mut panels = Panels::default();
            panels.pack(weight, &starts, g.c_in, kh * kw);
            Kernel::Gather(panels)
        };
        Self {
            rows,
            cols,
            kernel,
            dims,
            first,
        }
    }

    /// Computes the pixels of this phase from `data`, the padded output gradient in rows of `width`.
    fn run(
        &self,
        g: &Geometry,
        data: &mut Vec<f32>,
        width: usize,
        product: &mut Vec<f32>,
        image: &mut [f32],
    ) {
        match &self.kernel {
            Kernel::Nothing => {}
            Kernel::Gather(panels) => {
                let out = sized(product, self.rows.len() * panels.width());
                let (rows, cols, start) = (&self.rows, &self.cols, Start::Zero);
                GatherGemm {
                    data,
                    rows,
                    cols,
                    panels,
                    start,
                    out,
                }
                .run();
                let stride = [self.dims[1] * panels.width(), panels.width()];
                self.place(g, out, 1, stride, image);
            }
            Kernel::Flat(weights) => {
                // Pixels of the whole padded rows, columns of the border included.
                let len = (self.dims[0] - 1) * width + self.dims[1];
                let len = len.next_multiple_of(FlatGemm::step(g.c_in));
                let first = self.rows[0] as usize;
                let reach = first + len + self.cols.iter().copied().max().unwrap_or(0) as usize;
                if data.len() < reach {
                    data.resize(reach, 0.0);
                }
                let out = sized(product, g.c_in * len);
                let (data, cols, channels) = (&data[first..], &self.cols, g.c_in);
                FlatGemm {
                    data,
                    cols,
                    weights,
                    out,
                    channels,
                }
                .run();
                self.place(g, out, len, [width, 1], image);
            }
        }
    }

    /// Copies the results to their pixels of the image; `channel` and `stride` are the steps of a
    /// channel, a row and a column in `product`.
    fn place(&self, g: &Geometry, product: &[f32], channel: usize, stride: [usize; 2], image: &mut [f32]) {
        let [h, w] = g.size;
        for (c, plane) in image.chunks_exact_mut(h * w).enumerate() {
            let rows = plane[self.first[0] * w..].chunks_mut(g.stride[0] * w);
            for (y, row) in rows.take(self.dims[0]).enumerate() {
                let from = product[c * channel + y * stride[0]..].iter().step_by(stride[1]);
                let to = row[self.first[1]..w].iter_mut().step_by(g.stride[1]);
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}
