//! Golden values: templates, biases, denoised vectors, the two-template loss and the average of likely tokens, against another program's,
//! in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `text.*` and `models.*`, `ADV_MODEL_DIR` one with `all-MiniLM-L6-v2` and the `tiny-*` models.

#[allow(dead_code)] // The golden tests of adv-models use all of it.
#[path = "../../adv-models/tests/golden/mod.rs"]
mod golden;

use adv_contrast::sentence::Encoder;
use adv_contrast::{Contrastive, InfoNce, SentenceBatch};
use adv_core::Objective;
use adv_models::text::{Encoded, EncoderConfig, HeadKind, TextConfig, TextModel, Tokenizer, Tokens};
use adv_prompt::{
    Denoising, FittedTemplate, Guesser, LikelyTokens, PromptEncoder, Reading, Representation, Template,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use golden::set::{Array, Set};
use golden::text_probe::with_set;
use std::path::{Path, PathBuf};

/// The two templates of the set.
fn templates(set: &Set) -> Vec<Template> {
    let parts = ["template1", "template2"].map(|name| set.pair(name));
    let texts = parts.map(|[before, after]| format!("{before}[X]{after}"));
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The encoder of the set, without dropout.
fn encoder(set: &Set, folder: &Path, denoising: Denoising) -> PromptEncoder {
    let mut config = EncoderConfig::read(folder).unwrap();
    (config.hidden_dropout, config.attention_dropout) = (0.0, 0.0);
    let config = TextConfig::from(config);
    let tokenizer = Tokenizer::from_folder(folder).unwrap();
    let fitted = templates(set)
        .into_iter()
        .map(|template| FittedTemplate::new(template, &tokenizer, &config).unwrap());
    let fitted = fitted.collect();
    let (model, _) = TextModel::load(config, folder, HeadKind::None, 0, &Device::flex().autodiff()).unwrap();
    let reading = Reading {
        denoising,
        ..Reading::default()
    };
    PromptEncoder::new(model, fitted, reading).unwrap()
}

/// The stored rows of ids without padding.
fn rows(set: &Set, name: &str) -> Vec<Vec<u32>> {
    let mask = set.integers(&format!("{name}/mask"));
    let ids = set.integers(&format!("{name}/ids"));
    let width = ids.len() / set.length(&format!("{name}/ids"));
    ids.chunks(width)
        .zip(mask.chunks(width))
        .map(|(row, mask)| {
            let kept = row.iter().zip(mask).filter(|(_, mask)| **mask == 1);
            kept.map(|(id, _)| *id as u32).collect()
        })
        .collect()
}

/// The sentences of the set within a template.
fn filled(set: &Set, encoder: &PromptEncoder, template: usize) -> (Vec<Encoded>, Tokens) {
    let sentences = set.strings("sentences");
    let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let (filled, overlong) = encoder.templates()[template]
        .fill(&sentences, usize::MAX)
        .unwrap();
    assert_eq!(overlong.cut, 0);
    let tokens = Tokens::new(&filled, encoder.model().config(), &Device::flex()).unwrap();
    (filled, tokens)
}

#[test]
fn golden_templates() {
    with_set(|set, folder, table| {
        let encoder = encoder(set, folder, Denoising::Always);
        for template in [0, 1] {
            let name = format!("prompt{}", template + 1);
            let fitted = &encoder.templates()[template];
            let (ids, tokens) = filled(set, &encoder, template);
            let found: Vec<Vec<u32>> = ids.iter().map(|one| one.ids.clone()).collect();
            assert_eq!(found, rows(set, &name), "{name}");
            let alone = set.integers(&format!("{name}/template_ids"));
            let alone: Vec<u32> = alone.into_iter().map(|id| id as u32).collect();
            assert_eq!(fitted.alone(), alone, "{name}");
            let [_, width] = tokens.shape();
            let places = fitted.mask_places(&tokens).into_data();
            let within: Vec<i64> = places
                .iter::<i64>()
                .enumerate()
                .map(|(row, at)| at - (row * width) as i64)
                .collect();
            assert_eq!(within, set.integers(&format!("{name}/mask_position")), "{name}");

            let frozen = encoder.valid();
            let hidden = frozen.vectors(template, &tokens, None);
            table.check(&format!("{name}/mask_hidden"), Array::of(hidden));
            let lengths = set.config("template_lengths") as usize;
            let biases = frozen.biases(template, 0..lengths, &tokens);
            table.check(&format!("{name}/bias"), Array::of(biases));
            let denoised = frozen.encode_in(template, &tokens);
            table.check(&format!("{name}/denoised"), Array::of(denoised));
        }
    });
}

#[test]
fn golden_two_templates() {
    with_set(|set, folder, table| {
        let contrast = InfoNce::new(set.config("temperature")).unwrap();
        for (name, denoising) in [
            ("prompt/info_nce_denoised", Denoising::Training),
            ("prompt/info_nce_plain", Denoising::Off),
        ] {
            let encoder = encoder(set, folder, denoising);
            let [anchors, positives] = [0, 1].map(|template| filled(set, &encoder, template).1);
            let model = Contrastive::new(encoder, contrast);
            let clean = model.encoder().model().clean(&anchors);
            let batch = SentenceBatch {
                positives: Some(positives),
                ..SentenceBatch::new(anchors)
            };
            table.value(name, f64::from(model.loss(clean, &batch).into_scalar::<f32>()));
        }
    });
}

#[test]
fn golden_likely_tokens() {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(golden), Some(models)) = (folder("ADV_GOLDEN_DIR"), folder("ADV_MODEL_DIR")) else {
        println!("skipped: set ADV_GOLDEN_DIR and ADV_MODEL_DIR");
        return;
    };
    let set = Set::read(&golden, "models");
    for (name, template) in [
        ("tiny-bert-mlm", "This sentence of \"[X]\" means[MASK]."),
        ("tiny-roberta-mlm", "This sentence : ' [X] ' means<mask>."),
    ] {
        let device = Device::flex();
        let path = models.join(name);
        let (model, report) = TextModel::from_folder(&path, HeadKind::MaskedLm, 0, &device).unwrap();
        assert!(report.new.is_empty(), "{report:?}");
        let tokenizer = Tokenizer::from_folder(&path).unwrap();
        let fitted = FittedTemplate::new(template.parse().unwrap(), &tokenizer, model.config()).unwrap();
        let sentences = set.strings("sentences");
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let (filled, _) = fitted.fill(&sentences, usize::MAX).unwrap();
        let found: Vec<Vec<u32>> = filled.iter().map(|one| one.ids.clone()).collect();
        assert_eq!(found, rows(&set, name), "{name}");

        let tokens = Tokens::new(&filled, model.config(), &device).unwrap();
        let wanted = set.tensor(&format!("{name}/top10_average"));
        let ids = set.integers(&format!("{name}/top10_ids"));
        let likely = LikelyTokens {
            k: ids.len() / wanted.shape[0],
            guesser: Guesser::Head,
        };
        let hidden: Tensor<2> = model
            .valid()
            .vectors_at(&tokens, None, fitted.mask_places(&tokens));
        let (guessed, _) = likely.of(&model.valid(), hidden);
        assert_eq!(
            guessed.into_data().iter::<i64>().collect::<Vec<_>>(),
            ids,
            "{name}"
        );
        let reading = Reading {
            representation: Representation::Likely(likely),
            ..Reading::default()
        };
        let encoder = PromptEncoder::new(model, vec![fitted], reading).unwrap().valid();
        let got = Array::of(encoder.encode(&tokens));
        assert_eq!(got.shape, wanted.shape);
        let largest = wanted
            .values
            .iter()
            .fold(0f32, |most, value| most.max(value.abs()));
        let off = got.values.iter().zip(&wanted.values);
        let off = off.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{name}/top10_average: {off:e} of {largest}");
        assert!(off <= 1e-4 * largest, "{name}: {off}");
    }
}
