//! Laws of the ascent.

use super::toy::models::{CLASSES, Linear, Net, Quadratic, labels};
use super::toy::record::Recorder;
use super::toy::{self, close, values};
use super::{AXES, Case, RANGES, Rig};
use adv_core::{
    AscentMode, Axes, Ball, Batch, Ledger, Norm, Objective, Perturbation, PerturbationSpec, RangePolicy,
    Start, StepRule, StepSize, ValueRange, norms,
};
use burn::module::Module;
use burn::tensor::Tensor;
use rand_chacha::rand_core::Rng;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 10] = [
    ("FGSM is one step of PGD", fgsm_is_one_step_of_pgd),
    ("delta is zero outside the mask", delta_is_zero_outside_the_mask),
    (
        "delta is inside the ball after a step",
        delta_is_inside_the_ball_after_a_step,
    ),
    (
        "a zero gradient gives a zero step",
        a_zero_gradient_gives_a_zero_step,
    ),
    ("what is masked has no influence", what_is_masked_has_no_influence),
    (
        "ascent never lowers a linear objective",
        ascent_never_lowers_a_linear_objective,
    ),
    (
        "the margin drops by the dual norm",
        the_margin_drops_by_the_dual_norm,
    ),
    ("the value range is respected", the_value_range_is_respected),
    ("MI-FGSM without decay is PGD", mi_fgsm_without_decay_is_pgd),
    (
        "gradients are those of the closed form",
        gradients_are_those_of_the_closed_form,
    ),
];

/// All rules over all axes.
pub fn rules() -> Vec<StepRule> {
    let unit = AXES
        .into_iter()
        .flat_map(|axes| [StepRule::UnitL2(axes), StepRule::UnitMax(axes)]);
    [StepRule::Raw, StepRule::Sign].into_iter().chain(unit).collect()
}

/// Some of the perturbations of a case: every ball, start and rule comes up over the cases.
pub fn some_perturbations(case: &Case, count: usize) -> Vec<Perturbation> {
    let rng = &mut case.rng(40);
    let mut pick = |among: usize| rng.next_u32() as usize % among;
    let one = |_| {
        let balls = case.balls();
        let ball = balls[pick(balls.len())];
        let starts = case.starts(&ball);
        let start = starts[pick(starts.len())];
        let rules = rules();
        let spec = PerturbationSpec {
            ball,
            start,
            rule: rules[pick(rules.len())],
            size: StepSize::Absolute(case.step()),
            steps: case.steps,
            momentum: [None, Some(0.9)][pick(2)],
            range: RANGES[pick(RANGES.len())],
        };
        spec.check().unwrap()
    };
    (0..count).map(one).collect()
}

/// A quadratic with its minimum beside the data, so that no gradient is zero.
fn quadratic<const D: usize>(case: &Case, rig: &Rig, mut shape: [usize; D]) -> Quadratic<D> {
    shape[0] = 1;
    let a = toy::uniform(&mut case.rng(41), shape, [0.5, 2.0], &rig.device);
    let center = toy::normal(&mut case.rng(42), shape, 1.0, &rig.device);
    Quadratic::new(a, center)
}

/// A linear objective with weights and coefficients of both signs.
fn linear<const D: usize>(case: &Case, rig: &Rig, mut shape: [usize; D]) -> (Linear<D>, Tensor<2>) {
    let signs = toy::uniform(&mut case.rng(43), [shape[0], 1], [-1.0, 1.0], &rig.device).sign();
    shape[0] = 1;
    let w = toy::normal(&mut case.rng(44), shape, 1.0, &rig.device);
    (Linear::new(w), signs)
}

