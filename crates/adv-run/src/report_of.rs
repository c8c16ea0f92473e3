//! From results to the pages of [`crate::report`].

use crate::attack::{AttackReport, predictions};
use crate::image::Finished;
use crate::report::{
    AttackResult, Chart, Curve, GradientRow, Image, ImageRow, Ledger, LedgerRow, Proportion, RunReport, Unit,
    render_run,
};
use crate::result::RunResult;
use crate::spec::ImageSpec;
use crate::trainer::History;
use adv_core::Phase;
use adv_data::ImageSet;
use adv_models::{ImageClassifier, Labels};
use anyhow::Result;
use burn::tensor::Device;

/// Images shown in a report.
const SHOWN: usize = 8;

/// The page of one run.
pub fn run(
    spec: &ImageSpec,
    done: &Finished,
    history: &History,
    command: &str,
    device: &Device,
) -> Result<String> {
    let result = &done.result;
    let share = |value: f64, n: usize| Proportion::new((value * n as f64).round() as u64, n as u64);
    let mut attacks = vec![AttackResult {
        name: "clean".into(),
        detail: format!("all {} test images", result.clean_n),
        accuracy: share(result.clean_accuracy.unwrap_or(0.0), result.clean_n)?,
    }];
    for attack in &done.attacks {
        attacks.push(AttackResult {
            name: attack.name.to_string(),
            detail: describe(attack),
            accuracy: share(attack.accuracy(), attack.success.len())?,
        });
    }
    let curve = |name: &str, points: &[(f64, f64)]| Curve {
        name: name.into(),
        points: points.to_vec(),
    };
    let report = RunReport {
        title: format!("{} on {}", spec.training.method.name, spec.dataset),
        subtitle: format!(
            "{}, seed {}, device {}, {} epochs",
            spec.model, spec.training.seed, spec.training.device, result.epochs
        ),
        checkpoint: "last".into(),
        warnings: result.warnings.clone(),
        summary: vec![
            (
                "clean accuracy".into(),
                format!("{:.1} %", 100.0 * result.clean_accuracy.unwrap_or(0.0)),
            ),
            (
                "gradient calls".into(),
                format!("{:.0}", result.ledger.gradient_calls),
            ),
            ("training time".into(), format!("{:.1} s", result.seconds)),
        ],
        charts: vec![
            Chart {
                title: "Accuracy on the watched images".into(),
                x_name: "epoch".into(),
                unit: Unit::Fraction,
                curves: vec![
                    curve("clean", &history.clean),
                    curve("under PGD-10", &history.robust),
                ],
            },
            Chart {
                title: "Training loss".into(),
                x_name: "epoch".into(),
                unit: Unit::Number,
                curves: vec![curve("loss", &smooth(&history.loss))],
            },
        ],
        attacks,
        ledgers: ledgers(result),
        images: image_rows(done, device)?,
        gradients: gradient_rows(
            &done.test,
            &[(spec.training.method.name.to_string(), &done.model)],
            device,
        )?,
        tables: Vec::new(),
        spec_toml: toml::to_string_pretty(&spec.settings)?,
        environment: environment(command),
        notes: vec![format!(
            "Accuracies belong to the last weights. The watched images are training images {}; the test images played no part in training.",
            if spec.hold_out == 0 {
                "that are trained on too, since none were held back"
            } else {
                "that were held back"
            }
        )],
    };
    Ok(render_run(&report)?)
}

fn describe(attack: &AttackReport) -> String {
    let norm = if attack.name.kind.is_l2() { "L2" } else { "Linf" };
    format!(
        "{norm}, eps {:.4}, step {:.4}, {} steps, {} restarts, eval mode, first {} test images",
        attack.eps,
        attack.step,
        attack.name.steps,
        attack.name.restarts,
        attack.success.len()
    )
}

/// A curve of at most some hundred points, each the mean of a stretch.
pub(crate) fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const POINTS: usize = 200;
    let stretch = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        part.iter().map(pick).sum::<f64>() / part.len() as f64
    };
    points
        .chunks(stretch)
        .map(|part| (mean(part, |p| p.0), mean(part, |p| p.1)))
        .collect()
}

