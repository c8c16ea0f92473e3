//! Negatives from earlier mini-batches.

mod common;

use adv_contrast::sentence::{Encoder, Pooling, SentenceEncoder};
use adv_contrast::{ContrastError, Contrastive, InfoNce, MomentumQueue, SentenceBatch};
use adv_core::{Objective, Phase, Standard};
use adv_models::text::Tokens;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor};
use common::{HIDDEN, SENTENCES, encoder, tokens, update, values};

type Model = Contrastive<SentenceEncoder>;

/// Vectors 0, 1, 2 ... in every column, so that each row is known again.
fn start(rows: usize) -> Tensor<2> {
    let rows = (0..rows).flat_map(|row| [row as f32; HIDDEN]).collect::<Vec<_>>();
    Tensor::<1>::from_floats(rows.as_slice(), &Device::flex()).reshape([-1, HIDDEN as i32])
}

fn queue(encoder: &SentenceEncoder, rows: usize, momentum: f64) -> MomentumQueue<SentenceEncoder> {
    MomentumQueue::new(encoder, start(rows), momentum).unwrap()
}

fn bare(encoder: &SentenceEncoder, tokens: &Tokens) -> Vec<f32> {
    values(encoder.valid().encode(tokens))
}

/// All weights in their order, one after the other.
fn weights<M: Module>(model: &M) -> Vec<f32> {
    struct Found(Vec<f32>);
    impl ModuleVisitor for Found {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(values(param.val()));
        }
    }
    let mut found = Found(Vec::new());
    model.visit(&mut found);
    found.0
}

#[test]
fn the_newest_vectors_take_the_place_of_the_oldest() {
    let encoder = encoder(Pooling::Mean);
    let two = tokens(&encoder, &SENTENCES[..2], 0);
    let three = tokens(&encoder, &SENTENCES[2..], 0);
    let (first, second) = (bare(&encoder, &two), bare(&encoder, &three));
    let begun = values(start(7));
    for (rows, expected) in [
        (7, [&begun[5 * HIDDEN..], &first, &second].concat()),
        (5, [first.clone(), second.clone()].concat()),
        (4, [&first[HIDDEN..], &second].concat()),
        // A mini-batch larger than the queue.
        (2, second[HIDDEN..].to_vec()),
    ] {
        let queue = queue(&encoder, rows, 0.5).push(&SentenceBatch::new(two.clone()));
        let queue = queue.push(&SentenceBatch::new(three.clone()));
        assert_eq!(queue.vectors().dims(), [rows, HIDDEN]);
        assert_eq!(values(queue.vectors()), expected, "{rows} rows");
    }
    // Of pairs the positives are the candidates.
    let pairs = SentenceBatch {
        positives: Some(tokens(&encoder, &SENTENCES[2..4], 0)),
        ..SentenceBatch::new(two)
    };
    let positives = bare(&encoder, pairs.positives.as_ref().unwrap());
    assert_eq!(values(queue(&encoder, 2, 0.5).push(&pairs).vectors()), positives);
}

#[test]
fn the_copy_goes_the_rest_of_its_momentum_towards_the_encoder() {
    let (before, after) = (encoder(Pooling::Mean), trained(0.5).into_encoder());
    let (from, to) = (weights(&before), weights(&after));
    assert_ne!(from, to);
    let sentences = SentenceBatch::new(tokens(&before, &SENTENCES, 0));
    for (momentum, expected) in [(0.0, &after), (1.0, &before)] {
        let queue = queue(&before, 5, momentum).follow(&after).push(&sentences);
        assert_eq!(
            values(queue.vectors()),
            bare(expected, &sentences.anchors),
            "{momentum}"
        );
    }
    let (half, own) = (queue(&before, 1, 0.75).follow(&after), HIDDEN);
    let followed = weights(&half);
    assert_eq!(followed.len(), from.len() + own);
    for ((from, to), got) in from.iter().zip(&to).zip(&followed) {
        assert!(
            (0.75 * from + 0.25 * to - got).abs() < 1e-6,
            "{got} from {from} to {to}"
        );
    }
}

/// A model after one update at this rate.
fn trained(rate: f64) -> Model {
    let encoder = encoder(Pooling::Mean);
    let sentences = SentenceBatch::new(tokens(&encoder, &SENTENCES, 0));
    let model = Contrastive::new(encoder.clone(), InfoNce::default()).with_queue(queue(&encoder, 3, 0.9));
    let (update, _) = update(&model, &sentences, &Standard);
    SgdConfig::new().init().step(rate, model, update.gradients)
}

#[test]
fn a_queue_is_what_further_vectors_are_and_no_part_of_the_gradient() {
    let encoder = encoder(Pooling::Mean);
    let sentences = SentenceBatch::new(tokens(&encoder, &SENTENCES, 0));
    let plain = Contrastive::new(encoder.clone(), InfoNce::default());
    let queue = queue(&encoder, 6, 0.9).push(&sentences);
    let further = SentenceBatch {
        further: Some(queue.vectors()),
        ..sentences.clone()
    };
    let queued = plain.clone().with_queue(queue);
    let clean = encoder.model().clean(&sentences.anchors);
    let loss = |model: &Model, batch: &SentenceBatch| {
        encoder.begin_batch(3);
        values(model.loss(clean.clone(), batch))
    };
    assert_eq!(loss(&queued, &sentences), loss(&plain, &further));
    assert_ne!(loss(&queued, &sentences), loss(&plain, &sentences));
    // The loss knows both at once.
    let twice = SentenceBatch {
        further: Some(Tensor::cat(vec![start(2), queued.queue().unwrap().vectors()], 0)),
        ..sentences.clone()
    };
    let gaussian = SentenceBatch {
        further: Some(start(2)),
        ..sentences.clone()
    };
    assert_eq!(loss(&queued, &gaussian), loss(&plain, &twice));

    let ((with, ledger), (without, _)) = (
        update(&queued, &sentences, &Standard),
        update(&plain, &further, &Standard),
    );
    assert_eq!(with.gradients.len(), without.gradients.len());
    let mut ledger = ledger;
    let before = ledger.total(Phase::Training);
    let moved = queued.after_batch(&sentences, false, &mut ledger);
    let added = MomentumQueue::<SentenceEncoder>::added_cost();
    assert_eq!(ledger.total(Phase::Training), before + added);
    assert_eq!(
        values(moved.queue().unwrap().vectors())[HIDDEN..],
        bare(&encoder, &sentences.anchors)[..]
    );
}

#[test]
fn an_update_changes_the_encoder_and_leaves_the_queue() {
    let (fresh, model) = (encoder(Pooling::Mean), trained(0.5));
    assert_ne!(weights(model.encoder()), weights(&fresh));
    assert_eq!(weights(model.queue().unwrap()), weights(&queue(&fresh, 3, 0.9)));
}

#[test]
fn a_momentum_is_a_share() {
    let encoder = encoder(Pooling::Mean);
    for momentum in [-0.1, 1.1, f64::NAN] {
        let made = MomentumQueue::new(&encoder, start(2), momentum);
        let error = made.expect_err("refused");
        assert!(matches!(error, ContrastError::Momentum(_)), "{error}");
    }
}