/// FGSM(eps) = PGD(1 step of eps, zero start) = clean + eps * sign(gradient), bit for bit.
pub fn fgsm_is_one_step_of_pgd(rig: &Rig, case: &Case) {
    let net = AscentMode::Eval.freeze(&Net::new(case.seed, case.side, 2, &rig.device));
    let labels = labels(case.batch, &rig.device);
    let clean = case.pixels(rig);
    let batch = Batch::new(clean.clone(), &labels);
    let ledger = &mut Ledger::new();
    let pass = ledger.input_gradient(&net, clean.clone(), &labels).unwrap();
    let by_hand = clean + pass.gradient.sign().mul_scalar(case.radius);

    for range in RANGES {
        let parts = PerturbationSpec {
            ball: Ball::linf(case.radius),
            start: Start::Zero,
            rule: StepRule::Sign,
            size: StepSize::RelativeToRadius(1.0),
            steps: 1,
            momentum: None,
            range,
        };
        let mut fgsm = Perturbation::fgsm(case.radius).unwrap();
        if let Some((range, policy)) = range {
            fgsm = fgsm.with_range(range, policy);
        }
        let fgsm = fgsm.ascend(&net, &batch, &mut case.rng(45), ledger).unwrap();
        let pgd = parts.check().unwrap();
        let pgd = pgd.ascend(&net, &batch, &mut case.rng(46), ledger).unwrap();
        rig.agree
            .check("delta", &values(&fgsm.delta), &values(&pgd.delta));
        rig.agree
            .check("input", &values(&fgsm.input), &values(&pgd.input));
        let expected = match range {
            Some((range, _)) => range.clamp(by_hand.clone()),
            None => by_hand.clone(),
        };
        close("by hand", &values(&pgd.input), &values(&expected), 1e-6);
    }
}

fn check_masked<const D: usize, M: Objective<D> + Module>(
    rig: &Rig,
    case: &Case,
    model: &M,
    clean: Tensor<D>,
    targets: &M::Targets,
) {
    let mask = case.mask(clean.dims(), rig);
    let outside = |t: &Tensor<D>| values(&(t.clone() * (mask.clone().neg() + 1.0)));
    let batch = Batch::new(clean.clone(), targets).with_mask(mask.clone());
    let model = AscentMode::Train.freeze(model);
    for perturbation in some_perturbations(case, 6) {
        let start = perturbation.start(&batch, &mut case.rng(47));
        assert!(outside(&start).iter().all(|v| *v == 0.0), "{perturbation:?}");
        let ledger = &mut Ledger::new();
        let ascent = perturbation
            .ascend(&model, &batch, &mut case.rng(47), ledger)
            .unwrap();
        assert!(
            outside(&ascent.delta).iter().all(|v| *v == 0.0),
            "{perturbation:?}"
        );
        assert_eq!(outside(&ascent.input), outside(&clean), "{perturbation:?}");
        if perturbation.range().is_none() {
            assert!(
                values(&ascent.delta).iter().any(|v| *v != 0.0) || values(&mask).iter().all(|v| *v == 0.0)
            );
        }
    }
}

/// The perturbation is zero outside its mask: at the start and at the end, for all starts, rules and balls, in rank 3
/// and rank 4, and also where the clean value lies outside the value range.
pub fn delta_is_zero_outside_the_mask(rig: &Rig, case: &Case) {
    let images = case.image_shape();
    check_masked(rig, case, &quadratic(case, rig, images), case.pixels(rig), &());
    let texts = case.text_shape();
    let (model, signs) = linear(case, rig, texts);
    let clean = toy::uniform(&mut case.rng(48), texts, [0.0, 1.0], &rig.device);
    check_masked(rig, case, &model, clean, &signs);

    // A step with a value range must not pull a masked entry into the range.
    let wild = toy::normal(&mut case.rng(49), texts, 2.0, &rig.device);
    let mask = case.mask(texts, rig);
    let batch = Batch::new(wild.clone(), &signs).with_mask(mask.clone());
    let pgd = Perturbation::pgd(case.radius, case.step(), 1).unwrap();
    let pgd = pgd.with_range(ValueRange::UNIT, RangePolicy::EachStep);
    let start = pgd.start(&batch, &mut case.rng(50));
    let delta = pgd.step(&batch, start, wild, &mut None);
    let outside = values(&(delta * (mask.neg() + 1.0)));
    assert!(outside.iter().all(|v| *v == 0.0));
}

