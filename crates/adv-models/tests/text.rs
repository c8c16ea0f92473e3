//! Text models: padding, dropout, perturbations, folders, and what is refused.

use adv_core::{
    Adversarial, Batch, Carried, FreeAt, FreeLb, Ledger, Objective, PassError, Perturbation, Split, Start,
    TrainingMethod, Vat, VatParts,
};
use adv_models::text::{
    Answers, Encoded, EncoderConfig, HeadKind, LoadReport, Place, SpecialTokens, TextBatch, TextConfig,
    TextError, TextModel, Tokenizer, Tokens, copy_tokenizer,
};
use adv_models::{Labels, MaskPolicy};
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::store::ModuleSnapshot;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};
use std::path::Path;
use tempfile::TempDir;

/// A small model of a family: `bert`, `roberta` or `albert`.
fn raw(family: &str) -> Map<String, Value> {
    let json = json!({
        "model_type": family, "vocab_size": 40, "hidden_size": 16, "embedding_size": 8, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 24, "hidden_act": "gelu", "max_position_embeddings": 24,
        "type_vocab_size": 2, "pad_token_id": 1, "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2,
        "initializer_range": 0.3
    });
    json.as_object().unwrap().clone()
}

fn config(family: &str) -> EncoderConfig {
    EncoderConfig::from_json(raw(family), Path::new("config.json")).unwrap()
}

fn model(family: &str, head: HeadKind) -> TextModel {
    TextModel::new(config(family), head, 3, &Device::flex().autodiff())
}

fn sentence(ids: &[u32]) -> Encoded {
    Encoded {
        ids: ids.to_vec(),
        types: ids.iter().enumerate().map(|(at, _)| u32::from(at > 2)).collect(),
        special: ids.iter().enumerate().map(|(at, _)| u32::from(at == 0)).collect(),
    }
}

const FAMILIES: [&str; 3] = ["bert", "roberta", "albert"];

fn batch(model: &TextModel) -> TextBatch {
    let device = Device::flex();
    let sentences = [
        sentence(&[2, 5, 9, 3]),
        sentence(&[2, 7, 3, 4, 30, 31, 3]),
        sentence(&[2, 3]),
    ];
    let tokens = Tokens::new(&sentences, model.config(), &device).unwrap();
    let answers = Answers::Classes(Labels::new([0u8, 1, 1], 2, &device).unwrap());
    TextBatch::new(model, tokens, answers).unwrap()
}

fn values<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.inner().into_data().try_to_vec().unwrap()
}

fn largest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn padding_never_changes_a_vector() {
    for family in FAMILIES {
        let model = model(family, HeadKind::Classes(2)).valid();
        let together = batch(&model).tokens().clone();
        let [_, length] = together.shape();
        let hidden = values(model.hidden(&together, None));
        let outputs = values(model.sentence_outputs(&together, None));
        let width = model.config().hidden();
        for (row, ids) in [&[2u32, 5, 9, 3][..], &[2, 7, 3, 4, 30, 31, 3], &[2, 3]]
            .iter()
            .enumerate()
        {
            let alone = Tokens::new(&[sentence(ids)], model.config(), &Device::flex()).unwrap();
            let own = values(model.hidden(&alone, None));
            let start = row * length * width;
            assert!(
                largest(&own, &hidden[start..start + own.len()]) < 1e-5,
                "{family} {row}"
            );
            let own = values(model.sentence_outputs(&alone, None));
            assert!(
                largest(&own, &outputs[2 * row..2 * row + 2]) < 1e-5,
                "{family} {row}"
            );
        }
    }
}

