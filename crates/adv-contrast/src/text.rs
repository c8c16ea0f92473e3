//! Sentences in place of the abstract samples of a method.

use crate::sentence::Encoder;
use crate::{InChunks, InfoNce, MomentumQueue, Pairs, Represent, View, Views, between_views};
use adv_core::{Ledger, Objective};
use adv_models::text::{TextBatch, TextModel, Tokens};
use burn::module::Module;
use burn::tensor::Tensor;
use std::ops::Range;

/// The sentences of a mini-batch.
#[derive(Debug, Clone)]
pub struct SentenceBatch {
    /// The anchors.
    pub anchors: Tokens,
    /// Their positives; the anchors themselves under other dropout masks if there are none.
    pub positives: Option<Tokens>,
    /// A hard negative for each anchor.
    pub negatives: Option<Tokens>,
    /// Pairs that are no negatives: see [`Pairs::without`].
    pub excluded: Option<Tensor<2>>,
    /// Vectors that every anchor has to be told from too, `[M, W]`, such as Gaussian ones (GS-InfoNCE; Wu et al. 2022).
    pub further: Option<Tensor<2>>,
}

impl SentenceBatch {
    /// Sentences alone.
    pub fn new(anchors: Tokens) -> Self {
        Self {
            anchors,
            positives: None,
            negatives: None,
            excluded: None,
            further: None,
        }
    }
}

/// An encoder that is trained by contrast: with [`Standard`](adv_core::Standard) training SimCSE (Gao et al. 2021).
///
/// The perturbed tensor is what is added to the embeddings of the anchors, so its clean value is zero; positives that are the anchors
/// themselves share it, others have none.
#[derive(Module, Debug)]
pub struct Contrastive<E: Module> {
    encoder: E,
    queue: Option<MomentumQueue<E>>,
    #[module(skip)]
    contrast: InfoNce,
    #[module(skip)]
    hard_negatives: bool,
}

impl<E: Encoder> Contrastive<E> {
    /// An encoder and what its vectors are contrasted by.
    pub fn new(encoder: E, contrast: InfoNce) -> Self {
        Self {
            encoder,
            queue: None,
            contrast,
            hard_negatives: false,
        }
    }

    /// For mini-batches with hard negatives, whose forward is counted; those of others are not looked at.
    pub fn with_hard_negatives(self) -> Self {
        Self {
            hard_negatives: true,
            ..self
        }
    }

    /// Anchors are told apart from the vectors of a queue, too: call [`after_batch`](Self::after_batch) for each mini-batch.
    pub fn with_queue(self, queue: MomentumQueue<E>) -> Self {
        Self {
            queue: Some(queue),
            ..self
        }
    }

    /// The queue, if there is one.
    pub fn queue(&self) -> Option<&MomentumQueue<E>> {
        self.queue.as_ref()
    }

    /// After a mini-batch was learnt from: the queue follows an update, and takes its vectors in, for one forward. Nothing without a queue.
    pub fn after_batch(self, batch: &SentenceBatch, updated: bool, ledger: &mut Ledger) -> Self {
        let Some(queue) = self.queue else {
            return self;
        };
        let queue = if updated {
            queue.follow(&self.encoder)
        } else {
            queue
        };
        Self {
            queue: Some(ledger.forward(|| queue.push(batch))),
            ..self
        }
    }

    /// The encoder.
    pub fn encoder(&self) -> &E {
        &self.encoder
    }

    /// The encoder, without the rest.
    pub fn into_encoder(self) -> E {
        self.encoder
    }
}

/// The masks of the second view.
pub(crate) const POSITIVES: u32 = 1;

/// The number of a view's dropout masks.
fn masks(view: View) -> u32 {
    match view {
        View::First => 0,
        View::Second => POSITIVES,
        View::Third => 2,
    }
}

/// The masks of hard negatives.
const NEGATIVES: u32 = 3;

impl<E: Encoder> Objective<3> for Contrastive<E> {
    type Targets = SentenceBatch;

    fn loss(&self, input: Tensor<3>, batch: &SentenceBatch) -> Tensor<1> {
        between_views(self, input, batch)
    }

    fn forwards(&self) -> u64 {
        2 + u64::from(self.hard_negatives)
    }
}

impl<E: Encoder> Views<3> for Contrastive<E> {
    fn vectors(&self, view: View, input: Tensor<3>, batch: &SentenceBatch) -> Tensor<2> {
        match (view, &batch.positives) {
            (View::Second, Some(positives)) => self.encoder.view(masks(view), positives, None),
            _ => self.encoder.view(masks(view), &batch.anchors, Some(input)),
        }
    }

    fn negatives(&self, batch: &SentenceBatch) -> Option<Tensor<2>> {
        let negatives = batch.negatives.as_ref().filter(|_| self.hard_negatives);
        negatives.map(|negatives| self.encoder.view(NEGATIVES, negatives, None))
    }

    fn contrast(
        &self,
        anchors: Tensor<2>,
        positives: Tensor<2>,
        negatives: Option<Tensor<2>>,
        batch: &SentenceBatch,
    ) -> Tensor<1> {
        let mut pairs = Pairs::new(anchors, positives);
        if let Some(negatives) = negatives {
            pairs = pairs.with_hard_negatives(negatives);
        }
        if let Some(excluded) = &batch.excluded {
            pairs = pairs.without(excluded.clone());
        }
        let queue = self.queue.as_ref().map(MomentumQueue::vectors);
        let further = batch.further.clone().into_iter().chain(queue);
        if let Some(further) = further.reduce(|first, second| Tensor::cat(vec![first, second], 0)) {
            pairs = pairs.with_further_negatives(further);
        }
        self.contrast.loss(&pairs)
    }
}

impl<E: Encoder> InChunks<3> for Contrastive<E> {
    fn samples(&self, batch: &SentenceBatch) -> usize {
        batch.anchors.shape()[0]
    }

    fn views_of(&self, rows: Range<usize>, input: Tensor<3>, batch: &SentenceBatch) -> Vec<Tensor<2>> {
        self.encoder.model().begin_rows(rows.start, rows.len());
        let part = SentenceBatch {
            anchors: batch.anchors.rows(rows.clone()),
            positives: batch.positives.as_ref().map(|all| all.rows(rows.clone())),
            negatives: batch.negatives.as_ref().map(|all| all.rows(rows)),
            excluded: None,
            further: None,
        };
        let views = [View::First, View::Second].map(|view| self.vectors(view, input.clone(), &part));
        views.into_iter().chain(self.negatives(&part)).collect()
    }
}

impl Represent<3> for TextModel {
    fn outputs_and_vectors(&self, input: Tensor<3>, batch: &TextBatch) -> (Tensor<2>, Tensor<2>) {
        self.outputs_and_vectors(batch.tokens(), Some(input))
    }
}
