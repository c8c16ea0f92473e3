//! Milliseconds per training step of a sentence classifier, as one JSON object: our side of `cargo xtask bench --peers` on text.
//!
//! The same steps as `benches/peers/text_step_time.py`, by the same names. First argument: the folder of the encoder. A second one
//! selects the steps that contain it, for a profiler.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use adv_bench::{SentenceStep, TextStep, median_ms, sentence_methods};
use adv_core::{
    Adversarial, Axes, Ball, FreeLb, ParamError, Perturbation, PerturbationSpec, Standard, Start, StepRule,
    StepSize, TrainingMethod,
};
use adv_models::text::TextModel;

const BATCH: usize = 32;
const LENGTH: usize = 32;
/// Time for each measurement.
const ENOUGH: Duration = Duration::from_secs(8);

/// FreeLB's ascent, without a bound.
fn ascent() -> Result<Perturbation, ParamError> {
    PerturbationSpec {
        ball: Ball::Unbounded,
        start: Start::LengthScaled { magnitude: 0.2 },
        rule: StepRule::UnitL2(Axes::Sample),
        size: StepSize::Absolute(0.1),
        steps: 3,
        momentum: None,
        range: None,
    }
    .check()
}

fn main() -> Result<(), Box<dyn Error>> {
    adv_run::memory::keep_freed_memory();
    adv_run::memory::work_in_the_pool();
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("the folder of an encoder is missing")?);
    let filter = args.next().unwrap_or_default();
    let methods: [(&str, Box<dyn TrainingMethod<3, TextModel>>); 4] = [
        ("forward-backward", Box::new(Standard)),
        ("standard", Box::new(Standard)),
        ("pgd3", Box::new(Adversarial::new(ascent()?))),
        ("freelb3", Box::new(FreeLb::new(ascent()?))),
    ];
    let mut found = serde_json::Map::new();
    for (name, method) in &methods {
        let key = format!("minilm/{name}/b{BATCH}");
        if !key.contains(&filter) {
            continue;
        }
        let mut step = TextStep::on_text(&folder, method.as_ref(), [BATCH, LENGTH])?;
        let ms = median_ms(ENOUGH, || match *name {
            "forward-backward" => step.gradients(),
            _ => step.run().map(drop),
        })?;
        eprintln!("{key}: {ms:.3} ms");
        found.insert(key, ms.into());
    }
    let key = format!("minilm/simcse/b{BATCH}");
    if key.contains(&filter) {
        let rows = sentence_methods()?;
        let mut step = SentenceStep::on_sentences(&folder, &rows[0], [BATCH, LENGTH])?;
        let ms = median_ms(ENOUGH, || step.run().map(drop))?;
        eprintln!("{key}: {ms:.3} ms");
        found.insert(key, ms.into());
    }
    let peak = adv_run::memory::peak_mib();
    found.insert("adv's peak memory on text".into(), format!("{peak} MiB").into());
    println!("{}", serde_json::Value::Object(found));
    Ok(())
}
