//! The program from outside: exit codes, what it prints, what it leaves, and what it refuses.

mod common;

use common::{bytes, data_dir, expect, json, names, result, same_run};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// A run of a second.
const QUICK: &str = "train --take 200 --hold-out 40 --epochs 1 --n 60 --model mlp";

/// Long enough to learn something, too short to resist an attack.
const LEARNS: &str =
    "train --take 200 --hold-out 40 --epochs 4 --n 60 --model mlp --lr 0.02 --method standard --out a";

fn root() -> TempDir {
    TempDir::new().expect("a folder")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("written");
}

#[test]
fn exit_codes_and_messages() {
    let root = root();
    let folder = root.path();
    write(folder.join("odd.toml"), "epoch = 3\n");
    write(folder.join("broken.toml"), "epochs = = 3\n");
    write(folder.join("no-weights.safetensors"), "no weights");
    std::fs::create_dir(folder.join("empty")).expect("made");
    expect(0, folder, &format!("{QUICK} --out there"));
    let cases: &[(i32, &str, &[&str])] = &[
        (0, "--help", &[]),
        (0, "methods", &[]),
        (2, "", &["Usage"]),
        (2, "fly", &["fly"]),
        (2, "train --fly", &["--fly"]),
        (2, "train --method trades", &["trades", "fgsm-rs"]),
        (2, "train --dataset imagenet", &["imagenet", "digits", "mnist"]),
        (2, "train --model resnet", &["resnet", "wong_cnn"]),
        (2, "train --attack apgd-100", &["apgd-100", "pgd-50-10"]),
        (2, "train --epochs 0", &["--epochs"]),
        (2, "train --batch 0", &["--batch"]),
        (
            2,
            "train --seed 9223372036854775808",
            &["--seed", "9223372036854775807"],
        ),
        (2, "train --lr=-1", &["--lr"]),
        (2, "train --lr fast", &["`fast` is not a number"]),
        (2, "train --eps 8/0", &["not finite"]),
        (2, "train --eps 8", &["--eps", "8/255"]),
        (
            2,
            "train --method fgsm --steps 3",
            &["--steps", "no part in fgsm"],
        ),
        (
            2,
            "train --method standard --eps-warmup 0.1",
            &["--eps-warmup", "no part in standard"],
        ),
        (2, "train --eps=-0.1", &["method pgd", "radius", "-0.1"]),
        (2, "train --steps 0", &["method pgd", "at least 1"]),
        (
            2,
            "train --eps-warmup 1.5",
            &["--eps-warmup", "share of the training"],
        ),
        (2, "train --clean-share 1", &["share of the clean loss"]),
        (2, "train --checkpoint-seconds 1e30", &["--checkpoint-seconds"]),
        (2, "train --method yopo --norm l2", &["--norm l2"]),
        (2, "train --take 99999", &["--take 99999", "1437"]),
        (
            2,
            "train --take 40 --hold-out 40",
            &["--hold-out 40", "40 training images"],
        ),
        (
            2,
            "train --model small_cnn",
            &["--model small_cnn", "8x8", "16x16"],
        ),
        (2, "train --spec none.toml", &["none.toml"]),
        (
            2,
            "train --init none.safetensors",
            &["--init", "none.safetensors"],
        ),
        (
            1,
            "train --init no-weights.safetensors",
            &["no-weights.safetensors"],
        ),
        (2, "train --spec odd.toml", &["odd.toml", "unknown field `epoch`"]),
        (2, "train --spec broken.toml", &["broken.toml", "line 1"]),
        (
            2,
            "train --out there",
            &["already holds a run", "--resume there", "another --out"],
        ),
        (2, "train --resume nowhere", &["nowhere", "spec.toml"]),
        (
            2,
            "train --resume there --epochs 2",
            &["leave the other flags out"],
        ),
        (2, "train --resume there --out elsewhere", &["--out"]),
        (
            1,
            "train --dataset mnist --data-dir empty",
            &["empty", "train-images-idx3-ubyte"],
        ),
        (2, "eval", &["--run", "--weights"]),
        (2, "eval --run nowhere", &["--run nowhere"]),
        (2, "eval --weights w.safetensors", &["--model"]),
        (
            2,
            "eval --weights w.safetensors --model mlp",
            &["--weights", "w.safetensors"],
        ),
        (
            2,
            "eval --run there --save-examples none/e.safetensors",
            &["--save-examples", "none"],
        ),
        (
            1,
            "eval --weights no-weights.safetensors --model mlp",
            &["no-weights.safetensors"],
        ),
        (
            1,
            "eval --weights there/last.safetensors --model wong_cnn",
            &["last.safetensors", "conv1.weight"],
        ),
        (2, "eval --run there --attack pgd", &["`pgd` is no attack"]),
        (
            2,
            "eval --run there --target tomorrow",
            &["tomorrow", "least-likely"],
        ),
        (2, "eval --run there --target 10", &["--target 10", "0 to 9"]),
        (
            2,
            "compare --methods standard,trades-10",
            &["`trades-10` is no method"],
        ),
        (2, "compare --calls 8 --epochs 2", &["--epochs"]),
    ];
    for (code, line, words) in cases {
        let (stdout, stderr) = expect(*code, folder, line);
        for word in *words {
            assert!(
                stderr.contains(word),
                "adv {line} does not say `{word}`: {stderr}"
            );
        }
        assert!(*code == 0 || stdout.is_empty(), "adv {line}: {stdout}");
        assert!(
            !stderr.contains("panicked") && !stderr.contains("bug in adv"),
            "{stderr}"
        );
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_built_in_names_its_feature_and_the_command() {
    let root = root();
    let (_, stderr) = expect(2, root.path(), &format!("{QUICK} --device cuda --out a"));
    for word in ["feature `cuda`", "cargo xtask train --device cuda"] {
        assert!(stderr.contains(word), "{stderr}");
    }
}

#[test]
fn an_attempt_that_failed_before_training_leaves_its_folder_free() {
    let root = root();
    expect(2, root.path(), "train --model small_cnn --out a");
    expect(0, root.path(), &format!("{QUICK} --out a"));
    expect(2, root.path(), &format!("{QUICK} --out a"));
}

#[test]
fn json_is_one_object_with_the_promised_keys() {
    let root = root();
    let run = json(
        root.path(),
        &format!("{QUICK} --method freeat --m 2 --seed 3 --out a"),
    );
    for (key, expected) in [
        ("run", Value::from("a")),
        ("method", "freeat".into()),
        ("dataset", "digits".into()),
        ("model", "mlp".into()),
        ("device", "flex".into()),
        ("seed", 3.into()),
        ("epochs", 1.0.into()),
        ("weights", "last".into()),
        ("attack_n", 60.into()),
        ("clean_n", 360.into()),
    ] {
        assert_eq!(run[key], expected, "{key}");
    }
    assert!(number(&run["seconds"]) > 0.0);
    let attacks = run["attacks"].as_object().expect("attacks");
    assert!(attacks.keys().eq(["fgsm", "pgd-20"]), "{attacks:?}");
    for share in attacks.values().chain([&run["clean_accuracy"]]) {
        assert!((0.0..=1.0).contains(&number(share)), "{share}");
    }
    // 160 images in batches of 32, each replayed twice.
    let ledger = &run["ledger"];
    assert_eq!(ledger["mini_batches"], 5);
    assert_eq!(ledger["training"]["full_backwards"], 10);
    assert_eq!(ledger["training"]["updates"], 10);
    assert_eq!(ledger["training"]["input_backwards"], 0);
    assert_eq!(number(&ledger["gradient_calls"]), 10.0);
    assert!(number(&ledger["evaluation"]["input_backwards"]) > 0.0);
    let kept: Value = serde_json::from_slice(&bytes(root.path().join("a/result.json"))).expect("JSON");
    assert_eq!(run, kept);
    for name in [
        "spec.toml",
        "metrics.csv",
        "report.html",
        "checkpoint.bpk",
        "best.safetensors",
    ] {
        assert!(
            names(&root.path().join("a")).iter().any(|there| there == name),
            "{name}"
        );
    }

    let methods = json(root.path(), "methods");
    assert_eq!(methods["pgd"]["input_backwards"], 7);
    assert_eq!(methods["freeat"]["updates"], 8);
}

#[test]
fn the_resolved_spec_gives_the_same_run_again() {
    let root = root();
    write(
        root.path().join("given.toml"),
        "method = \"fgsm-rs\"\nmodel = \"wong_cnn\"\ntake = 200\nhold_out = 40\nepochs = 5\nn = 60\n",
    );
    for (index, line) in [
        "train --spec given.toml --epochs 1.5 --eps 8/255 --clip-norm 0.7",
        "QUICK --method yopo --m 2 --n-inner 3 --first-layer code --seed 7",
        "QUICK --method n-fgsm --noise 1.5 --clean-share 0.3 --ascent-mode eval",
        "QUICK --method pgd --norm l2 --start zero --steps 2 --schedule cosine",
        "QUICK --method freelb --optimiser sgd --momentum 0.5 --attack pgd-3-2",
        // It has no ball, but is watched and attacked under this norm.
        "QUICK --method standard --norm l2 --attack pgd-l2-5 --eval-step 0.1",
    ]
    .into_iter()
    .enumerate()
    {
        let line = line.replace("QUICK", QUICK);
        let first = json(root.path(), &format!("{line} --out {index}-a"));
        expect(
            0,
            root.path(),
            &format!("train --spec {index}-a/spec.toml --out {index}-b"),
        );
        let a = root.path().join(format!("{index}-a"));
        let b = root.path().join(format!("{index}-b"));
        same_run(&a, &b, &line);
        assert!(bytes(a.join("spec.toml")) == bytes(b.join("spec.toml")), "{line}");
        if index == 0 {
            assert_eq!(
                (&first["method"], &first["epochs"]),
                (&"fgsm-rs".into(), &1.5.into())
            );
        }
    }
}

#[test]
fn eval_measures_what_training_measured() {
    let root = root();
    let folder = root.path();
    let run = json(folder, LEARNS);
    let of_run = json(folder, "eval --run a");
    assert_eq!(of_run["clean_accuracy"], run["clean_accuracy"]);
    assert_eq!(of_run["attacks"], run["attacks"]);
    assert_eq!(of_run["attack_n"], 60);

    let weights = json(folder, "eval --weights a/last.safetensors --model mlp --n 60");
    assert_eq!(weights["attacks"], run["attacks"]);

    let best = json(folder, "eval --run a --best");
    assert_eq!(best["weights"], "a/best.safetensors");
    std::fs::copy(folder.join("a/best.safetensors"), folder.join("b.safetensors")).expect("copied");
    let copied = json(folder, "eval --weights b.safetensors --model mlp --n 60");
    assert_eq!(best["attacks"], copied["attacks"]);

    // More of an attack never helps the network, and no radius is no attack.
    let shown = json(
        folder,
        "eval --run a --step 0.04 --attack pgd-1 --attack pgd-10 --attack pgd-10-5",
    );
    let accuracy = |name: &str| number(&shown["attacks"][name]);
    assert!(
        accuracy("pgd-10") <= accuracy("pgd-1") && accuracy("pgd-10-5") <= accuracy("pgd-10"),
        "{shown}"
    );
    let none = json(folder, "eval --run a --eps 0 --n 360 --step 0.1");
    assert_eq!(none["attacks"]["pgd-20"], none["clean_accuracy"]);
}

/// The examples that an evaluation saved.
struct Examples {
    bytes: Vec<u8>,
}

impl Examples {
    fn part(&self, name: &str, shape: &[usize]) -> Vec<u8> {
        let file = safetensors::SafeTensors::deserialize(&self.bytes).expect("safetensors");
        let view = file
            .tensor(name)
            .unwrap_or_else(|_| panic!("no {name} in {:?}", file.names()));
        assert_eq!(view.shape(), shape, "{name}");
        view.data().to_vec()
    }

    fn floats(&self, name: &str, n: usize) -> Vec<f32> {
        let part = self.part(name, &[n, 1, 8, 8]);
        let values = part
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        values.collect()
    }

    fn labels(&self, n: usize) -> Vec<usize> {
        let part = self.part("labels", &[n]);
        part.chunks_exact(8).map(|b| b[0] as usize).collect()
    }
}

#[test]
fn saved_examples_hold_what_the_attack_did() {
    use adv_models::{Architecture, build};
    use burn::module::Module;
    const N: usize = 50;
    let (root, device) = (root(), burn::tensor::Device::flex());
    expect(0, root.path(), LEARNS);
    let model = build(Architecture::Mlp, [1, 8, 8], 10, 0, &device).expect("a model");
    let model = model
        .load_weights(root.path().join("a/last.safetensors"))
        .expect("weights")
        .valid();
    let predict = |pixels: &[f32]| adv_run::attack::predict_pixels(&model, pixels, [1, 8, 8], &device);

    let attacks = ["fgsm", "pgd-5-2", "mi-fgsm-4", "fgm", "pgd-l2-5"];
    for (target, eps) in [
        (None, 0.2),
        (Some("next"), 0.2),
        (Some("least-likely"), 0.9),
        (Some("3"), 0.3),
    ] {
        let mut line = format!("eval --run a --n {N} --save-examples examples --eps {eps}");
        for attack in attacks {
            line += &format!(" --attack {attack}");
        }
        if let Some(target) = target {
            line += &format!(" --target {target}");
        }
        let shown = json(root.path(), &line);

        let examples = Examples {
            bytes: bytes(root.path().join("examples")),
        };
        let (clean, labels) = (examples.floats("images", N), examples.labels(N));
        for attack in attacks {
            let images = examples.floats(&format!("{attack}/images"), N);
            let success = examples.part(&format!("{attack}/success"), &[N]);
            assert!(images.iter().all(|v| (0.0..=1.0).contains(v)), "{attack}");
            for (image, clean) in images.chunks(64).zip(clean.chunks(64)) {
                let change = image.iter().zip(clean).map(|(a, b)| f64::from(a - b));
                let size = match attack {
                    "fgm" | "pgd-l2-5" => change.map(|d| d * d).sum::<f64>().sqrt(),
                    _ => change.map(f64::abs).fold(0.0, f64::max),
                };
                assert!(size <= eps + 1e-6, "{attack}: {size}");
            }
            let predicted = predict(&images);
            for i in 0..N {
                let expected = match target {
                    None => Some(predicted[i] != labels[i]),
                    Some("next") => Some(predicted[i] == (labels[i] + 1) % 10),
                    Some("3") => Some(predicted[i] == 3),
                    _ => None,
                };
                if let Some(expected) = expected {
                    assert_eq!(success[i], u8::from(expected), "{attack}, {target:?}, sample {i}");
                }
            }
            let withstood = success.iter().filter(|met| **met == 0).count() as f64 / N as f64;
            assert_eq!(number(&shown["attacks"][attack]), withstood, "{attack}");
            // An attack that never succeeds, or always does, would prove nothing above.
            assert!(
                target.is_some() || (withstood > 0.0 && withstood < 1.0) || attack == "mi-fgsm-4",
                "{attack}: {withstood}"
            );
        }
    }
}

#[test]
fn compare_gives_every_method_the_same_gradient_calls() {
    let root = root();
    let folder = root.path();
    let line = "compare --methods standard,fgsm-rs,free-4,pgd-7,yopo-5-3,freelb-3 --calls 40 --out c \
                --take 260 --hold-out 60 --n 60 --attack fgsm";
    let shown = json(folder, line);
    // 200 images make 7 batches.
    for (method, result) in shown.as_object().expect("methods") {
        let calls = number(&result["ledger"]["gradient_calls"]);
        assert!((calls / 280.0 - 1.0).abs() < 0.02, "{method}: {calls}");
    }
    assert_eq!(shown.as_object().map(|methods| methods.len()), Some(6));

    let seconds_before = &shown["pgd-7"]["seconds"];
    let weights = bytes(folder.join("c/pgd-7/last.safetensors"));
    let again = json(folder, line);
    assert_eq!(&again["pgd-7"]["seconds"], seconds_before, "it was trained again");
    assert!(weights == bytes(folder.join("c/pgd-7/last.safetensors")));
    let (_, stderr) = expect(2, folder, &format!("{line} --seed 5"));
    assert!(
        stderr.contains("other settings") && stderr.contains("another --out"),
        "{stderr}"
    );

    let page = std::fs::read_to_string(folder.join("c/report.html")).expect("a report");
    self_contained(&page);
    for word in ["pgd-7", "yopo-5-3", "<svg"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn compare_divides_the_epochs_of_freeat() {
    let root = root();
    let line =
        "compare --methods standard,free-8 --epochs 4 --out c --take 200 --hold-out 40 --model mlp --n 20";
    let shown = json(root.path(), line);
    assert_eq!(
        (&shown["standard"]["epochs"], &shown["free-8"]["epochs"]),
        (&4.0.into(), &0.5.into())
    );
    // 5 batches an epoch.
    assert_eq!(shown["standard"]["ledger"]["training"]["updates"], 20);
    let updates = number(&shown["free-8"]["ledger"]["training"]["updates"]);
    assert!(updates == 16.0 || updates == 24.0, "{updates}");
}

#[test]
fn a_loss_that_is_no_number_stops_with_the_place_and_the_last_good_checkpoint() {
    let root = root();
    for (checkpoints, place) in [("1000", "there is no checkpoint yet"), ("0", "checkpoint is ")] {
        let line = format!(
            "{QUICK} --method pgd --optimiser sgd --schedule constant --lr 1e30 \
             --checkpoint-seconds {checkpoints} --out {checkpoints}"
        );
        let (stdout, stderr) = expect(1, root.path(), &line);
        for word in [
            "epoch 1",
            "batch ",
            "update ",
            place,
            "the loss of",
            "lower the learning rate",
        ] {
            assert!(stderr.contains(word), "{word}: {stderr}");
        }
        assert!(stdout.is_empty());
    }
}

#[test]
fn a_comparison_measures_all_methods_alike_and_spares_a_run() {
    let root = root();
    let line = "compare --methods fgm,fgsm --epochs 1 --take 200 --hold-out 40 --model mlp --n 20";
    let shown = json(root.path(), &format!("{line} --out c"));
    for method in ["fgm", "fgsm"] {
        let keys = shown[method]["attacks"].as_object().expect("attacks").keys();
        assert!(keys.eq(["fgsm", "pgd-20"]), "{shown}");
        assert_eq!(number(&shown[method]["eps"]), 0.15, "{shown}");
    }
    expect(0, root.path(), &format!("{QUICK} --out run"));
    let (_, stderr) = expect(2, root.path(), &format!("{line} --out run"));
    assert!(stderr.contains("holds a run"), "{stderr}");
}

#[test]
fn an_attack_named_twice_is_made_once_and_a_target_is_said() {
    let root = root();
    expect(0, root.path(), &format!("{QUICK} --out a"));
    let twice = "eval --run a --n 20 --attack fgsm --attack fgsm --target next";
    let (stdout, _) = expect(0, root.path(), &format!("{twice} --save-examples e.safetensors"));
    assert_eq!(stdout.matches("fgsm").count(), 1, "{stdout}");
    assert!(stdout.contains("target next"), "{stdout}");
    assert_eq!(json(root.path(), twice)["target"], "next");
    std::fs::remove_file(root.path().join("a/last.safetensors")).expect("weights");
    let (_, stderr) = expect(2, root.path(), "eval --run a");
    assert!(
        stderr.contains("--resume a") && stderr.contains("--best"),
        "{stderr}"
    );
}

#[test]
fn a_network_is_attacked_under_the_norm_it_was_trained_under() {
    let root = root();
    for (norm, attacks) in [("linf", ["fgsm", "pgd-20"]), ("l2", ["fgm", "pgd-l2-20"])] {
        let shown = json(
            root.path(),
            &format!("{QUICK} --method pgd --steps 1 --norm {norm} --out {norm}"),
        );
        assert!(
            shown["attacks"].as_object().expect("attacks").keys().eq(attacks),
            "{shown}"
        );
        let again = json(root.path(), &format!("eval --run {norm} --n 20"));
        assert!(
            again["attacks"].as_object().expect("attacks").keys().eq(attacks),
            "{again}"
        );
    }
}

#[test]
fn a_network_that_learns_nothing_is_said_once_and_kept_in_the_result() {
    let root = root();
    // Ten of Adam's steps of 1 leave no ReLU alive.
    let dead =
        "train --take 200 --hold-out 40 --epochs 4 --n 40 --model wong_cnn --method standard --lr 1 --out a";
    let (stdout, stderr) = expect(0, root.path(), dead);
    let text = "the network has learnt nothing yet";
    assert_eq!(stderr.matches(text).count(), 1, "{stderr}");
    assert!(
        stdout.contains(text) && stderr.contains("Lower --lr") && !stderr.contains("--eps-warmup"),
        "{stdout}"
    );
    assert_eq!(
        result(&root.path().join("a"))["warnings"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let (_, stderr) = expect(0, root.path(), &LEARNS.replace("--out a", "--out b"));
    assert!(!stderr.contains(text), "{stderr}");
}

/// No reference to anything outside the page.
fn self_contained(page: &str) {
    for outside in ["http://", "https://", "src=\"/", "@import", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for (at, _) in page.match_indices("src=\"") {
        assert!(page[at..].starts_with("src=\"data:"), "{}", &page[at..at + 40]);
    }
}

#[test]
fn the_report_stands_alone_and_holds_measured_against_theory() {
    for method in ["pgd", "yopo", "freeat", "freelb"] {
        let root = root();
        expect(0, root.path(), &format!("{QUICK} --method {method} --out a"));
        let page = std::fs::read_to_string(root.path().join("a/report.html")).expect("a report");
        self_contained(&page);
        for word in [
            "backward for the weights",
            "In theory",
            "clean accuracy",
            "model = &quot;mlp&quot;",
        ] {
            assert!(page.contains(word), "{method}: {word}");
        }
        assert_eq!(page.matches(">equal<").count(), 6, "{method}");
        assert!(!page.contains(">differs<"), "{method}");
    }
}

#[test]
fn the_first_weights_may_come_from_a_file() {
    use adv_models::{Architecture, build};
    let root = root();
    let device = burn::tensor::Device::flex();
    let drawn = build(Architecture::Mlp, [1, 8, 8], 10, 3, &device).expect("built");
    drawn
        .save_weights(root.path().join("first.safetensors"))
        .expect("written");
    let line = format!("{QUICK} --seed 3");
    expect(0, root.path(), &format!("{line} --out a"));
    expect(
        0,
        root.path(),
        &format!("{line} --init first.safetensors --out b"),
    );
    let last = |run: &str| bytes(root.path().join(run).join("last.safetensors"));
    assert_eq!(last("a"), last("b"), "the weights that seed 3 draws, from a file");
    // They are not the ones that another seed draws.
    expect(0, root.path(), &format!("{QUICK} --seed 4 --out c"));
    expect(
        0,
        root.path(),
        &format!("{QUICK} --seed 4 --init first.safetensors --out d"),
    );
    assert_ne!(last("c"), last("d"));
    // A resumed run has its weights in the checkpoint.
    std::fs::remove_file(root.path().join("first.safetensors")).expect("removed");
    std::fs::remove_file(root.path().join("b/result.json")).expect("removed");
    expect(0, root.path(), "train --resume b");
    assert_eq!(last("a"), last("b"));
}

#[cfg(unix)]
#[test]
fn mnist_trains_from_its_own_folder() {
    let Some(data) = data_dir() else { return };
    let root = root();
    // A path may hold spaces, which these tests separate arguments by.
    std::os::unix::fs::symlink(data.join("mnist"), root.path().join("images")).expect("a link");
    let mnist = format!("{QUICK} --dataset mnist");
    let by_folder = json(root.path(), &format!("{mnist} --data-dir images --out a"));
    let by_root = json(root.path(), &format!("{mnist} --out b"));
    assert_eq!(by_folder["attacks"], by_root["attacks"]);
    assert_eq!(result(&root.path().join("a")), result(&root.path().join("b")));
    assert_eq!(by_folder["clean_n"], 10_000);
}
