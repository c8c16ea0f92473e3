//! Laws of the methods that compare outputs: SMART, R3F and VAT.

use super::toy::models::{Net, labels};
use super::toy::record::Recorder;
use super::toy::{self, close};
use super::train::update;
use super::{Case, Rig};
use adv_core::{
    Batch, Divergence, Objective, Perturbation, Predict, R3f, Smart, Standard, Start, TrainingMethod, Vat,
    VatParts,
};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 4] = [
    (
        "a divergence is zero between equals",
        divergences_are_zero_between_equals,
    ),
    ("no penalty is the clean step", no_penalty_is_the_clean_step),
    (
        "VAT finds the steepest direction",
        vat_finds_the_steepest_direction,
    ),
    (
        "outputs are compared inside the mask",
        outputs_are_compared_inside_the_mask,
    ),
];

const DIVERGENCES: [Divergence; 5] = [
    Divergence::Kl,
    Divergence::SymmetricKl,
    Divergence::SymmetricKlConstantTargets,
    Divergence::SmartAscent,
    Divergence::SquaredError,
];

fn vat(radius: f64, weight: f64) -> Vat {
    let parts = VatParts {
        radius,
        probe: 0.01,
        iterations: 2,
        weight,
    };
    Vat::new(parts).unwrap()
}

/// Zero between equal outputs and not below zero otherwise; KL of a hand-made pair; symmetry.
pub fn divergences_are_zero_between_equals(rig: &Rig, case: &Case) {
    let logits = |purpose| toy::uniform(&mut case.rng(purpose), [case.batch, 3], [-2.0, 2.0], &rig.device);
    let (a, b) = (logits(80), logits(81));
    for divergence in DIVERGENCES {
        let between = |a: &Tensor<2>, b: &Tensor<2>| toy::values(&divergence.of(a.clone(), b.clone()));
        // Not bit for bit: a GPU may choose another kernel for the second of two equal passes.
        let own = between(&a, &a);
        assert!(
            own.iter().all(|value| value.abs() < 1e-5),
            "{divergence:?}: {own:?}"
        );
        let apart = between(&a, &b);
        assert_eq!(apart.len(), case.batch);
        // Of logits, not of log-probabilities: no divergence in the strict sense, it may fall below zero.
        let strict = divergence != Divergence::SmartAscent;
        assert!(
            !strict || apart.iter().all(|value| *value > -1e-5),
            "{divergence:?}: {apart:?}"
        );
        if divergence != Divergence::Kl && divergence != Divergence::SmartAscent {
            close("symmetric", &apart, &between(&b, &a), 1e-4);
        }
    }
    // KL((1/2, 1/2) || (1/4, 3/4)) = log(4/3) / 2, the other way round (log 27 - log 16) / 4.
    let pair = |odds: f32| Tensor::<2>::from_data([[0.0, odds.ln()]], &rig.device);
    let (even, odd) = (pair(1.0), pair(3.0));
    let one_way = 0.5 * (4.0f32 / 3.0).ln();
    let back = 0.25 * (27.0f32 / 16.0).ln();
    for (divergence, expected) in [
        (Divergence::Kl, one_way),
        (Divergence::SymmetricKl, one_way + back),
        (Divergence::SymmetricKlConstantTargets, one_way + back),
        // 2 sum q (logit q - logit p), q = (1/4, 3/4): logits -log 3 and log 3.
        (Divergence::SmartAscent, 3.0f32.ln()),
        (Divergence::SquaredError, 3.0f32.ln().powi(2)),
    ] {
        let found = toy::values(&divergence.of(even.clone(), odd.clone()));
        close(&format!("{divergence:?}"), &found, &[expected], 1e-4);
    }
}

/// With weight zero, and with a perturbation of length zero, what is left is the clean step.
pub fn no_penalty_is_the_clean_step(rig: &Rig, case: &Case) {
    let net = Net::new(case.seed, case.side, 2, &rig.device);
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let clean = update(&Standard, &net, &batch, case);
    let smart = Perturbation::smart(0.01, 1.0, case.steps).unwrap();
    let noise = |half_width| Start::Uniform { half_width };
    let methods: [(&str, &dyn TrainingMethod<4, Net>); 5] = [
        ("SMART, weight 0", &Smart::new(smart, 0.0).unwrap()),
        ("R3F, weight 0", &R3f::new(noise(0.1), 0.0).unwrap()),
        ("R3F, no noise", &R3f::new(noise(0.0), 1.0).unwrap()),
        ("VAT, weight 0", &vat(case.radius, 0.0)),
        ("VAT, radius 0", &vat(0.0, 1.0)),
    ];
    for (name, method) in methods {
        let found = update(method, &net, &batch, case);
        for (found, clean) in found.iter().zip(&clean) {
            close(name, found, clean, 1e-4);
        }
    }
    // And with one, it is not.
    let found = update(&R3f::new(noise(0.5), 100.0).unwrap(), &net, &batch, case);
    assert!(found.concat() != clean.concat(), "the penalty has no gradient");
}

