//! Writes a sample run report, a sample comparison, a `metrics.csv` and an event file into a folder.
//!
//! `cargo run --release --example report -- FOLDER`
//!
//! The digits are real, and they are attacked for real, through a classifier by nearest template small enough to
//! stand here. Accuracies, costs and curves are made up, and the pages say so.

use std::path::PathBuf;

use adv_run::events::EventWriter;
use adv_run::metrics_csv::MetricsCsv;
use adv_run::report::{
    AttackResult, Chart, CompareReport, Curve, GradientRow, Image, ImageRow, Ledger, LedgerRow, MethodResult,
    Proportion, RunReport, Unit, render_comparison, render_run,
};

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

/// One digit per class and six more, 8×8, grey levels 0 to 16 as the characters 0 to G. From "Optical Recognition of
/// Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.
const TEMPLATES: [&str; 10] = [
    "002E910001CCB80004E10D3008D00A6005G1089000G00B9000DBAF40003FG500",
    "006A8300006GG900009GG600007GGA0000BGG800007GG90000AGG6000049CB20",
    "01CG50000BGGD0000765E2000000C3000004D000001D500000AGA84000DFGC70",
    "006CGA0004F8CE000000D8000006E1000005F80000002F5000145F80005GE910",
    "0007G200000FB00000BE650004G7ED200AGDGGA008FEGA100009G1000009F100",
    "019GGF3008GC883006G9300008GGG4000364DB0000008D000058FA0000BGB100",
    "001D7000007E200000D5000000G3000003GACC3003GB59C001DB4DB0001CGB20",
    "003GCC7000CDDG6000206E000014DA10009GGG80004CC710000E6000004G2000",
    "003DD30002ECCB0004G85F3001DEG70000BGD10001GCDE1000DD9G70003DGA10",
    "004DD40000GAA80000E76B00006FFG2000000B500000079001446CA0016BFC10",
];
const SAMPLES: [(usize, &str); 6] = [
    (
        3,
        "04CDD60006E8DG000000BG200000GF000000CG3000004G900014CG8002DGC600",
    ),
    (
        8,
        "002D4000008EB00000A6E520002ECE00001FD20000BDE10000D8A400002BG700",
    ),
    (
        5,
        "06GGGFA009GD86500CG100000AG7000003FF3000003GD000015G900009GB0000",
    ),
    (
        7,
        "0018AFB002EFDG7000606E200003BC20002GGF80003DF200000DA000001G5000",
    ),
    (
        4,
        "0000B5000008G200004FG30000C6G30005F0F53006GGGB400000E0000000C200",
    ),
    (
        9,
        "002D8600007EEG0000793G40005EFG4000032D5000300C6001C60B70003CGG10",
    ),
];
const EPSILON: f32 = 0.2;
const SPEC: &str = r#"method = "pgd"
dataset = "digits"
model = "mlp"
epochs = 12
seed = 1

[perturbation]
ball = "linf"
eps = 0.2
steps = 7
"#;
const MADE_UP: &str = "Sample page: its accuracies, costs, curves and gradient maps are made up; the digits and the attack on them are real.";

fn main() -> AnyResult<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: report FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("report.html"), render_run(&sample_run()?)?)?;
    std::fs::write(
        folder.join("compare.html"),
        render_comparison(&sample_comparison()?)?,
    )?;

    let mut csv = MetricsCsv::create(&folder.join("metrics.csv"), &["train_loss", "clean_accuracy"])?;
    let mut events = EventWriter::create(&folder)?;
    for epoch in 1..=12 {
        let (loss, clean) = (falling(2.1, 0.35, epoch), rising(0.3, 0.972, epoch));
        csv.row(epoch, &[Some(loss), Some(clean)])?;
        events.scalars(
            epoch,
            &[("train/loss", loss as f32), ("clean/accuracy", clean as f32)],
        )?;
    }
    csv.sync()?;
    events.sync()?;
    println!("{}", folder.join("report.html").display());
    Ok(())
}

