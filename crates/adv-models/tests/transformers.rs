//! A saved folder in Python's `transformers`: it loads, with nothing missing, and gives the same logits.
//!
//! Runs where `ADV_PYTHON`, or else `python3`, has `torch` and `transformers`.

use adv_models::text::{Encoded, EncoderConfig, HeadKind, TextModel, Tokens};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const IDS: [[u32; 6]; 2] = [[2, 5, 9, 3, 30, 3], [2, 7, 3, 4, 31, 3]];

/// The interpreter, if it has what is needed.
fn python() -> Option<String> {
    let python = std::env::var("ADV_PYTHON").unwrap_or_else(|_| "python3".into());
    let asked = Command::new(&python)
        .args(["-c", "import torch, transformers"])
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success()).then_some(python)
}

/// The program's answers, one for each job.
fn answers(python: &str, jobs: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/folder_logits.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for job in jobs {
        writeln!(stdin, "{job}").unwrap();
    }
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn model(family: &str, activation: &str, head: HeadKind) -> TextModel {
    let json = json!({
        "model_type": family, "vocab_size": 40, "hidden_size": 16, "embedding_size": 8, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 24, "hidden_act": activation, "max_position_embeddings": 24,
        "type_vocab_size": 2, "pad_token_id": 1, "initializer_range": 0.3, "layer_norm_eps": 1e-5
    });
    let config =
        EncoderConfig::from_json(json.as_object().unwrap().clone(), Path::new("config.json")).unwrap();
    TextModel::new(config, head, 3, &Device::flex())
}

/// The logits of each sentence, or of all its tokens.
fn own(model: &TextModel) -> Vec<Vec<f32>> {
    let encoded = IDS.map(|ids| Encoded {
        ids: ids.to_vec(),
        types: types(),
        special: vec![0; ids.len()],
    });
    let tokens = Tokens::new(&encoded, model.config(), &Device::flex()).unwrap();
    let logits: Vec<f32> = if model.head() == HeadKind::MaskedLm {
        let all = Tensor::<1, Int>::arange(0..12, &Device::flex());
        model.token_logits(&tokens, all).into_data().try_to_vec().unwrap()
    } else {
        model
            .sentence_outputs(&tokens, None)
            .into_data()
            .try_to_vec()
            .unwrap()
    };
    logits.chunks(logits.len() / 2).map(<[f32]>::to_vec).collect()
}

fn types() -> Vec<u32> {
    vec![0, 0, 0, 0, 1, 1]
}

#[test]
fn a_saved_folder_gives_the_same_logits_in_transformers() {
    let Some(python) = python() else {
        println!("skipped: set ADV_PYTHON to an interpreter with torch and transformers");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let (mut jobs, mut expected) = (Vec::new(), Vec::new());
    for (family, activation) in [
        ("bert", "gelu"),
        ("roberta", "gelu"),
        ("albert", "gelu_new"),
        ("bert", "silu"),
    ] {
        for (name, head) in [
            ("classes", HeadKind::Classes(3)),
            ("regression", HeadKind::Regression),
            ("masked-lm", HeadKind::MaskedLm),
        ] {
            let model = model(family, activation, head).valid();
            let folder = root.path().join(format!("{family}-{activation}-{name}"));
            model.save(&folder, None).unwrap();
            jobs.push(json!({"folder": folder, "head": name, "ids": IDS, "types": [types(), types()]}));
            expected.push((folder, own(&model)));
        }
    }
    let answers = answers(&python, &jobs);
    assert_eq!(answers.len(), expected.len());
    for (answer, (folder, expected)) in answers.iter().zip(&expected) {
        let name = folder.display();
        for list in ["missing_keys", "unexpected_keys", "mismatched_keys"] {
            assert_eq!(answer[list], json!([]), "{name}: {list}");
        }
        for (found, expected) in answer["logits"].as_array().unwrap().iter().zip(expected) {
            let found: Vec<f32> = serde_json::from_value(found.clone()).unwrap();
            assert_eq!(found.len(), expected.len(), "{name}");
            let largest = expected.iter().fold(1f32, |most, value| most.max(value.abs()));
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 1e-5 * largest,
                    "{name}: {found}, here {expected}"
                );
            }
        }
        println!("{name}: equal");
    }
}
