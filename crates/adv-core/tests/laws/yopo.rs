//! Laws of YOPO.

use super::toy::models::{Net, Shape, TwoLayer, labels};
use super::toy::record::Recorder;
use super::toy::{self, Agree, close, values};
use super::train::update;
use super::{Case, Rig};
use adv_core::{
    Adversarial, AscentMode, Batch, FirstLayer, Ledger, PassReduction, Perturbation, RangePolicy, Standard,
    Start, ValueRange, Yopo, YopoParts,
};
use burn::tensor::Tensor;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 4] = [
    (
        "YOPO-1-n is PGD-n on an affine rest",
        yopo_is_pgd_on_an_affine_rest,
    ),
    ("n small steps are one large one", n_small_steps_are_one_large_one),
    (
        "YOPO at radius zero is the clean step",
        a_zero_radius_is_the_clean_step,
    ),
    (
        "the accountings differ in the first layer",
        the_accountings_differ_in_the_first_layer,
    ),
];

fn parts(case: &Case, passes: usize, inner_steps: usize) -> YopoParts {
    YopoParts {
        passes,
        inner_steps,
        radius: case.radius,
        step: case.step(),
        range: None,
    }
}

fn clean(rig: &Rig, case: &Case) -> Tensor<4> {
    let shape = [case.batch, 2 * case.side, 1, 1];
    toy::uniform(&mut case.rng(90), shape, [0.0, 1.0], &rig.device)
}

fn model(rig: &Rig, case: &Case, shape: Shape) -> Recorder<TwoLayer> {
    Recorder::new(TwoLayer::new(case.seed, 2 * case.side, 3, shape, &rig.device))
}

/// The last input that YOPO gives the first layer is the one with the final delta.
fn last_input(yopo: &Yopo, model: &Recorder<TwoLayer>, batch: &Batch<'_, 4, ()>, case: &Case) -> Vec<f32> {
    update(yopo, model, batch, case);
    model.seen.first().last().unwrap().clone()
}

/// Where the loss is affine in the first layer's output the co-state is the same everywhere, so YOPO-1-n ends at
/// PGD-n's perturbation, from the same start.
pub fn yopo_is_pgd_on_an_affine_rest(rig: &Rig, case: &Case) {
    let clean = clean(rig, case);
    let batch = Batch::new(clean.clone(), &());
    let uniform = Start::Uniform {
        half_width: case.radius,
    };
    // From zero also with a value range: a random start is clamped by PGD and not by YOPO.
    for (start, range) in [
        (uniform, None),
        (Start::Zero, None),
        (Start::Zero, Some(ValueRange::UNIT)),
    ] {
        let model = model(rig, case, Shape::ReluThenAffine);
        let parts = YopoParts {
            range,
            ..parts(case, 1, case.steps)
        };
        let yopo = Yopo::new(parts).unwrap().with_start(start).unwrap();
        let found = last_input(&yopo, &model, &batch, case);

        let pgd = Perturbation::pgd(case.radius, case.step(), case.steps).unwrap();
        let mut pgd = pgd.with_start(start).unwrap();
        if let Some(range) = range {
            pgd = pgd.with_range(range, RangePolicy::EachStep);
        }
        let frozen = AscentMode::Train.freeze(&model);
        let ascent = pgd
            .ascend(&frozen, &batch, &mut case.rng(70), &mut Ledger::new())
            .unwrap();
        close("final input", &found, &values(&ascent.input), 1e-6);
        assert_ne!(found, values(&clean));
    }
}

/// With an affine first layer and no value range, n sign steps sigma under Linf are one step n * sigma.
pub fn n_small_steps_are_one_large_one(rig: &Rig, case: &Case) {
    let clean = clean(rig, case);
    let batch = Batch::new(clean, &());
    for passes in [1, 2] {
        let small = Yopo::new(parts(case, passes, case.steps)).unwrap();
        let large = YopoParts {
            step: case.steps as f64 * case.step(),
            ..parts(case, passes, 1)
        };
        let large = Yopo::new(large).unwrap();
        let model = model(rig, case, Shape::AffineThenCurved);
        let [small, large] = [small, large].map(|yopo| last_input(&yopo, &model, &batch, case));
        close("final input", &small, &large, 2e-6);
    }
}

/// With radius zero, the paper's accounting is the clean step: the first layer's gradient goes through the cut.
pub fn a_zero_radius_is_the_clean_step(rig: &Rig, case: &Case) {
    let net = Net::new(case.seed, case.side, 2, &rig.device);
    let labels = labels(case.batch, &rig.device);
    let batch = Batch::new(case.pixels(rig), &labels);
    let clean = update(&Standard, &net, &batch, case);
    for (passes, range) in [(1, None), (2, Some(ValueRange::UNIT))] {
        let parts = YopoParts {
            radius: 0.0,
            range,
            ..parts(case, passes, case.steps)
        };
        let yopo = Yopo::new(parts).unwrap().with_reduction(PassReduction::Mean);
        let found = update(&yopo, &net, &batch, case);
        rig.agree.check_sets("YOPO", &found, &clean);
    }
}

/// "Code" adds the ordinary gradients of the full passes to the first layer, and changes nothing else; the mean is
/// the sum over m.
pub fn the_accountings_differ_in_the_first_layer(rig: &Rig, case: &Case) {
    let batch = Batch::new(clean(rig, case), &());
    let model = model(rig, case, Shape::ReluThenCurved);
    let paper = Yopo::new(parts(case, 1, case.steps)).unwrap();
    let code = paper.with_first_layer(FirstLayer::Code);
    let found = update(&code, &model, &batch, case);
    let paper_gradients = update(&paper, &model, &batch, case);
    // The full pass of YOPO-1-n is at the start, where a noise-only ascent stays.
    let still = Perturbation::pgd(case.radius, 0.0, 1).unwrap();
    let still = still.with_start(Start::Uniform {
        half_width: case.radius,
    });
    let full = update(&Adversarial::new(still.unwrap()), &model, &batch, case);
    // Parameters: w1, b1 of the first layer, then w2.
    for (index, ((code, paper), full)) in found.iter().zip(&paper_gradients).zip(&full).enumerate() {
        let extra = if index < 2 { 1.0 } else { 0.0 };
        let expected: Vec<f32> = paper.iter().zip(full).map(|(p, f)| p + extra * f).collect();
        let agree = if index < 2 { Agree::Closely } else { rig.agree };
        agree.check(&format!("parameter {index}"), code, &expected);
    }

    let sum = Yopo::new(parts(case, 4, 1)).unwrap();
    let mean = sum.with_reduction(PassReduction::Mean);
    let sum = update(&sum, &model, &batch, case);
    let mean = update(&mean, &model, &batch, case);
    for (sum, mean) in sum.iter().zip(&mean) {
        let quarter: Vec<f32> = sum.iter().map(|v| v * 0.25).collect();
        rig.agree.check("mean", mean, &quarter);
    }
}