fn sample_run() -> AnyResult<RunReport> {
    let curve = |name: &str, value: fn(u64) -> f64| Curve {
        name: name.into(),
        points: (1..=12).map(|epoch| (epoch as f64, value(epoch))).collect(),
    };
    let chart = |title: &str, unit, curves| Chart {
        title: title.into(),
        x_name: "epoch".into(),
        unit,
        curves,
    };
    let attack = |name: &str, detail: &str, correct| -> AnyResult<AttackResult> {
        Ok(AttackResult {
            name: name.into(),
            detail: detail.into(),
            accuracy: Proportion::new(correct, 360)?,
        })
    };
    let row = |pass: &str, measured, theory_per_batch| LedgerRow {
        pass: pass.into(),
        measured,
        theory_per_batch,
    };
    Ok(RunReport {
        title: "PGD-7 on digits".into(),
        subtitle: "mlp · 1437 training images · 12 epochs · seed 1 · flex".into(),
        checkpoint: "last (epoch 12)".into(),
        warnings: vec![MADE_UP.into()],
        summary: pairs(&[
            ("Clean accuracy", "97.2 %"),
            ("Robust, PGD-50-10", "80.8 %"),
            ("Gradient calls", "2 208"),
            ("Training time", "8.4 s"),
        ]),
        charts: vec![
            chart(
                "Loss",
                Unit::Number,
                vec![
                    curve("adversarial", |e| falling(2.1, 0.52, e)),
                    curve("clean", |e| falling(1.8, 0.17, e)),
                ],
            ),
            chart(
                "Accuracy on held-back images",
                Unit::Fraction,
                vec![
                    curve("clean", |e| rising(0.3, 0.972, e)),
                    curve("robust (PGD-10)", |e| rising(0.05, 0.82, e)),
                ],
            ),
        ],
        attacks: vec![
            attack("none", "", 350)?,
            attack("fgsm", "Linf, eps 0.2", 311)?,
            attack("pgd-50-10", "Linf, eps 0.2, step 0.02, 10 restarts", 291)?,
            attack("pgd-50-10", "L2, eps 1.5, step 0.15, 10 restarts", 274)?,
        ],
        ledgers: vec![
            Ledger {
                title: "Training".into(),
                mini_batches: Some(276),
                rows: vec![
                    row("Forward", 2208, Some(8.0)),
                    row("Backward, input only", 1932, Some(7.0)),
                    row("Backward, weights", 276, Some(1.0)),
                    row("Optimiser update", 276, Some(1.0)),
                ],
            },
            Ledger {
                title: "Evaluation".into(),
                mini_batches: None,
                rows: vec![
                    row("Forward", 4096, None),
                    row("Backward, input only", 4080, None),
                ],
            },
        ],
        images: SAMPLES
            .iter()
            .map(|(label, digit)| attacked(*label, digit))
            .collect::<AnyResult<_>>()?,
        gradients: gradient_rows()?,
        spec_toml: SPEC.into(),
        environment: environment(),
        notes: vec!["Intervals cover the sampling of test images, not the spread between seeds.".into()],
        ..RunReport::default()
    })
}

fn sample_comparison() -> AnyResult<CompareReport> {
    let method = |name: &str, epochs, calls, seconds, clean, robust| -> AnyResult<MethodResult> {
        Ok(MethodResult {
            name: name.into(),
            epochs,
            gradient_calls: calls,
            seconds,
            clean: Proportion::new(clean, 1000)?,
            robust: Proportion::new(robust, 1000)?,
            checkpoint: "last".into(),
        })
    };
    Ok(CompareReport {
        title: "Eight methods on MNIST".into(),
        subtitle: "wong_cnn · seed 1 · flex".into(),
        budget: "10 epochs each".into(),
        attack: "PGD-50-10, Linf, eps 0.3".into(),
        warnings: vec![MADE_UP.into()],
        methods: vec![
            method("standard", 10.0, 6e3, 21.0, 991, 0)?,
            method("fgsm", 10.0, 12e3, 37.0, 986, 12)?,
            method("fgsm-rs", 10.0, 12e3, 38.5, 983, 846)?,
            method("freeat-8", 1.25, 6e3, 24.0, 978, 801)?,
            method("pgd-7", 10.0, 48e3, 131.0, 987, 893)?,
            method("pgd-40", 10.0, 246e3, 640.0, 985, 917)?,
            method("yopo-5-10", 10.0, 56.4e3, 118.0, 984, 881)?,
            method("freelb-3", 10.0, 18e3, 62.0, 990, 214)?,
        ],
        gradients: gradient_rows()?,
        spec_toml: "methods = [\"standard\", \"fgsm\", \"fgsm-rs\"]\nbudget = \"epochs\"\n".into(),
        environment: environment(),
        ..CompareReport::default()
    })
}

