//! The ledger against theory, and against a model that counts for itself.

mod toy;

use adv_core::{
    Adversarial, AscentMode, Batch, Carried, FirstLayer, FreeAt, FreeLb, Ledger, Noisy, Objective, Passes,
    Perturbation, Phase, R3f, Smart, Standard, Start, TrainingMethod, ValueRange, Vat, VatParts, Yopo,
    YopoParts,
};
use burn::tensor::{Device, Int, Tensor};
use toy::models::{Net, labels};
use toy::probe::Probe;

const BATCH: usize = 3;
const SIDE: usize = 4;

fn probe() -> Probe {
    Probe::new(Net::new(1, SIDE, 2, &Device::flex()))
}

fn targets() -> Tensor<1, Int> {
    labels(BATCH, &Device::flex())
}

fn images() -> Tensor<4> {
    let rng = &mut toy::stream(1, 2);
    toy::uniform(rng, [BATCH, 1, SIDE, SIDE], [0.0, 1.0], &Device::flex())
}

/// One mini-batch with all its replays, as a training loop runs it.
fn run(method: &dyn TrainingMethod<4, Probe>, model: &Probe, ledger: &mut Ledger) {
    ledger.begin_batch(Phase::Training);
    let targets = targets();
    let batch = Batch::new(images(), &targets);
    let mut carried = Carried::default();
    for _ in 0..method.replays() {
        let rng = &mut toy::stream(1, 3);
        let update = method
            .gradients(model, &batch, &mut carried, rng, ledger)
            .unwrap();
        ledger.update(&update.gradients).unwrap();
    }
}

