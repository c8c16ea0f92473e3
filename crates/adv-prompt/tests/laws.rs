//! Laws of prompted encoders, on a small one with random weights and dropout.

use adv_contrast::sentence::{Dense, Encoder, Encoding, HeadUse, Vectors};
use adv_contrast::{Contrastive, GradCache, InfoNce, SentenceBatch};
use adv_core::{Batch, Carried, Ledger, Standard, TrainingMethod, Update};
use adv_models::text::{
    Encoded, EncoderConfig, HeadKind, SpecialTokens, TextConfig, TextModel, Tokenizer, Tokens,
};
use adv_prompt::{
    Denoising, FittedTemplate, Guesser, LikelyTokens, PromptEmbedder, PromptEncoder, PromptError,
    PromptSettings, Reading, Representation, SoftPrompt, Template,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, s};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;
use std::path::Path;

const TEXTS: [&str; 5] = [
    "a dog runs over the grass",
    "cats sleep",
    "the man plays a guitar and a dog sleeps",
    "dog",
    "the cats and the man",
];
const FIRST: &str = "this sentence of \" [X] \" means [MASK] .";
const SECOND: &str = "in short [MASK] : \" [X] \"";

fn tokenizer() -> Tokenizer {
    Tokenizer::of_words(
        TEXTS
            .into_iter()
            .chain(["this sentence of \" \" means . in short :"]),
    )
    .unwrap()
}

fn config() -> TextConfig {
    let json = json!({
        "model_type": "bert", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 24, "hidden_act": "gelu", "max_position_embeddings": 32,
        "type_vocab_size": 2, "pad_token_id": 0, "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2,
        "initializer_range": 0.3
    });
    let json = json.as_object().unwrap().clone();
    EncoderConfig::from_json(json, Path::new("config.json"))
        .unwrap()
        .into()
}

fn model(head: HeadKind) -> TextModel {
    TextModel::new(config(), head, 3, &Device::flex().autodiff())
}

fn fitted(template: &str) -> FittedTemplate {
    FittedTemplate::new(template.parse().unwrap(), &tokenizer(), &config()).unwrap()
}

fn encoder(templates: &[&str], denoising: Denoising) -> PromptEncoder {
    let reading = Reading {
        denoising,
        ..Reading::default()
    };
    let templates = templates.iter().map(|template| fitted(template)).collect();
    PromptEncoder::new(model(HeadKind::None), templates, reading).unwrap()
}

fn filled(encoder: &PromptEncoder, template: usize, texts: &[&str]) -> Vec<Encoded> {
    encoder.templates()[template].fill(texts, usize::MAX).unwrap().0
}

fn tokens(encoded: &[Encoded]) -> Tokens {
    Tokens::new(encoded, &config(), &Device::flex()).unwrap()
}

fn values<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter().collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most, (x, y)| most.max((x - y).abs()))
}

