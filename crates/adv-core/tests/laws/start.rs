//! Laws of starts.

use super::toy::values;
use super::{Case, Rig};
use adv_core::{Ball, Batch, Norm, Perturbation, Start, norms};
use burn::tensor::Tensor;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 4] = [
    ("starts have their scale", starts_have_their_scale),
    ("in-ball starts fill the ball", in_ball_starts_fill_the_ball),
    (
        "length-scaled starts have their norm",
        length_scaled_starts_have_their_norm,
    ),
    ("directions have their length", directions_have_their_length),
];

/// The starts of enough samples to see a distribution: `[256, S, S]`, half masked where asked.
fn draw(rig: &Rig, case: &Case, ball: Ball, start: Start, masked: bool) -> (Vec<f32>, Vec<f32>, usize) {
    let shape = [256, case.side, case.side];
    let clean = Tensor::<3>::zeros(shape, &rig.device);
    let mut batch = Batch::new(clean, &());
    let mut free = case.side * case.side;
    if masked {
        // All but the last token of every sample.
        let keep = Tensor::<3>::ones([256, case.side - 1, case.side], &rig.device);
        let drop = Tensor::<3>::zeros([256, 1, case.side], &rig.device);
        batch = batch.with_mask(Tensor::cat(vec![keep, drop], 1));
        free -= case.side;
    }
    let perturbation = Perturbation::pgd_l2(case.radius, case.radius, 1).unwrap();
    let spec = adv_core::PerturbationSpec {
        ball,
        start,
        ..*perturbation.spec()
    };
    let delta = spec.check().unwrap().start(&batch, &mut case.rng(30));
    let lengths = values(&norms(delta.clone(), Norm::L2, adv_core::Axes::Sample));
    (values(&delta), lengths, free)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// Zero, uniform and Gaussian starts have the width asked for, and the same noise gives the same start.
pub fn starts_have_their_scale(rig: &Rig, case: &Case) {
    let scale = case.radius;
    let ball = Ball::Unbounded;
    for (start, variance) in [
        (Start::Zero, 0.0),
        (Start::Uniform { half_width: scale }, scale * scale / 3.0),
        (Start::Gaussian { std: scale }, scale * scale),
    ] {
        let (delta, _, _) = draw(rig, case, ball, start, false);
        let (again, _, _) = draw(rig, case, ball, start, false);
        assert_eq!(delta, again, "{start:?}");
        let found = mean(delta.iter().map(|v| f64::from(*v).powi(2)));
        // Six standard deviations of the mean over 256 samples of at least four entries.
        assert!((found - variance).abs() <= 0.27 * variance, "{start:?}: {found}");
        if let Start::Uniform { half_width } = start {
            assert!(delta.iter().all(|v| f64::from(v.abs()) <= half_width * 1.000001));
        }
    }
}

/// Uniform in a ball of n free dimensions: inside it, and `(|delta| / r)^n` is uniform in [0, 1].
pub fn in_ball_starts_fill_the_ball(rig: &Rig, case: &Case) {
    let radius = case.radius;
    for masked in [false, true] {
        let (delta, lengths, free) = draw(rig, case, Ball::l2(radius), Start::InBall, masked);
        assert!(lengths.iter().all(|l| f64::from(*l) <= radius * 1.00001));
        let shares = lengths.iter().map(|l| (f64::from(*l) / radius).powi(free as i32));
        assert!((mean(shares) - 0.5).abs() < 0.11);
        let centre = mean(delta.iter().map(|v| f64::from(*v)));
        assert!(centre.abs() < 0.2 * radius, "{centre}");

        let (delta, _, free) = draw(rig, case, Ball::linf(radius), Start::InBall, masked);
        let largest = delta.iter().fold(0.0, |m: f64, v| m.max(f64::from(v.abs())));
        assert!(
            (0.97 * radius..=radius * 1.000001).contains(&largest),
            "{largest}"
        );
        let all = (case.side * case.side) as f64;
        let size = mean(delta.iter().map(|v| f64::from(v.abs()))) * all / free as f64;
        assert!((size / radius - 0.5).abs() < 0.09, "{size}");
    }
}

/// Entries within m / sqrt(n), n the entries of the sample inside the mask; a squared norm of m^2 / 3 in the mean.
pub fn length_scaled_starts_have_their_norm(rig: &Rig, case: &Case) {
    let magnitude = case.radius;
    for masked in [false, true] {
        let start = Start::LengthScaled { magnitude };
        let (delta, lengths, free) = draw(rig, case, Ball::Unbounded, start, masked);
        let bound = magnitude / (free as f64).sqrt();
        let largest = delta.iter().fold(0.0, |m: f64, v| m.max(f64::from(v.abs())));
        assert!((0.95 * bound..=bound * 1.000001).contains(&largest), "{largest}");
        let squares = mean(lengths.iter().map(|l| f64::from(*l).powi(2)));
        let expected = magnitude * magnitude / 3.0;
        assert!((squares / expected - 1.0).abs() < 0.25, "{squares}");
    }
}

/// The length asked for in every sample, whatever the mask, and no direction before another: entries have mean 0 and share the square.
pub fn directions_have_their_length(rig: &Rig, case: &Case) {
    let length = case.radius;
    for masked in [false, true] {
        let (delta, lengths, free) = draw(rig, case, Ball::Unbounded, Start::Direction { length }, masked);
        for found in lengths {
            assert!((f64::from(found) / length - 1.0).abs() < 1e-5, "{found}");
        }
        let centre = mean(delta.iter().map(|v| f64::from(*v)));
        assert!(centre.abs() < 0.2 * length, "{centre}");
        let (entries, samples) = (case.side * case.side, 256.0);
        for entry in 0..free {
            let own = delta.iter().skip(entry).step_by(entries);
            let share = own.map(|v| (f64::from(*v) / length).powi(2)).sum::<f64>() / samples * free as f64;
            assert!((share - 1.0).abs() < 0.6, "entry {entry}: {share}");
        }
    }
}
