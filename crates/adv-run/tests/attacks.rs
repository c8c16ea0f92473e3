//! Attacks on a linear network, where what they reach is known exactly.

use adv_core::{AscentMode, Ledger, Phase};
use adv_data::{ImageSet, RawImages};
use adv_models::{Architecture, ImageClassifier, build};
use adv_run::attack::{AttackPlan, AttackReport, Target, evaluate};
use burn::tensor::Device;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const WIDTH: usize = 4;

/// The difference of the two logits is `W . x + B`: positive means class 0.
const W: [f64; WIDTH] = [3.0, -1.0, 0.5, 2.0];
const B: f64 = -2.2;

/// `mlp` with weights that make it linear: its hidden layers hand the pixels on, and pixels are not negative.
fn linear_network() -> ImageClassifier {
    let tensor = |rows: usize, columns: usize, value: &dyn Fn(usize, usize) -> f64| -> Vec<u8> {
        let cells = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
        cells
            .flat_map(|(r, c)| (value(r, c) as f32).to_le_bytes())
            .collect()
    };
    let identity = |r: usize, c: usize| f64::from(u8::from(r == c && r < WIDTH));
    let last = |r: usize, c: usize| if c < WIDTH { [0.5, -0.5][r] * W[c] } else { 0.0 };
    let parts = [
        ("fc1.weight", vec![256, WIDTH], tensor(256, WIDTH, &identity)),
        ("fc1.bias", vec![256], tensor(256, 1, &|_, _| 0.0)),
        ("fc2.weight", vec![128, 256], tensor(128, 256, &identity)),
        ("fc2.bias", vec![128], tensor(128, 1, &|_, _| 0.0)),
        ("fc3.weight", vec![2, 128], tensor(2, 128, &last)),
        ("fc3.bias", vec![2], tensor(2, 1, &|r, _| [0.5, -0.5][r] * B)),
    ];
    let views = parts.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (*name, view.expect("bytes of the shape"))
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("linear.safetensors");
    std::fs::write(&file, safetensors::serialize(views, None).expect("bytes")).expect("written");
    let model = build(Architecture::Mlp, [1, 2, 2], 2, 0, &Device::flex().autodiff()).expect("a model");
    AscentMode::Eval.freeze(&model.load_weights(&file).expect("the network's tensors"))
}

/// Images in [0.3, 0.7], so that radii up to 0.3 stay inside the range, each once with either label.
fn images() -> ImageSet {
    let one =
        |seed: usize| (0..WIDTH).map(move |i| (77 + (seed * 37 + i * i * 53 + seed * i * 29) % 101) as u8);
    let pixels: Vec<u8> = (0..60).flat_map(|image| one(image / 2)).collect();
    set(pixels, (0..60).map(|image| image % 2).collect())
}

fn set(pixels: Vec<u8>, labels: Vec<u8>) -> ImageSet {
    ImageSet::new(RawImages {
        name: "made for this test".into(),
        shape: [1, 2, 2],
        classes: vec!["a".into(), "b".into()],
        pixels,
        white: 255,
        labels,
    })
    .expect("images")
}

/// By how much the right logit leads.
fn margin(pixels: &[f32], label: i64) -> f64 {
    let difference: f64 = pixels.iter().zip(W).map(|(x, w)| f64::from(*x) * w).sum();
    if label == 0 {
        difference + B
    } else {
        -difference - B
    }
}

fn attacked(
    name: &str,
    eps: f64,
    step: Option<f64>,
    target: Option<Target>,
    set: &ImageSet,
) -> (AttackReport, u64) {
    let plan = AttackPlan {
        name: name.parse().expect("an attack"),
        eps,
        step,
        target,
        seed: 0,
    };
    let mut ledger = Ledger::new();
    let report = evaluate(
        &linear_network(),
        set,
        &plan,
        &Device::flex(),
        &mut ledger,
        |_| Ok(()),
    );
    assert_eq!(ledger.total(Phase::Training), Default::default());
    (
        report.expect("attacked"),
        ledger.total(Phase::Evaluation).input_backwards,
    )
}

