//! A tiny encoder and its sentences.

use adv_contrast::sentence::{Encoder, Pooling, SentenceEncoder};
use adv_contrast::{Contrastive, SentenceBatch};
use adv_core::{Batch, Carried, Ledger, Phase, TrainingMethod, Update};
use adv_models::text::{Encoded, EncoderConfig, HeadKind, SpecialTokens, TextModel, Tokens};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;
use std::path::Path;

pub const HIDDEN: usize = 16;

pub fn text_model(vocabulary: usize) -> TextModel {
    let json = json!({
        "model_type": "bert", "vocab_size": vocabulary, "hidden_size": HIDDEN, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 24, "hidden_act": "gelu", "max_position_embeddings": 24,
        "type_vocab_size": 2, "pad_token_id": 0, "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.2,
        "initializer_range": 0.3
    });
    let json = json.as_object().unwrap().clone();
    let config = EncoderConfig::from_json(json, Path::new("config.json")).unwrap();
    TextModel::new(config, HeadKind::None, 3, &Device::flex().autodiff())
}

pub fn encoder(pooling: Pooling) -> SentenceEncoder {
    SentenceEncoder::new(text_model(40), pooling)
}

pub fn sentence(ids: &[u32]) -> Encoded {
    Encoded {
        ids: ids.to_vec(),
        types: vec![0; ids.len()],
        special: ids.iter().map(|id| u32::from(*id < 4)).collect(),
    }
}

pub fn tokens(encoder: &SentenceEncoder, sentences: &[&[u32]], longest: usize) -> Tokens {
    let sentences: Vec<Encoded> = sentences.iter().map(|ids| sentence(ids)).collect();
    Tokens::padded(&sentences, longest, encoder.model().config(), &Device::flex()).unwrap()
}

pub const SENTENCES: [&[u32]; 5] = [
    &[2, 5, 9, 3],
    &[2, 7, 3],
    &[2, 30, 31, 7, 8, 9, 3],
    &[2, 11, 12, 5, 3],
    &[2, 3],
];

pub fn values<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().iter().collect()
}

/// One update; SimCSE's cost is that of its two views.
pub fn update(
    model: &Contrastive<SentenceEncoder>,
    batch: &SentenceBatch,
    method: &dyn TrainingMethod<3, Contrastive<SentenceEncoder>>,
) -> (Update, Ledger) {
    let text = model.encoder().model();
    let (clean, mask) = (
        text.clean(&batch.anchors),
        text.mask(&batch.anchors, SpecialTokens::Perturbed),
    );
    let samples = Batch::new(clean, batch).with_mask(mask);
    let mut ledger = Ledger::new();
    ledger.begin_batch(Phase::Training);
    model.encoder().begin_batch(3);
    let mut noise = ChaCha8Rng::seed_from_u64(1);
    let update = method
        .gradients(model, &samples, &mut Carried::default(), &mut noise, &mut ledger)
        .unwrap();
    (update, ledger)
}
