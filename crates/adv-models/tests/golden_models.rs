//! Golden values: small encoders of every family, against those of `transformers`, computed in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `models.safetensors` and `models.json`, `ADV_MODEL_DIR` one with the models. A tensor may
//! differ by 1e-4 of its largest entry.

#[allow(dead_code)] // The other golden tests use all of it.
mod golden;

use adv_models::text::{EncoderConfig, HeadKind, TextModel, Tokenizer, Tokens};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use golden::set::{Array, Set};
use std::path::{Path, PathBuf};

/// The stored set and the folder of models, if both are there.
fn with_files(checks: impl FnOnce(&Set, &Path)) {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    match (folder("ADV_GOLDEN_DIR"), folder("ADV_MODEL_DIR")) {
        (Some(golden), Some(models)) => checks(&Set::read(&golden, "models"), &models),
        _ => println!("skipped: set ADV_GOLDEN_DIR and ADV_MODEL_DIR"),
    }
}

fn close(name: &str, got: &Array, want: &Array) {
    assert_eq!(got.shape, want.shape, "{name}");
    let largest = want.values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = got
        .values
        .iter()
        .zip(&want.values)
        .map(|(got, want)| (got - want).abs())
        .fold(0f32, f32::max);
    println!("{name}: off by {worst:.1e} of {largest:.1}");
    assert!(worst <= 1e-4 * largest, "{name}: {worst} of {largest}");
}

/// Rows of a stored matrix of whole numbers, up to where the mask ends.
fn rows(set: &Set, name: &str, of: &str) -> Vec<Vec<u32>> {
    let mask = set.integers(&format!("{name}/mask"));
    let values = set.integers(&format!("{name}/{of}"));
    let width = mask.len() / set.length(&format!("{name}/ids"));
    let rows = values.chunks(width).zip(mask.chunks(width));
    rows.map(|(row, mask)| {
        let kept = row.iter().zip(mask).filter(|(_, mask)| **mask == 1);
        kept.map(|(id, _)| *id as u32).collect()
    })
    .collect()
}

/// The texts that a model of the set was given.
fn texts(set: &Set, name: &str) -> Vec<String> {
    let around = |sentence: &String| match name {
        "tiny-bert-mlm" => format!("This sentence of \"{sentence}\" means[MASK]."),
        "tiny-roberta-mlm" => format!("This sentence : ' {sentence} ' means<mask>."),
        _ => sentence.clone(),
    };
    set.strings("sentences").iter().map(around).collect()
}

/// A model of the set from a folder of this name, its tokens, and the name in the set.
fn check(set: &Set, models: &Path, folder: &str, name: &str, head: HeadKind) {
    let device = Device::flex();
    let path = models.join(folder);
    let (model, report) = TextModel::from_folder(&path, head, 0, &device).unwrap();
    assert!(report.new.is_empty(), "{report:?}");
    let model = model.valid();
    let ids = rows(set, name, "ids");
    let sentences: Vec<_> = ids.iter().map(|ids| golden::encoded(ids)).collect();
    let tokens = Tokens::new(&sentences, model.config(), &device).unwrap();
    let [batch, length] = tokens.shape();

    let hidden = model.hidden(&tokens, None);
    let mask = tokens.mask().unsqueeze_dim::<3>(2);
    close(
        &format!("{folder}/last_hidden"),
        &Array::of(hidden * mask),
        &set.tensor(&format!("{name}/last_hidden")),
    );
    let logits = set.tensor(&format!("{name}/logits"));
    match head {
        HeadKind::MaskedLm => {
            let few = logits.shape[0];
            let all = Tensor::<1, Int>::arange(0..(few * length) as i64, &device);
            let vocabulary = logits.shape[2];
            let found = model
                .token_logits(&tokens, all)
                .reshape([few, length, vocabulary]);
            let mask = tokens.mask().narrow(0, 0, few).unsqueeze_dim::<3>(2);
            close(&format!("{folder}/logits"), &Array::of(found * mask), &logits);
        }
        _ => close(
            &format!("{folder}/logits"),
            &Array::of(model.sentence_outputs(&tokens, None)),
            &logits,
        ),
    }
    if set.has(&format!("{name}/mask_position")) {
        let positions = set.integers(&format!("{name}/mask_position"));
        let places: Vec<i64> = positions
            .iter()
            .enumerate()
            .map(|(row, at)| (row * length) as i64 + at)
            .collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [batch]), &device);
        let found = model.token_logits(&tokens, places);
        close(
            &format!("{folder}/mask_logits"),
            &Array::of(found),
            &set.tensor(&format!("{name}/mask_logits")),
        );
    }
}

#[test]
fn golden_models_of_every_family_and_file_format() {
    with_files(|set, models| {
        let classes = HeadKind::Classes(set.tensor("tiny-bert-classifier/logits").shape[1]);
        for (folder, name, head) in [
            ("tiny-bert-mlm", "tiny-bert-mlm", HeadKind::MaskedLm),
            ("tiny-bert-mlm-sharded", "tiny-bert-mlm", HeadKind::MaskedLm),
            ("tiny-bert-mlm-bin", "tiny-bert-mlm", HeadKind::MaskedLm),
            ("tiny-bert-classifier", "tiny-bert-classifier", classes),
            ("tiny-roberta-mlm", "tiny-roberta-mlm", HeadKind::MaskedLm),
            ("tiny-albert-mlm", "tiny-albert-mlm", HeadKind::MaskedLm),
        ] {
            check(set, models, folder, name, head);
        }
    });
}

#[test]
fn golden_token_ids() {
    with_files(|set, models| {
        for (folder, name) in [
            ("tiny-bert-mlm", "tiny-bert-mlm"),
            // Of vocab.txt alone.
            ("tiny-bert-mlm-bin", "tiny-bert-mlm"),
            ("tiny-bert-mlm-sharded", "tiny-bert-mlm"),
            ("tiny-bert-classifier", "tiny-bert-classifier"),
            ("tiny-roberta-mlm", "tiny-roberta-mlm"),
        ] {
            let path = models.join(folder);
            compare_ids(set, name, &path);
        }
        // Of vocab.json and merges.txt alone.
        let bare = tempfile::tempdir().unwrap();
        for file in ["vocab.json", "merges.txt", "tokenizer_config.json"] {
            std::fs::copy(models.join("tiny-roberta-mlm").join(file), bare.path().join(file)).unwrap();
        }
        compare_ids(set, "tiny-roberta-mlm", bare.path());
    });
}

fn compare_ids(set: &Set, name: &str, folder: &Path) {
    let tokenizer = Tokenizer::from_folder(folder).unwrap();
    let texts = texts(set, name);
    let inputs: Vec<_> = texts.iter().map(|text| (text.as_str(), None)).collect();
    let (found, overlong) = tokenizer.encode(&inputs).unwrap();
    assert_eq!(overlong.cut, 0);
    for ((found, want), text) in found.iter().zip(rows(set, name, "ids")).zip(&texts) {
        assert_eq!(found.ids, want, "{}: {text}", folder.display());
    }
    let config = EncoderConfig::read(folder);
    if let Ok(config) = config {
        tokenizer.check(config.vocabulary).unwrap();
    }
}
