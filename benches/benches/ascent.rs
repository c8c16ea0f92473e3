//! The ascent alone: PGD-7 with the network frozen, and the same loop with one whose parameters are tracked.
//!
//! Ids: `ascent/madry_cnn/frozen/b50`. What freezing saves are the weight gradients, which an ascent throws away.

use std::time::Duration;

use adv_bench::{BATCHES, NETS, Workload};
use adv_core::{AscentMode, Batch, Ledger, Passes, Perturbation, RangePolicy, Start, ValueRange};
use adv_models::{Architecture, ImageClassifier};
use burn::tensor::Tensor;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};

const STEPS: usize = 7;

/// An ascent: the perturbed batch.
type Climb = fn(&Perturbation, &ImageClassifier, &mut Workload, &mut Ledger) -> Tensor<4>;

fn main() {
    adv_run::memory::keep_freed_memory();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ascent");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    for net in NETS {
        for batch in BATCHES {
            let input_only = Passes {
                forwards: STEPS as u64,
                input_backwards: STEPS as u64,
                ..Passes::default()
            };
            let for_both = Passes {
                forwards: STEPS as u64,
                full_backwards: STEPS as u64,
                ..Passes::default()
            };
            bench(&mut group, net, batch, "frozen", frozen, input_only);
            bench(&mut group, net, batch, "unfrozen", unfrozen, for_both);
        }
    }
    group.finish();
    criterion.final_summary();
}

fn bench(
    group: &mut BenchmarkGroup<WallTime>,
    net: Architecture,
    batch: usize,
    name: &str,
    climb: Climb,
    expected: Passes,
) {
    let pgd = pgd();
    let mut work = None;
    group.bench_function(format!("{net}/{name}/b{batch}"), |bencher| {
        let work = work.get_or_insert_with(|| {
            let mut work = Workload::new(net, batch).expect("a network for MNIST");
            let mut ledger = Ledger::new();
            climb(&pgd, &work.model.clone(), &mut work, &mut ledger);
            assert_eq!(ledger.batch(), expected, "counted against theory");
            work
        });
        let model = work.model.clone();
        bencher.iter(|| climb(&pgd, &model, work, &mut Ledger::new()));
    });
}

fn pgd() -> Perturbation {
    const EPS: f64 = 0.3;
    let pgd = Perturbation::pgd(EPS, 2.5 * EPS / STEPS as f64, STEPS).expect("valid");
    pgd.with_start(Start::InBall)
        .expect("valid")
        .with_range(ValueRange::UNIT, RangePolicy::EachStep)
}

/// What training does.
fn frozen(
    pgd: &Perturbation,
    model: &ImageClassifier,
    work: &mut Workload,
    ledger: &mut Ledger,
) -> Tensor<4> {
    let frozen = AscentMode::Train.freeze(model);
    let batch = Batch::new(work.images.clone(), &work.labels);
    let ascent = pgd.ascend(&frozen, &batch, &mut work.noise, ledger);
    ascent.expect("an ascent").input
}

/// The same loop on the network itself.
fn unfrozen(
    pgd: &Perturbation,
    model: &ImageClassifier,
    work: &mut Workload,
    ledger: &mut Ledger,
) -> Tensor<4> {
    let batch = Batch::new(work.images.clone(), &work.labels);
    let mut delta = pgd.start(&batch, &mut work.noise);
    for _ in 0..STEPS {
        let input = batch.clean() + delta.clone();
        let pass = ledger.joint_gradients(model, input, &work.labels, 1.0);
        delta = pgd.step(&batch, delta, pass.expect("a pass").input, &mut None);
    }
    pgd.apply(&batch, delta)
}
