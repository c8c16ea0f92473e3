//! Laws of FreeAT.

use super::toy::models::{Net, labels};
use super::toy::record::Recorder;
use super::toy::{self, values};
use super::train::update;
use super::{Case, Rig};
use adv_core::{Batch, Carried, FreeAt, Ledger, Standard, TrainingMethod, ValueRange};
use burn::tensor::Tensor;

/// The laws of this file.
pub const LAWS: [(&str, super::Law); 3] = [
    ("FreeAT trains at the old delta", free_at_trains_at_the_old_delta),
    ("FreeAT's delta survives the batch", the_delta_survives_the_batch),
    (
        "FreeAT keeps the slots of a short batch",
        a_short_batch_uses_the_first_slots,
    ),
];

type Method<'a> = &'a dyn TrainingMethod<4, Recorder<Net>>;

/// Runs one replay and says what is carried afterwards.
fn replay(
    method: Method<'_>,
    model: &Recorder<Net>,
    batch: &Batch<'_, 4, <Net as adv_core::Objective<4>>::Targets>,
    carried: &mut Carried<4>,
    case: &Case,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let ledger = &mut Ledger::new();
    let update = method.gradients(model, batch, carried, &mut case.rng(80), ledger);
    let gradients = toy::gradients(model, &update.unwrap().gradients);
    (gradients, values(carried.delta.as_ref().unwrap()))
}

fn recorder(rig: &Rig, case: &Case) -> Recorder<Net> {
    Recorder::new(Net::new(case.seed, case.side, 2, &rig.device))
}

/// The weights move with the gradient at the perturbation before the step; the first is zero.
pub fn free_at_trains_at_the_old_delta(rig: &Rig, case: &Case) {
    let model = recorder(rig, case);
    let labels = labels(case.batch, &rig.device);
    let clean = case.pixels(rig);
    let batch = Batch::new(clean.clone(), &labels);
    let method = FreeAt::new(3, case.radius, Some(ValueRange::UNIT)).unwrap();
    let method: Method<'_> = &method;
    assert_eq!(method.replays(), 3);
    let carried = &mut Carried::default();
    let mut old = vec![0.0; values(&clean).len()];
    for _ in 0..method.replays() {
        let (gradients, new) = replay(method, &model, &batch, carried, case);
        let delta = toy::tensor(old, clean.dims(), &rig.device);
        let input = ValueRange::UNIT.clamp(clean.clone() + delta);
        assert_eq!(model.seen.whole().last(), Some(&values(&input)));
        let expected = update(&Standard, &model, &Batch::new(input, &labels), case);
        rig.agree.check_sets("old delta", &gradients, &expected);
        assert!(new.iter().all(|v| f64::from(v.abs()) <= case.radius * 1.000001));
        assert!(new.iter().any(|v| *v != 0.0));
        old = new;
    }
}

/// The next mini-batch begins where the last one ended, slot by slot.
pub fn the_delta_survives_the_batch(rig: &Rig, case: &Case) {
    let model = recorder(rig, case);
    let labels = labels(case.batch, &rig.device);
    let method = FreeAt::new(1, case.radius, None).unwrap();
    let carried = &mut Carried::default();
    let first = case.pixels(rig);
    let (_, left) = replay(
        &method,
        &model,
        &Batch::new(first.clone(), &labels),
        carried,
        case,
    );
    let second = toy::uniform(&mut case.rng(81), first.dims(), [0.0, 1.0], &rig.device);
    replay(
        &method,
        &model,
        &Batch::new(second.clone(), &labels),
        carried,
        case,
    );
    let expected = second + toy::tensor(left, first.dims(), &rig.device);
    assert_eq!(model.seen.whole().last(), Some(&values(&expected)));
}

/// A batch with fewer samples uses and moves the first slots and keeps the rest; a larger one adds slots at zero.
pub fn a_short_batch_uses_the_first_slots(rig: &Rig, case: &Case) {
    let model = recorder(rig, case);
    // Small steps, so that the ball never holds a slot where it is.
    let method = FreeAt::new(1, case.radius, None).unwrap();
    let method = method.with_step(case.radius / 8.0).unwrap();
    let carried = &mut Carried::default();
    let entries = case.side * case.side;
    let mut slots = Vec::new();
    for samples in [3, 2, 1, 5] {
        let shape = [samples, 1, case.side, case.side];
        let labels = labels(samples, &rig.device);
        let clean: Tensor<4> = toy::uniform(&mut case.rng(82), shape, [0.0, 1.0], &rig.device);
        let (_, left) = replay(
            &method,
            &model,
            &Batch::new(clean.clone(), &labels),
            carried,
            case,
        );

        let used = samples * entries;
        slots.resize(slots.len().max(used), 0.0);
        let expected = clean + toy::tensor(slots[..used].to_vec(), shape, &rig.device);
        assert_eq!(
            model.seen.whole().last(),
            Some(&values(&expected)),
            "{samples} samples"
        );
        assert_eq!(left.len(), slots.len(), "{samples} samples");
        assert_eq!(left[used..], slots[used..], "the rest is kept");
        assert_ne!(left[..used], slots[..used], "the first slots moved");
        slots = left;
    }
}