/// Logits 0 and w·x: the divergence changes along w only.
#[derive(Module, Debug)]
struct Logistic {
    weight: Param<Tensor<2>>,
}

impl Objective<2> for Logistic {
    type Targets = ();

    fn loss(&self, input: Tensor<2>, targets: &()) -> Tensor<1> {
        self.judge(self.outputs(input, targets), targets)
    }
}

impl Predict<2> for Logistic {
    fn outputs(&self, input: Tensor<2>, _: &()) -> Tensor<2> {
        let own = input.matmul(self.weight.val());
        Tensor::cat(vec![own.zeros_like(), own], 1)
    }

    fn judge(&self, outputs: Tensor<2>, _: &()) -> Tensor<1> {
        log_softmax(outputs, 1).mean().neg()
    }
}

/// On a logistic model the top eigenvector of the divergence's Hessian is the weight: VAT's perturbation is ε of it, either way.
pub fn vat_finds_the_steepest_direction(rig: &Rig, case: &Case) {
    let width = case.side + 1;
    let weight = toy::normal(&mut case.rng(82), [width, 1], 1.0, &rig.device);
    let model = Recorder::new(Logistic {
        weight: Param::from_tensor(weight.clone().autodiff()),
    });
    let clean = toy::uniform(&mut case.rng(83), [case.batch, width], [-0.1, 0.1], &rig.device);
    let method = vat(case.radius, 1.0);
    update(&method, &model, &Batch::new(clean.clone(), &()), case);
    let seen = model.seen.whole();
    let moved = seen.last().expect("a pass at the perturbed input");
    let (weight, clean) = (toy::values(&weight), toy::values(&clean));
    let length = weight.iter().map(|w| w * w).sum::<f32>().sqrt();
    for (moved, clean) in moved.chunks(width).zip(clean.chunks(width)) {
        let r: Vec<f32> = moved.iter().zip(clean).map(|(m, c)| m - c).collect();
        let along: f32 = r.iter().zip(&weight).map(|(r, w)| r * w / length).sum();
        let norm = r.iter().map(|r| r * r).sum::<f32>().sqrt();
        let radius = case.radius as f32;
        assert!(
            (norm - radius).abs() <= 1e-3 * radius + 1e-6,
            "{norm} of {radius}"
        );
        assert!(
            (along.abs() - radius).abs() <= 1e-2 * radius + 1e-6,
            "{along} of {radius}"
        );
    }
}

/// No forward of any of them sees a masked place changed.
pub fn outputs_are_compared_inside_the_mask(rig: &Rig, case: &Case) {
    let labels = labels(case.batch, &rig.device);
    let clean = case.pixels(rig);
    let mask = case.mask(case.image_shape(), rig);
    let hidden: Vec<bool> = toy::values(&mask).iter().map(|m| *m == 0.0).collect();
    let batch = Batch::new(clean.clone(), &labels).with_mask(mask);
    let smart = Perturbation::smart(0.01, 1.0, case.steps).unwrap();
    let methods: [&dyn TrainingMethod<4, Recorder<Net>>; 3] = [
        &Smart::new(smart, 1.0).unwrap(),
        &R3f::new(Start::Gaussian { std: 0.1 }, 1.0).unwrap(),
        &vat(case.radius, 1.0),
    ];
    let clean = toy::values(&clean);
    for (index, method) in methods.into_iter().enumerate() {
        let net = Recorder::new(Net::new(case.seed, case.side, 2, &rig.device));
        update(method, &net, &batch, case);
        let seen = net.seen.whole();
        assert!(seen.len() >= 2, "method {index}");
        for input in seen {
            for ((seen, clean), hidden) in input.iter().zip(&clean).zip(&hidden) {
                assert!(!hidden || seen == clean, "method {index}");
            }
        }
    }
}
