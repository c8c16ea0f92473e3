//! The LSTM: padding, dropout, places, folders, its tokenizer, and what is refused.

use adv_core::{Batch, Carried, Ledger, Objective, PassError, Split, TrainingMethod, Yopo, YopoParts};
use adv_models::Labels;
use adv_models::text::{
    Answers, Encoded, HeadKind, HiddenTokens, Place, SpecialTokens, TextBatch, TextConfig, TextError,
    TextModel, Tokenizer, Tokens,
};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};
use std::path::Path;

fn raw() -> Map<String, Value> {
    let json = json!({"model_type": "miyato_lstm", "vocab_size": 40, "embedding_size": 12, "hidden_size": 20,
        "classifier_size": 7, "note": "kept"});
    json.as_object().unwrap().clone()
}

fn config() -> TextConfig {
    TextConfig::from_json(raw(), Path::new("config.json")).unwrap()
}

fn model(head: HeadKind) -> TextModel {
    let counts: Vec<f64> = (0..40).map(|id| f64::from(id % 7)).collect();
    TextModel::new(config(), head, 3, &Device::flex().autodiff())
        .with_frequencies(&counts)
        .unwrap()
}

const SENTENCES: [&[u32]; 3] = [&[5, 9, 2], &[7, 3, 4, 30, 31, 3, 2], &[2]];

fn sentence(ids: &[u32]) -> Encoded {
    Encoded {
        ids: ids.to_vec(),
        types: vec![0; ids.len()],
        special: ids.iter().map(|id| u32::from(*id == 2)).collect(),
    }
}

fn batch(model: &TextModel) -> TextBatch {
    let device = Device::flex();
    let tokens = Tokens::new(&SENTENCES.map(sentence), model.config(), &device).unwrap();
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
    let model = model(HeadKind::Classes(2)).valid();
    let together = batch(&model).tokens().clone();
    let [_, length] = together.shape();
    let hidden = values(model.hidden(&together, None));
    let outputs = values(model.sentence_outputs(&together, None));
    let width = model.config().hidden();
    for (row, ids) in SENTENCES.iter().enumerate() {
        let alone =
            Tokens::padded(&[sentence(ids)], ids.len() + row, model.config(), &Device::flex()).unwrap();
        let own = values(model.hidden(&alone, None));
        let start = row * length * width;
        let real = ids.len() * width;
        assert!(
            largest(&own[..real], &hidden[start..start + real]) < 1e-5,
            "{row}"
        );
        let own = values(model.sentence_outputs(&alone, None));
        assert!(largest(&own, &outputs[2 * row..2 * row + 2]) < 1e-5, "{row}");
    }
}

/// Nothing flows to padding, and a perturbation there moves nothing.
#[test]
fn what_stands_behind_the_end_of_a_sentence_is_not_read() {
    let model = model(HeadKind::Classes(2));
    let batch = batch(&model);
    let clean = model.clean(batch.tokens());
    let mask = model.mask(batch.tokens(), SpecialTokens::Perturbed);
    let outside = mask.clone().neg().add_scalar(1.0);
    model.begin_batch(1);
    let still = values(model.sentence_outputs(batch.tokens(), Some(clean.clone())));
    let moved = values(model.sentence_outputs(batch.tokens(), Some(outside.clone() * 9.0)));
    assert_eq!(still, moved);
    let frozen = model.valid();
    let pass = Ledger::new().input_gradient(&frozen, clean, &batch).unwrap();
    let inside = values((pass.gradient.clone() * mask).abs().sum());
    assert!(inside[0] > 0.0);
    assert_eq!(values((pass.gradient * outside).abs().sum()), [0.0]);
}

