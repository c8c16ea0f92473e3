//! Norm balls: the norm of a perturbation, and the projection onto a ball.

use crate::ParamError;
use burn::tensor::Tensor;

/// The norm that bounds a perturbation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The largest absolute entry.
    Linf,
    /// The Euclidean norm.
    L2,
}

/// Over which entries a norm is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axes {
    /// All entries of one sample: `[B, ..]` has `B` norms. Images; a whole sentence in FreeLB.
    #[default]
    Sample,
    /// The last axis: `[B, T, E]` has `B * T` norms. SMART's default.
    Token,
    /// The whole tensor has one norm, so its scale depends on the batch. FGM on an embedding matrix.
    Tensor,
}

impl Axes {
    /// The tensor as rows over which the norm is taken: `[rows, entries]`.
    fn rows<const D: usize>(self, t: Tensor<D>) -> Tensor<2> {
        let dims = t.dims();
        let entries: usize = match self {
            Axes::Sample => dims[1..].iter().product(),
            Axes::Token => dims[D - 1],
            Axes::Tensor => dims.iter().product(),
        };
        let rows = dims.iter().product::<usize>() / entries.max(1);
        t.reshape([rows, entries])
    }
}

/// Below this a largest entry counts as zero; well above the smallest normal f32.
const TINY: f64 = 1e-30;

/// Rows scaled to a largest entry of 1 (or 0), and that largest entry: `[rows, entries]`, `[rows, 1]`.
fn scaled_rows<const D: usize>(t: Tensor<D>, axes: Axes) -> (Tensor<2>, Tensor<2>) {
    let rows = axes.rows(t);
    let largest = rows.clone().abs().max_dim(1);
    (rows / largest.clone().clamp_min(TINY), largest)
}

/// L2 norms of rows, `[rows, 1]`. Squares are taken of scaled values: gradients of confident samples are so
/// small that their squares underflow.
fn l2_rows<const D: usize>(t: Tensor<D>, axes: Axes) -> Tensor<2> {
    let (scaled, largest) = scaled_rows(t, axes);
    scaled.square().sum_dim(1).sqrt() * largest
}

/// The norms of a tensor, `[rows, 1]`: one row per sample, per token, or a single one.
pub fn norms<const D: usize>(t: Tensor<D>, norm: Norm, axes: Axes) -> Tensor<2> {
    match norm {
        Norm::Linf => axes.rows(t).abs().max_dim(1),
        Norm::L2 => l2_rows(t, axes),
    }
}

/// `t` divided by its norm, row by row. A zero row stays zero.
pub fn unit<const D: usize>(t: Tensor<D>, norm: Norm, axes: Axes) -> Tensor<D> {
    let dims = t.dims();
    let (scaled, _) = scaled_rows(t, axes);
    match norm {
        Norm::Linf => scaled.reshape(dims),
        Norm::L2 => {
            // A row that is not zero holds an entry of size 1, so its norm is at least 1.
            let length = scaled.clone().square().sum_dim(1).sqrt().clamp_min(1.0);
            (scaled / length).reshape(dims)
        }
    }
}

/// A norm ball around zero, its surface, or no bound at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ball {
    /// No bound.
    Unbounded,
    /// All perturbations whose norm is at most the radius.
    Bounded {
        /// The norm.
        norm: Norm,
        /// The radius, in units of the perturbed tensor.
        radius: f64,
        /// Over which entries the norm is taken.
        axes: Axes,
    },
    /// All perturbations whose norm is the radius: SMART's program, which scales its noise to a largest entry of 1. Zero stays
    /// zero.
    Surface {
        /// The norm.
        norm: Norm,
        /// The radius, in units of the perturbed tensor.
        radius: f64,
        /// Over which entries the norm is taken.
        axes: Axes,
    },
}

impl Ball {
    /// Largest absolute entry per sample.
    pub fn linf(radius: f64) -> Self {
        Ball::Bounded {
            norm: Norm::Linf,
            radius,
            axes: Axes::Sample,
        }
    }

    /// Euclidean norm per sample.
    pub fn l2(radius: f64) -> Self {
        Ball::Bounded {
            norm: Norm::L2,
            radius,
            axes: Axes::Sample,
        }
    }

    /// The radius, if there is one.
    pub fn radius(&self) -> Option<f64> {
        match self {
            Ball::Unbounded => None,
            Ball::Bounded { radius, .. } | Ball::Surface { radius, .. } => Some(*radius),
        }
    }

    /// The ball with its radius times `share`.
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        match &mut self {
            Ball::Unbounded => {}
            Ball::Bounded { radius, .. } | Ball::Surface { radius, .. } => *radius *= share,
        }
        self
    }

    pub(crate) fn check(&self) -> Result<(), ParamError> {
        match self.radius() {
            Some(radius) if !(radius.is_finite() && radius >= 0.0) => Err(ParamError::Radius(radius)),
            _ => Ok(()),
        }
    }

    /// The nearest point of the ball: the Euclidean projection for both norms.
    ///
    /// Identity inside, on the boundary for what lies outside (up to the rounding of f32 for L2).
    pub fn project<const D: usize>(&self, delta: Tensor<D>) -> Tensor<D> {
        match *self {
            Ball::Unbounded => delta,
            Ball::Surface { norm, radius, axes } => unit(delta, norm, axes).mul_scalar(radius),
            Ball::Bounded {
                norm: Norm::Linf,
                radius,
                ..
            } => delta.clamp(-radius, radius),
            Ball::Bounded {
                norm: Norm::L2,
                radius,
                axes,
            } => {
                let dims = delta.dims();
                let length = l2_rows(delta.clone(), axes).clamp_min(TINY);
                // Exactly 1 inside and on the boundary, so that the projection changes no bit there. A division, since
                // a rounded reciprocal times the radius may fall below 1 on the boundary.
                let factor = (length.full_like(radius) / length).clamp_max(1.0);
                (axes.rows(delta) * factor).reshape(dims)
            }
        }
    }
}