#[test]
fn dropout_masks_last_for_a_mini_batch() {
    for family in FAMILIES {
        let model = model(family, HeadKind::Classes(2));
        let batch = batch(&model);
        let pass = |seed| {
            model.begin_batch(seed);
            let clean = model.clean(batch.tokens());
            let passes = [0; 3].map(|_| values(model.sentence_outputs(batch.tokens(), Some(clean.clone()))));
            assert!(
                passes[0] == passes[1] && passes[1] == passes[2],
                "{family}: K passes differ"
            );
            passes[0].clone()
        };
        assert_ne!(pass(1), pass(2), "{family}: a new mini-batch has the old mask");
        model.set_mask_policy(MaskPolicy::Fresh);
        model.begin_batch(1);
        let fresh = [0; 2].map(|_| values(model.sentence_outputs(batch.tokens(), None)));
        assert_ne!(fresh[0], fresh[1], "{family}: fresh masks are equal");
        let quiet = model.valid();
        let still = [1, 2].map(|seed| {
            quiet.begin_batch(seed);
            values(quiet.sentence_outputs(batch.tokens(), None))
        });
        assert_eq!(still[0], still[1], "{family}: dropout in eval mode");
    }
}

#[test]
fn no_perturbation_and_the_cut_change_nothing() {
    for family in FAMILIES {
        for place in [Place::Words, Place::Sum, Place::Table] {
            let model = model(family, HeadKind::Classes(2)).with_place(place).unwrap();
            let batch = batch(&model);
            let clean = model.clean(batch.tokens());
            let plain = values(model.sentence_outputs(batch.tokens(), None));
            assert_eq!(
                plain,
                values(model.sentence_outputs(batch.tokens(), Some(clean.clone()))),
                "{family} {place:?}"
            );
            let whole = values(model.loss(clean.clone(), &batch));
            let cut = values(model.rest(model.first(clean, &batch), &batch));
            assert!(
                largest(&whole, &cut) < 1e-6,
                "{family} {place:?}: {whole:?} {cut:?}"
            );
        }
    }
}

#[test]
fn a_shared_row_moves_all_its_words() {
    let model = model("bert", HeadKind::Classes(2))
        .with_place(Place::Table)
        .unwrap()
        .valid();
    let tokens = batch(&model).tokens().clone();
    let ids: Vec<i64> = tokens.distinct_ids().into_data().iter::<i64>().collect();
    // 0 is padding.
    assert_eq!(ids, [0, 2, 3, 4, 5, 7, 9, 30, 31]);
    let plain = values(model.sentence_outputs(&tokens, None));
    // Not the same in all entries, which normalisation would take out again.
    let steps: Vec<f32> = (0..16).map(|i| i as f32 / 16.0).collect();
    let row = Tensor::<3>::from_data(TensorData::new(steps, [1, 1, 16]), &Device::flex());
    let push = |index: usize| {
        let delta = model
            .clean(&tokens)
            .slice_assign([0..1, index..index + 1, 0..16], row.clone());
        let moved = values(model.sentence_outputs(&tokens, Some(delta)));
        [0, 1, 2].map(|s| moved[2 * s..2 * s + 2] != plain[2 * s..2 * s + 2])
    };
    assert_eq!(push(0), [false; 3], "padding");
    assert_eq!(push(1), [true; 3], "a word of all sentences");
    assert_eq!(push(4), [true, false, false], "a word of the first");
}

#[test]
fn masks_exclude_padding_and_special_tokens() {
    let model = model("bert", HeadKind::Classes(2));
    let tokens = batch(&model).tokens().clone();
    let count = |special| values(model.mask(&tokens, special)).iter().sum::<f32>() / 16.0;
    assert_eq!(
        (count(SpecialTokens::Perturbed), count(SpecialTokens::Kept)),
        (13.0, 10.0)
    );
    // Of nine rows of the table that of padding is masked, and that of the first token, which is special, if it is kept.
    let model = model.with_place(Place::Table).unwrap();
    let count = |special| values(model.mask(&tokens, special)).iter().sum::<f32>() / 16.0;
    assert_eq!(
        (count(SpecialTokens::Perturbed), count(SpecialTokens::Kept)),
        (8.0, 7.0)
    );
}

