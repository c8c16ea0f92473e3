//! Runs that learn vectors of sentences, from outside.

mod common;

use common::{expect, json, names};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use tempfile::TempDir;

/// A folder with a small encoder, and what is learnt from: lines, pairs, triplets, pairs with scores.
fn root() -> TempDir {
    let root = TempDir::new().expect("a folder");
    let words = ["plot", "cast", "film", "score", "scene", "story"];
    let (mut lines, mut triplets) = (String::new(), String::from("anchor\tpositive\tnegative\n"));
    let mut scored = String::from("sentence1\tsentence2\tscore\n");
    for i in 0..40 {
        let (one, other) = (words[i % 6], words[(i / 6 + 1) % 6]);
        writeln!(lines, "the {one} and the {other} are here .").expect("text");
        writeln!(
            triplets,
            "the {one} is good .\ta good {one} .\tthe {other} is {i} long ."
        )
        .expect("text");
        writeln!(
            scored,
            "the {one} is good .\tthe {other} is good .\t{}",
            f64::from(u32::from(one == other)) * 4.0 + (i % 3) as f64 / 3.0
        )
        .expect("text");
    }
    for (name, text) in [
        ("lines.txt", &lines),
        ("triplets.tsv", &triplets),
        ("dev.tsv", &scored),
    ] {
        std::fs::write(root.path().join(name), text).expect("written");
    }
    expect(
        0,
        root.path(),
        "train --train-file lines.txt --method mlm --epochs 1 --out words",
    );
    root
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

const SHORT: &str =
    "train --model-dir words/best --dev-file dev.tsv --data-dir nowhere --epochs 2 --batch 16 --lr 1e-3";

#[test]
fn every_contrastive_method_makes_the_passes_of_theory() {
    let root = root();
    for (place, (method, more)) in [
        ("simcse", "--train-file lines.txt"),
        (
            "simcse",
            "--train-file lines.txt --chunk 3 --negatives all-others --duplicates kept --gaussian 5",
        ),
        (
            "simcse",
            "--train-file triplets.tsv --columns anchor,positive --negatives symmetric",
        ),
        (
            "simcse",
            "--train-file triplets.tsv --columns anchor,positive,negative --hard-weight 2 --pooling cls",
        ),
        (
            "simcse",
            "--train-file triplets.tsv --columns anchor --pooling cls --head none --masks fresh",
        ),
        ("uscal", "--train-file lines.txt"),
        (
            "uscal",
            "--train-file lines.txt --form anchored --ascent-mode eval --eps 0.3 --alpha 0.1 --gaussian 4",
        ),
        (
            "uscal",
            "--train-file lines.txt --steps 3 --start random --adversarial-mask own --pooling max",
        ),
        (
            "uscal",
            "--train-file triplets.tsv --columns anchor,positive --place sum --axes token --eps-warmup 0.5 --queue 7",
        ),
        ("promptbert", "--train-file lines.txt"),
        ("promptbert", "--train-file lines.txt --chunk 5 --denoising off --prompt [X]:[MASK]"),
        ("promptbert", "--train-file triplets.tsv --columns anchor,positive,negative --prompt [X]:[MASK]"),
        ("promptbert", "--train-file lines.txt --soft-prompt --bias-positions table"),
        (
            "uscal",
            "--train-file lines.txt --prompt [X]:[MASK] --prompt [MASK]:[X] --form anchored --special-tokens kept",
        ),
        ("simcse", "--train-file lines.txt --prompt [X]:[MASK] --likely-tokens 3 --guesser word-table"),
        (
            "simcse",
            "--train-file lines.txt --queue 40 --queue-momentum 0.9 --gaussian 3",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let result = json(
            root.path(),
            &format!("{SHORT} --method {method} {more} --out run-{place}"),
        );
        let ledger = &result["ledger"];
        let batches = number(&ledger["mini_batches"]);
        assert_eq!(batches, 6.0, "{method} {more}");
        let expected = ledger["expected_per_mini_batch"].as_object();
        assert_eq!(
            expected.is_none(),
            more.contains("negative "),
            "{method} {more}: triplets alone have no theory here"
        );
        for (pass, expected) in expected.into_iter().flatten() {
            let counted = number(&ledger["training"][pass]);
            assert_eq!(counted, batches * number(expected), "{method} {more}: {pass}");
        }
        for figure in [
            "dev_spearman",
            "dev_alignment",
            "dev_uniformity",
            "dev_mean_cosine",
        ] {
            assert!(number(&result["metrics"][figure]).is_finite(), "{result}");
        }
        assert!(
            result["warnings"].to_string().contains("were not measured"),
            "{result}"
        );
        // What was trained is a folder that the other commands take.
        let out = format!("encode --model-dir run-{place}/best --input lines.txt --out vectors.jsonl");
        expect(0, root.path(), &out);
        let report = std::fs::read_to_string(root.path().join(format!("run-{place}/report.html")));
        assert!(
            report
                .expect("a report")
                .contains("Spearman on the pairs to choose by")
        );
    }
    let folder = |place: usize| names(&root.path().join(format!("run-{place}/best")));
    for (place, kept) in [
        (9, "README.md"),
        (11, "head"),
        (12, "soft_prompt.safetensors"),
        (14, "prompt.json"),
    ] {
        assert!(folder(place).contains(&kept.to_string()), "{:?}", folder(place));
        assert!(
            !folder(place).contains(&"modules.json".to_string()),
            "{:?}",
            folder(place)
        );
    }
    assert!(folder(3).contains(&"2_Dense".to_string()), "{:?}", folder(3));
    assert!(!folder(0).contains(&"2_Dense".to_string()), "{:?}", folder(0));
}

/// Without its second term the anchored form is SimCSE: the same weights, bit by bit.
#[test]
fn uscal_without_its_second_term_is_simcse() {
    let root = root();
    let same = "--train-file lines.txt";
    for (out, method) in [
        ("simcse", "simcse"),
        ("uscal", "uscal --form anchored --alpha 0"),
        ("other", "uscal --form anchored --alpha 0.5"),
    ] {
        expect(
            0,
            root.path(),
            &format!("{SHORT} {same} --method {method} --out {out}"),
        );
    }
    let weights = |run: &str| common::bytes(root.path().join(run).join("last/model.safetensors"));
    assert!(weights("simcse") == weights("uscal"));
    assert!(weights("simcse") != weights("other"));
}

#[test]
fn scal_trains_a_classifier() {
    let root = root();
    for more in [
        "",
        "--convex 0.3 --steps 2",
        "--alpha 0 --beta 2 --negatives symmetric",
    ] {
        let line = format!(
            "train --dataset synth-sentiment --method scal {more} --take 32 --batch 16 --epochs 1 --n 10 --eval-eps 1 \
             --begin-step 0 --out scal{}",
            more.len()
        );
        let result = json(root.path(), &line);
        let ledger = &result["ledger"];
        for (pass, expected) in ledger["expected_per_mini_batch"].as_object().expect("counts") {
            let counted = number(&ledger["training"][pass]);
            assert_eq!(counted, 2.0 * number(expected), "{more}: {pass}");
        }
        let accuracy = number(&result["clean_accuracy"]);
        assert!((0.0..=1.0).contains(&accuracy), "{result}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let root = root();
    let write = |name: &str, text: &[u8]| std::fs::write(root.path().join(name), text).expect("written");
    write("one.txt", b"a single line\n");
    write("latin.txt", b"one\ncaf\xe9\n");
    write("half.tsv", b"anchor\tpositive\na\tb\nc\n");
    write("no-score.tsv", b"sentence1\tsentence2\na\tb\n");
    let lines = "--train-file lines.txt --dev-file dev.tsv";
    for (line, expected) in [
        (
            "--method simcse --model-dir words/best --dev-file dev.tsv".to_string(),
            vec!["--train-file"],
        ),
        (format!("--method simcse {lines}"), vec!["--model-dir"]),
        (
            format!("--method simcse --model-dir words/best {lines} --form anchored"),
            vec!["--form", "simcse"],
        ),
        (
            format!("--method uscal --model-dir words/best {lines} --chunk 4"),
            vec!["--chunk", "uscal"],
        ),
        (
            format!("--method freelb --model-dir words/best {lines} --temperature 1"),
            vec!["--temperature", "freelb"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --task sst2"),
            vec!["--task"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --temperature 0"),
            vec!["temperature", "positive"],
        ),
        (
            format!("--method uscal --model-dir words/best {lines} --alpha=-1"),
            vec!["weight", "at least 0"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --hard-weight 2"),
            vec!["--hard-weight", "triplets"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --queue-momentum 0.9"),
            vec!["--queue-momentum", "--queue"],
        ),
        (
            format!("--method uscal --model-dir words/best {lines} --queue 9 --queue-momentum 1.5"),
            vec!["--queue-momentum", "[0, 1]"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --batch 1"),
            vec!["--batch"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --columns a,b"),
            vec!["--columns", "plain lines"],
        ),
        (
            format!("--method promptbert --model-dir words/best {lines} --prompt [X]"),
            vec!["--prompt", "no mask"],
        ),
        (
            format!("--method promptbert --model-dir words/best {lines} --prompt the[X] --prompt [X]:[MASK]"),
            vec!["--prompt", "no mask"],
        ),
        (
            format!("--method promptbert --model-dir words/best {lines} --prompt the[X]:[MASK]"),
            vec!["the[X]:[MASK]", "share a token"],
        ),
        (
            format!("--method promptbert --model-dir words/best {lines} --pooling cls"),
            vec!["--pooling", "mask"],
        ),
        (
            format!("--method promptbert --model-dir words/best {lines} --soft-prompt --prompt [X]:[MASK] --prompt [MASK]:[X]"),
            vec!["--soft-prompt", "single"],
        ),
        (
            format!("--method simcse --model-dir words/best {lines} --denoising off"),
            vec!["--denoising", "simcse"],
        ),
        (
            "--method simcse --model-dir words/best --train-file triplets.tsv --columns anchor,2 --dev-file dev.tsv".into(),
            vec!["--columns", "by number"],
        ),
        (
            "--method simcse --model-dir words/best --train-file triplets.tsv --columns anchor,partner --dev-file dev.tsv"
                .into(),
            vec!["triplets.tsv", "partner"],
        ),
        (
            "--method simcse --model-dir words/best --train-file half.tsv --columns anchor,positive --dev-file dev.tsv".into(),
            vec!["half.tsv", "line 3"],
        ),
        (
            "--method simcse --model-dir words/best --train-file one.txt --dev-file dev.tsv".into(),
            vec!["one.txt", "single row"],
        ),
        (
            "--method simcse --model-dir words/best --train-file latin.txt --dev-file dev.tsv".into(),
            vec!["latin.txt", "line 2", "UTF-8"],
        ),
        (
            "--method simcse --model-dir words/best --train-file lines.txt --dev-file no-score.tsv".into(),
            vec!["no-score.tsv", "score"],
        ),
        (
            "--method simcse --model-dir words/best --train-file lines.txt --data-dir nowhere".into(),
            vec!["--data-dir", "--dev-file"],
        ),
        (
            format!("--method simcse --model-dir nowhere {lines}"),
            vec!["--model-dir", "nowhere"],
        ),
    ] {
        let out = common::adv(root.path(), &format!("train {line} --out run"))
            .output()
            .expect("adv starts");
        let stderr = common::text(&out.stderr);
        assert!(!out.status.success(), "{line}");
        for word in expected {
            assert!(stderr.contains(word), "{line}\nwants {word}: {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        let left: Vec<String> = names(&root.path().join("run"));
        // Settings alone are no run.
        assert!(
            left.iter().all(|name| name == "spec.toml" || name == "lock"),
            "{line}: {left:?}"
        );
        let _ = std::fs::remove_dir_all(root.path().join("run"));
    }
    refused_elsewhere(root.path());
}

/// Commands for classifiers say what to use instead.
fn refused_elsewhere(root: &Path) {
    expect(
        0,
        root,
        &format!("{SHORT} --train-file lines.txt --method simcse --out vectors"),
    );
    let (_, stderr) = expect(2, root, "predict --run vectors --input lines.txt");
    assert!(stderr.contains("adv encode --model-dir vectors/best"), "{stderr}");
    let (_, stderr) = expect(2, root, "eval --run vectors");
    assert!(stderr.contains("adv sts --model-dir vectors/best"), "{stderr}");
    let (_, stderr) = expect(
        2,
        root,
        "compare --methods simcse,uscal --model-dir words/best --task sst2",
    );
    assert!(
        stderr.contains("nothing to compare") || stderr.contains("--task"),
        "{stderr}"
    );
}