#[test]
fn success_is_where_the_margin_is_smaller_than_what_the_norm_allows() {
    let set = images();
    let dual_linf: f64 = W.iter().map(|w| w.abs()).sum();
    let dual_l2 = W.iter().map(|w| w * w).sum::<f64>().sqrt();
    let labels = set.labels(&(0..set.len()).collect::<Vec<_>>());
    for (name, eps, reach) in [
        ("fgsm", 0.05, 0.05 * dual_linf),
        ("fgsm", 0.02, 0.02 * dual_linf),
        ("pgd-10-2", 0.05, 0.05 * dual_linf),
        ("mi-fgsm-10", 0.05, 0.05 * dual_linf),
        ("fgm", 0.1, 0.1 * dual_l2),
        ("pgd-l2-20", 0.1, 0.1 * dual_l2),
    ] {
        // With two classes, the class after the true one is any other.
        for target in [None, Some(Target::Next)] {
            let (report, _) = attacked(name, eps, None, target, &set);
            let mut counts = [0; 3];
            for (i, label) in labels.iter().enumerate() {
                let margin = margin(&set.pixels(&[i]), *label);
                assert!(
                    (margin - reach).abs() > 1e-4 && margin.abs() > 1e-4,
                    "too close to call"
                );
                assert_eq!(
                    report.success[i],
                    margin < reach,
                    "{name}, {target:?}, image {i}: {margin}, {reach}"
                );
                counts[usize::from(margin > 0.0) + usize::from(margin > reach)] += 1;
            }
            // Wrong before, fooled, and safe: all three must occur.
            assert!(counts.iter().all(|count| *count > 2), "{name}: {counts:?}");
            let safe = f64::from(counts[2]) / labels.len() as f64;
            assert!((report.accuracy() - safe).abs() < 1e-12);
        }
    }
}

#[test]
fn a_class_as_target_is_met_where_it_is_predicted() {
    let set = images();
    let (report, _) = attacked("fgsm", 0.05, None, Some(Target::Class(1)), &set);
    for i in 0..set.len() {
        let reached = margin(&set.pixels(&[i]), 0) < 0.05 * W.iter().map(|w| w.abs()).sum::<f64>();
        assert_eq!(report.success[i], reached, "image {i}");
    }
}

#[test]
fn passes_end_when_no_sample_is_left() {
    let all = images();
    let labels = all.labels(&(0..all.len()).collect::<Vec<_>>());
    let part = |keep: &dyn Fn(f64) -> bool| {
        let rows: Vec<usize> = (0..all.len())
            .filter(|&i| keep(margin(&all.pixels(&[i]), labels[i])))
            .collect();
        assert!(!rows.is_empty());
        all.select(&rows).expect("rows")
    };
    let dual: f64 = W.iter().map(|w| w.abs()).sum();
    // Wrong from the start: nothing to attack.
    let (report, passes) = attacked("pgd-10-3", 0.1, None, None, &part(&|margin| margin < 0.0));
    assert_eq!((report.accuracy(), passes), (0.0, 0));
    // Safe: every step of every restart.
    let (report, passes) = attacked(
        "pgd-10-3",
        0.01,
        None,
        None,
        &part(&|margin| margin > 0.011 * dual),
    );
    assert_eq!((report.accuracy(), passes), (1.0, 30));
    // Sign steps of 0.01 from zero: a margin between two and three of them falls with the third, and the pass at the
    // fourth point sees it.
    let between = |margin: f64| margin > 0.02 * dual && margin < 0.03 * dual;
    let (report, passes) = attacked("mi-fgsm-10", 0.1, Some(0.01), None, &part(&between));
    assert_eq!((report.accuracy(), passes), (0.0, 4));
}
