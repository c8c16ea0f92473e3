//! Laws of the training methods that start anew with every mini-batch.

use super::toy::models::{Net, Shape, TwoLayer, labels};
use super::toy::record::Recorder;
use super::toy::{self, close};
use super::{Case, RANGES, Rig};
use adv_core::{
    Adversarial, Ball, Batch, Carried, FreeAt, FreeLb, Ledger, Noisy, Objective, Perturbation,
    PerturbationSpec, RangePolicy, Standard, Start, StepRule, TrainingMethod, ValueRange, Yopo, YopoParts,
};
use burn::module::Module;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 7] = [
    ("a zero radius is the clean step", a_zero_radius_is_the_clean_step),
    (
        "FreeLB of one pass is the clean step",
        free_lb_of_one_pass_is_the_clean_step,
    ),
    ("FreeLB averages its passes", free_lb_averages_its_passes),
    ("FreeLB climbs as PGD does", free_lb_climbs_as_pgd_does),
    ("the clean share mixes gradients", the_clean_share_mixes_gradients),
    (
        "scaling a method scales its perturbation",
        scaling_a_method_scales_its_perturbation,
    ),
    ("no method moves what is masked", no_method_moves_what_is_masked),
];

/// One update of a method from fresh state: its gradients on the host.
pub fn update<const D: usize, M: Objective<D> + Module>(
    method: &dyn TrainingMethod<D, M>,
    model: &M,
    batch: &Batch<'_, D, M::Targets>,
    case: &Case,
) -> Vec<Vec<f32>> {
    let (carried, ledger) = (&mut Carried::default(), &mut Ledger::new());
    let update = method
        .gradients(model, batch, carried, &mut case.rng(70), ledger)
        .unwrap();
    toy::gradients(model, &update.gradients)
}

/// With radius zero, training on perturbed data only is the clean step, bit for bit, in all parameters.
pub fn a_zero_radius_is_the_clean_step(rig: &Rig, case: &Case) {
    let net = Net::new(case.seed, case.side, 2, &rig.device);
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let clean = update(&Standard, &net, &batch, case);
    let (step, steps) = (case.step(), case.steps);
    let noisy = Perturbation::pgd(0.0, step, steps)
        .unwrap()
        .with_start(Start::Gaussian { std: 0.1 });
    for perturbation in [
        Perturbation::fgsm(0.0),
        Perturbation::fgm(0.0),
        Perturbation::pgd(0.0, step, steps),
        Perturbation::pgd_l2(0.0, step, steps),
        Perturbation::mi_fgsm(0.0, step, steps, 0.9),
        Perturbation::fgsm_rs(0.0, step),
        Perturbation::n_fgsm(0.0, 2.0),
        noisy,
    ] {
        for range in RANGES {
            let mut perturbation = perturbation.clone().unwrap();
            if let Some((range, policy)) = range {
                perturbation = perturbation.with_range(range, policy);
            }
            let found = update(&Adversarial::new(perturbation), &net, &batch, case);
            rig.agree.check_sets(&format!("{perturbation:?}"), &found, &clean);
        }
    }
    let still = Perturbation::fgm(0.0)
        .unwrap()
        .with_start(Start::Direction { length: 0.0 });
    let noisy = Noisy::new(still.unwrap());
    rig.agree
        .check_sets("Noisy", &update(&noisy, &net, &batch, case), &clean);
    let free = FreeAt::new(2, 0.0, Some(ValueRange::UNIT)).unwrap();
    rig.agree
        .check_sets("FreeAT", &update(&free, &net, &batch, case), &clean);
}

/// FreeLB with one pass from a zero start is the clean step, bit for bit.
pub fn free_lb_of_one_pass_is_the_clean_step(rig: &Rig, case: &Case) {
    let net = Net::new(case.seed, case.side, 2, &rig.device);
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let clean = update(&Standard, &net, &batch, case);
    let one = FreeLb::new(Perturbation::pgd_l2(case.radius, case.step(), 1).unwrap());
    rig.agree
        .check_sets("FreeLB-1", &update(&one, &net, &batch, case), &clean);
}

/// A perturbation of `case.steps` passes from a random start.
fn climbing(case: &Case) -> Perturbation {
    let pgd = Perturbation::pgd_l2(case.radius, case.step(), case.steps).unwrap();
    let magnitude = case.radius;
    pgd.with_start(Start::LengthScaled { magnitude }).unwrap()
}

