//! The laws of the core, as functions of a device and a case, so that any device can be held to them.
#![allow(dead_code)] // a device gate runs the list, the property tests run law by law

pub mod ascent;
pub mod ball;
pub mod free_at;
pub mod gradients;
pub mod smooth;
pub mod start;
#[path = "../toy/mod.rs"]
pub mod toy;
pub mod train;
pub mod yopo;

use adv_core::{Axes, Ball, Norm, RangePolicy, Start, ValueRange};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use toy::Agree;

/// Where the laws are tried, and how exactly they must hold.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The device, without autodiff.
    pub device: Device,
    /// Bit for bit on a CPU. A GPU may choose another kernel for the second of two equal passes.
    pub agree: Agree,
}

/// One case: small numbers that a law builds its tensors from.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Of all random tensors.
    pub seed: u64,
    /// Samples in the batch.
    pub batch: usize,
    /// The side of an image, or the number of tokens and their width.
    pub side: usize,
    /// The radius of the ball.
    pub radius: f64,
    /// The step in radii.
    pub relative_step: f64,
    /// The number of steps.
    pub steps: usize,
}

impl Case {
    /// The size of a step.
    pub fn step(&self) -> f64 {
        self.relative_step * self.radius
    }

    /// A random stream of its own for every purpose.
    pub fn rng(&self, purpose: u64) -> ChaCha8Rng {
        toy::stream(self.seed, purpose)
    }

    /// Images `[B, 1, S, S]`.
    pub fn image_shape(&self) -> [usize; 4] {
        [self.batch, 1, self.side, self.side]
    }

    /// Embeddings `[B, S, S + 1]`.
    pub fn text_shape(&self) -> [usize; 3] {
        [self.batch, self.side, self.side + 1]
    }

    /// Pixels in [0, 1), some of them exactly 0 and 1.
    pub fn pixels(&self, rig: &Rig) -> Tensor<4> {
        let wide = toy::uniform(&mut self.rng(1), self.image_shape(), [-0.2, 1.2], &rig.device);
        wide.clamp(0.0, 1.0)
    }

    /// A mask of ones and zeros of this shape, about two thirds ones.
    pub fn mask<const D: usize>(&self, shape: [usize; D], rig: &Rig) -> Tensor<D> {
        let draws = toy::uniform(&mut self.rng(2), shape, [0.0, 1.0], &rig.device);
        draws.lower_elem(0.66).float()
    }

    /// Every start that a ball allows.
    pub fn starts(&self, ball: &Ball) -> Vec<Start> {
        let mut starts = vec![
            Start::Zero,
            Start::Uniform {
                half_width: 1.5 * self.radius,
            },
            Start::LengthScaled {
                magnitude: 2.0 * self.radius,
            },
            Start::Gaussian { std: self.radius },
            Start::Direction { length: self.radius },
        ];
        let per_sample = !matches!(ball, Ball::Bounded { norm: Norm::L2, axes, .. } if *axes != Axes::Sample);
        if per_sample && ball.radius().is_some() {
            starts.push(Start::InBall);
        }
        starts
    }

    /// Every kind of ball of this radius.
    pub fn balls(&self) -> Vec<Ball> {
        let radius = self.radius;
        let bounded = NORMS.into_iter().flat_map(|norm| {
            AXES.into_iter()
                .map(move |axes| Ball::Bounded { norm, radius, axes })
        });
        bounded.chain([Ball::Unbounded]).collect()
    }
}

/// Both norms.
pub const NORMS: [Norm; 2] = [Norm::Linf, Norm::L2];

/// All axes.
pub const AXES: [Axes; 3] = [Axes::Sample, Axes::Token, Axes::Tensor];

/// No value range, and pixels under both policies.
pub const RANGES: [Option<(ValueRange, RangePolicy)>; 3] = [
    None,
    Some((ValueRange::UNIT, RangePolicy::EachStep)),
    Some((ValueRange::UNIT, RangePolicy::Final)),
];

/// A law: panics where it does not hold.
pub type Law = fn(&Rig, &Case);

/// All laws by name, in groups.
pub const GROUPS: [&[(&str, Law)]; 8] = [
    &ball::LAWS,
    &start::LAWS,
    &ascent::LAWS,
    &train::LAWS,
    &free_at::LAWS,
    &yopo::LAWS,
    &smooth::LAWS,
    &gradients::LAWS,
];

/// Holds a device to all laws, on a few cases.
pub fn all(device: &Device, agree: Agree) {
    let rig = Rig {
        device: device.clone().inner(),
        agree,
    };
    for (seed, batch, side, steps) in [(1, 1, 2, 1), (2, 3, 4, 3)] {
        let case = Case {
            seed,
            batch,
            side,
            steps,
            radius: 0.3,
            relative_step: 0.4,
        };
        for (name, law) in GROUPS.into_iter().flatten() {
            println!("{name}: {case:?}");
            law(&rig, &case);
        }
    }
}