#[test]
fn embeddings_are_normalised_whatever_the_table() {
    let model = model(HeadKind::Classes(2)).valid();
    let batch = batch(&model);
    let before = values(model.sentence_outputs(batch.tokens(), None));
    // The normalised embedding does not see the scale of the table or its middle.
    struct Stretch;
    impl ModuleMapper for Stretch {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let is_table = param.val().dims().as_slice() == [40, 12];
            param.map(|t| if is_table { t * 50.0 + 7.0 } else { t })
        }
    }
    let stretched = model.map(&mut Stretch);
    let after = values(stretched.sentence_outputs(batch.tokens(), None));
    assert!(largest(&before, &after) < 2e-4, "{before:?} {after:?}");
}

#[test]
fn dropout_takes_the_same_entries_at_all_steps_and_passes() {
    let model = model(HeadKind::Classes(2));
    let same = Tokens::new(&[sentence(&[5, 5, 5, 5])], model.config(), &Device::flex()).unwrap();
    let batch = TextBatch::new(&model, same, Answers::None).unwrap();
    // Where dropout takes an entry, its weights get no gradient from any step: the first step decides for all.
    model.begin_batch(4);
    let gates = values(model.first(model.clean(batch.tokens()), &batch));
    let steps: Vec<&[f32]> = gates.chunks(gates.len() / 4).collect();
    assert!(steps.iter().all(|step| *step == steps[0]));
    assert_eq!(gates, values(model.first(model.clean(batch.tokens()), &batch)));
    model.begin_batch(5);
    assert_ne!(gates, values(model.first(model.clean(batch.tokens()), &batch)));
    let quiet = model.valid();
    let still = [1, 2].map(|seed| {
        quiet.begin_batch(seed);
        values(quiet.sentence_outputs(batch.tokens(), None))
    });
    assert_eq!(still[0], still[1]);
}

#[test]
fn no_perturbation_and_the_cut_change_nothing() {
    for place in [Place::Words, Place::Table] {
        let model = model(HeadKind::Classes(2)).with_place(place).unwrap();
        let batch = batch(&model);
        let clean = model.clean(batch.tokens());
        let plain = values(model.sentence_outputs(batch.tokens(), None));
        let same = values(model.sentence_outputs(batch.tokens(), Some(clean.clone())));
        assert_eq!(plain, same, "{place:?}");
        let whole = values(model.loss(clean.clone(), &batch));
        let cut = values(model.rest(model.first(clean, &batch), &batch));
        assert!(largest(&whole, &cut) < 1e-6, "{place:?}: {whole:?} {cut:?}");
    }
    assert!(matches!(
        model(HeadKind::None).with_place(Place::Sum),
        Err(TextError::NoSum)
    ));
}

/// A row of the table moves all occurrences of its word alike, as the same change of the embeddings does.
#[test]
fn a_perturbed_row_moves_all_its_words() {
    let words = model(HeadKind::Classes(2)).valid();
    let table = words.clone().with_place(Place::Table).unwrap();
    let tokens = Tokens::new(&[sentence(&[5, 3, 5, 2])], words.config(), &Device::flex()).unwrap();
    let device = Device::flex();
    let row = |value: f32| Tensor::<2>::full([1, 12], value, &device);
    let cat = |rows: Vec<Tensor<2>>| Tensor::cat(rows, 0).unsqueeze_dim::<3>(0);
    // Distinct ids in order: 2, 3, 5.
    let of_table = table.sentence_outputs(&tokens, Some(cat(vec![row(0.0), row(0.1), row(0.5)])));
    let of_words = words.sentence_outputs(&tokens, Some(cat(vec![row(0.5), row(0.1), row(0.5), row(0.0)])));
    assert!(largest(&values(of_table), &values(of_words)) < 1e-6);
}