/// FreeLB's gradients are the mean of the gradients at the inputs it saw.
pub fn free_lb_averages_its_passes(rig: &Rig, case: &Case) {
    let net = Recorder::new(Net::new(case.seed, case.side, 2, &rig.device));
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let found = update(&FreeLb::new(climbing(case)), &net, &batch, case);

    let seen = net.seen.whole();
    assert_eq!(seen.len(), case.steps);
    let mut mean: Vec<Vec<f32>> = found.iter().map(|set| vec![0.0; set.len()]).collect();
    for input in seen {
        let input = toy::tensor(input, case.image_shape(), &rig.device);
        let clean = update(&Standard, &net, &Batch::new(input, &labels), case);
        for (mean, term) in mean.iter_mut().zip(clean) {
            for (mean, term) in mean.iter_mut().zip(term) {
                *mean += term / case.steps as f32;
            }
        }
    }
    for (found, mean) in found.iter().zip(&mean) {
        close("mean", found, mean, 1e-4);
    }
}

/// The inputs of FreeLB's passes are those of an ascent with the same perturbation: scaling its loss by 1/K changes no
/// direction.
pub fn free_lb_climbs_as_pgd_does(rig: &Rig, case: &Case) {
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let [lb, pgd] = [0, 1].map(|_| Recorder::new(Net::new(case.seed, case.side, 2, &rig.device)));
    update(&FreeLb::new(climbing(case)), &lb, &batch, case);
    update(&Adversarial::new(climbing(case)), &pgd, &batch, case);
    for (lb, pgd) in lb.seen.whole().iter().zip(pgd.seen.whole()) {
        close("input", lb, &pgd, 1e-5);
    }
}

/// Mixed training: share * clean + (1 - share) * adversarial gradients.
pub fn the_clean_share_mixes_gradients(rig: &Rig, case: &Case) {
    let net = Net::new(case.seed, case.side, 2, &rig.device);
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let pgd = Perturbation::pgd(case.radius, case.step(), case.steps).unwrap();
    let clean = update(&Standard, &net, &batch, case);
    let perturbed = update(&Adversarial::new(pgd), &net, &batch, case);
    for share in [0.0, 0.25, 0.5, 0.99] {
        let method = Adversarial::new(pgd).with_clean_share(share).unwrap();
        let found = update(&method, &net, &batch, case);
        for ((found, clean), perturbed) in found.iter().zip(&clean).zip(&perturbed) {
            let share = share as f32;
            let mix = |(c, p): (&f32, &f32)| share * c + (1.0 - share) * p;
            let expected: Vec<f32> = clean.iter().zip(perturbed).map(mix).collect();
            let size = clean.iter().chain(perturbed).fold(0f32, |m, v| m.max(v.abs()));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-5 * size, "{found}, not {expected}");
            }
        }
    }
}

/// Every method built with these lengths, and what it costs.
fn of_lengths<M: Objective<4> + adv_core::Split<4> + Module>(
    radius: f64,
    step: f64,
    steps: usize,
) -> Vec<Box<dyn TrainingMethod<4, M>>> {
    let random = |perturbation: Perturbation, start| perturbation.with_start(start).unwrap();
    let pgd = Perturbation::pgd(radius, step, steps).unwrap();
    let l2 = Perturbation::pgd_l2(radius, step, steps).unwrap();
    let parts = YopoParts {
        passes: 2,
        inner_steps: steps,
        radius,
        step,
        range: Some(ValueRange::UNIT),
    };
    let pixels = pgd.with_range(ValueRange::UNIT, RangePolicy::EachStep);
    vec![
        Box::new(Standard),
        Box::new(Adversarial::new(random(pixels, Start::InBall))),
        Box::new(Adversarial::new(random(l2, Start::Gaussian { std: radius }))),
        Box::new(Adversarial::new(Perturbation::n_fgsm(radius, 2.0).unwrap())),
        Box::new(
            Adversarial::new(Perturbation::fgsm_rs(radius, step).unwrap())
                .with_clean_share(0.5)
                .unwrap(),
        ),
        Box::new(FreeAt::new(2, radius, None).unwrap().with_step(step).unwrap()),
        Box::new(FreeLb::new(random(l2, Start::LengthScaled { magnitude: radius }))),
        Box::new(Yopo::new(parts).unwrap()),
    ]
}