/// After every projected update the perturbation is inside its ball, wherever it started.
pub fn delta_is_inside_the_ball_after_a_step(rig: &Rig, case: &Case) {
    let clean = case.pixels(rig);
    let batch = Batch::new(clean.clone(), &());
    for perturbation in some_perturbations(case, 6) {
        let Ball::Bounded { norm, radius, axes } = perturbation.spec().ball else {
            continue;
        };
        let mut delta = perturbation.start(&batch, &mut case.rng(51));
        let mut momentum = None;
        let rng = &mut case.rng(52);
        for _ in 0..case.steps {
            let gradient = toy::normal(rng, clean.dims(), 1.0, &rig.device);
            delta = perturbation.step(&batch, delta, gradient, &mut momentum);
            for length in values(&norms(delta.clone(), norm, axes)) {
                let length = f64::from(length);
                // Adding a pixel and taking it away again rounds by up to half an ulp of 1 for each entry.
                let slack = 1e-6 * values(&delta).len() as f64;
                assert!(length <= radius * 1.00001 + slack, "{length}: {perturbation:?}");
            }
        }
    }
}

/// A zero gradient moves nothing under any rule, with or without momentum, and leaves no NaN.
pub fn a_zero_gradient_gives_a_zero_step(rig: &Rig, case: &Case) {
    let clean = case.pixels(rig);
    let batch = Batch::new(clean.clone(), &());
    for rule in rules() {
        for momentum in [None, Some(0.0), Some(0.9)] {
            let spec = PerturbationSpec {
                ball: Ball::Unbounded,
                start: Start::Uniform {
                    half_width: case.radius,
                },
                rule,
                size: StepSize::Absolute(case.step()),
                steps: case.steps,
                momentum,
                range: None,
            };
            let perturbation = spec.check().unwrap();
            let start = perturbation.start(&batch, &mut case.rng(53));
            let mut carried = None;
            let mut delta = start.clone();
            for _ in 0..2 {
                delta = perturbation.step(&batch, delta, clean.zeros_like(), &mut carried);
            }
            assert_eq!(values(&delta), values(&start), "{rule:?} {momentum:?}");
        }
    }
    // Through a whole ascent: at the minimum of a quadratic.
    let model = Quadratic::new(clean.ones_like(), clean.clone());
    for rule in rules() {
        let spec = PerturbationSpec {
            rule,
            ..*Perturbation::pgd(case.radius, case.step(), case.steps)
                .unwrap()
                .spec()
        };
        let ascent = spec.check().unwrap();
        let ascent = ascent
            .ascend(
                &AscentMode::Eval.freeze(&model),
                &batch,
                &mut case.rng(54),
                &mut Ledger::new(),
            )
            .unwrap();
        assert!(values(&ascent.delta).iter().all(|v| *v == 0.0), "{rule:?}");
    }
}

/// Gradients at masked places change nothing: neither a norm nor the mean that momentum divides by.
pub fn what_is_masked_has_no_influence(rig: &Rig, case: &Case) {
    let clean = case.pixels(rig);
    let mask = case.mask(clean.dims(), rig);
    let batch = Batch::new(clean.clone(), &()).with_mask(mask.clone());
    for rule in rules() {
        for momentum in [None, Some(0.9)] {
            let spec = PerturbationSpec {
                rule,
                momentum,
                ..*Perturbation::pgd(case.radius, case.step(), 2).unwrap().spec()
            };
            let perturbation = spec.check().unwrap();
            let climb = |visible: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let rng = &mut case.rng(55);
                let mut delta = clean.zeros_like();
                let mut carried = None;
                for scale in [1.0, 5.0] {
                    // The masked places have gradients of another size in the second step.
                    let gradient = toy::normal(rng, clean.dims(), 1.0, &rig.device);
                    let hidden = gradient.clone() * (mask.clone().neg() + 1.0);
                    let gradient = gradient.clone() + hidden.mul_scalar(scale);
                    delta = perturbation.step(&batch, delta, visible(gradient), &mut carried);
                }
                values(&delta)
            };
            let all = climb(&|gradient| gradient);
            let masked = climb(&|gradient| gradient * mask.clone());
            rig.agree.check(&format!("{rule:?} {momentum:?}"), &all, &masked);
        }
    }
}

