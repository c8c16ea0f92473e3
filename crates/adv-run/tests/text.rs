//! Training on text from outside: models that learn, folders that load, and what is refused.

mod common;

use common::{adv, bytes, data_dir, encoder, expect, json, names, text};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A run of some seconds that learns the generated corpus.
const LEARNS: &str = "train --dataset synth-sentiment --n 100 --eval-eps 0.1,1 --out run";

fn root() -> TempDir {
    TempDir::new().expect("a folder")
}

fn write(path: impl AsRef<Path>, text: &str) {
    std::fs::write(path, text).expect("written");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Labels and shares that `adv predict` gives for lines on its standard input.
fn predicted(folder: &Path, lines: &str) -> Vec<Value> {
    let mut child = adv(folder, "predict --run run --input - --json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("adv starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).expect("written");
    drop(stdin);
    let out = child.wait_with_output().expect("adv ends");
    assert!(out.status.success());
    let lines = text(&out.stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_small_encoder_learns_is_measured_and_predicts() {
    let root = root();
    let folder = root.path();
    let result = json(folder, LEARNS);
    let accuracy = number(&result["clean_accuracy"]);
    // Counting words gives about 0.7.
    assert!(accuracy > 0.9, "{result}");
    let robust = |name: &str| number(&result["attacks"][name]);
    assert!(robust("pgd-l2-10@0.1") >= robust("pgd-l2-10@1"), "{result}");
    assert!(robust("pgd-l2-10@1") < accuracy, "{result}");
    // FreeLB with K = 3, the default, passes three times per mini-batch, each for the weights, after 250 of standard training.
    let training = &result["ledger"]["training"];
    let batches = number(&result["ledger"]["mini_batches"]);
    assert_eq!(
        number(&training["full_backwards"]),
        250.0 + 3.0 * (batches - 250.0)
    );
    assert_eq!(number(&training["updates"]), batches);
    for part in ["best", "last"] {
        let there = names(&folder.join("run").join(part));
        assert_eq!(there, ["config.json", "model.safetensors", "tokenizer.json"]);
    }
    let page = text(&bytes(folder.join("run/report.html")));
    assert!(page.contains("freelb on synth-sentiment") && page.contains("under the strongest attack"));

    let again = json(folder, "eval --run run");
    assert_eq!(again["metrics"], result["metrics"]);
    assert_eq!(again["attacks"], result["attacks"]);
    // From the smallest radius up, in whatever order they are asked for; what has fallen is not attacked again.
    let other_way = json(folder, "eval --run run --eps 1,0.1");
    assert_eq!(other_way["attacks"], result["attacks"]);
    let calls = |eps: &str| number(&json(folder, &format!("eval --run run --eps {eps}"))["gradient_calls"]);
    assert!(calls("1,4") < calls("1") + calls("4"));

    let said = predicted(
        folder,
        "the plot is wonderful .\n{\"sentence\": \"the cast is not charming .\"}\n",
    );
    assert_eq!(said.len(), 2);
    assert_eq!(
        (&said[0]["label"], &said[1]["label"]),
        (&"positive".into(), &"negative".into())
    );
    let shares = said[0]["probabilities"].as_object().expect("an object");
    let sum: f64 = shares.values().map(number).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");
}

#[test]
fn methods_are_compared_under_equal_calls_and_nothing_is_trained_twice() {
    let root = root();
    let line = "compare --dataset synth-sentiment --methods standard,freelb-3 --calls 6 --begin-step 0 --take 64 --batch 16 \
                --n 20 --eval-eps 0.5,0.1 --out runs";
    let results = json(root.path(), line);
    let calls = |method: &str| number(&results[method]["ledger"]["gradient_calls"]);
    // Six for each of the four mini-batches.
    assert_eq!((calls("standard"), calls("freelb-3")), (24.0, 24.0));
    let page = text(&bytes(root.path().join("runs/report.html")));
    assert!(page.contains("the strongest of pgd-l2-10 at eps 0.1"));
    // The seconds, too: what is there is read.
    assert_eq!(json(root.path(), line), results);
    let (_, stderr) = expect(2, root.path(), &line.replace("--take 64", "--take 48"));
    assert!(stderr.contains("take: 64 there, 48 here"), "{stderr}");

    // As many updates, though FreeAT makes three of a mini-batch behind the standard ones.
    let line = "compare --dataset synth-sentiment --methods standard,free-3 --epochs 4 --begin-step 2 --take 64 --batch 16 --n 4 \
                --eval-eps 0.1 --out free";
    let results = json(root.path(), line);
    let updates = |method: &str| number(&results[method]["ledger"]["training"]["updates"]);
    assert_eq!((updates("standard"), updates("free-3")), (16.0, 17.0));
    let (stdout, _) = expect(0, root.path(), line);
    assert!(
        stdout.contains("4 passes over the data, replays counted"),
        "{stdout}"
    );
}

#[test]
fn every_method_makes_finite_updates_on_text() {
    let root = root();
    write(
        root.path().join("more.txt"),
        &"a plot without a label .\nthe cast is here\n".repeat(9),
    );
    for (method, more) in [
        ("standard", ""),
        ("random", ""),
        ("fgsm", ""),
        ("fgm", "--place table --axes batch"),
        ("fgsm-rs", ""),
        ("n-fgsm", "--eps 0.005"),
        ("pgd", "--axes token --special-tokens kept"),
        ("pgd", "--norm linf"),
        ("freeat", "--place sum"),
        ("yopo", "--first-layer code"),
        ("freelb", "--norm linf --eps 0.01"),
        ("freelb++", ""),
        ("smart", ""),
        ("r3f", "--penalty 2"),
        ("vat", ""),
        ("mlm", ""),
        ("standard", "--model lstm"),
        ("fgm", "--model lstm --place table --axes batch"),
        ("pgd", "--model lstm --norm linf"),
        ("yopo", "--model lstm"),
        ("freelb", "--model lstm"),
        ("freelb++", "--model lstm --steps 2"),
        ("smart", "--model lstm"),
        ("vat", "--model lstm"),
        ("vat", "--model lstm --unlabelled more.txt"),
        ("vat", "--unlabelled more.txt --eps-warmup 1"),
        ("lm", ""),
        // Room for one word.
        ("standard", "--model lstm --max-length 2"),
        ("standard", "--max-length 3"),
    ] {
        let begin = match method {
            "standard" | "mlm" | "lm" => "",
            _ => "--begin-step 0",
        };
        let end = match method {
            "mlm" | "lm" => "",
            _ => "--n 10 --eval-eps 1",
        };
        let out = format!("{method}{}", more.replace([' ', '-', '.'], ""));
        let line = format!(
            "train --dataset synth-sentiment --method {method} {more} --take 32 --batch 16 --epochs 1 {end} {begin} --out {out}"
        );
        let result = json(root.path(), &line);
        let ledger = &result["ledger"];
        let batches = number(&ledger["mini_batches"]);
        for (pass, expected) in ledger["expected_per_mini_batch"].as_object().expect("counts") {
            let counted = number(&ledger["training"][pass]);
            assert_eq!(counted, batches * number(expected), "{method} {more}: {pass}");
        }
    }
}

/// A language model's folder begins a classifier, which has its tokenizer and learns what its words do.
#[test]
fn an_lstm_learns_from_its_own_language_model() {
    let root = root();
    let folder = root.path();
    let before = json(
        folder,
        "train --dataset synth-sentiment --method lm --epochs 1 --out words",
    );
    let guessed = number(&before["metrics"]["guessed_tokens"]);
    assert!(guessed > 0.3, "{before}");
    // Of 40 words or so that follow each other by rules, a dozen are left to choose from.
    assert!(number(&before["metrics"]["perplexity"]) < 20.0, "{before}");
    assert_eq!(before["model"], "lstm");

    let line = "train --model-dir words/best --dataset synth-sentiment --method standard --epochs 2 --lr 2e-3 --n 50 --eval-eps 1,8 --out run";
    let result = json(folder, line);
    let accuracy = number(&result["clean_accuracy"]);
    // Counting words gives about 0.7.
    assert!(accuracy > 0.9, "{result}");
    assert!(number(&result["attacks"]["pgd-l2-10@8"]) < accuracy, "{result}");
    let spec = text(&bytes(folder.join("run/spec.toml")));
    assert!(
        spec.contains("model = \"lstm\"") && spec.contains("lr = 0.002"),
        "{spec}"
    );
    for part in ["words/best", "run/best"] {
        let there = names(&folder.join(part));
        assert_eq!(there, ["config.json", "model.safetensors", "tokenizer.json"]);
    }
    assert_eq!(
        bytes(folder.join("words/best/tokenizer.json")),
        bytes(folder.join("run/best/tokenizer.json"))
    );
    let again = json(folder, "eval --run run");
    assert_eq!(
        (&again["metrics"], &again["attacks"]),
        (&result["metrics"], &result["attacks"])
    );
    let said = predicted(folder, "the plot is wonderful .\nthe cast is not charming .\n");
    assert_eq!(
        (&said[0]["label"], &said[1]["label"]),
        (&"positive".into(), &"negative".into())
    );
    for (line, word) in [
        (
            "train --model-dir words/best --dataset synth-sentiment --method mlm --out no",
            "mlm",
        ),
        ("eval --run words", "language model"),
        ("predict --run words --input words/spec.toml", "language model"),
    ] {
        let (_, stderr) = expect(2, folder, line);
        assert!(stderr.contains(word), "{line}: {stderr}");
    }
}

/// Other sentences without labels, other weights; their order is the run's own.
#[test]
fn unlabelled_sentences_are_learnt_from() {
    let root = root();
    let folder = root.path();
    write(
        folder.join("a.txt"),
        &"a fine day .\nthe plot is here .\n".repeat(5),
    );
    write(
        folder.join("b.txt"),
        &"the end .\nno plot and no cast .\n".repeat(5),
    );
    let rows = "a fine day .,1\nthe plot is here .,0\n".repeat(5);
    write(folder.join("a.csv"), &format!("sentence,other\n{rows}"));
    let mut weights = Vec::new();
    for (more, out) in [
        ("", "none"),
        ("--unlabelled a.txt", "a"),
        ("--unlabelled a.csv", "table"),
        ("--unlabelled b.txt", "b"),
    ] {
        let line = format!(
            "train --dataset synth-sentiment --model lstm --method vat {more} --take 24 --batch 8 --epochs 1 --n 4 \
             --eval-eps 1 --out {out}"
        );
        let result = json(folder, &line);
        let training = &result["ledger"]["training"];
        let passes =
            ["forwards", "full_backwards", "input_backwards", "updates"].map(|name| number(&training[name]));
        let expected = if more.is_empty() {
            [9.0, 6.0, 3.0, 3.0]
        } else {
            [18.0, 9.0, 6.0, 3.0]
        };
        assert_eq!(passes, expected, "{more}");
        weights.push(bytes(folder.join(out).join("last/model.safetensors")));
    }
    let [none, a, table, b] = &weights[..] else {
        panic!("four runs")
    };
    assert!(a == table, "the same sentences in a table");
    assert!(none != a && a != b && none != b);
}

#[test]
fn a_method_named_beside_a_spec_is_the_one_that_trains() {
    let root = root();
    write(root.path().join("more.txt"), "a good film\nan old one\n");
    let spec = "dataset = \"synth-sentiment\"\nmethod = \"vat\"\nunlabelled = \"more.txt\"\nsteps = 2\ntake = 32\nbatch = 16\n\
                epochs = 1.0\nbegin_step = 0\nn = 4\neval_eps = [1.0]\n";
    write(root.path().join("vat.toml"), spec);
    let vat = json(root.path(), "train --spec vat.toml --out vat");
    let standard = json(
        root.path(),
        "train --spec vat.toml --method standard --out standard",
    );
    let forwards = |result: &Value| number(&result["ledger"]["training"]["forwards"]);
    // Of each of two mini-batches: clean, twice for the direction, and there; the same of the unlabelled ones.
    assert_eq!((forwards(&vat), forwards(&standard)), (16.0, 2.0));
}

#[test]
fn tables_of_a_users_own_train_classes_and_scores() {
    let root = root();
    let folder = root.path();
    let row = |i: usize| {
        let (word, label, score) = [("good", "yes", 0.9), ("bad", "no", 0.1)][i % 2];
        format!("{i} is {word},a second one,{label},{score}\n")
    };
    let rows: String = (0..60).map(row).collect();
    write(folder.join("own.csv"), &format!("a,b,said,degree\n{rows}"));
    let line = "train --train-file own.csv --epochs 2 --batch 8";
    let classes = json(
        folder,
        &format!("{line} --columns a,b,said --n 4 --eval-eps 1 --out classes"),
    );
    assert_eq!(classes["dataset"], "own");
    write(folder.join("more.txt"), "62 is good\n");
    let beside = format!("{line} --columns a,b,said --method vat --unlabelled more.txt --out beside");
    let (_, stderr) = expect(2, folder, &beside);
    assert!(stderr.contains("--unlabelled: own has pairs"), "{stderr}");
    assert!(number(&classes["clean_accuracy"]) >= 0.0);
    let warnings = classes["warnings"].to_string();
    assert!(warnings.contains("no part to test on"), "{warnings}");

    let scores = json(
        folder,
        &format!("{line} --columns a,degree --scores --method smart --out scores"),
    );
    assert_eq!(scores["clean_accuracy"], Value::Null);
    assert!(scores["metrics"]["spearman"].is_f64(), "{scores}");
    write(folder.join("in.txt"), "61 is good\n");
    let (stdout, _) = expect(0, folder, "predict --run scores --input in.txt");
    let score: f64 = stdout
        .split('\t')
        .next()
        .and_then(|cell| cell.parse().ok())
        .expect("a score");
    assert!(score.is_finite());
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let root = root();
    let folder = root.path();
    write(folder.join("own.tsv"), "text\tlabel\ngood\t1\n");
    write(folder.join("lines.txt"), "a line\n");
    std::fs::create_dir(folder.join("empty")).expect("made");
    write(folder.join("spec.toml"), "task = \"sst2\"\nplaces = \"words\"\n");
    let before = names(folder);
    let cases: &[(i32, &str, &[&str])] = &[
        (2, "train --task sst-2", &["sst-2", "sst2", "synth-sentiment"]),
        (
            2,
            "train --model-dir nowhere --task sst2",
            &["--model-dir", "nowhere"],
        ),
        (2, "train --model-dir empty", &["--task", "--train-file"]),
        (2, "train --task sst2 --dataset mnist", &["--task", "--dataset"]),
        (2, "train --task sst2 --model mlp", &["--model", "text"]),
        (2, "train --place sum", &["--place", "images"]),
        (2, "train --model lstm", &["--task", "--train-file"]),
        (
            2,
            "train --model lstm --task mr --place sum",
            &["--place sum", "LSTM"],
        ),
        (
            2,
            "train --model lstm --task mr --method mlm",
            &["mlm", "--method lm"],
        ),
        (2, "train --method lm", &["lm", "text"]),
        (
            2,
            "train --task mr --unlabelled lines.txt --method fgm",
            &["--unlabelled", "fgm"],
        ),
        (
            2,
            "train --unlabelled lines.txt --method vat",
            &["--unlabelled", "images"],
        ),
        (
            2,
            "train --task mr --unlabelled none.txt --method vat",
            &["--unlabelled", "none.txt"],
        ),
        (2, "train --method mlm", &["mlm", "text"]),
        (
            2,
            "train --dataset synth-sentiment --norm linf --method fgm",
            &["--norm"],
        ),
        (
            2,
            "train --dataset synth-sentiment --method pgd --m 3",
            &["--m has no part in pgd"],
        ),
        (
            2,
            "train --dataset synth-sentiment --accumulate 2 --method freeat",
            &["--accumulate"],
        ),
        (
            2,
            "train --dataset synth-sentiment --layer-decay 1.5",
            &["--layer-decay"],
        ),
        (
            2,
            "train --dataset synth-sentiment --epochs 1 --updates 3",
            &["--updates"],
        ),
        (2, "train --train-file none.tsv", &["--train-file", "none.tsv"]),
        (2, "train --train-file own.tsv --columns a,b,c,d", &["--columns"]),
        (2, "train --spec spec.toml", &["places"]),
        (2, "compare --task stsb", &["classes"]),
        (2, "compare --dataset synth-sentiment --updates 9", &["--updates"]),
        (
            2,
            "compare --dataset synth-sentiment --calls 3 --methods pgd-3",
            &["--calls", "--begin-step"],
        ),
        (
            2,
            "compare --dataset synth-sentiment --method pgd",
            &["--methods"],
        ),
        (
            2,
            "compare --dataset synth-sentiment --methods standard,pgd-3 --penalty 3",
            &["--penalty has no part in any of standard, pgd-3"],
        ),
        (
            2,
            "compare --dataset synth-sentiment --methods mlm",
            &["--methods", "language model"],
        ),
        (2, "predict --run empty --input -", &["--run empty"]),
        (
            2,
            "train --dataset synth-sentiment --method smart --norm linf",
            &["--norm has no part in smart"],
        ),
        (
            2,
            "train --task stsb --attack pgd-l2-10",
            &["--attack", "turn classes"],
        ),
        (
            2,
            "train --dataset synth-sentiment --method mlm --n 5",
            &["--n has no part"],
        ),
    ];
    for (code, line, words) in cases {
        let (stdout, stderr) = expect(*code, folder, line);
        assert!(stdout.is_empty(), "{line}: {stdout}");
        for word in *words {
            assert!(stderr.contains(word), "{line}: `{word}` is not in {stderr}");
        }
        assert_eq!(names(folder), before, "{line}");
    }
    // What only a look into the files shows: no run begins, and the same folder can be used again.
    for (line, words) in [
        ("train --train-file lines.txt --out out", [".tsv", "lines.txt"]),
        ("train --train-file own.tsv --out out", ["sentence", "own.tsv"]),
        (
            "train --dataset synth-sentiment --freeze 3 --out out",
            ["--freeze 3", "2 layers"],
        ),
        (
            "train --dataset synth-sentiment --take 9999 --out out",
            ["--take 9999", "2000"],
        ),
    ] {
        let code = if line.contains("synth") { 2 } else { 1 };
        let (_, stderr) = expect(code, folder, line);
        for word in words {
            assert!(stderr.contains(word), "{line}: `{word}` is not in {stderr}");
        }
        assert!(!stderr.contains("bug in adv"), "{stderr}");
        assert_eq!(names(&folder.join("out")), ["spec.toml"], "{line}");
    }
}

/// All would be right under any attack.
#[test]
fn rows_of_a_single_class_are_not_trained_on() {
    let root = root();
    let folder = root.path();
    let rows = |label: &str| format!("a day .\t{label}\na night .\t{label}\n").repeat(15);
    write(
        folder.join("one.tsv"),
        &format!("sentence\tlabel\n{}", rows("yes")),
    );
    std::fs::create_dir(folder.join("mine")).expect("made");
    for name in ["train.tsv", "dev.tsv"] {
        write(
            folder.join("mine").join(name),
            &format!("sentence\tlabel\n{}", rows("1")),
        );
    }
    for (line, words) in [
        ("train --train-file one.tsv --out out", ["one.tsv", "`yes`"]),
        (
            "train --task sst2 --data-dir mine --out task",
            ["mine", "`positive`"],
        ),
    ] {
        let (_, stderr) = expect(2, folder, line);
        for word in words.into_iter().chain(["one class"]) {
            assert!(stderr.contains(word), "{line}: `{word}` is not in {stderr}");
        }
    }
    // A language model does not look at labels, and scores are no classes.
    let small = "--train-file one.tsv --epochs 1 --batch 8 --max-length 8";
    json(folder, &format!("train {small} --method mlm --out words"));
    let numbers = rows("1");
    write(folder.join("scores.tsv"), &format!("sentence\tlabel\n{numbers}"));
    let small = small.replace("one.tsv", "scores.tsv");
    json(
        folder,
        &format!("train {small} --scores --method standard --out scores"),
    );
}

/// A mini-batch of it alone would end the run, whenever it is resumed.
#[test]
fn a_row_with_nothing_to_guess_is_named() {
    let root = root();
    let folder = root.path();
    let mut lines = "a fine day .\nthe night is here\n".repeat(20);
    lines.push_str("\u{200b}\n");
    write(folder.join("lines.txt"), &lines);
    for method in ["lm", "mlm"] {
        let line =
            format!("train --train-file lines.txt --method {method} --batch 1 --epochs 1 --out {method}");
        let (_, stderr) = expect(2, folder, &line);
        assert!(
            stderr.contains("row `\\u{200b}` has no token that could be guessed: leave it out"),
            "{stderr}"
        );
    }
}

/// Three classes in its folder, two in the corpus.
#[test]
fn a_head_for_another_number_of_classes_begins_anew_and_the_result_says_so() {
    let Some(encoder) = encoder() else {
        return;
    };
    let root = root();
    let tiny = encoder.with_file_name("tiny-bert-classifier");
    let line = format!(
        "train --model-dir {} --task synth-sentiment --take 32 --epochs 1 --n 4 --eval-eps 1 --out run",
        tiny.display()
    );
    let result = json(root.path(), &line);
    let warnings = result["warnings"].to_string();
    assert!(
        warnings.contains("another number of classes: classifier.bias and classifier.weight are new"),
        "{warnings}"
    );
    // What the run has saved is whole; a folder that is not is no model to ask.
    assert_eq!(predicted(root.path(), "a good film\n").len(), 1);
    std::fs::copy(
        tiny.join("model.safetensors"),
        root.path().join("run/best/model.safetensors"),
    )
    .expect("copied");
    let (_, stderr) = expect(1, root.path(), "eval --run run");
    assert!(stderr.contains("classifier.weight"), "{stderr}");
}

/// A real encoder on a real task: it learns, and its folder is one of its own kind again.
#[test]
fn a_pretrained_encoder_is_fine_tuned_on_a_real_task() {
    let (Some(encoder), Some(_)) = (encoder(), data_dir()) else {
        return;
    };
    let root = root();
    let line = format!(
        "train --model-dir {} --task sst2-sentences --method freelb --step 0.01 --take 320 --batch 8 --lr 2e-4 --epochs 1 \
         --n 16 --eval-eps 0.05,8 --max-length 32 --freeze 3 --out run",
        encoder.display()
    );
    let result = json(root.path(), &line);
    // Forty updates: far from guessing on 1821 sentences, and far from what there is to learn.
    assert!(number(&result["clean_accuracy"]) > 0.6, "{result}");
    assert!(number(&result["metrics"]["advglue_accuracy"]) > 0.0, "{result}");
    let there = names(&root.path().join("run/best"));
    for name in ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"] {
        assert!(there.iter().any(|other| other == name), "{there:?}");
    }
    let said = predicted(
        root.path(),
        "a wonderful , moving film .\na dull and lifeless mess .\n",
    );
    let positive = |said: &Value| number(&said["probabilities"]["positive"]);
    assert!(positive(&said[0]) > positive(&said[1]), "{said:?}");
}
