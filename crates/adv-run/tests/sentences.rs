//! The commands on sentence vectors, from outside.

mod common;

use common::{adv, bytes, data_dir, encoder, expect, model_dir, names, text};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

const LINES: &str = "a man plays a guitar .\nthe stock market fell\n\na small dog runs over the grass\nsomeone is playing an instrument\n";

fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("written");
}

/// Vectors of JSON lines, with their sentences.
fn of_jsonl(text: &str) -> Vec<(String, Vec<f32>)> {
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let sentence = value["sentence"].as_str().expect("a sentence").to_string();
        let numbers = value["embedding"].as_array().expect("numbers");
        let numbers = numbers
            .iter()
            .map(|number| number.as_f64().expect("a number") as f32);
        (sentence, numbers.collect())
    };
    text.lines().map(line).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word)).collect()
}

#[test]
fn the_formats_hold_the_same_vectors_in_the_order_of_the_lines() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    write(root.path().join("lines.txt"), LINES);
    for model in ["tiny-bert-mlm", "tiny-roberta-mlm", "tiny-albert-mlm"] {
        let folder = models.join(model);
        if !folder.join("tokenizer.json").is_file() {
            continue;
        }
        let line = |out: &str| {
            format!(
                "encode --model-dir {} --input lines.txt --out {out} --batch 2",
                folder.display()
            )
        };
        for out in ["v.npy", "v.safetensors", "v.jsonl"] {
            let (stdout, stderr) = expect(0, root.path(), &line(out));
            assert!(stdout.is_empty() && stderr.contains("5 vectors"), "{stderr}");
        }
        let (printed, _) = expect(0, root.path(), &line("-"));
        let file = text(&bytes(root.path().join("v.jsonl")));
        assert_eq!(printed, file, "{model}");
        let rows = of_jsonl(&file);
        let sentences: Vec<&str> = rows.iter().map(|(sentence, _)| sentence.as_str()).collect();
        assert_eq!(sentences, LINES.lines().collect::<Vec<_>>(), "{model}");
        let expected: Vec<f32> = rows.iter().flat_map(|(_, row)| row.clone()).collect();
        let npy = bytes(root.path().join("v.npy"));
        let header = usize::from(u16::from_le_bytes([npy[8], npy[9]]));
        assert!(floats(&npy[10 + header..]) == expected, "{model}: npy");
        let file = bytes(root.path().join("v.safetensors"));
        let tensors = safetensors::SafeTensors::deserialize(&file).expect("safetensors");
        let tensor = tensors.tensor("embeddings").expect("the tensor");
        assert_eq!(tensor.shape(), [5, rows[0].1.len()]);
        assert!(floats(tensor.data()) == expected, "{model}: safetensors");

        // From the standard input, and a sentence alone: the same vector up to rounding.
        let mut child = adv(
            root.path(),
            &format!("encode --model-dir {} --input -", folder.display()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("adv starts");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(b"a small dog runs over the grass\n")
            .expect("written");
        let alone = of_jsonl(&text(&child.wait_with_output().expect("ended").stdout));
        for (a, b) in alone[0].1.iter().zip(&rows[3].1) {
            assert!((a - b).abs() < 1e-5, "{model}: {a} and {b}");
        }
        let (cut, _) = expect(
            0,
            root.path(),
            &format!("{} --truncate-dim 3 --normalise", line("-")),
        );
        for (_, row) in of_jsonl(&cut) {
            let length: f32 = row.iter().map(|number| number * number).sum();
            assert!(row.len() == 3 && (length - 1.0).abs() < 1e-5, "{row:?}");
        }
    }
}

#[test]
fn search_finds_the_nearest_and_similarity_agrees_with_it() {
    let Some(encoder) = encoder() else { return };
    let root = TempDir::new().expect("a folder");
    let at = encoder.display();
    write(root.path().join("lines.txt"), LINES);
    write(
        root.path().join("queries.txt"),
        "a man is playing the guitar\nshares lost their value\n",
    );
    let search = format!("search --model-dir {at} --corpus lines.txt --queries queries.txt --json");
    let hits = |more: &str| -> Vec<Value> {
        let (stdout, _) = expect(0, root.path(), &format!("{search} {more}"));
        stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let two = hits("--top-k 2");
    let lines: Vec<i64> = two
        .iter()
        .map(|hit| hit["line"].as_i64().expect("a line"))
        .collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (4, 1, 2), "{two:?}");
    let cosine = |hit: &Value| hit["cosine"].as_f64().expect("a cosine");
    assert!(cosine(&two[0]) >= cosine(&two[1]) && cosine(&two[2]) >= cosine(&two[3]));
    let limit = (cosine(&two[0]) + cosine(&two[1])) / 2.0;
    for hit in hits(&format!("--threshold {limit}")) {
        assert!(cosine(&hit) >= limit);
    }
    assert!(hits("--threshold 1.5").is_empty());
    write(
        root.path().join("pairs.tsv"),
        "a man is playing the guitar\ta man plays a guitar .\n",
    );
    let similarity = format!("similarity --model-dir {at} --input pairs.tsv --json");
    let (stdout, _) = expect(0, root.path(), &similarity);
    let pair: Value = serde_json::from_str(&stdout).expect("JSON");
    assert!(
        (cosine(&pair) - cosine(&two[0])).abs() < 1e-5,
        "{pair}, {}",
        two[0]
    );
}

/// The folder of golden values, if the environment names one.
fn golden() -> Option<Value> {
    let Some(folder) = std::env::var_os("ADV_GOLDEN_DIR").map(PathBuf::from) else {
        println!("skipped: set ADV_GOLDEN_DIR");
        return None;
    };
    Some(serde_json::from_slice(&bytes(folder.join("sts.json"))).expect("JSON"))
}

#[test]
fn similarity_tasks_have_the_golden_figures() {
    let (Some(encoder), Some(_), Some(golden)) = (encoder(), data_dir(), golden()) else {
        return;
    };
    let root = TempDir::new().expect("a folder");
    let run = |more: &[&str]| -> Value {
        let line = format!(
            "sts --model-dir {} --tasks STSB-test --geometry --json",
            encoder.display()
        );
        let out = adv(root.path(), &line).args(more).output().expect("adv starts");
        assert!(out.status.success(), "{}", text(&out.stderr));
        serde_json::from_slice(&out.stdout).expect("JSON")
    };
    let close = |found: &Value, expected: &Value, limit: f64, what: &str| {
        let [found, expected] = [found, expected].map(|value| value.as_f64().expect("a number"));
        assert!(
            (found - expected).abs() < limit,
            "{what}: {found}, not {expected}"
        );
    };
    let spearman = |part: &str| golden[part]["spearman"]["STSB-test"].clone();
    let mean = run(&[]);
    close(&mean["STSB-test"], &spearman("mean_pooling"), 0.02, "mean");
    let expected = &golden["mean_pooling"]["stsb_test"];
    let geometry = &mean["geometry"];
    close(&geometry["align"], &expected["align"], 1e-3, "alignment");
    close(
        &geometry["uniform"],
        &expected["uniform_unique"],
        1e-3,
        "uniformity",
    );
    let prompted = run(&["--prompt", "This sentence of \"[X]\" means[MASK]."]);
    close(
        &prompted["STSB-test"],
        &spearman("prompt_mask_template1"),
        0.02,
        "a prompt",
    );
}

#[test]
fn templates_are_ranked() {
    let (Some(encoder), Some(_)) = (encoder(), data_dir()) else {
        return;
    };
    let root = TempDir::new().expect("a folder");
    let templates = "# two of PromptBERT's\nThis sentence of \"[X]\" means[MASK].\n\n[X] [MASK]\nThis sentence of \"[X]\" means[MASK].\n";
    write(root.path().join("templates.txt"), templates);
    let model = encoder.display();
    let line = format!("prompt search --model-dir {model} --templates templates.txt --tasks STSB-test");
    let (stdout, stderr) = expect(0, root.path(), &format!("{line} --json"));
    let ranking: Value = serde_json::from_str(&stdout).expect("JSON");
    let ranking = ranking.as_array().expect("a list");
    assert_eq!(ranking.len(), 2, "{stdout}");
    let figure = |place: usize| ranking[place]["spearman"].as_f64().expect("a figure");
    assert!(figure(0) >= figure(1), "{stdout}");
    let golden = ranking
        .iter()
        .find(|one| one["template"] == "This sentence of \"[X]\" means[MASK].");
    let golden = golden.expect("the template")["spearman"]
        .as_f64()
        .expect("a figure");
    assert!((golden - 37.408_113_926_785_13).abs() < 0.02, "{golden}");
    assert!(stderr.contains("2/2"), "{stderr}");
    write(root.path().join("templates.txt"), "[X] [MASK]\n[X] means\n");
    let (_, stderr) = expect(1, root.path(), &line);
    assert!(
        stderr.contains("templates.txt, line 2") && stderr.contains("no mask"),
        "{stderr}"
    );
}

#[test]
fn an_analysis_has_figures_and_pictures() {
    let (Some(encoder), Some(_)) = (encoder(), data_dir()) else {
        return;
    };
    let root = TempDir::new().expect("a folder");
    write(root.path().join("lines.txt"), LINES.repeat(3));
    let line = format!(
        "prompt analyse --model-dir {} --input lines.txt --out page.html",
        encoder.display()
    );
    let found = common::json(root.path(), &line);
    let rows = found["rows"].as_array().expect("rows");
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["vectors"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), 9, "{names:?}");
    for row in rows {
        for key in ["spearman", "mean_cosine"] {
            let figure = row[key].as_f64().expect("a figure");
            assert!((-100.0..=100.0).contains(&figure), "{row}");
        }
    }
    let spearman = |place: usize| rows[place]["spearman"].as_f64().expect("a figure");
    // The golden figures of the mean over the tokens and of the prompt.
    assert!(
        (spearman(6) - 82.03).abs() < 0.02 && (spearman(8) - 37.41).abs() < 0.02,
        "{found}"
    );
    assert!(found["influence"]["frequent"].is_number(), "{found}");
    let page = text(&bytes(root.path().join("page.html")));
    assert_eq!(page.matches("<svg class=\"plot\"").count(), 3);
    assert!(page.contains("without frequent tokens") && page.contains("most frequent third"));
}

