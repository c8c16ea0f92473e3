//! Laws of gradient arithmetic.

use super::toy::models::{Net, labels};
use super::toy::{self, close};
use super::{Case, Rig};
use adv_core::{Ledger, gradients};
use burn::optim::GradientsParams;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 3] = [
    ("clipping is global", clipping_is_global),
    ("sum and scale are linear", sum_and_scale_are_linear),
    ("a sum keeps what one side has", a_sum_keeps_what_one_side_has),
];

fn net(rig: &Rig, case: &Case) -> Net {
    Net::new(case.seed, case.side, 2, &rig.device)
}

/// The gradients of a clean pass of this scale. Each call computes them anew, since they cannot be copied.
fn fresh(rig: &Rig, case: &Case, model: &Net, scale: f64) -> GradientsParams {
    let labels = labels(case.batch, &rig.device);
    let pass = Ledger::new().weight_gradients(model, case.pixels(rig), &labels, scale);
    pass.unwrap().gradients
}

fn host_norm(sets: &[Vec<f32>]) -> f64 {
    let squares = sets.iter().flatten().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>().sqrt()
}

/// One factor for all tensors, so that the direction is kept and the norm over all is the bound; inside the bound no
/// bit changes.
pub fn clipping_is_global(rig: &Rig, case: &Case) {
    let model = net(rig, case);
    let before = toy::gradients(&model, &fresh(rig, case, &model, 1.0));
    let norm = host_norm(&before);
    assert!(norm > 0.0);
    let measured = gradients::global_norm(&fresh(rig, case, &model, 1.0), &model);
    assert!((measured / norm - 1.0).abs() < 1e-5, "{measured} {norm}");

    for share in [0.1, 0.9, 1.1] {
        let max = gradients::MaxNorm::new(share * norm).unwrap();
        let (clipped, found) = gradients::clip_global_norm(fresh(rig, case, &model, 1.0), &model, max);
        assert!((found / norm - 1.0).abs() < 1e-5, "{found} {norm}");
        let after = toy::gradients(&model, &clipped);
        if share > 1.0 {
            rig.agree.check_sets("inside", &after, &before);
            continue;
        }
        assert!((host_norm(&after) / (share * norm) - 1.0).abs() < 1e-5);
        for (after, before) in after.iter().zip(&before) {
            let expected: Vec<f32> = before.iter().map(|v| v * share as f32).collect();
            close("one factor", after, &expected, 1e-5);
        }
    }
}

/// `a * g + b * g = (a + b) * g`, and the gradients of a scaled loss are scaled gradients.
pub fn sum_and_scale_are_linear(rig: &Rig, case: &Case) {
    let model = net(rig, case);
    let scaled = |factor| gradients::scale(fresh(rig, case, &model, 1.0), &model, factor);
    let sum = gradients::sum(scaled(0.3), scaled(-1.5), &model);
    let found = toy::gradients(&model, &sum);
    for expected in [scaled(-1.2), fresh(rig, case, &model, -1.2)] {
        let expected = toy::gradients(&model, &expected);
        for (found, expected) in found.iter().zip(&expected) {
            close("linear", found, expected, 1e-4);
        }
    }
    let whole = toy::gradients(&model, &fresh(rig, case, &model, 1.0));
    let same = gradients::scale(fresh(rig, case, &model, 1.0), &model, 1.0);
    rig.agree
        .check_sets("scale by 1", &toy::gradients(&model, &same), &whole);
}

/// A parameter that only one of two sets holds keeps its gradient.
pub fn a_sum_keeps_what_one_side_has(rig: &Rig, case: &Case) {
    let model = net(rig, case);
    let whole = toy::gradients(&model, &fresh(rig, case, &model, 1.0));
    let part = || {
        let mut gradients = fresh(rig, case, &model, 1.0);
        gradients.remove::<2>(model.head.id).unwrap();
        gradients
    };
    let both = [
        gradients::sum(part(), fresh(rig, case, &model, 1.0), &model),
        gradients::sum(fresh(rig, case, &model, 1.0), part(), &model),
    ];
    for sum in both {
        let found = toy::gradients(&model, &sum);
        for (index, (found, whole)) in found.iter().zip(&whole).enumerate() {
            // Parameter 2 is the head: conv weight, conv bias, head, bias.
            let times = if index == 2 { 1.0 } else { 2.0 };
            let expected: Vec<f32> = whole.iter().map(|v| v * times).collect();
            rig.agree.check("sum", found, &expected);
        }
    }
    let with_nothing = gradients::sum(GradientsParams::new(), part(), &model);
    assert_eq!(toy::gradients(&model, &with_nothing)[2], Vec::<f32>::new());
}
