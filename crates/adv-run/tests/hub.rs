//! Runs whose model and tables come from a hub: one on this machine.

mod common;
#[path = "../../adv-hub/tests/common/mod.rs"]
mod fake;

use common::{adv, bytes, expect, json, model_dir, names, result, same_run, text};
use fake::{COMMIT, FakeHub, Repository, folder, large};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

const RUN: &str = "train --model-dir hf://test/tiny --train-file hf://datasets/test/data/sub/train.parquet \
    --dev-file hf://datasets/test/data@main/sub/train.parquet --test-file hf://datasets/test/data/sub/train.parquet \
    --epochs 2 --batch 2 --n 2 --eval-eps 0.1";

/// Names and values of environment variables.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// A table of five rows.
fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../adv-data/tests/files/pyarrow.parquet")
}

/// A model that a short run made, and the table.
fn served(root: &Path) -> [Repository; 2] {
    json(
        root,
        "train --dataset synth-sentiment --method standard --take 64 --epochs 1 --n 1 --eval-eps 1 --out made",
    );
    [
        Repository::model("test/tiny", folder(&root.join("made/last"))),
        Repository::data("test/data", vec![large("sub/train.parquet", bytes(table()))]),
    ]
}

/// Runs the program with this hub and more variables.
fn run(root: &Path, line: &str, endpoint: &str, more: Variables<'_>) -> Output {
    let mut command = adv(root, line);
    command
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", root.join("home"));
    for name in [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ] {
        command.env_remove(name);
    }
    command.envs(more.iter().copied()).output().expect("adv starts")
}