#[test]
fn every_weight_is_trained_and_the_loss_falls() {
    let pgd = |steps| Perturbation::pgd_l2(0.1, 0.05, steps).unwrap();
    let start = Start::LengthScaled { magnitude: 0.05 };
    let methods: [(&str, Box<dyn TrainingMethod<3, TextModel>>); 3] = [
        ("pgd", Box::new(Adversarial::new(pgd(2)))),
        ("freelb", Box::new(FreeLb::new(pgd(2).with_start(start).unwrap()))),
        ("freeat", Box::new(FreeAt::restarting(2, pgd(1)).unwrap())),
    ];
    for (name, method) in methods {
        for family in FAMILIES {
            let mut model = model(family, HeadKind::Classes(2));
            let loss = |model: &TextModel| {
                let (quiet, batch) = (model.valid(), batch(model));
                values(quiet.loss(quiet.clean(batch.tokens()), &batch))[0]
            };
            let first = loss(&model);
            let mut optimiser = AdamConfig::new().init();
            let (mut carried, mut ledger) = (Carried::default(), Ledger::new());
            let mut noise = ChaCha8Rng::seed_from_u64(1);
            for step in 0..150 {
                model.begin_batch(step);
                let batch = batch(&model);
                let mask = model.mask(batch.tokens(), SpecialTokens::Perturbed);
                let given = Batch::new(model.clean(batch.tokens()), &batch).with_mask(mask);
                for _ in 0..method.replays() {
                    let update = method
                        .gradients(&model, &given, &mut carried, &mut noise, &mut ledger)
                        .unwrap();
                    // Words, positions and types, the head: all are there.
                    assert_eq!(
                        update.gradients.len(),
                        model.collect(None, None, true).len(),
                        "{name} {family}"
                    );
                    model = optimiser.step(0.002, model, update.gradients);
                }
                assert!(
                    carried.delta.is_none(),
                    "{name}: a perturbation outlives its mini-batch"
                );
            }
            let last = loss(&model);
            assert!(last < 0.7 * first, "{name} {family}: {first} to {last}");
        }
    }
}

#[test]
fn scores_and_hidden_tokens_have_losses_too() {
    let device = Device::flex();
    let regression = model("bert", HeadKind::Regression).valid();
    let tokens = batch(&model("bert", HeadKind::Classes(2))).tokens().clone();
    let outputs = values(regression.sentence_outputs(&tokens, None));
    let scores = vec![0.5, -1.0, 2.0];
    let wanted: f32 = outputs
        .iter()
        .zip(&scores)
        .map(|(o, s): (&f32, &f32)| (o - s).powi(2))
        .sum::<f32>()
        / 3.0;
    let answers = Answers::scores(scores, &device).unwrap();
    let batch = TextBatch::new(&regression, tokens.clone(), answers).unwrap();
    let loss = regression.loss(regression.clean(&tokens), &batch);
    assert!((values(loss)[0] - wanted).abs() < 1e-5);

    let lm = model("roberta", HeadKind::MaskedLm).valid();
    let places = Tensor::from_data([1i64, 8], &device);
    let logits = values(lm.token_logits(&tokens, places.clone()));
    let labels = [7usize, 12];
    let of = |row: usize, label: usize| {
        let row = &logits[40 * row..40 * row + 40];
        let sum: f32 = row.iter().map(|z| z.exp()).sum();
        sum.ln() - row[label]
    };
    let wanted = (of(0, labels[0]) + of(1, labels[1])) / 2.0;
    let answers = Answers::Hidden(
        places,
        Labels::new(labels.map(|l| l as i64), 40, &device).unwrap(),
    );
    let batch = TextBatch::new(&lm, tokens.clone(), answers).unwrap();
    let loss = lm.loss(lm.clean(&tokens), &batch);
    assert!((values(loss)[0] - wanted).abs() < 1e-4);
}