#[test]
fn a_template_stands_around_the_sentence_and_stays_whole() {
    let tokenizer = tokenizer();
    for template in [FIRST, SECOND, "[X] [MASK]"] {
        let fitted = fitted(template);
        for longest in [usize::MAX, 3, 1] {
            let (found, overlong) = fitted.fill(&TEXTS, longest).unwrap();
            let mut cut = 0;
            for (text, one) in TEXTS.iter().zip(&found) {
                let (alone, _) = tokenizer.encode(&[(text, None)]).unwrap();
                let own = &alone[0].ids[1..alone[0].len() - 1];
                cut += usize::from(own.len() > longest);
                assert_eq!(
                    fitted.sentence(one),
                    &own[..own.len().min(longest)],
                    "{template}: {text}"
                );
                let kept: u32 = one.special.iter().sum();
                assert_eq!(kept as usize, fitted.len(), "all but the sentence is special");
            }
            assert_eq!((overlong.cut, overlong.texts), (cut, TEXTS.len()));
        }
        // A mask in the sentence is not the template's.
        let (found, _) = fitted.fill(&["[MASK] dog"], usize::MAX).unwrap();
        let tokens = tokens(&found);
        let place = fitted
            .mask_places(&tokens)
            .into_data()
            .iter::<i64>()
            .next()
            .unwrap() as usize;
        let own = (fitted.before()..found[0].len() - (fitted.len() - fitted.before())).collect::<Vec<_>>();
        assert!(
            found[0].ids[place] == tokenizer.mask().unwrap() && !own.contains(&place),
            "{template}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let fit = |template: &str, tokenizer: &Tokenizer| {
        FittedTemplate::new(template.parse().unwrap(), tokenizer, &config()).unwrap_err()
    };
    assert!(matches!(
        fit("dog[X] [MASK]", &tokenizer()),
        PromptError::Merged { .. }
    ));
    let long = format!("{} [X] [MASK]", "the ".repeat(40));
    assert!(matches!(
        fit(&long, &tokenizer()),
        PromptError::NoRoom {
            tokens: 43,
            longest: 32,
            ..
        }
    ));
    let maskless = Tokenizer::of_words_before_end(TEXTS, 1).unwrap();
    assert!(matches!(fit(FIRST, &maskless), PromptError::NoMask));
    let none = PromptEncoder::new(model(HeadKind::None), Vec::new(), Reading::default()).unwrap_err();
    assert!(matches!(none, PromptError::Count { found: 0, .. }));
    let reading = Reading {
        representation: Representation::Likely(LikelyTokens {
            k: 3,
            guesser: Guesser::Head,
        }),
        ..Reading::default()
    };
    let headless = PromptEncoder::new(model(HeadKind::None), vec![fitted(FIRST)], reading).unwrap_err();
    assert!(matches!(headless, PromptError::NoHead { .. }));
}

#[test]
fn the_vector_is_that_of_the_mask_alone_and_among_others() {
    let encoder = encoder(&[FIRST, SECOND], Denoising::Off).valid();
    for template in [0, 1] {
        let rows = filled(&encoder, template, &TEXTS);
        let all = tokens(&rows);
        let found = values(encoder.encode_in(template, &all));
        let [batch, length] = all.shape();
        let hidden = encoder.model().hidden(&all, None).reshape([batch * length, 16]);
        let wanted = hidden.select(0, encoder.templates()[template].mask_places(&all));
        assert!(largest_difference(&found, &values(wanted)) < 1e-5);
        for (row, one) in rows.iter().enumerate() {
            let alone = values(encoder.encode_in(template, &tokens(std::slice::from_ref(one))));
            assert!(
                largest_difference(&alone, &found[row * 16..][..16]) < 1e-5,
                "{template} {row}"
            );
        }
    }
}

#[test]
fn denoising_takes_off_the_template_at_its_place() {
    let plain = encoder(&[FIRST, SECOND], Denoising::Off).valid();
    let denoised = encoder(&[FIRST, SECOND], Denoising::Always).valid();
    for template in [0, 1] {
        let all = tokens(&filled(&plain, template, &TEXTS));
        let lengths = plain.templates()[template].sentence_lengths(&all);
        let biases = plain.biases(template, 0..12, &all);
        let wanted = values(plain.encode_in(template, &all));
        let biases = values(biases);
        let wanted = wanted.chunks(16).zip(&lengths).flat_map(|(row, length)| {
            row.iter()
                .zip(&biases[length * 16..][..16])
                .map(|(value, bias)| value - bias)
                .collect::<Vec<_>>()
        });
        let found = values(denoised.encode_in(template, &all));
        assert!(largest_difference(&found, &wanted.collect::<Vec<_>>()) < 1e-5);
        // Without shift it is the template read as it stands.
        let alone = plain.templates()[template].alone();
        let alone = Encoded {
            types: vec![0; alone.len()],
            special: vec![1; alone.len()],
            ids: alone,
        };
        let read = values(plain.encode_in(template, &tokens(&[alone])));
        assert!(largest_difference(&read, &biases[..16]) < 1e-5);
        assert!(
            largest_difference(&biases[16..32], &biases[..16]) > 1e-3,
            "positions count"
        );
    }
    // In use only where it is asked for.
    let training = encoder(&[FIRST], Denoising::Training).valid();
    let all = tokens(&filled(&training, 0, &TEXTS));
    assert_eq!(
        values(training.encode(&all)),
        values(encoder(&[FIRST], Denoising::Off).valid().encode(&all))
    );
}

/// Gradients of a mini-batch, parameter by parameter.
fn gradients(
    method: &dyn TrainingMethod<3, Contrastive<PromptEncoder>>,
    encoder: &PromptEncoder,
) -> Vec<(String, Vec<f32>)> {
    let anchors = tokens(&filled(encoder, 0, &TEXTS));
    let second = encoder.templates().len() - 1;
    let positives = (second > 0).then(|| tokens(&filled(encoder, second, &TEXTS)));
    let model = Contrastive::new(encoder.clone(), InfoNce::default());
    model.encoder().begin_batch(11);
    let clean = model.encoder().model().clean(&anchors);
    let mask = model.encoder().mask(&anchors, SpecialTokens::Kept);
    let targets = SentenceBatch {
        positives,
        ..SentenceBatch::new(anchors)
    };
    let batch = Batch::new(clean, &targets).with_mask(mask);
    let mut noise = ChaCha8Rng::seed_from_u64(5);
    let update = method.gradients(
        &model,
        &batch,
        &mut Carried::default(),
        &mut noise,
        &mut Ledger::new(),
    );
    let Update { gradients, .. } = update.unwrap();
    collected(&model, &gradients)
}

fn collected<M: Module>(model: &M, gradients: &GradientsParams) -> Vec<(String, Vec<f32>)> {
    struct Found<'a>(&'a GradientsParams, Vec<String>, Vec<(String, Vec<f32>)>);
    impl ModuleVisitor for Found<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.1.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.2.push((self.1.join("."), values(gradient)));
            }
        }
    }
    let mut found = Found(gradients, Vec::new(), Vec::new());
    model.visit(&mut found);
    found.2
}

