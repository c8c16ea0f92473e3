//! Sentences, pairs or triplets to be learnt from.

use super::data::{Examples, Picked, Tasks};
use crate::sentences::{SentenceEmbedder, SentenceModel};
use crate::streams::{Purpose, stream};
use crate::trainer::{Files, Kept, Sample, Task, Validation};
use adv_contrast::evaluation::{StsSummary, score_sts};
use adv_contrast::sentence::{Encoder, Encoding, Vectors};
use adv_contrast::{Contrastive, SentenceBatch, duplicates};
use adv_core::{Ledger, Noise, Phase};
use adv_models::text::{Encoded, SpecialTokens, Tokens};
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};

/// Sentences of a pass of an evaluation.
const BATCH: usize = 64;

/// A sentence encoder and what it learns from.
pub(super) struct ContrastTask {
    pub(super) examples: Examples,
    /// The encoder's tokenizer and settings; its weights are those of the start.
    pub(super) embedder: SentenceEmbedder,
    /// To choose by.
    pub(super) dev: Tasks,
    pub(super) special: SpecialTokens,
    /// Gaussian vectors beside each mini-batch.
    pub(super) gaussian: usize,
    /// Their width.
    pub(super) width: usize,
    /// Their seed.
    pub(super) seed: u64,
    /// Whether equal sentences are no negatives of one another.
    pub(super) excludes_duplicates: bool,
    /// The device, without autodiff.
    pub(super) device: Device,
}

/// Similarity tasks by an encoder, its passes booked as evaluation; `progress` hears how many sentences are done.
pub(super) fn score(
    embedder: &SentenceEmbedder,
    tasks: &Tasks,
    ledger: &mut Ledger,
    progress: impl FnMut(usize) -> Result<()>,
) -> Result<(StsSummary, Vec<String>, Vectors)> {
    ledger.begin_batch(Phase::Evaluation);
    let mut kept = None;
    let summary = score_sts(tasks, |texts| {
        let encoding = Encoding {
            batch: BATCH,
            ..Encoding::default()
        };
        let passes = texts.len().div_ceil(BATCH) as u64;
        let (vectors, _) = ledger.forwards(passes, || {
            embedder.encode::<anyhow::Error>(texts, &encoding, progress)
        })?;
        kept = Some((texts.iter().map(ToString::to_string).collect(), vectors.clone()));
        anyhow::Ok(vectors)
    })?;
    let (texts, vectors) = kept.unwrap_or_else(|| (Vec::new(), Vectors::new(Vec::new(), 1)));
    Ok((summary, texts, vectors))
}

impl Task<3> for ContrastTask {
    type Model = Contrastive<SentenceModel>;
    type Host = Picked;

    fn prepare(&self) -> impl FnMut(u64, Vec<usize>) -> Picked + Send + 'static {
        let examples = self.examples.clone();
        let (seed, numbers) = (self.seed, self.gaussian * self.width);
        move |number, places| {
            let mut picked = examples.pick(&places);
            picked.gaussian = vec![0.0; numbers];
            stream(seed, Purpose::Gaussian, number).normal(&mut picked.gaussian);
            picked
        }
    }

    fn upload(&self, model: &Self::Model, host: Picked) -> Result<Sample<3, SentenceBatch>> {
        let encoder = model.encoder();
        let config = encoder.model().config();
        let tokens = |all: &Vec<Encoded>| Tokens::new(all, config, &self.device);
        let anchors = tokens(&host.anchors)?;
        let excluded = match self.excludes_duplicates {
            true => {
                // Of the sentences alone: templates differ between views.
                let bare = |all: &[Encoded], first: bool| {
                    let ids = all.iter().map(|one| self.embedder.bare(first, one).to_vec());
                    ids.collect::<Vec<_>>()
                };
                let anchors = bare(&host.anchors, true);
                let positives = host.positives.as_ref().map(|all| bare(all, false));
                duplicates(&anchors, positives.as_ref().unwrap_or(&anchors), &self.device)
            }
            false => None,
        };
        Ok(Sample {
            clean: encoder.model().clean(&anchors),
            mask: Some(encoder.mask(&anchors, self.special)),
            targets: SentenceBatch {
                anchors,
                positives: host.positives.as_ref().map(tokens).transpose()?,
                negatives: host.negatives.as_ref().map(tokens).transpose()?,
                excluded,
                further: (self.gaussian > 0).then(|| {
                    let vectors = TensorData::new(host.gaussian, [self.gaussian, self.width]);
                    Tensor::from_data(vectors, &self.device)
                }),
            },
        })
    }

    fn begin_batch(&self, model: &Self::Model, seed: u64) {
        model.encoder().begin_batch(seed);
    }

    fn end_batch(
        &self,
        model: Self::Model,
        targets: &SentenceBatch,
        updated: bool,
        ledger: &mut Ledger,
    ) -> Self::Model {
        model.after_batch(targets, updated, ledger)
    }

    fn metric(&self) -> &'static str {
        "spearman"
    }

    fn validate(&self, model: &Self::Model, ledger: &mut Ledger) -> Result<Validation> {
        let now = self.embedder.clone().with_encoder(model.encoder().clone());
        let now = now.for_choosing();
        let (summary, _, _) = score(&now, &self.dev, ledger, |_| Ok(()))?;
        let clean = summary.average / 100.0;
        Ok(Validation {
            // One that is no number never wins.
            clean: if clean.is_finite() { clean } else { -1.0 },
            robust: None,
        })
    }

    fn guess(&self) -> Option<f64> {
        None
    }

    fn save(&self, model: &Self::Model, files: &Files, kept: Kept) -> Result<()> {
        let folder = match kept {
            Kept::Best => files.best_model(),
            Kept::Last => files.last_model(),
        };
        let now = self.embedder.clone().with_encoder(model.encoder().clone());
        now.save(&folder)
    }
}