#[test]
fn a_saved_folder_is_the_model() {
    for family in FAMILIES {
        for head in [
            HeadKind::Classes(2),
            HeadKind::Regression,
            HeadKind::MaskedLm,
            HeadKind::None,
        ] {
            let model = model(family, head);
            let folder = TempDir::new().unwrap();
            let labels = ["bad".to_string(), "good".to_string()];
            model.save(folder.path(), Some(&labels)).unwrap();
            let (again, report) = TextModel::from_folder(folder.path(), head, 9, &Device::flex()).unwrap();
            assert_eq!(report, LoadReport::default());
            assert_eq!(
                again.to_safetensors().unwrap(),
                model.to_safetensors().unwrap(),
                "{family} {head:?}"
            );
            let saved: Value =
                serde_json::from_slice(&std::fs::read(folder.path().join("config.json")).unwrap()).unwrap();
            assert_eq!(saved["hidden_size"], 16);
            if head == HeadKind::Classes(2) {
                assert_eq!(again.config().labels(), Some(labels.to_vec()));
                assert_eq!(saved["label2id"]["good"], 1);
            }
            // Another number of classes: the last layer alone is new.
            if head == HeadKind::Classes(2) {
                let (_, report) =
                    TextModel::from_folder(folder.path(), HeadKind::Classes(3), 1, &Device::flex()).unwrap();
                assert_eq!((report.new.len(), report.resized.len()), (0, 2), "{report:?}");
            }
            // Another head: the encoder is kept, the head is new and comes from the seed.
            if head == HeadKind::MaskedLm {
                let other = HeadKind::Classes(3);
                let [a, b, c] = [1, 1, 2].map(|seed| {
                    let (model, report) =
                        TextModel::from_folder(folder.path(), other, seed, &Device::flex()).unwrap();
                    assert_eq!(
                        (report.new.len(), report.unused.is_empty()),
                        (4, false),
                        "{report:?}"
                    );
                    model.to_safetensors().unwrap()
                });
                assert!(a == b && a != c);
            }
        }
    }
}

#[test]
fn answers_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let classes =
        |count: usize, of: usize| Answers::Classes(Labels::new(vec![0u8; count], of, &device).unwrap());
    let hidden = |place: i64| {
        let places = Tensor::from_data([place], &device);
        Answers::Hidden(places, Labels::new([3u8], 40, &device).unwrap())
    };
    let scores = |count: usize| Answers::scores(vec![0.5; count], &device).unwrap();
    for (head, answers, words) in [
        (HeadKind::Classes(2), classes(2, 2), &["2 for 3 sentences"][..]),
        (HeadKind::Classes(2), classes(3, 3), &["head Classes(2)"]),
        (HeadKind::Classes(2), scores(3), &["head Classes(2)"]),
        (HeadKind::Regression, classes(3, 2), &["head Regression"]),
        (HeadKind::Regression, scores(2), &["2 for 3"]),
        (HeadKind::MaskedLm, classes(3, 2), &["head MaskedLm"]),
        (HeadKind::MaskedLm, hidden(21), &["3 sentences of 7 tokens"]),
        (HeadKind::MaskedLm, hidden(-1), &["3 sentences of 7 tokens"]),
        (HeadKind::None, classes(3, 2), &["head None"]),
    ] {
        let tokens = batch(&model("bert", HeadKind::Classes(2))).tokens().clone();
        refused(
            TextBatch::new(&model("bert", head), tokens, answers).unwrap_err(),
            words,
        );
    }
}

#[test]
fn a_penalty_needs_no_answers_and_a_score_no_logits() {
    let model = model("bert", HeadKind::Classes(2));
    let unlabelled = TextBatch::new(&model, batch(&model).tokens().clone(), Answers::None).unwrap();
    let parts = VatParts {
        radius: 0.5,
        probe: 0.1,
        iterations: 1,
        weight: 1.0,
    };
    let vat = Vat::new(parts).unwrap();
    let run = |method: &dyn TrainingMethod<3, TextModel>, model: &TextModel, given: &TextBatch| {
        let clean = Batch::new(model.clean(given.tokens()), given);
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        method.gradients(
            model,
            &clean,
            &mut Carried::default(),
            &mut noise,
            &mut Ledger::new(),
        )
    };
    assert!(run(&vat.unlabelled(), &model, &unlabelled).unwrap().losses[0] > 0.0);
    // With labels there must be labels.
    assert!(matches!(
        run(&vat, &model, &unlabelled),
        Err(PassError::NonFiniteLoss { .. })
    ));

    let scorer = crate::model("bert", HeadKind::Regression);
    let answers = Answers::scores(vec![0.1, 0.2, 0.3], &Device::flex()).unwrap();
    let scored = TextBatch::new(&scorer, unlabelled.tokens().clone(), answers).unwrap();
    assert!(matches!(run(&vat, &scorer, &scored), Err(PassError::OneOutput)));
    run(&vat.for_scores(), &scorer, &scored).unwrap();
}