#[test]
fn chunks_have_the_gradients_of_the_whole() {
    let head = Dense::new(16, 16, 7, &Device::flex().autodiff());
    for (templates, denoising) in [
        (vec![FIRST, SECOND], Denoising::Training),
        (vec![FIRST], Denoising::Training),
        (vec![FIRST, SECOND], Denoising::Off),
    ] {
        let encoder = encoder(&templates, denoising).with_head(head.clone(), HeadUse::Training);
        let whole = gradients(&Standard, &encoder);
        let chunked = gradients(&GradCache::new(2).unwrap(), &encoder);
        assert!(whole.len() > 20 && whole.len() == chunked.len());
        for ((name, a), (other, b)) in whole.iter().zip(&chunked) {
            assert_eq!(name, other);
            let scale = a.iter().fold(1e-3f32, |most, value| most.max(value.abs()));
            assert!(
                largest_difference(a, b) <= 2e-4 * scale,
                "{templates:?} {denoising:?}: {name}"
            );
        }
    }
}

#[test]
fn views_of_one_template_differ_by_dropout_alone() {
    let encoder = encoder(&[FIRST], Denoising::Training);
    encoder.begin_batch(3);
    let all = tokens(&filled(&encoder, 0, &TEXTS));
    let [first, second, again] = [0, 1, 0].map(|view| values(encoder.view(view, &all, None)));
    assert!(largest_difference(&first, &second) > 1e-2);
    assert_eq!(first, again);
    let frozen = encoder.valid();
    assert_eq!(
        values(frozen.view(0, &all, None)),
        values(frozen.view(1, &all, None))
    );
}

