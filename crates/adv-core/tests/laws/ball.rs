//! Laws of norms and projections.

use super::toy::{self, Agree, close, values};
use super::{AXES, Case, NORMS, Rig};
use adv_core::{Axes, Ball, Norm, norms, unit};
use burn::tensor::Tensor;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 6] = [
    ("projection is idempotent", projection_is_idempotent),
    ("projection is identity inside", projection_is_identity_inside),
    (
        "projection lands on the boundary",
        projection_lands_on_the_boundary,
    ),
    ("projection is the nearest point", projection_is_the_nearest_point),
    ("norms go over their axes", norms_go_over_their_axes),
    ("unit has norm one, or zero", unit_has_norm_one_or_zero),
];

/// Calls `check` with an image and a text tensor of scale `scale`, for both norms over all axes.
fn each(rig: &Rig, case: &Case, scale: f64, check: &dyn Fn(&Trial)) {
    for norm in NORMS {
        for axes in AXES {
            let image = toy::normal(&mut case.rng(20), case.image_shape(), scale as f32, &rig.device);
            let text: Tensor<3> =
                toy::normal(&mut case.rng(21), case.text_shape(), scale as f32, &rig.device);
            let [batch, tokens, width] = text.dims();
            let text = text.reshape([batch, 1, tokens, width]);
            for delta in [image, text] {
                check(&Trial { norm, axes, delta });
            }
        }
    }
}

struct Trial {
    norm: Norm,
    axes: Axes,
    delta: Tensor<4>,
}

impl Trial {
    fn ball(&self, radius: f64) -> Ball {
        let Trial { norm, axes, .. } = *self;
        Ball::Bounded { norm, radius, axes }
    }

    /// The rows over which a norm is taken, on the host.
    fn rows(&self, t: &Tensor<4>) -> Vec<Vec<f32>> {
        let [batch, channels, height, width] = t.dims();
        let length = match self.axes {
            Axes::Sample => channels * height * width,
            Axes::Token => width,
            Axes::Tensor => batch * channels * height * width,
        };
        values(t).chunks(length).map(<[f32]>::to_vec).collect()
    }

    fn norm_of(&self, row: &[f32]) -> f64 {
        let row = row.iter().map(|v| f64::from(*v));
        match self.norm {
            Norm::Linf => row.fold(0.0, |m, v| m.max(v.abs())),
            Norm::L2 => row.map(|v| v * v).sum::<f64>().sqrt(),
        }
    }

    /// The tensor with every row scaled to this norm.
    fn scaled_to(&self, length: f64) -> Tensor<4> {
        unit(self.delta.clone(), self.norm, self.axes).mul_scalar(length)
    }
}

/// `P(P(x)) = P(x)`.
pub fn projection_is_idempotent(rig: &Rig, case: &Case) {
    each(rig, case, 1.0, &|trial| {
        let ball = trial.ball(case.radius);
        let once = ball.project(trial.delta.clone());
        let twice = ball.project(once.clone());
        close("twice", &values(&twice), &values(&once), 1e-6);
    });
}

/// `P(x) = x` inside, bit for bit, and for a point whose norm is exactly the radius.
pub fn projection_is_identity_inside(rig: &Rig, case: &Case) {
    each(rig, case, 1.0, &|trial| {
        let inside = trial.scaled_to(0.999 * case.radius);
        let projected = trial.ball(case.radius).project(inside.clone());
        assert_eq!(
            values(&projected),
            values(&inside),
            "{:?} {:?}",
            trial.norm,
            trial.axes
        );
        let zero = trial.ball(case.radius).project(inside.zeros_like());
        assert_eq!(values(&zero), values(&inside.zeros_like()));
    });
    if rig.agree == Agree::Bits {
        // Rows with a single entry have a norm without rounding. 41 is an f32 whose reciprocal times it is not 1.
        for radius in [41.0, 47.0, f64::from(case.radius as f32)] {
            let mut entries = vec![0.0; 6];
            (entries[1], entries[5]) = (radius as f32, -radius as f32);
            let edge = toy::tensor(entries, [2, 3], &rig.device);
            let projected = Ball::l2(radius).project(edge.clone());
            assert_eq!(values(&projected), values(&edge), "radius {radius}");
        }
    }
}

/// The norm of `P(x)` is the radius for x outside; under Linf what lies inside stays, under L2 the direction.
pub fn projection_lands_on_the_boundary(rig: &Rig, case: &Case) {
    each(rig, case, 1.0, &|trial| {
        for excess in [1.001, 1.7, 1e6] {
            let outside = trial.scaled_to(excess * case.radius);
            let projected = trial.ball(case.radius).project(outside.clone());
            for (before, after) in trial.rows(&outside).iter().zip(trial.rows(&projected)) {
                let norm = trial.norm_of(&after);
                assert!((norm / case.radius - 1.0).abs() < 1e-5, "{norm}");
                let expected: Vec<f32> = match trial.norm {
                    Norm::Linf => {
                        let bound = case.radius as f32;
                        before.iter().map(|v| v.clamp(-bound, bound)).collect()
                    }
                    Norm::L2 => before.iter().map(|v| v / excess as f32).collect(),
                };
                close("boundary", &after, &expected, 1e-5);
            }
        }
    });
}

/// `<x - P(x), y - P(x)> <= 0` for every y of the ball: the Euclidean projection onto a convex set.
pub fn projection_is_the_nearest_point(rig: &Rig, case: &Case) {
    each(rig, case, 1.0, &|trial| {
        let ball = trial.ball(case.radius);
        let nearest = ball.project(trial.delta.clone());
        let shape = trial.delta.dims();
        let other = ball.project(toy::normal(&mut case.rng(22), shape, 1.0, &rig.device));
        let away = trial.delta.clone() - nearest.clone();
        let products = values(&(away.clone() * (other - nearest)));
        let product: f64 = products.iter().map(|v| f64::from(*v)).sum();
        let size: f64 = products.iter().map(|v| f64::from(v.abs())).sum();
        assert!(product <= 1e-5 * size, "{product} of {size}");
    });
}

/// Norms per sample, per token and of the whole tensor are those computed on the host.
pub fn norms_go_over_their_axes(rig: &Rig, case: &Case) {
    for scale in [1.0, 1e-25, 1e18] {
        each(rig, case, scale, &|trial| {
            let found = values(&norms(trial.delta.clone(), trial.norm, trial.axes));
            let expected: Vec<f32> = trial
                .rows(&trial.delta)
                .iter()
                .map(|row| trial.norm_of(row) as f32)
                .collect();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
            }
        });
    }
}

/// A unit row has norm 1, however small the gradient of a confident sample is; a zero row stays zero.
pub fn unit_has_norm_one_or_zero(rig: &Rig, case: &Case) {
    for scale in [1.0, 1e-25, 1e18] {
        each(rig, case, scale, &|trial| {
            let shape = trial.delta.dims();
            // The first row of every kind is zero, unless it is all there is.
            let keep = usize::from(trial.rows(&trial.delta).len() > 1);
            let mut entries = values(&trial.delta);
            let first = trial.rows(&trial.delta)[0].len();
            entries[..first * keep].fill(0.0);
            let t = toy::tensor(entries, shape, &rig.device);
            for (index, row) in trial.rows(&unit(t, trial.norm, trial.axes)).iter().enumerate() {
                let expected = if index < keep { 0.0 } else { 1.0 };
                let norm = trial.norm_of(row);
                assert!((norm - expected).abs() < 1e-5, "{norm}, not {expected}");
            }
        });
    }
}