fn refused(error: TextError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let read = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut json = raw("bert");
        change(&mut json);
        EncoderConfig::from_json(json, Path::new("some/config.json")).unwrap_err()
    };
    for (key, value, words) in [
        (
            "model_type",
            json!("gpt2"),
            &["model_type", "gpt2", "roberta"][..],
        ),
        ("model_type", Value::Null, &["model_type", "nothing"]),
        ("hidden_act", json!("mish"), &["hidden_act", "mish", "gelu_new"]),
        (
            "hidden_size",
            json!("wide"),
            &["hidden_size", "whole number", "wide"],
        ),
        ("hidden_size", json!(15), &["num_attention_heads", "divisor"]),
        (
            "num_hidden_layers",
            json!(0),
            &["num_hidden_layers", "at least 1"],
        ),
        ("hidden_dropout_prob", json!(1.5), &["hidden_dropout_prob", "1.5"]),
        (
            "position_embedding_type",
            json!("relative_key"),
            &["relative_key", "absolute"],
        ),
        ("is_decoder", json!(true), &["is_decoder", "true"]),
    ] {
        let error = read(&|json| {
            json.insert(key.into(), value.clone());
        });
        refused(error, words);
    }
    let device = Device::flex();
    let config = TextConfig::from(config("bert"));
    let long: Vec<u32> = vec![2; 25];
    for (sentences, words) in [
        (vec![], &["at least one"][..]),
        (
            vec![sentence(&[2, 3]), sentence(&[])],
            &["sentence 1", "no tokens"],
        ),
        (
            vec![sentence(&[2, 40])],
            &["sentence 0", "token id 40", "40 of the vocabulary"],
        ),
        (vec![sentence(&long)], &["25 tokens", "at most 24"]),
    ] {
        refused(Tokens::new(&sentences, &config, &device).unwrap_err(), words);
    }
    refused(
        Answers::scores(vec![1.0, f32::NAN], &device).unwrap_err(),
        &["sentence 1", "NaN"],
    );
}