/// The passes of a run beside theory.
pub(crate) fn ledgers(result: &RunResult) -> Vec<Ledger> {
    let ledger = &result.ledger;
    let theory = ledger.expected_per_mini_batch.map(|expected| expected.named());
    let training = ledger.training.named().into_iter().enumerate();
    let training = training.map(|(row, (pass, measured))| LedgerRow {
        pass: pass.into(),
        measured,
        theory_per_batch: theory.map(|expected| expected[row].1 as f64),
    });
    let evaluation = ledger.evaluation.named().into_iter().filter(|(_, n)| *n > 0);
    vec![
        Ledger {
            title: format!("Training, {}", result.method),
            mini_batches: Some(ledger.mini_batches),
            rows: training.collect(),
        },
        Ledger {
            title: "Evaluation".into(),
            mini_batches: None,
            rows: evaluation
                .map(|(pass, measured)| LedgerRow {
                    pass: pass.into(),
                    measured,
                    theory_per_batch: None,
                })
                .collect(),
        },
    ]
}

/// Some test images, fooled ones first, beside what the strongest attack made of them.
fn image_rows(done: &Finished, device: &Device) -> Result<Vec<ImageRow>> {
    let strongest = done
        .attacks
        .iter()
        .min_by(|a, b| a.accuracy().total_cmp(&b.accuracy()));
    let Some(attack) = strongest else {
        return Ok(Vec::new());
    };
    let set = done.test.take(attack.success.len());
    let labels = set.labels(&(0..set.len()).collect::<Vec<_>>());
    let clean = predictions(&done.model, &set, device)?;
    let right = |i: &usize| clean[*i] as i64 == labels[*i];
    let fooled = (0..set.len())
        .filter(right)
        .filter(|&i| attack.success[i])
        .take(SHOWN / 2);
    let safe = (0..set.len())
        .filter(right)
        .filter(|&i| !attack.success[i])
        .take(SHOWN / 2);
    let chosen: Vec<usize> = fooled.chain(safe).collect();

    let width: usize = set.shape().iter().product();
    let adversarial = |i: usize| attack.images[i * width..(i + 1) * width].to_vec();
    let pixels: Vec<f32> = chosen.iter().flat_map(|&i| adversarial(i)).collect();
    let after = crate::attack::predict_pixels(&done.model, &pixels, set.shape(), device);
    let class = |index: usize| set.classes()[index].clone();
    chosen
        .iter()
        .zip(after)
        .map(|(&i, after)| {
            Ok(ImageRow {
                clean: Image::new(set.shape(), set.pixels(&[i]))?,
                adversarial: Image::new(set.shape(), adversarial(i))?,
                label: class(labels[i] as usize),
                clean_prediction: class(clean[i]),
                adversarial_prediction: class(after),
            })
        })
        .collect()
}

/// Input-gradient maps of several models at the first test images.
pub fn gradient_rows(
    test: &ImageSet,
    models: &[(String, &ImageClassifier)],
    device: &Device,
) -> Result<Vec<GradientRow>> {
    let shown = test.take(SHOWN / 2);
    let indices: Vec<usize> = (0..shown.len()).collect();
    let labels = shown.labels(&indices);
    let width: usize = shown.shape().iter().product();
    let mut maps = Vec::new();
    for (name, model) in models {
        let targets = Labels::new(labels.iter().copied(), shown.classes().len(), device)?;
        let (images, _) = shown.batch(indices.clone()).into_tensors(device);
        // A ledger of its own: pictures are no part of a run's account.
        let mut ledger = adv_core::Ledger::new();
        ledger.begin_batch(Phase::Evaluation);
        let gradient = ledger.input_gradient(*model, images, &targets)?.gradient;
        maps.push((name, gradient.into_data().iter::<f32>().collect::<Vec<f32>>()));
    }
    indices
        .iter()
        .map(|&i| {
            let map = |values: &[f32]| Image::new(shown.shape(), values[i * width..(i + 1) * width].to_vec());
            Ok(GradientRow {
                image: Image::new(shown.shape(), shown.pixels(&[i]))?,
                label: shown.classes()[labels[i] as usize].clone(),
                maps: maps
                    .iter()
                    .map(|(name, values)| Ok((name.to_string(), map(values)?)))
                    .collect::<Result<_>>()?,
            })
        })
        .collect()
}

/// Where and how a run was made.
pub fn environment(command: &str) -> Vec<(String, String)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("command".into(), command.into()),
        ("adv".into(), env!("CARGO_PKG_VERSION").into()),
        ("burn".into(), "0.22.1".into()),
        (
            "system".into(),
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("processor".into(), processor()),
        ("threads".into(), threads.to_string()),
    ]
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    name.map_or_else(|| "unknown".into(), |name| name.trim().into())
}