#[test]
fn a_linear_classifier_tells_questions_apart() {
    let (Some(encoder), Some(_)) = (encoder(), data_dir()) else {
        return;
    };
    let root = TempDir::new().expect("a folder");
    let line = format!("transfer --model-dir {} --tasks TREC", encoder.display());
    let found = common::json(root.path(), &line);
    let accuracy = found["TREC"].as_f64().expect("a figure");
    // Published encoders are at 85 to 91 (SimCSE, tables of its appendix).
    assert!((80.0..99.0).contains(&accuracy), "{found}");
    assert_eq!(found["details"]["TREC"]["rows"], 500);
}

#[test]
fn bad_input_is_named() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let at = |name: &str| root.path().join(name);
    write(at("lines.txt"), LINES);
    write(at("latin.txt"), b"one\ncaf\xe9\n");
    write(at("empty.txt"), b"");
    write(at("alone.tsv"), b"one\ttwo\nthree\n");
    write(at("table.tsv"), b"text\nsome words\n");
    std::fs::create_dir(at("bare")).expect("made");
    std::fs::create_dir(at("broken")).expect("made");
    write(
        at("broken/modules.json"),
        b"[{\"type\": \"a.b.CLIP\", \"path\": \"\"}]",
    );
    let model = models.join("tiny-bert-mlm");
    let model = model.display();
    let headless = models.join("all-MiniLM-L6-v2");
    let headless = headless.display();
    for (line, expected) in [
        (
            format!("encode --model-dir {model} --input none.txt"),
            vec!["none.txt"],
        ),
        (
            format!("encode --model-dir {model} --input latin.txt --out v.npy"),
            vec!["latin.txt", "line 2", "UTF-8"],
        ),
        (
            format!("encode --model-dir {model} --input empty.txt --out v.npy"),
            vec!["empty.txt"],
        ),
        (
            format!("encode --model-dir {model} --input table.tsv --out v.npy"),
            vec!["table.tsv", "sentence", "--column"],
        ),
        (
            format!("encode --model-dir {model} --input lines.txt --out v.txt"),
            vec!["v.txt", ".npy, .safetensors or .jsonl"],
        ),
        (
            format!("encode --model-dir {model} --input lines.txt --out v.npy --max-length 2"),
            vec!["2"],
        ),
        (
            "encode --model-dir bare --input lines.txt --out v.npy".into(),
            vec!["bare", "config.json"],
        ),
        (
            "encode --model-dir broken --input lines.txt --out v.npy".into(),
            vec!["modules.json", "CLIP"],
        ),
        (
            "encode --model-dir none --input lines.txt --out v.npy".into(),
            vec!["--model-dir", "none"],
        ),
        (
            format!("encode --model-dir {model} --input lines.txt --prompt [X] --out v.npy"),
            vec!["[MASK]"],
        ),
        (
            format!(
                "encode --model-dir {headless} --input lines.txt --prompt [X]:[MASK] --likely-tokens 3 --out v.npy"
            ),
            vec!["no masked-LM head"],
        ),
        (
            format!("encode --model-dir {model} --input lines.txt --denoising always --out v.npy"),
            vec!["--denoising", "--prompt"],
        ),
        (
            format!("prompt search --model-dir {model} --templates empty.txt --data-dir bare"),
            vec!["empty.txt"],
        ),
        (
            format!("similarity --model-dir {model} --input alone.tsv"),
            vec!["alone.tsv", "sentence 2", "tab"],
        ),
        (
            format!("search --model-dir {model} --corpus - --queries -"),
            vec!["standard input"],
        ),
        (
            format!("sts --model-dir {model} --data-dir bare"),
            vec!["--data-dir", "STS12"],
        ),
        (
            format!("sts --model-dir {model} --data-dir bare --tasks STS99"),
            vec!["STS99", "STS12"],
        ),
        (
            format!("transfer --model-dir {model} --data-dir bare --tasks MR"),
            vec!["--data-dir", "rt-polarity"],
        ),
        (
            format!("transfer --model-dir {model} --data-dir bare --tasks XR"),
            vec!["XR", "MRPC"],
        ),
    ] {
        let out = adv(root.path(), &line)
            .stdin(Stdio::null())
            .output()
            .expect("adv starts");
        let stderr = text(&out.stderr);
        assert!(!out.status.success(), "{line}");
        for word in expected {
            assert!(stderr.contains(word), "{line}\nwants {word}: {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        let left = names(root.path());
        assert!(
            !left
                .iter()
                .any(|name| name.starts_with("v.") || name.contains(".tmp")),
            "{line}: {left:?}"
        );
    }
}