fn environment() -> Vec<(String, String)> {
    pairs(&[
        ("adv", env!("CARGO_PKG_VERSION")),
        ("burn", "0.22.1"),
        ("device", "flex, 2 threads"),
        ("command", "adv train --method pgd"),
    ])
}

fn pairs(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn falling(from: f64, to: f64, epoch: u64) -> f64 {
    to + (from - to) * (-0.45 * (epoch as f64 - 1.0)).exp() + 0.012 * (epoch as f64 * 2.3).sin()
}

fn rising(from: f64, to: f64, epoch: u64) -> f64 {
    (to - (to - from) * (-0.55 * (epoch as f64 - 1.0)).exp() + 0.008 * (epoch as f64 * 1.7).sin()).min(to)
}

fn pixels(digit: &str) -> Vec<f32> {
    digit
        .chars()
        .filter_map(|c| c.to_digit(17))
        .map(|level| level as f32 / 16.0)
        .collect()
}

/// Probabilities of the classes: the softmax over minus the squared distances to the templates.
fn probabilities(image: &[f32]) -> Vec<f32> {
    let distance = |t: &str| {
        pixels(t)
            .iter()
            .zip(image)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f32>()
    };
    let weights: Vec<f32> = TEMPLATES.iter().map(|t| (-0.5 * distance(t)).exp()).collect();
    let total: f32 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

fn predicted(image: &[f32]) -> usize {
    let p = probabilities(image);
    (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap_or(0)
}

/// The gradient of the cross-entropy with respect to the image: `Σ (p_k - y_k) t_k`.
fn gradient(image: &[f32], label: usize) -> Vec<f32> {
    let mut sum = vec![0.0; image.len()];
    for (class, p) in probabilities(image).into_iter().enumerate() {
        let weight = p - f32::from(u8::from(class == label));
        sum.iter_mut()
            .zip(pixels(TEMPLATES[class]))
            .for_each(|(s, t)| *s += weight * t);
    }
    sum
}

/// Ten sign steps inside the ball and the pixel range.
fn attacked(label: usize, digit: &str) -> AnyResult<ImageRow> {
    let clean = pixels(digit);
    let mut image = clean.clone();
    for _ in 0..10 {
        let gradient = gradient(&image, label);
        for ((x, g), c) in image.iter_mut().zip(&gradient).zip(&clean) {
            let step = if *g == 0.0 { 0.0 } else { 0.05 * g.signum() };
            *x = (*x + step).clamp(c - EPSILON, c + EPSILON).clamp(0.0, 1.0);
        }
    }
    Ok(ImageRow {
        label: label.to_string(),
        clean_prediction: predicted(&clean).to_string(),
        adversarial_prediction: predicted(&image).to_string(),
        clean: Image::new([1, 8, 8], clean)?,
        adversarial: Image::new([1, 8, 8], image)?,
    })
}

/// The template classifier's gradient, as the smooth one, and the same under noise, as the ragged one.
fn gradient_rows() -> AnyResult<Vec<GradientRow>> {
    let row = |(label, digit): &(usize, &str)| -> AnyResult<GradientRow> {
        let smooth = gradient(&pixels(digit), *label);
        let noise = |at: usize| ((at * 7919 + label * 104_729) % 97) as f32 / 48.5 - 1.0;
        let ragged = smooth
            .iter()
            .enumerate()
            .map(|(at, g)| 40.0 * (0.3 * g + 0.3 * noise(at)))
            .collect();
        Ok(GradientRow {
            image: Image::new([1, 8, 8], pixels(digit))?,
            label: label.to_string(),
            maps: vec![
                ("standard".into(), Image::new([1, 8, 8], ragged)?),
                ("pgd-7".into(), Image::new([1, 8, 8], smooth)?),
            ],
        })
    };
    SAMPLES.iter().map(row).collect()
}