#[test]
fn a_perturbation_may_leave_the_template_alone() {
    let encoder = encoder(&[FIRST], Denoising::Off);
    let rows = filled(&encoder, 0, &TEXTS);
    let all = tokens(&rows);
    let mask = encoder.mask(&all, SpecialTokens::Kept);
    let per_token = mask.slice(s![.., .., 0..1]);
    let [_, length] = all.shape();
    for (row, one) in values(per_token).chunks(length).zip(&rows) {
        let own: usize = row.iter().map(|value| *value as usize).sum();
        assert_eq!(own, encoder.templates()[0].sentence(one).len());
        assert_eq!(row[0], 0.0);
    }
}

#[test]
fn a_soft_prompt_of_the_words_themselves_changes_nothing_and_is_all_that_learns() {
    for denoising in [Denoising::Off, Denoising::Always] {
        let plain = encoder(&[FIRST], denoising);
        let soft = SoftPrompt::of_words(plain.model(), &plain.templates()[0]);
        assert_eq!(
            soft.rows().dims(),
            [7, 16],
            "this sentence of quote quote means stop"
        );
        let with = plain.clone().with_soft_prompt(soft.clone()).unwrap();
        let all = tokens(&filled(&plain, 0, &TEXTS));
        let (a, b) = (
            values(plain.valid().encode(&all)),
            values(with.valid().encode(&all)),
        );
        assert!(largest_difference(&a, &b) < 1e-5);
        let moved = plain.clone().with_soft_prompt(shifted(&soft, 0.5)).unwrap();
        assert!(largest_difference(&a, &values(moved.valid().encode(&all))) > 1e-3);

        let head = Dense::new(16, 16, 7, &Device::flex().autodiff());
        let fixed = with.with_head(head, HeadUse::Training).with_fixed_model();
        let mut learns: Vec<String> = gradients(&Standard, &fixed)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        learns.sort();
        assert_eq!(
            learns,
            [
                "encoder.head.linear.bias",
                "encoder.head.linear.weight",
                "encoder.soft.rows"
            ]
        );
    }
    let two = encoder(&[FIRST, SECOND], Denoising::Off);
    let soft = SoftPrompt::of_words(two.model(), &two.templates()[0]);
    assert!(matches!(
        two.with_soft_prompt(soft),
        Err(PromptError::Count { found: 2, .. })
    ));
}

/// Other vectors than these.
fn shifted(soft: &SoftPrompt, by: f32) -> SoftPrompt {
    // Up and down in turns: a shift that all entries share is lost in the normalisation.
    let signs = [1.0, -1.0].into_iter().cycle();
    let rows: Vec<f32> = values(soft.rows())
        .iter()
        .zip(signs)
        .map(|(value, sign)| value + sign * by)
        .collect();
    let rows = burn::tensor::TensorData::new(rows, soft.rows().dims());
    SoftPrompt::new(Tensor::from_data(rows, &soft.rows().device()))
}

/// A model folder with a masked-LM head and a tokenizer.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    model(HeadKind::MaskedLm).save(folder.path(), None).unwrap();
    tokenizer().save(folder.path()).unwrap();
    folder
}

fn encode(embedder: &PromptEmbedder, batch: usize) -> Vectors {
    let encoding = Encoding {
        batch,
        ..Encoding::default()
    };
    let (vectors, overlong) = embedder
        .encode(&TEXTS, &encoding, |_| Ok::<(), PromptError>(()))
        .unwrap();
    assert_eq!(overlong.texts, TEXTS.len());
    vectors
}

