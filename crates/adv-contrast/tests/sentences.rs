//! Sentence encoders: pooling, views, folders, and mini-batches in chunks.

mod common;

use adv_contrast::sentence::{
    Dense, DenseActivation, Embedder, Encoder, Encoding, HeadUse, Pooling, SentenceError, SentenceSettings,
    Vectors,
};
use adv_contrast::{Contrastive, GradCache, InfoNce, SentenceBatch};
use adv_core::{Standard, Update};
use adv_models::MaskPolicy;
use adv_models::text::Tokenizer;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use common::{HIDDEN, SENTENCES, encoder, text_model, tokens, update, values};
use serde_json::{Value, json};
use tempfile::TempDir;

const POOLINGS: [Pooling; 6] = [
    Pooling::Cls,
    Pooling::Mean,
    Pooling::Max,
    Pooling::MeanSqrtLength,
    Pooling::FirstLast,
    Pooling::Token(3),
];

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most, (x, y)| most.max((x - y).abs()))
}

#[test]
fn poolings_are_those_of_the_definitions() {
    let encoder = encoder(Pooling::Mean).valid();
    let tokens = tokens(&encoder, &SENTENCES, 0);
    let [first, last] = encoder.model().first_and_last(&tokens, None).map(values);
    let length = tokens.shape()[1];
    assert_eq!(values(encoder.model().hidden(&tokens, None)), last);
    for pooling in POOLINGS {
        let found = values(pooling.vectors(encoder.model(), &tokens, None));
        for (row, ids) in SENTENCES.iter().enumerate() {
            for h in 0..HIDDEN {
                let at = |layer: &[f32], t: usize| f64::from(layer[(row * length + t) * HIDDEN + h]);
                let all = |layer: &[f32]| (0..ids.len()).map(|t| at(layer, t)).collect::<Vec<_>>();
                let sum = |layer: &[f32]| all(layer).iter().sum::<f64>();
                let count = ids.len() as f64;
                let expected = match pooling {
                    Pooling::Cls => at(&last, 0),
                    Pooling::Mean => sum(&last) / count,
                    Pooling::Max => all(&last).into_iter().fold(f64::MIN, f64::max),
                    Pooling::MeanSqrtLength => sum(&last) / count.sqrt(),
                    Pooling::FirstLast => (sum(&first) + sum(&last)) / (2.0 * count),
                    Pooling::Token(_) => at(&last, ids.len() - 1),
                };
                let got = f64::from(found[row * HIDDEN + h]);
                assert!(
                    (got - expected).abs() < 1e-5,
                    "{pooling:?}: {got}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn padding_and_neighbours_change_no_vector() {
    for pooling in POOLINGS {
        let encoder = encoder(pooling).valid();
        let together = values(encoder.encode(&tokens(&encoder, &SENTENCES, 12)));
        for (row, ids) in SENTENCES.iter().enumerate() {
            let alone = values(encoder.encode(&tokens(&encoder, &[ids], 0)));
            let apart = largest_difference(&alone, &together[row * HIDDEN..(row + 1) * HIDDEN]);
            assert!(apart < 1e-5, "{pooling:?}: {apart}");
        }
    }
}

#[test]
fn a_sentence_without_the_token_has_a_vector_of_zeros() {
    let encoder = encoder(Pooling::Token(39)).valid();
    let found = values(encoder.encode(&tokens(&encoder, &SENTENCES, 0)));
    assert!(found.iter().all(|value| *value == 0.0));
}

#[test]
fn views_differ_by_their_masks_and_come_back() {
    let encoder = encoder(Pooling::Mean);
    let tokens = tokens(&encoder, &SENTENCES, 0);
    encoder.begin_batch(7);
    let seen = [0, 1, 0, 1].map(|view| values(encoder.view(view, &tokens, None)));
    assert_ne!(seen[0], seen[1]);
    assert_eq!((&seen[0], &seen[1]), (&seen[2], &seen[3]));
    // A frozen copy, as an ascent uses it, has the same ones.
    let frozen = adv_core::AscentMode::Train.freeze(&encoder);
    assert_eq!(values(frozen.view(1, &tokens, None)), seen[1]);
    encoder.begin_batch(8);
    assert_ne!(values(encoder.view(0, &tokens, None)), seen[0]);
    encoder.set_mask_policy(MaskPolicy::Fresh);
    let fresh = [0, 0].map(|view| values(encoder.view(view, &tokens, None)));
    assert_ne!(fresh[0], fresh[1]);
    // Without dropout there is one view only.
    let still = encoder.valid();
    assert_eq!(
        values(still.view(0, &tokens, None)),
        values(still.view(1, &tokens, None))
    );
}

#[test]
fn a_head_of_training_is_left_out_where_vectors_are_used() {
    let head = Dense::new(HIDDEN, HIDDEN, 5, &Device::flex().autodiff());
    let plain = encoder(Pooling::Cls);
    let tokens = tokens(&plain, &SENTENCES, 0);
    let bare = values(plain.valid().encode(&tokens));
    let training = plain.clone().with_head(head.clone(), HeadUse::Training).valid();
    assert_eq!(values(training.encode(&tokens)), bare);
    let behind = values(training.view(0, &tokens, None));
    assert_ne!(behind, bare);
    let always = plain.with_head(head, HeadUse::Always).valid();
    assert_eq!(values(always.encode(&tokens)), behind);
}

/// All gradients in the order of the parameters.
fn all_gradients<M: Module>(model: &M, update: &Update) -> Vec<Vec<f32>> {
    struct Collect<'a> {
        update: &'a Update,
        found: Vec<Vec<f32>>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.update.gradients.get::<D>(param.id);
            self.found.push(gradient.map(values).unwrap_or_default());
        }
    }
    let mut collect = Collect {
        update,
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found
}

#[test]
fn chunks_have_the_gradients_of_one_pass_under_the_same_masks() {
    let device = Device::flex().autodiff();
    let head = Dense::new(HIDDEN, HIDDEN, 5, &device);
    for pooling in [Pooling::Cls, Pooling::Mean] {
        let encoder = encoder(pooling).with_head(head.clone(), HeadUse::Training);
        let anchors = tokens(&encoder, &SENTENCES, 0);
        let other: Vec<&[u32]> = SENTENCES.iter().rev().copied().collect();
        let alone = SentenceBatch::new(anchors.clone());
        let pairs = SentenceBatch {
            positives: Some(tokens(&encoder, &other, 9)),
            ..alone.clone()
        };
        let triplets = SentenceBatch {
            negatives: Some(tokens(
                &encoder,
                &[&[2, 20, 3], &[2, 21, 3], &[2, 22, 3], &[2, 23, 3], &[2, 24, 3]],
                0,
            )),
            ..pairs.clone()
        };
        let plain = Contrastive::new(encoder, InfoNce::new(0.1).unwrap());
        let hard = plain.clone().with_hard_negatives();
        for (what, model, batch) in [
            ("sentences", &plain, &alone),
            ("pairs", &plain, &pairs),
            ("triplets", &hard, &triplets),
        ] {
            let (whole, ledger) = update(model, batch, &Standard);
            let views = ledger.batch().full_backwards;
            for chunk in [1, 2, 3, 5, 99] {
                let (cached, ledger) = update(model, batch, &GradCache::new(chunk).unwrap());
                let counted = ledger.batch();
                assert_eq!(
                    (counted.forwards, counted.full_backwards),
                    (2 * views, views),
                    "{what}"
                );
                assert!(
                    (cached.losses[0] - whole.losses[0]).abs() < 1e-5,
                    "{what}, {chunk}"
                );
                let (ours, theirs) = (all_gradients(model, &cached), all_gradients(model, &whole));
                let largest = theirs
                    .iter()
                    .flatten()
                    .fold(0f32, |most, value| most.max(value.abs()));
                assert!(largest > 1e-3, "{largest}");
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    let apart = largest_difference(ours, theirs);
                    assert!(
                        apart < 2e-5 * largest,
                        "{what}, {pooling:?}, {chunk}: {apart} of {largest}"
                    );
                }
            }
        }
    }
    assert!(GradCache::new(0).is_err());
}

/// A folder with a model and a tokenizer of words, as transformers has it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let words = "the a cat dog sat ran on under mat tree quickly slowly and then it was gone";
    let tokenizer = Tokenizer::of_words([words]).unwrap();
    text_model(tokenizer.size()).save(folder.path(), None).unwrap();
    tokenizer.save(folder.path()).unwrap();
    folder
}

const TEXTS: [&str; 4] = [
    "the cat sat on the mat",
    "a dog ran",
    "",
    "it was gone and then the dog sat under a tree",
];

fn encode(embedder: &Embedder, encoding: Encoding) -> Vectors {
    let (vectors, _) = embedder
        .encode(&TEXTS, &encoding, |_| Ok::<(), SentenceError>(()))
        .unwrap();
    vectors
}

#[test]
fn a_saved_folder_has_the_same_vectors() {
    let origin = folder();
    let device = Device::flex();
    let head = Dense::new(HIDDEN, 6, 5, &device);
    for (pooling, normalised, head) in [
        (Pooling::Mean, true, None),
        (Pooling::Cls, false, None),
        (Pooling::Max, false, Some(head.clone())),
        (Pooling::MeanSqrtLength, true, Some(head)),
    ] {
        let settings = SentenceSettings {
            pooling,
            normalised,
            longest: Some(9),
            ..SentenceSettings::default()
        };
        let embedder = Embedder::with_settings(origin.path(), settings, &device).unwrap();
        let trained = embedder.encoder().clone();
        let embedder = embedder.with_encoder(match head {
            Some(head) => trained.with_head(head, HeadUse::Always),
            None => trained,
        });
        let saved = tempfile::tempdir().unwrap();
        embedder.save(saved.path()).unwrap();
        let again = Embedder::from_folder(saved.path(), &device).unwrap();
        assert_eq!(again.settings().longest, Some(9));
        assert_eq!(again.encoder().pooling(), pooling);
        let (ours, theirs) = (
            encode(&again, Encoding::default()),
            encode(&embedder, Encoding::default()),
        );
        assert_eq!(ours, theirs, "{pooling:?}");
        let length = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let unit = ours.rows().all(|row| (length(row) - 1.0).abs() < 1e-6);
        assert_eq!(unit, normalised, "{pooling:?}");
    }
    for pooling in [Pooling::FirstLast, Pooling::Token(3)] {
        let settings = SentenceSettings {
            pooling,
            ..SentenceSettings::default()
        };
        let embedder = Embedder::with_settings(origin.path(), settings, &device).unwrap();
        let saved = tempfile::tempdir().unwrap();
        let error = embedder.save(saved.path()).unwrap_err();
        assert!(matches!(error, SentenceError::NotSaved { .. }), "{error}");
        assert!(
            saved.path().read_dir().unwrap().next().is_none(),
            "nothing half-written"
        );
    }
}

#[test]
fn batches_progress_and_options_change_nothing_but_what_they_say() {
    let origin = folder();
    let embedder = Embedder::from_folder(origin.path(), &Device::flex()).unwrap();
    let all = encode(&embedder, Encoding::default());
    let single = Encoding {
        batch: 1,
        ..Encoding::default()
    };
    assert!(largest_difference(all.values(), encode(&embedder, single).values()) < 1e-5);
    let cut = Encoding {
        width: Some(5),
        normalised: true,
        ..Encoding::default()
    };
    assert_eq!(encode(&embedder, cut), all.truncated(5).normalised());

    let mut heard = Vec::new();
    let result = embedder.encode(&TEXTS, &single, |done| {
        heard.push(done);
        Ok::<(), SentenceError>(())
    });
    assert!(result.is_ok());
    assert_eq!(heard, [0, 1, 2, 3, 4]);
    let stopped = embedder.encode(&TEXTS, &single, |done| match done {
        2 => Err(SentenceError::NoToken { index: 99 }),
        _ => Ok(()),
    });
    assert!(matches!(stopped, Err(SentenceError::NoToken { index: 99 })));
}

#[test]
fn a_cut_is_counted() {
    let origin = folder();
    let settings = SentenceSettings {
        longest: Some(5),
        ..SentenceSettings::default()
    };
    let embedder = Embedder::with_settings(origin.path(), settings, &Device::flex()).unwrap();
    let (_, overlong) = embedder
        .encode(&TEXTS, &Encoding::default(), |_| Ok::<(), SentenceError>(()))
        .unwrap();
    assert_eq!((overlong.cut, overlong.texts), (2, 4));
}

/// Writes the files of a folder of sentence-transformers and says what is wrong with it.
fn check(files: &[(&str, Value)], said: &[&str]) {
    let origin = folder();
    for (name, value) in files {
        let path = origin.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    }
    let error = Embedder::from_folder(origin.path(), &Device::flex())
        .unwrap_err()
        .to_string();
    for part in said {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn bad_folders_are_refused_with_the_file() {
    let module = |kind: &str, path: &str| json!({"idx": 0, "name": "0", "path": path, "type": format!("sentence_transformers.models.{kind}")});
    let modules = |more: Value| json!([module("Transformer", ""), more]);
    let pooled = |config: Value| {
        vec![
            ("modules.json", modules(module("Pooling", "1_Pooling"))),
            ("1_Pooling/config.json", config),
        ]
    };
    check(
        &[("modules.json", json!({}))],
        &["modules.json", "list of modules"],
    );
    check(&[("modules.json", json!([{"idx": 0}]))], &["`type` and a `path`"]);
    check(
        &[("modules.json", modules(module("CNN", "1_CNN")))],
        &["modules.json", "CNN is not built here"],
    );
    check(
        &[("modules.json", modules(module("Pooling", "../other")))],
        &["../other", "no folder of this one"],
    );
    check(
        &[("modules.json", modules(module("Pooling", "1_Pooling")))],
        &["cannot read", "1_Pooling"],
    );
    check(
        &pooled(json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})),
        &["1_Pooling", "cls and mean"],
    );
    check(
        &pooled(json!({"pooling_mode_lasttoken": true})),
        &["lasttoken", "mean_sqrt_len"],
    );
    check(&pooled(json!({})), &["the pooling is none"]);
    check(
        &[("sentence_bert_config.json", json!({"max_seq_length": 0}))],
        &["sentence_bert_config.json", "max_seq_length"],
    );
    check(
        &[
            ("modules.json", modules(module("Dense", "2_Dense"))),
            (
                "2_Dense/config.json",
                json!({"activation_function": "torch.nn.modules.activation.ReLU"}),
            ),
        ],
        &["2_Dense", "ReLU is not built here"],
    );
    let named = pooled(json!({"pooling_mode": "max"}));
    let origin = folder();
    for (name, value) in &named {
        let path = origin.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    }
    let settings = SentenceSettings::read(origin.path()).unwrap();
    assert_eq!((settings.pooling, settings.normalised), (Pooling::Max, false));
}

#[test]
fn a_dense_layer_applies_its_activation() {
    let device = Device::flex();
    let dense = Dense::new(3, 2, 1, &device);
    assert_eq!(
        (dense.widths(), dense.activation()),
        ([3, 2], DenseActivation::Tanh)
    );
    let out = values(dense.forward(Tensor::from_data([[100.0, -50.0, 20.0]], &device)));
    assert!(out.iter().all(|value| value.abs() <= 1.0));
}