#[test]
fn broken_folders_are_refused() {
    let good = TempDir::new().unwrap();
    model("bert", HeadKind::Classes(2))
        .save(good.path(), None)
        .unwrap();
    let check = |change: &dyn Fn(&Path), words: &[&str]| {
        let folder = TempDir::new().unwrap();
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(good.path().join(name), folder.path().join(name)).unwrap();
        }
        change(folder.path());
        let device = Device::flex();
        let error = TextModel::from_folder(folder.path(), HeadKind::Classes(2), 0, &device).unwrap_err();
        refused(error, words);
    };
    let remove = |name: &'static str| move |folder: &Path| std::fs::remove_file(folder.join(name)).unwrap();
    let write = |name: &'static str, text: &'static str| {
        move |folder: &Path| std::fs::write(folder.join(name), text).unwrap()
    };
    check(&remove("config.json"), &["cannot read", "config.json"]);
    check(&write("config.json", "{\n\"a\": ,"), &["no valid JSON", "line 2"]);
    check(&write("config.json", "[]"), &["JSON object"]);
    check(&remove("model.safetensors"), &["no weights", "pytorch_model.bin"]);
    check(
        &write("model.safetensors", "no weights"),
        &["not a complete safetensors file"],
    );
    check(
        &|folder| {
            std::fs::remove_file(folder.join("model.safetensors")).unwrap();
            std::fs::write(folder.join("pytorch_model.bin"), "no pickle").unwrap();
        },
        &["no complete PyTorch file", "pytorch_model.bin"],
    );
    let index = |text: &'static str| {
        move |folder: &Path| {
            std::fs::remove_file(folder.join("model.safetensors")).unwrap();
            std::fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
        }
    };
    check(
        &index(r#"{"weight_map": {"a": "../b.safetensors"}}"#),
        &["weight_map", "../b.safetensors"],
    );
    check(
        &index(r#"{"weight_map": {"a": "gone.safetensors"}}"#),
        &["cannot read", "gone.safetensors"],
    );
    check(&index("{}"), &["weight_map"]);
    // Another depth and another width: all that does not fit is listed, by the names of the file.
    let deeper = |folder: &Path| {
        let mut json = raw("bert");
        json.insert("num_hidden_layers".into(), json!(4));
        json.insert("vocab_size".into(), json!(41));
        std::fs::write(folder.join("config.json"), serde_json::to_vec(&json).unwrap()).unwrap();
    };
    check(
        &deeper,
        &[
            "missing: bert.encoder.layer.3.attention.self.query.weight [16, 16]",
            "wrong shape: bert.embeddings.word_embeddings.weight is [40, 16], expected [41, 16]",
        ],
    );
    let shallower = |folder: &Path| {
        let mut json = raw("bert");
        json.insert("num_hidden_layers".into(), json!(2));
        std::fs::write(folder.join("config.json"), serde_json::to_vec(&json).unwrap()).unwrap();
    };
    check(
        &shallower,
        &["not in the network: bert.encoder.layer.2.output.dense.weight"],
    );
}

#[test]
fn tokenizers_are_made_of_what_a_folder_has() {
    let folder = TempDir::new().unwrap();
    refused(
        Tokenizer::from_folder(folder.path()).unwrap_err(),
        &["no tokenizer", "vocab.txt"],
    );
    let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\nfilm\n##s\na\n!\n";
    std::fs::write(folder.path().join("vocab.txt"), vocabulary).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let encode = |texts: &[(&str, Option<&str>)], longest| {
        let cutting = tokenizer.clone().with_longest(longest).unwrap();
        cutting.encode(texts).unwrap()
    };
    let (found, overlong) = encode(&[("A good film!", None), ("films", Some("[MASK] x"))], 16);
    assert_eq!(found[0].ids, [2, 8, 5, 6, 9, 3]);
    assert_eq!(found[0].special, [1, 0, 0, 0, 0, 1]);
    assert_eq!(found[1].ids, [2, 6, 7, 3, 4, 1, 3]);
    assert_eq!(found[1].types, [0, 0, 0, 0, 1, 1, 1]);
    assert_eq!((overlong.cut, overlong.texts), (0, 2));
    let (found, overlong) = encode(&[("good good good good", None), ("good", None)], 4);
    assert_eq!((found[0].ids.clone(), overlong.cut), (vec![2, 5, 5, 3], 1));
    assert_eq!((tokenizer.size(), tokenizer.mask()), (10, Some(4)));
    tokenizer.check(10).unwrap();
    let (found, overlong) = encode(&[("good film", None)], 3);
    assert_eq!((found[0].ids.clone(), overlong.cut), (vec![2, 5, 3], 1));
    let cutting = tokenizer.clone().with_longest(3).unwrap();
    refused(
        cutting
            .encode(&[("good", None), ("a", Some("film"))])
            .unwrap_err(),
        &["a length of 3 leaves no room for a pair of texts beside the special tokens (3)"],
    );
    refused(
        tokenizer.clone().with_longest(2).unwrap_err(),
        &["a length of 2 leaves no room for a text beside the special tokens (2)"],
    );
    refused(tokenizer.check(9).unwrap_err(), &["up to 9", "9 rows"]);
    let copy = TempDir::new().unwrap();
    copy_tokenizer(folder.path(), &copy.path().join("new")).unwrap();
    assert_eq!(
        std::fs::read_to_string(copy.path().join("new/vocab.txt")).unwrap(),
        vocabulary
    );

    std::fs::write(folder.path().join("vocab.txt"), "good\nfilm\n").unwrap();
    refused(
        Tokenizer::from_folder(folder.path()).unwrap_err(),
        &["vocab.txt", "[SEP]"],
    );
    std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    refused(
        Tokenizer::from_folder(folder.path()).unwrap_err(),
        &["tokenizer.json"],
    );
}
