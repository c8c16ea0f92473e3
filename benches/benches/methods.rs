//! Gradient calls (exact) and time per mini-batch, for every method, two networks and two batch sizes.
//!
//! One iteration is one mini-batch: all passes, all updates. Ids: `wong_cnn/pgd-7/b50`. Part of one is a filter:
//! `cargo xtask bench -- madry_cnn/pgd`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adv_bench::{
    BATCHES, ImageStep, Method, NETS, SentenceStep, TextMethod, TextStep, Workload, lstm_methods, methods,
    sentence_methods, text_methods,
};
use adv_core::TrainingMethod;
use adv_models::Architecture;
use adv_models::text::TextModel;
use adv_run::result::PassCounts;
use criterion::{Criterion, SamplingMode};

fn main() {
    adv_run::memory::keep_freed_memory();
    let mut criterion = Criterion::default().configure_from_args();
    let methods = methods().expect("the runner's own numbers are valid");
    print_calls(&methods);
    for net in NETS {
        let mut group = criterion.benchmark_group(net.name());
        group
            .sampling_mode(SamplingMode::Flat)
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        for (label, method) in &methods {
            for batch in BATCHES {
                // Made when a filter lets the bench run, and kept: criterion calls the closure once a sample.
                let mut step = None;
                group.bench_function(format!("{label}/b{batch}"), |bencher| {
                    let step = step.get_or_insert_with(|| checked(net, method, batch));
                    bencher.iter(|| step.run().expect("a training step"));
                });
            }
        }
    }
    let rows = lstm_methods().expect("the runner's own numbers are valid");
    on_text(&mut criterion, "lstm", &rows, WORDS, &|method| {
        TextStep::on_lstm(method, WORDS).expect("an LSTM")
    });
    match std::env::var_os("ADV_MODEL_DIR") {
        Some(folder) => {
            let encoder = PathBuf::from(folder).join("all-MiniLM-L6-v2");
            let rows = text_methods().expect("the runner's own numbers are valid");
            on_text(&mut criterion, "minilm", &rows, SENTENCES, &|method| {
                TextStep::on_text(&encoder, method, SENTENCES).expect("an encoder")
            });
            on_sentences(&mut criterion, &encoder);
        }
        None => println!("text: skipped, set ADV_MODEL_DIR to a folder with all-MiniLM-L6-v2"),
    }
    criterion.final_summary();
}

/// 16 sentences of 32 tokens.
const SENTENCES: [usize; 2] = [16, 32];

/// 32 sentences of 25 tokens, the mean of movie reviews.
const WORDS: [usize; 2] = [32, 25];

/// The same for a sentence classifier. Ids: `minilm/freelb-3/b16`, `lstm/vat/b32`.
fn on_text(
    criterion: &mut Criterion,
    network: &str,
    methods: &[(&str, TextMethod)],
    shape: [usize; 2],
    make: &dyn for<'a> Fn(&'a dyn TrainingMethod<3, TextModel>) -> TextStep<'a>,
) {
    let mut group = criterion.benchmark_group(network);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(8));
    for (label, method) in methods {
        let mut step = None;
        group.bench_function(format!("{label}/b{}", shape[0]), |bencher| {
            let step = step.get_or_insert_with(|| {
                let mut step = make(method.as_ref());
                let counted = step.run().expect("a training step");
                assert_eq!(counted, method.expected_cost(), "counted against theory");
                step
            });
            bencher.iter(|| step.run().expect("a training step"));
        });
    }
}

/// The same for vectors of sentences. Ids: `minilm-vectors/uscal/b16`.
fn on_sentences(criterion: &mut Criterion, encoder: &Path) {
    let mut group = criterion.benchmark_group("minilm-vectors");
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(8));
    for row in &sentence_methods().expect("the runner's own numbers are valid") {
        let mut step = None;
        group.bench_function(format!("{}/b{}", row.label, SENTENCES[0]), |bencher| {
            let step = step.get_or_insert_with(|| {
                let made = SentenceStep::on_sentences(encoder, row, SENTENCES);
                let mut step = made.expect("an encoder");
                assert_eq!(
                    step.run().expect("a training step"),
                    row.cost,
                    "counted against theory"
                );
                step
            });
            bencher.iter(|| step.run().expect("a training step"));
        });
    }
}

/// A step whose count was held against theory.
fn checked(net: Architecture, method: &Method, batch: usize) -> ImageStep<'_> {
    let mut step = ImageStep::new(net, method, batch).expect("a network for MNIST");
    let counted = step.run().expect("a training step");
    assert_eq!(counted, method.expected_cost(), "counted against theory");
    step
}

/// What a mini-batch of each method costs. `checked` holds every row against the count before it is timed.
fn print_calls(methods: &[(&str, Method)]) {
    let share = |net| {
        let work = Workload::new(net, 1).expect("a network for MNIST");
        work.model.first_layer_share()
    };
    let shares = NETS.map(|net| (net.name(), share(net)));
    println!(
        "gradient calls per mini-batch, first-layer passes weighed by their share of the operations, and passes"
    );
    for (label, method) in methods {
        let cost = method.expected_cost();
        let calls = shares.map(|(net, share)| format!("{net} {:.3}", cost.gradient_calls(share)));
        let passes: Vec<String> = PassCounts::from(cost)
            .named()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{what} {count}"))
            .collect();
        println!("{label:10} {}: {}", calls.join(", "), passes.join(", "));
    }
    println!();
}
