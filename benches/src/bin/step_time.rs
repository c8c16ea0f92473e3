//! Milliseconds per adversarial training step, as one JSON object: our side of `cargo xtask bench --peers`.
//!
//! The same steps as `benches/peers/step_time.py`, by the same names. An argument selects those that contain it, for a
//! profiler: `step_time madry_cnn/pgd7/b50`.

use std::error::Error;
use std::time::{Duration, Instant};

use adv_bench::{BATCHES, Method, NETS, TrainingStep};
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
                    let ms = median_ms(TrainingStep::new(architecture, &method, batch)?)?;
                    eprintln!("{name}: {ms:.3} ms");
                    times.insert(name, ms.into());
                }
            }
        }
    }
    println!("{}", serde_json::Value::Object(times));
    Ok(())
}

/// Median over as many steps as fit, at least five, after two for warming up.
fn median_ms(mut step: TrainingStep<'_>) -> Result<f64, Box<dyn Error>> {
    for _ in 0..2 {
        step.run()?;
    }
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || begin.elapsed() < ENOUGH {
        let begin = Instant::now();
        step.run()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    Ok(if times.len() % 2 == 1 {
        times[middle]
    } else {
        (times[middle - 1] + times[middle]) / 2.0
    })
}
