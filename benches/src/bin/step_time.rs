//! Milliseconds per adversarial training step, as one JSON object: our side of `cargo xtask bench --peers`.
//!
//! The same steps as `benches/peers/step_time.py`, by the same names. An argument selects those that contain it, for a
//! profiler: `step_time madry_cnn/pgd7/b50`.

use std::error::Error;
use std::time::Duration;

use adv_bench::{BATCHES, ImageStep, Method, NETS, median_ms};
use adv_core::{Adversarial, ParamError, Perturbation, RangePolicy, Start, ValueRange};

const EPS: f64 = 0.3;
/// Time for each measurement.
const ENOUGH: Duration = Duration::from_secs(3);

type Recipe = fn() -> Result<Perturbation, ParamError>;

/// The methods by the names of the table.
const METHODS: [(&str, Recipe); 2] = [("pgd7", pgd7), ("fgsm-rs", fgsm_rs)];

fn pgd7() -> Result<Perturbation, ParamError> {
    let start = Start::Uniform { half_width: EPS };
    Ok(Perturbation::pgd(EPS, 0.1, 7)?
        .with_start(start)?
        .with_range(ValueRange::UNIT, RangePolicy::EachStep))
}

fn fgsm_rs() -> Result<Perturbation, ParamError> {
    Ok(Perturbation::fgsm_rs(EPS, 1.25 * EPS)?.with_range(ValueRange::UNIT, RangePolicy::Final))
}

fn main() -> Result<(), Box<dyn Error>> {
    adv_run::memory::keep_freed_memory();
    let filter = std::env::args().nth(1).unwrap_or_default();
    let mut times = serde_json::Map::new();
    for architecture in NETS {
        for (method, perturbation) in METHODS {
            for batch in BATCHES {
                let name = format!("{architecture}/{method}/b{batch}");
                if name.contains(&filter) {
                    let method: Method = Box::new(Adversarial::new(perturbation()?));
                    let mut step = ImageStep::new(architecture, &method, batch)?;
                    let ms = median_ms(ENOUGH, || step.run().map(drop))?;
                    eprintln!("{name}: {ms:.3} ms");
                    times.insert(name, ms.into());
                }
            }
        }
    }
    println!("{}", serde_json::Value::Object(times));
    Ok(())
}