#[test]
fn a_saved_folder_gives_the_same_vectors() {
    let origin = folder();
    let device = Device::flex();
    let likely = |guesser| Representation::Likely(LikelyTokens { k: 4, guesser });
    let template = |text: &str| text.parse::<Template>().unwrap();
    let base = PromptSettings::new(template(FIRST));
    let reading = |representation, denoising| Reading {
        representation,
        denoising,
        ..Reading::default()
    };
    for (case, settings) in [
        base.clone(),
        PromptSettings {
            templates: vec![template(FIRST), template(SECOND)],
            averaged: true,
            longest: Some(4),
            normalised: true,
            ..base.clone()
        },
        PromptSettings {
            reading: reading(Representation::Hidden, Denoising::Always),
            full_stop: false,
            ..base.clone()
        },
        PromptSettings {
            reading: reading(likely(Guesser::Head), Denoising::Off),
            ..base.clone()
        },
        PromptSettings {
            reading: reading(likely(Guesser::WordTable), Denoising::Off),
            ..base.clone()
        },
    ]
    .into_iter()
    .enumerate()
    {
        let embedder = PromptEmbedder::with_settings(origin.path(), settings.clone(), &device).unwrap();
        let trained = embedder.encoder().clone();
        let embedder = match case {
            0 => {
                let soft = SoftPrompt::of_words(trained.model(), &trained.templates()[0]);
                let soft = shifted(&soft, 0.1);
                embedder.with_encoder(trained.with_soft_prompt(soft).unwrap())
            }
            2 => embedder.with_encoder(trained.with_head(Dense::new(16, 9, 1, &device), HeadUse::Always)),
            _ => embedder,
        };
        let saved = tempfile::tempdir().unwrap();
        embedder.save(saved.path()).unwrap();
        let again = PromptEmbedder::from_folder(saved.path(), &device).unwrap();
        assert_eq!(again.settings(), &settings);
        let ours = encode(&embedder, 64);
        assert_eq!(encode(&again, 64), ours, "{case}");
        assert_eq!(ours.width(), if case == 2 { 9 } else { 16 });
        assert!(largest_difference(encode(&again, 2).values(), ours.values()) < 1e-5);
        let card = std::fs::read_to_string(saved.path().join("README.md")).unwrap();
        assert!(card.contains(FIRST) && card.contains("prompt.json"), "{card}");
    }
}

#[test]
fn several_templates_are_averaged() {
    let origin = folder();
    let device = Device::flex();
    let of = |templates: &[&str]| {
        let settings = PromptSettings {
            templates: templates.iter().map(|text| text.parse().unwrap()).collect(),
            averaged: true,
            ..PromptSettings::new(Template::first())
        };
        encode(
            &PromptEmbedder::with_settings(origin.path(), settings, &device).unwrap(),
            64,
        )
    };
    let wanted = of(&[FIRST]).plus(&of(&[SECOND])).scaled(0.5);
    assert!(largest_difference(of(&[FIRST, SECOND]).values(), wanted.values()) < 1e-6);
}

#[test]
fn folders_that_are_none_are_refused() {
    let origin = folder();
    let device = Device::flex();
    let error = PromptEmbedder::from_folder(origin.path(), &device).unwrap_err();
    assert!(
        error.to_string().contains("no folder of a prompted encoder"),
        "{error}"
    );
    // A model whose head is lost guesses nothing.
    let bare = tempfile::tempdir().unwrap();
    model(HeadKind::None).save(bare.path(), None).unwrap();
    tokenizer().save(bare.path()).unwrap();
    let settings = PromptSettings {
        reading: Reading {
            representation: Representation::Likely(LikelyTokens {
                k: 4,
                guesser: Guesser::Head,
            }),
            ..Reading::default()
        },
        ..PromptSettings::new(FIRST.parse().unwrap())
    };
    let error = PromptEmbedder::with_settings(bare.path(), settings, &device).unwrap_err();
    assert!(matches!(error, PromptError::NoHead { .. }), "{error}");
    let settings = PromptSettings::new(FIRST.parse().unwrap());
    let embedder = PromptEmbedder::with_settings(bare.path(), settings, &device).unwrap();
    let saved = tempfile::tempdir().unwrap();
    embedder.save(saved.path()).unwrap();
    std::fs::write(saved.path().join("soft_prompt.safetensors"), b"no tensors").unwrap();
    let error = PromptEmbedder::from_folder(saved.path(), &device).unwrap_err();
    assert!(matches!(error, PromptError::Soft { .. }), "{error}");
}