fn check_monotone<const D: usize>(rig: &Rig, case: &Case, clean: Tensor<D>, ball: Ball, rule: StepRule) {
    let (model, signs) = linear(case, rig, clean.dims());
    let frozen = AscentMode::Eval.freeze(&model);
    let batch = Batch::new(clean.clone(), &signs).with_mask(case.mask(clean.dims(), rig));
    let spec = PerturbationSpec {
        ball,
        rule,
        ..*Perturbation::pgd(case.radius, case.step(), case.steps)
            .unwrap()
            .spec()
    };
    let noise = toy::normal(&mut case.rng(56), clean.dims(), 1.0, &rig.device);
    let start = batch.masked(ball.project(noise));
    let ledger = &mut Ledger::new();
    let ascent = spec.check().unwrap();
    let ascent = ascent.ascend_from(&frozen, &batch, start, ledger).unwrap();
    let last = ledger.input_gradient(&frozen, ascent.input, &signs).unwrap().loss;
    let losses: Vec<f64> = ascent.losses.into_iter().chain([last]).collect();
    let size = values(&(clean * model.w.val().inner()))
        .iter()
        .map(|v| f64::from(v.abs()))
        .sum::<f64>();
    for pair in losses.windows(2) {
        assert!(
            pair[1] >= pair[0] - 1e-6 * (1.0 + size),
            "{ball:?} {rule:?}: {losses:?}"
        );
    }
}

/// From a feasible start, with the rule dual to the ball, no step lowers a linear objective, whatever its size.
pub fn ascent_never_lowers_a_linear_objective(rig: &Rig, case: &Case) {
    let images = case.pixels(rig);
    let texts = toy::normal(&mut case.rng(57), case.text_shape(), 1.0, &rig.device);
    for axes in AXES {
        for (norm, rule) in [(Norm::Linf, StepRule::Sign), (Norm::L2, StepRule::UnitL2(axes))] {
            let radius = case.radius;
            let ball = Ball::Bounded { norm, radius, axes };
            check_monotone(rig, case, images.clone(), ball, rule);
            check_monotone(rig, case, texts.clone(), ball, rule);
        }
    }
}

/// The margin of a linear model drops by eps * |w|_1 under Linf and eps * |w|_2 under L2, in one step or in K.
pub fn the_margin_drops_by_the_dual_norm(rig: &Rig, case: &Case) {
    let texts = case.text_shape();
    let (model, signs) = linear(case, rig, texts);
    let frozen = AscentMode::Eval.freeze(&model);
    let clean = toy::normal(&mut case.rng(58), texts, 1.0, &rig.device);
    let batch = Batch::new(clean, &signs);
    let w: Vec<f64> = values(&model.w.val()).into_iter().map(f64::from).collect();
    let l1: f64 = w.iter().map(|v| v.abs()).sum();
    let l2 = w.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (radius, steps) = (case.radius, case.steps);
    let small = 1.01 * radius / steps as f64;
    for (perturbation, drop) in [
        (Perturbation::fgsm(radius), l1),
        (Perturbation::pgd(radius, small, steps), l1),
        (Perturbation::fgm(radius), l2),
        (Perturbation::pgd_l2(radius, small, steps), l2),
    ] {
        let ascent = perturbation.unwrap();
        let ascent = ascent
            .ascend(&frozen, &batch, &mut case.rng(59), &mut Ledger::new())
            .unwrap();
        let signs = values(&signs);
        for (delta, sign) in values(&ascent.delta).chunks(w.len()).zip(signs) {
            // The loss of a sample is sign * <w, x>; it rises by what the margin -sign * <w, x> drops.
            let rise: f64 = delta.iter().zip(&w).map(|(d, w)| f64::from(*d) * w).sum();
            let found = rise * f64::from(sign) / radius;
            assert!((found / drop - 1.0).abs() < 1e-5, "{found}, not {drop}");
        }
    }
}