/// A method times a share is the method of the smaller radius, start and step; times 1 it is itself, and its cost stays.
pub fn scaling_a_method_scales_its_perturbation(rig: &Rig, case: &Case) {
    let net = TwoLayer::new(case.seed, case.side, 3, Shape::ReluThenCurved, &rig.device);
    let clean = toy::uniform(
        &mut case.rng(73),
        [case.batch, case.side, 1, 1],
        [0.0, 1.0],
        &rig.device,
    );
    let batch = Batch::new(clean, &());
    let (radius, step, steps) = (case.radius, case.step(), case.steps);
    let whole = of_lengths::<TwoLayer>(radius, step, steps);
    // A power of two, so that both ways round alike.
    for share in [0.25, 1.0] {
        let smaller = of_lengths::<TwoLayer>(share * radius, share * step, steps);
        for (index, (whole, smaller)) in whole.iter().zip(&smaller).enumerate() {
            let scaled = whole.scaled(share).unwrap();
            assert_eq!(scaled.expected_cost(), whole.expected_cost());
            assert_eq!(scaled.replays(), whole.replays());
            // Two updates, so that the step of FreeAT shows.
            let [found, expected] = [&scaled, smaller].map(|method| {
                let (carried, ledger) = (&mut Carried::default(), &mut Ledger::new());
                let mut rng = case.rng(74);
                let mut last = || method.gradients(&net, &batch, carried, &mut rng, ledger).unwrap();
                last();
                toy::gradients(&net, &last().gradients)
            });
            rig.agree
                .check_sets(&format!("method {index} times {share}"), &found, &expected);
        }
    }
}

/// No model of any method ever sees a masked place changed.
pub fn no_method_moves_what_is_masked(rig: &Rig, case: &Case) {
    let shape = [case.batch, case.side, 1, 1];
    let clean = toy::uniform(&mut case.rng(71), shape, [0.0, 1.0], &rig.device);
    let mask = case.mask(shape, rig);
    let hidden: Vec<bool> = toy::values(&mask).iter().map(|m| *m == 0.0).collect();
    let batch = Batch::new(clean.clone(), &()).with_mask(mask);
    let (radius, steps) = (case.radius, case.steps);
    let noisy = PerturbationSpec {
        ball: Ball::l2(radius),
        start: Start::InBall,
        rule: StepRule::UnitMax(adv_core::Axes::Sample),
        range: Some((ValueRange::UNIT, RangePolicy::EachStep)),
        ..*climbing(case).spec()
    };
    let noisy = noisy.check().unwrap();
    let yopo = Yopo::new(YopoParts {
        passes: 2,
        inner_steps: steps,
        radius,
        step: case.step(),
        range: Some(ValueRange::UNIT),
    });
    let methods: [&dyn TrainingMethod<4, Recorder<TwoLayer>>; 7] = [
        &Standard,
        &Adversarial::new(noisy).with_clean_share(0.5).unwrap(),
        &Noisy::new(noisy).with_clean_share(0.5).unwrap(),
        &Adversarial::new(Perturbation::fgsm_rs(radius, case.step()).unwrap()),
        &FreeLb::new(climbing(case)),
        &FreeAt::new(3, radius, Some(ValueRange::UNIT)).unwrap(),
        &yopo.unwrap(),
    ];
    let clean = toy::values(&clean);
    for (index, method) in methods.into_iter().enumerate() {
        let model = TwoLayer::new(case.seed, case.side, 3, Shape::ReluThenCurved, &rig.device);
        let model = Recorder::new(model);
        let (carried, ledger) = (&mut Carried::default(), &mut Ledger::new());
        for _ in 0..method.replays() {
            let rng = &mut case.rng(72);
            method.gradients(&model, &batch, carried, rng, ledger).unwrap();
        }
        let seen: Vec<_> = [model.seen.whole(), model.seen.first()].concat();
        assert!(!seen.is_empty());
        for input in seen {
            for ((seen, clean), hidden) in input.iter().zip(&clean).zip(&hidden) {
                assert!(!hidden || seen == clean, "method {index}");
            }
        }
    }
}
