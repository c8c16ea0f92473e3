//! Where an ascent starts.

use crate::ball::unit;
use crate::{Axes, Ball, Batch, Noise, Norm, ParamError};
use burn::tensor::{Tensor, TensorData};

/// The perturbation before the first step. Zero outside the mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// No perturbation: FGSM, BIM.
    Zero,
    /// Every entry uniform in [-h, h]: PGD under Linf, FGSM-RS.
    Uniform {
        /// The half width h, in units of the perturbed tensor.
        half_width: f64,
    },
    /// Every entry uniform in [-1, 1] * m / sqrt(n), n the entries of the sample inside the mask.
    ///
    /// The start of FreeLB (Zhu et al. 2020, Algorithm 1). Its expected norm is m / sqrt(3), not m, and it is
    /// not uniform in a ball.
    LengthScaled {
        /// The magnitude m.
        magnitude: f64,
    },
    /// Every entry normal with this standard deviation: TRADES.
    Gaussian {
        /// The standard deviation.
        std: f64,
    },
    /// A direction that is equally likely to be any, at this L2 length over a sample: the random perturbation of Miyato et al. 2017. A
    /// sample without entries inside the mask stays at zero.
    Direction {
        /// The length.
        length: f64,
    },
    /// Uniform in the ball itself: random restarts under L2.
    InBall,
}

impl Start {
    /// The start with its lengths times `share`.
    pub(crate) fn scaled(self, share: f64) -> Self {
        match self {
            Start::Zero | Start::InBall => self,
            Start::Uniform { half_width } => Start::Uniform {
                half_width: half_width * share,
            },
            Start::LengthScaled { magnitude } => Start::LengthScaled {
                magnitude: magnitude * share,
            },
            Start::Gaussian { std } => Start::Gaussian { std: std * share },
            Start::Direction { length } => Start::Direction {
                length: length * share,
            },
        }
    }

    pub(crate) fn check(&self, ball: &Ball) -> Result<(), ParamError> {
        let scale = match *self {
            Start::Zero => return Ok(()),
            Start::InBall => {
                return match ball {
                    Ball::Unbounded | Ball::Surface { .. } => Err(ParamError::StartWithoutBall),
                    Ball::Bounded {
                        norm: Norm::L2, axes, ..
                    } if *axes != Axes::Sample => Err(ParamError::StartAxes),
                    Ball::Bounded { .. } => Ok(()),
                };
            }
            Start::Uniform { half_width } => half_width,
            Start::LengthScaled { magnitude } => magnitude,
            Start::Gaussian { std } => std,
            Start::Direction { length } => length,
        };
        if scale.is_finite() && scale >= 0.0 {
            Ok(())
        } else {
            Err(ParamError::StartScale(scale))
        }
    }

    /// Draws the start for a batch. Not projected, and not clamped to a value range.
    pub(crate) fn draw<const D: usize, T>(
        &self,
        batch: &Batch<'_, D, T>,
        ball: &Ball,
        noise: &mut dyn Noise,
    ) -> Tensor<D> {
        let clean = batch.clean();
        let delta = match *self {
            Start::Zero => return clean.zeros_like(),
            Start::Uniform { half_width } => uniform(&clean, noise).mul_scalar(half_width),
            Start::LengthScaled { magnitude } => {
                uniform(&clean, noise) * length_scale(batch).mul_scalar(magnitude)
            }
            Start::Gaussian { std } => normal(&clean, noise).mul_scalar(std),
            Start::Direction { length } => direction(batch, noise).mul_scalar(length),
            Start::InBall => match *ball {
                Ball::Bounded {
                    norm: Norm::Linf,
                    radius,
                    ..
                } => uniform(&clean, noise).mul_scalar(radius),
                Ball::Bounded {
                    norm: Norm::L2,
                    radius,
                    ..
                } => in_l2_ball(batch, noise).mul_scalar(radius),
                Ball::Unbounded | Ball::Surface { .. } => {
                    unreachable!("checked when the perturbation was built")
                }
            },
        };
        batch.masked(delta)
    }
}

fn upload<const D: usize>(values: Vec<f32>, like: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, like.dims()), &like.device())
}

fn uniform<const D: usize>(like: &Tensor<D>, noise: &mut dyn Noise) -> Tensor<D> {
    let mut values = vec![0.0; like.dims().iter().product()];
    noise.uniform(&mut values);
    upload(values, like)
}

fn normal<const D: usize>(like: &Tensor<D>, noise: &mut dyn Noise) -> Tensor<D> {
    let mut values = vec![0.0; like.dims().iter().product()];
    noise.normal(&mut values);
    upload(values, like)
}

/// Entries of each sample that may be perturbed, `[B, 1, ..]`.
fn free_entries<const D: usize, T>(batch: &Batch<'_, D, T>) -> Tensor<D> {
    let clean = batch.clean();
    let dims = clean.dims();
    let mut per_sample = [1; D];
    per_sample[0] = dims[0];
    match batch.mask() {
        Some(mask) => {
            let rows = mask
                .clone()
                .reshape([dims[0], dims[1..].iter().product::<usize>()]);
            rows.sum_dim(1).clamp_min(1.0).reshape(per_sample)
        }
        None => Tensor::full(
            per_sample,
            dims[1..].iter().product::<usize>() as f64,
            &clean.device(),
        ),
    }
}

fn length_scale<const D: usize, T>(batch: &Batch<'_, D, T>) -> Tensor<D> {
    free_entries(batch).sqrt().recip()
}

/// A unit vector for each sample: a normal one over its length.
fn direction<const D: usize, T>(batch: &Batch<'_, D, T>, noise: &mut dyn Noise) -> Tensor<D> {
    let drawn = batch.masked(normal(&batch.clean(), noise));
    unit(drawn, Norm::L2, Axes::Sample)
}

/// Uniform in the unit ball of each sample: a normal direction, times u^(1/n) for n free entries.
fn in_l2_ball<const D: usize, T>(batch: &Batch<'_, D, T>, noise: &mut dyn Noise) -> Tensor<D> {
    let clean = batch.clean();
    let direction = direction(batch, noise);
    let entries = free_entries(batch);
    let mut draws = vec![0.0; clean.dims()[0]];
    noise.uniform(&mut draws);
    let log_u: Vec<f32> = draws
        .iter()
        .map(|v| (0.5 * (v + 1.0)).max(f32::MIN_POSITIVE).ln())
        .collect();
    direction * (upload(log_u, &entries) / entries).exp()
}