/// A method, what theory says that a mini-batch costs, and how many backwards enter the first layer.
type Row = (&'static str, Box<dyn TrainingMethod<4, Probe>>, Passes, u64);

fn rows() -> Vec<Row> {
    let adversarial = |perturbation| Box::new(Adversarial::new(perturbation));
    let (radius, step) = (0.3, 0.1);
    let pgd = Perturbation::pgd(radius, step, 7).unwrap();
    let half = Adversarial::new(pgd).with_clean_share(0.5).unwrap();
    let parts = YopoParts {
        passes: 2,
        inner_steps: 3,
        radius,
        step,
        range: Some(ValueRange::UNIT),
    };
    let yopo = Yopo::new(parts).unwrap();
    let noise = Start::Uniform { half_width: 0.1 };
    let vat = Vat::new(VatParts {
        radius,
        probe: 0.1,
        iterations: 2,
        weight: 1.0,
    });
    let vat = vat.unwrap();
    let one_step = passes(2, 1, 1, 0, 1);
    let start = Start::Direction { length: radius };
    let random = Perturbation::fgm(radius).unwrap().with_start(start).unwrap();
    vec![
        ("standard", Box::new(Standard), passes(1, 1, 0, 0, 1), 1),
        (
            "fgsm",
            adversarial(Perturbation::fgsm(radius).unwrap()),
            one_step,
            2,
        ),
        (
            "fgm",
            adversarial(Perturbation::fgm(radius).unwrap()),
            one_step,
            2,
        ),
        ("random", Box::new(Noisy::new(random)), passes(1, 1, 0, 0, 1), 1),
        (
            "random, half clean",
            Box::new(Noisy::new(random).with_clean_share(0.5).unwrap()),
            passes(2, 2, 0, 0, 1),
            2,
        ),
        (
            "fgsm-rs",
            adversarial(Perturbation::fgsm_rs(radius, 0.375).unwrap()),
            one_step,
            2,
        ),
        (
            "n-fgsm",
            adversarial(Perturbation::n_fgsm(radius, 2.0).unwrap()),
            one_step,
            2,
        ),
        ("pgd-7", adversarial(pgd), passes(8, 1, 7, 0, 1), 8),
        ("pgd-7, half clean", Box::new(half), passes(9, 2, 7, 0, 1), 9),
        (
            "free-3",
            Box::new(FreeAt::new(3, radius, Some(ValueRange::UNIT)).unwrap()),
            passes(3, 3, 0, 0, 3),
            3,
        ),
        // m (n + 1) first-layer passes; the full passes stop before the first layer.
        ("yopo-2-3", Box::new(yopo), passes(2, 2, 0, 8, 1), 8),
        (
            "yopo-2-3, code",
            Box::new(yopo.with_first_layer(FirstLayer::Code)),
            passes(2, 2, 0, 8, 1),
            10,
        ),
        (
            "freelb-3",
            Box::new(FreeLb::new(Perturbation::pgd_l2(radius, step, 3).unwrap())),
            passes(3, 3, 0, 0, 1),
            3,
        ),
        (
            "smart-2",
            Box::new(Smart::new(Perturbation::smart(0.01, 1.0, 2).unwrap(), 1.0).unwrap()),
            passes(4, 2, 2, 0, 1),
            4,
        ),
        (
            "r3f",
            Box::new(R3f::new(noise, 1.0).unwrap()),
            passes(2, 2, 0, 0, 1),
            2,
        ),
        ("vat-2", Box::new(vat), passes(4, 2, 2, 0, 1), 4),
        (
            "vat-2, no labels",
            Box::new(vat.unlabelled()),
            passes(4, 1, 2, 0, 1),
            3,
        ),
    ]
}

fn passes(forwards: u64, full: u64, input: u64, first: u64, updates: u64) -> Passes {
    Passes {
        forwards,
        full_backwards: full,
        input_backwards: input,
        first_forwards: first,
        first_backwards: first,
        updates,
    }
}

#[test]
fn what_is_counted_is_what_theory_says() {
    for (name, method, theory, _) in rows() {
        assert_eq!(method.expected_cost(), theory, "{name}: theory");
        let ledger = &mut Ledger::new();
        for batch in 1..=2 {
            run(method.as_ref(), &probe(), ledger);
            assert_eq!(ledger.batch(), theory, "{name}: mini-batch {batch}");
        }
        assert_eq!(ledger.total(Phase::Training), theory * 2, "{name}: all");
        assert_eq!(ledger.total(Phase::Evaluation), Passes::default(), "{name}");
    }
}

#[test]
fn the_model_counts_the_same_passes() {
    for (name, method, theory, into_first) in rows() {
        let (model, ledger) = (probe(), &mut Ledger::new());
        run(method.as_ref(), &model, ledger);
        let counts = &model.counts;
        assert_eq!(counts.rest_forwards.get(), theory.forwards, "{name}");
        let first_forwards = theory.forwards + theory.first_forwards;
        assert_eq!(counts.first_forwards.get(), first_forwards, "{name}");
        let backwards = theory.full_backwards + theory.input_backwards;
        assert_eq!(counts.from_loss.get(), backwards, "{name}");
        // Only full backwards make weight gradients: an ascent has none.
        assert_eq!(counts.into_head.get(), theory.full_backwards, "{name}");
        assert_eq!(counts.into_first.get(), into_first, "{name}");
    }
}

#[test]
fn input_gradients_are_made_where_they_are_used_only() {
    // All backwards that reach the input: the steps of the perturbation. FreeLB's last pass makes none.
    for (name, expected) in [
        ("standard", 0),
        ("pgd-7", 7),
        ("free-3", 3),
        ("freelb-3", 2),
        ("yopo-2-3", 6),
        ("yopo-2-3, code", 6),
    ] {
        let (_, method, _, _) = rows().into_iter().find(|row| row.0 == name).unwrap();
        let model = probe();
        run(method.as_ref(), &model, &mut Ledger::new());
        assert_eq!(model.counts.into_input.get(), expected, "{name}");
    }
}

#[test]
fn a_loss_over_two_forwards_counts_two() {
    for (name, method, theory, _) in rows() {
        // The cut of YOPO is through one forward.
        if name.starts_with("yopo") {
            continue;
        }
        let mut model = probe();
        model.forwards = 2;
        let ledger = &mut Ledger::new();
        run(method.as_ref(), &model, ledger);
        let doubled = Passes {
            updates: theory.updates,
            ..theory * 2
        };
        assert_eq!(ledger.batch(), doubled, "{name}");
        assert_eq!(model.counts.rest_forwards.get(), doubled.forwards, "{name}");
    }
}

#[test]
fn training_and_evaluation_have_accounts_of_their_own() {
    let model = probe();
    let targets = targets();
    let batch = Batch::new(images(), &targets);
    let ledger = &mut Ledger::new();
    run(&Standard, &model, ledger);
    let training = ledger.total(Phase::Training);

    ledger.begin_batch(Phase::Evaluation);
    let pgd = Perturbation::pgd(0.3, 0.1, 5).unwrap();
    let frozen = AscentMode::Eval.freeze(&model);
    let ascent = pgd
        .ascend(&frozen, &batch, &mut toy::stream(1, 4), ledger)
        .unwrap();
    ledger.forward(|| frozen.loss(ascent.input, &targets));
    let evaluation = passes(6, 0, 5, 0, 0);
    assert_eq!(ledger.batch(), evaluation);
    assert_eq!(ledger.total(Phase::Evaluation), evaluation);
    assert_eq!(ledger.total(Phase::Training), training);

    let mut resumed = Ledger::from_totals(training, evaluation);
    assert_eq!(resumed.batch(), Passes::default());
    run(&Standard, &model, &mut resumed);
    assert_eq!(resumed.total(Phase::Training), training * 2);
    assert_eq!(resumed.total(Phase::Evaluation), evaluation);
}

#[test]
fn first_layer_passes_weigh_their_share() {
    let (_, _, theory, _) = rows().into_iter().find(|row| row.0 == "yopo-2-3").unwrap();
    assert_eq!(theory.gradient_calls(0.0), 2.0);
    assert_eq!(theory.gradient_calls(0.25), 4.0);
    let (_, _, theory, _) = rows().into_iter().find(|row| row.0 == "pgd-7").unwrap();
    assert_eq!(theory.gradient_calls(0.25), 8.0);
}