/// The resulting input is always legal; where each step is clamped, so is every input that the model sees.
pub fn the_value_range_is_respected(rig: &Rig, case: &Case) {
    let shape = case.image_shape();
    let model = Recorder::new(quadratic(case, rig, shape));
    let batch = Batch::new(case.pixels(rig), &());
    for perturbation in some_perturbations(case, 6) {
        for policy in [RangePolicy::EachStep, RangePolicy::Final] {
            let perturbation = perturbation.with_range(ValueRange::UNIT, policy);
            let before = model.seen.whole().len();
            let ascent = perturbation
                .ascend(
                    &AscentMode::Train.freeze(&model),
                    &batch,
                    &mut case.rng(60),
                    &mut Ledger::new(),
                )
                .unwrap();
            let legal = |input: &[f32]| input.iter().all(|v| (0.0..=1.0).contains(v));
            assert!(legal(&values(&ascent.input)), "{perturbation:?}");
            if policy == RangePolicy::EachStep {
                let seen = &model.seen.whole()[before..];
                assert_eq!(seen.len(), case.steps);
                assert!(seen.iter().all(|input| legal(input)), "{perturbation:?}");
            }
        }
    }
}

/// MI-FGSM with decay 0 = PGD, bit for bit.
pub fn mi_fgsm_without_decay_is_pgd(rig: &Rig, case: &Case) {
    let net = AscentMode::Eval.freeze(&Net::new(case.seed, case.side, 2, &rig.device));
    let labels = labels(case.batch, &rig.device);
    assert!(
        values(&labels.clone().float())
            .iter()
            .all(|label| *label < CLASSES as f32)
    );
    let batch = Batch::new(case.pixels(rig), &labels);
    let mi = Perturbation::mi_fgsm(case.radius, case.step(), case.steps, 0.0).unwrap();
    let pgd = Perturbation::pgd(case.radius, case.step(), case.steps).unwrap();
    let [mi, pgd] = [mi, pgd].map(|perturbation| {
        let ascent = perturbation.ascend(&net, &batch, &mut case.rng(61), &mut Ledger::new());
        values(&ascent.unwrap().delta)
    });
    rig.agree.check("delta", &mi, &pgd);
}

/// The ledger hands out the gradients that can be computed by hand.
pub fn gradients_are_those_of_the_closed_form(rig: &Rig, case: &Case) {
    let ledger = &mut Ledger::new();
    let samples = case.batch as f64;

    let shape = case.image_shape();
    let model = quadratic(case, rig, shape);
    let clean = case.pixels(rig);
    let by_hand = (clean.clone() - model.center.val().inner()) * model.a.val().inner();
    let found = ledger.input_gradient(&model, clean, &()).unwrap().gradient;
    close(
        "quadratic",
        &values(&found),
        &values(&by_hand.div_scalar(samples)),
        1e-5,
    );

    let shape = case.text_shape();
    let (model, signs) = linear(case, rig, shape);
    let clean = toy::normal(&mut case.rng(62), shape, 1.0, &rig.device);
    let pass = ledger
        .joint_gradients(&model, clean.clone(), &signs, 0.5)
        .unwrap();
    let signs = signs.reshape([shape[0], 1, 1]);
    let input = (signs.clone() * model.w.val().inner()).div_scalar(2.0 * samples);
    close("input", &values(&pass.input), &values(&input), 1e-5);
    let weights = (signs * clean).sum_dim(0).div_scalar(2.0 * samples);
    let found = toy::gradients(&model, &pass.gradients);
    close("weights", &found[0], &values(&weights), 1e-5);
    assert_eq!(Axes::default(), Axes::Sample);
}