#[test]
fn a_run_keeps_the_commits_and_goes_on_without_a_network() {
    let root = TempDir::new().expect("a folder");
    let root = root.path();
    let fake = FakeHub::start(&served(root));
    let endpoint = fake.hub.base.as_str();
    let out = run(root, &format!("{RUN} --out run --json"), endpoint, &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(
        text(&out.stdout).lines().count(),
        1,
        "stdout is for the result alone"
    );
    assert!(
        text(&out.stderr).contains("downloading model.safetensors"),
        "{}",
        text(&out.stderr)
    );
    let run_folder = root.join("run");
    let first = result(&run_folder);
    assert_eq!(
        (&first["model"], &first["dataset"]),
        (&"tiny".into(), &"data".into())
    );
    let spec = text(&bytes(run_folder.join("spec.toml")));
    for (key, place) in [
        ("model_dir", format!("hf://test/tiny@{COMMIT}")),
        (
            "train_file",
            format!("hf://datasets/test/data@{COMMIT}/sub/train.parquet"),
        ),
        (
            "dev_file",
            format!("hf://datasets/test/data@{COMMIT}/sub/train.parquet"),
        ),
    ] {
        assert!(spec.contains(&format!("{key} = \"{place}\"\n")), "{key}: {spec}");
    }
    // The classes have the names of the file's metadata.
    let config = text(&bytes(run_folder.join("best/config.json")));
    assert!(config.contains("\"positive\": 1"), "{config}");
    assert!(names(&run_folder.join("best")).contains(&"tokenizer.json".into()));

    // Resumed and measured again from the cache alone, also while the hub is there.
    let asked = fake.hub.requests().len();
    for (address, more) in [
        (endpoint, &[("HF_HUB_OFFLINE", "1")][..]),
        (endpoint, &[]),
        ("http://127.0.0.1:1", &[]),
    ] {
        std::fs::remove_file(run_folder.join("result.json")).expect("removed");
        let out = run(root, "train --resume run", address, more);
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert_eq!(result(&run_folder), first);
    }
    let out = run(root, "eval --run run --n 2", "http://127.0.0.1:1", &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(
        fake.hub.requests().len(),
        asked,
        "a commit that is there asks no network"
    );

    // A new run asks where the branch is; without an answer it says that the cache is taken.
    let out = run(root, &format!("{RUN} --out again"), "http://127.0.0.1:1", &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(
        text(&out.stderr).contains("taken from the cache"),
        "{}",
        text(&out.stderr)
    );
    assert_eq!(result(&root.join("again")), first);
}

#[test]
fn a_model_of_the_hub_is_that_of_its_folder() {
    let Some(models) = model_dir() else {
        return;
    };
    // One file, shards, a pickle, and a tokenizer of another kind.
    let ids = [
        "test/tiny-bert-mlm",
        "test/tiny-bert-mlm-sharded",
        "test/tiny-bert-mlm-bin",
        "test/tiny-roberta-mlm",
    ];
    let of = |id: &str| models.join(id.trim_start_matches("test/"));
    let fake = FakeHub::start(&ids.map(|id| Repository::model(id, folder(&of(id)))));
    let root = TempDir::new().expect("a folder");
    let root = root.path();
    for id in ids {
        let table = table();
        let train = |model: &str, out: &str| {
            let table = table.display();
            let line = format!(
                "train --model-dir {model} --train-file {table} --dev-file {table} --test-file {table} --method pgd --epochs 2 \
                 --batch 2 --n 2 --eval-eps 0.1 --out {out}"
            );
            let done = run(root, &line, &fake.hub.base, &[]);
            assert!(done.status.success(), "{id}: {}", text(&done.stderr));
            root.join(out)
        };
        let local = train(&of(id).display().to_string(), &format!("{id}/local"));
        let hub = train(&format!("hf://{id}"), &format!("{id}/hub"));
        same_run(&local, &hub, id);
        assert_eq!(names(&local.join("best")), names(&hub.join("best")), "{id}");
    }
}

#[test]
fn what_the_hub_does_not_give_leaves_no_run_folder() {
    let root = TempDir::new().expect("a folder");
    let root = root.path();
    let fake = FakeHub::start(&served(root));
    let (hub, nowhere) = (fake.hub.base.as_str(), "http://127.0.0.1:1");
    let offline: Variables<'_> = &[("HF_HUB_OFFLINE", "1")];
    let before = names(root);
    let cases: [(i32, &str, &str, Variables<'_>, &[&str]); 6] = [
        (
            2,
            "--model-dir hf://test/none --task sst2",
            hub,
            &[],
            &["--model-dir", "test/none", "HF_TOKEN"],
        ),
        (
            2,
            "--train-file hf://datasets/test/data/no.tsv",
            hub,
            &[],
            &["--train-file", "no.tsv"],
        ),
        (
            2,
            "--model-dir hf://datasets/test/data --task sst2",
            hub,
            &[],
            &["hf://OWNER/NAME"],
        ),
        (
            2,
            "--train-file hf://datasets/test/data",
            hub,
            &[],
            &["hf://datasets/OWNER/NAME/PATH"],
        ),
        (
            1,
            "--model-dir hf://test/tiny --task sst2",
            nowhere,
            &[],
            &["--model-dir", nowhere, "HF_ENDPOINT"],
        ),
        (
            1,
            "--model-dir hf://test/tiny --task sst2",
            hub,
            offline,
            &["HF_HUB_OFFLINE", "hf://test/tiny"],
        ),
    ];
    for (code, line, endpoint, more, words) in cases {
        let out = run(root, &format!("train {line} --out out"), endpoint, more);
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{line}: {stderr}");
        assert!(out.stdout.is_empty(), "{line}");
        for word in words {
            assert!(stderr.contains(word), "{line}: `{word}` is not in {stderr}");
        }
        assert_eq!(names(root), before, "{line}");
    }
    // A folder that holds a run is refused before anything is asked for.
    let asked = fake.hub.requests().len();
    let out = run(
        root,
        "train --model-dir hf://test/tiny --task sst2 --out made",
        hub,
        &[],
    );
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("already holds a run"));
    assert_eq!(fake.hub.requests().len(), asked);
}

#[test]
fn a_masked_language_model_learns_a_column_without_answers() {
    let root = TempDir::new().expect("a folder");
    let root = root.path();
    let rows: String = (0..60)
        .map(|n| format!("wiki\tthe film number {n} is good .\n"))
        .collect();
    std::fs::write(root.join("corpus.tsv"), &rows).expect("written");
    let line = "train --method mlm --train-file corpus.tsv --epochs 1 --batch 8";
    let result = json(root, &format!("{line} --columns 2 --out run"));
    assert!(result["metrics"]["guessed_tokens"].is_f64(), "{result}");
    let vocabulary = text(&bytes(root.join("run/best/tokenizer.json")));
    assert!(
        vocabulary.contains("\"film\"") && !vocabulary.contains("\"wiki\""),
        "{vocabulary}"
    );
    assert!(text(&bytes(root.join("run/spec.toml"))).contains("columns = [\"2\"]"));
    let before = names(root);
    for (line, words) in [
        (format!("{line} --columns 0"), "count from 1"),
        (line.replace("mlm", "freelb") + " --columns 2", "--method mlm"),
    ] {
        let (_, stderr) = expect(2, root, &line);
        assert!(stderr.contains(words), "{stderr}");
    }
    assert_eq!(names(root), before);
}