/// Every weight lies at one depth; what is never trained may lie nowhere.
#[test]
fn every_weight_has_a_depth() {
    struct Paths(Vec<String>, Vec<(ParamId, String)>);
    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push((param.id, self.0.join(".")));
        }
    }
    let albert = json!({"model_type": "albert", "vocab_size": 9, "hidden_size": 4, "embedding_size": 2, "num_hidden_layers": 3,
        "num_attention_heads": 2, "intermediate_size": 4, "max_position_embeddings": 8});
    let bert = json!({"model_type": "bert", "vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 4, "max_position_embeddings": 8});
    for (json, depths) in [(json!(raw()), 3), (albert, 3), (bert, 4)] {
        let raw = json.as_object().unwrap().clone();
        let config = TextConfig::from_json(raw, Path::new("config.json")).unwrap();
        let model = TextModel::new(config, HeadKind::Classes(2), 1, &Device::flex());
        let groups = model.depths();
        assert_eq!(groups.len(), depths, "{json}");
        let mut paths = Paths(Vec::new(), Vec::new());
        model.visit(&mut paths);
        let mut used = vec![false; depths];
        for (id, path) in paths.1 {
            let at: Vec<usize> = (0..depths)
                .filter(|at| groups[*at].matches(&id, Some(&path)))
                .collect();
            let wanted = usize::from(!path.ends_with("frequencies"));
            assert_eq!(at.len(), wanted, "{path}: {at:?}");
            at.iter().for_each(|at| used[*at] = true);
        }
        assert!(used.iter().all(|used| *used), "{json}: {used:?}");
    }
}

#[test]
fn yopo_counts_its_first_layer() {
    let model = model(HeadKind::Classes(2));
    let batch = batch(&model);
    let yopo = Yopo::new(YopoParts {
        passes: 2,
        inner_steps: 2,
        radius: 1.0,
        step: 0.5,
        range: None,
    })
    .unwrap();
    let given = Batch::new(model.clean(batch.tokens()), &batch);
    let mut ledger = Ledger::new();
    let mut noise = ChaCha8Rng::seed_from_u64(1);
    let update = yopo.gradients(&model, &given, &mut Carried::default(), &mut noise, &mut ledger);
    assert!(update.unwrap().mean_loss().is_finite());
    assert_eq!(model.first_layer_share(), 12.0 / 32.0);
}

#[test]
fn a_saved_folder_is_the_same_model() {
    let root = tempfile::tempdir().unwrap();
    for head in [
        HeadKind::Classes(2),
        HeadKind::Regression,
        HeadKind::NextToken,
        HeadKind::None,
    ] {
        let folder = root.path().join(format!("{head:?}"));
        let model = model(head).valid();
        model
            .save(&folder, Some(&["no", "yes"].map(String::from)))
            .unwrap();
        let (again, report) = TextModel::from_folder(&folder, head, 9, &Device::flex()).unwrap();
        assert_eq!((report.new.len(), report.unused.len()), (0, 0), "{head:?}");
        assert_eq!(
            model.to_safetensors().unwrap(),
            again.to_safetensors().unwrap(),
            "{head:?}"
        );
        assert_eq!(again.config().raw()["note"], "kept");
        if head == HeadKind::Classes(2) {
            assert_eq!(
                again.config().labels(),
                Some(["no", "yes"].map(String::from).to_vec())
            );
        }
    }
    // A classifier begins with embedding and LSTM of a language model; its own layers are new.
    let from = root.path().join("NextToken");
    let (begun, report) = TextModel::from_folder(&from, HeadKind::Classes(3), 1, &Device::flex()).unwrap();
    assert_eq!(
        report.new,
        [
            "classifier.dense.bias",
            "classifier.dense.weight",
            "classifier.out.bias",
            "classifier.out.weight"
        ]
    );
    assert_eq!(report.unused, ["lm_head.bias", "lm_head.weight"]);
    let tokens = Tokens::new(&SENTENCES.map(sentence), begun.config(), &Device::flex()).unwrap();
    let hidden = values(begun.valid().hidden(&tokens, None));
    assert_eq!(
        hidden,
        values(model(HeadKind::NextToken).valid().hidden(&tokens, None))
    );
}

#[test]
fn the_next_token_is_guessed_at_every_real_place_but_the_last() {
    let next = HiddenTokens::next(&SENTENCES.map(sentence));
    assert_eq!(
        next.places,
        [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    );
    assert_eq!(next.tokens, [9, 2, 3, 4, 30, 31, 3, 2]);
    assert_eq!(next.sentences, SENTENCES.map(sentence));
    // A vector knows nothing of what follows: the logits of the first words are those of the cut sentence.
    let model = model(HeadKind::NextToken).valid();
    let device = Device::flex();
    let logits = |ids: &[u32]| {
        let tokens = Tokens::new(&[sentence(ids)], model.config(), &device).unwrap();
        values(model.token_logits(&tokens, Tensor::from_ints([0, 1], &device)))
    };
    assert!(largest(&logits(&[7, 3, 4, 30]), &logits(&[7, 3, 9])) < 1e-6);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let device = Device::flex();
    let load = |json: Value| {
        let raw = json.as_object().unwrap().clone();
        TextConfig::from_json(raw, Path::new("some/config.json"))
    };
    for (json, words) in [
        (
            json!({"model_type": "miyato_lstm"}),
            ["vocab_size", "some/config.json"],
        ),
        (
            json!({"model_type": "miyato_lstm", "vocab_size": 4, "hidden_size": 0}),
            ["hidden_size", "at least 1"],
        ),
        (
            json!({"model_type": "miyato_lstm", "vocab_size": 4, "embedding_dropout": 1}),
            ["embedding_dropout", "below 1"],
        ),
    ] {
        let text = load(json).unwrap_err().to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    let root = tempfile::tempdir().unwrap();
    model(HeadKind::None).save(root.path(), None).unwrap();
    let masked = TextModel::from_folder(root.path(), HeadKind::MaskedLm, 0, &device);
    assert!(matches!(masked, Err(TextError::Head { .. })));
    let fresh = || TextModel::new(config(), HeadKind::None, 0, &device);
    for counts in [
        vec![1.0; 39],
        vec![0.0; 40],
        [vec![1.0; 39], vec![-1.0]].concat(),
        vec![f64::NAN; 40],
    ] {
        let made = fresh().with_frequencies(&counts);
        assert!(matches!(made, Err(TextError::Frequencies { .. })));
    }
    // Without an answer a loss is no number, and refused as such.
    let model = model(HeadKind::Classes(2));
    let tokens = batch(&model).tokens().clone();
    let none = TextBatch::new(&model, tokens, Answers::None).unwrap();
    let pass = Ledger::new().input_gradient(&model.valid(), model.clean(none.tokens()), &none);
    assert!(matches!(pass, Err(PassError::NonFiniteLoss { .. })), "{pass:?}");
}

#[test]
fn its_tokenizer_ends_sentences_and_leaves_rare_words_out() {
    let texts = ["A fine film .", "a FINE day", "A day , a night"];
    let tokenizer = Tokenizer::of_words_before_end(texts, 2).unwrap();
    let root = tempfile::tempdir().unwrap();
    tokenizer.save(root.path()).unwrap();
    for tokenizer in [tokenizer, Tokenizer::from_folder(root.path()).unwrap()] {
        // [PAD], [UNK], [EOS], a, fine, day
        assert_eq!(tokenizer.size(), 6);
        let (encoded, _) = tokenizer
            .encode(&[("A fine film", None), ("day", Some("a"))])
            .unwrap();
        assert_eq!(encoded[0].ids, [3, 4, 1, 2]);
        assert_eq!(encoded[0].special, [0, 0, 0, 1]);
        assert_eq!(encoded[1].ids, [5, 2, 3, 2]);
        assert_eq!(encoded[1].types, [0, 0, 1, 1]);
        let cut = tokenizer.clone().with_longest(2).unwrap();
        let (encoded, _) = cut.encode(&[("day a", None)]).unwrap();
        assert_eq!(encoded[0].ids, [5, 2]);
        assert!(cut.encode(&[("day", Some("a"))]).is_err());
        assert!(tokenizer.clone().with_longest(1).is_err());
        let cut = tokenizer.with_longest(3).unwrap();
        let (encoded, overlong) = cut.encode(&[("day a fine fine day", None)]).unwrap();
        assert_eq!((encoded[0].ids.as_slice(), overlong.cut), (&[5, 3, 2][..], 1));
    }
}
