//! What a text model says of sentences, and what that is worth.

use super::data::Sentences;
use super::task::Guessing;
use crate::attack::{AttackName, Goal, Starts, Uploaded, Victims, attack, read_predictions};
use crate::streams::{Purpose, stream};
use adv_core::{Ledger, Phase};
use adv_data::metrics::{accuracy, f1, matthews, pearson, spearman};
use adv_data::text::{Answer, Problem};
use adv_models::cross_entropy;
use adv_models::text::{Answers, Encoded, Place, SpecialTokens, TextBatch, TextModel, Tokens};
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;

/// Sentences per pass.
const BATCH: usize = 64;

/// The outputs of a frozen model in eval mode for each sentence, in order: logits, or one score. Booked on `ledger`; `progress`
/// hears how many are done, and its error ends it.
pub fn outputs(
    model: &TextModel,
    sentences: &Sentences,
    device: &Device,
    ledger: &mut Ledger,
    mut progress: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<Vec<f32>>> {
    ledger.begin_batch(Phase::Evaluation);
    let mut all = vec![Vec::new(); sentences.len()];
    let mut done = 0;
    for places in sentences.batches(BATCH) {
        progress(done)?;
        let tokens = Tokens::new(&sentences.pick(&places), model.config(), device)?;
        let outputs = ledger.forward(|| model.sentence_outputs(&tokens, None));
        let width = outputs.dims()[1];
        let values: Vec<f32> = outputs.into_data().iter::<f32>().collect();
        for (&place, row) in places.iter().zip(values.chunks(width)) {
            all[place] = row.to_vec();
        }
        done += places.len();
    }
    progress(done)?;
    Ok(all)
}

/// The number of the largest output.
pub fn class_of(outputs: &[f32]) -> u32 {
    let largest = outputs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    largest.map_or(0, |(class, _)| class as u32)
}

/// All figures that GLUE knows for answers of this kind: accuracy, of two classes also F1 and Matthews' correlation; Pearson's and
/// Spearman's correlation of scores.
pub fn metrics(outputs: &[Vec<f32>], sentences: &Sentences) -> BTreeMap<String, f64> {
    let named = |pairs: &[(&str, f64)]| pairs.iter().map(|(name, v)| (name.to_string(), *v)).collect();
    match &sentences.problem {
        Problem::Nothing => BTreeMap::new(),
        Problem::Classes(names) => {
            let predicted: Vec<u32> = outputs.iter().map(|row| class_of(row)).collect();
            let right = sentences.classes().unwrap_or_default();
            let mut all = vec![("accuracy", accuracy(&predicted, &right))];
            if names.len() == 2 {
                all.push(("f1", f1(&predicted, &right)));
                all.push(("matthews", matthews(&predicted, &right)));
            }
            named(&all)
        }
        Problem::Score => {
            let predicted: Vec<f64> = outputs.iter().map(|row| f64::from(row[0])).collect();
            let right = sentences.answers.iter().map(|answer| match answer {
                Answer::Score(score) => f64::from(*score),
                Answer::Class(_) | Answer::Nothing => f64::NAN,
            });
            let right: Vec<f64> = right.collect();
            named(&[
                ("pearson", pearson(&predicted, &right)),
                ("spearman", spearman(&predicted, &right)),
            ])
        }
    }
}

/// The figure that decides; one that is no number never wins.
pub fn main_metric(metrics: &BTreeMap<String, f64>, name: &str) -> f64 {
    metrics
        .get(name)
        .copied()
        .filter(|value| value.is_finite())
        .unwrap_or(-1.0)
}

/// Of logits over a vocabulary for every token: fewer sentences.
const GUESSED_BATCH: usize = 16;

/// What a language model makes of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Guessed {
    /// The share of them that it guesses.
    pub share: f64,
    /// The exponential of its mean loss.
    pub perplexity: f64,
}

/// How well a language model guesses tokens. Which are hidden depends on the seed alone.
pub fn guessed_tokens(
    model: &TextModel,
    sentences: &Sentences,
    guessing: &Guessing,
    seed: u64,
    device: &Device,
    ledger: &mut Ledger,
) -> Result<Guessed> {
    ledger.begin_batch(Phase::Evaluation);
    let (mut right, mut all, mut loss) = (0, 0, 0.0);
    let size = match guessing {
        Guessing::Hidden(_) => BATCH,
        Guessing::Next => GUESSED_BATCH,
    };
    for (number, places) in sentences.batches(size).iter().enumerate() {
        let mut rng = stream(seed, Purpose::ValidationMasking, number as u64);
        let hidden = guessing.ask(&sentences.pick(places), &mut rng);
        // Sentences of special tokens alone.
        if hidden.places.is_empty() {
            continue;
        }
        let tokens = Tokens::new(&hidden.sentences, model.config(), device)?;
        let Answers::Hidden(at, labels) = hidden.answers(&tokens, model.config().vocabulary(), device)?
        else {
            continue;
        };
        let logits = ledger.forward(|| model.token_logits(&tokens, at));
        let losses = cross_entropy(logits.clone(), &labels).into_data();
        loss += losses
            .iter::<f32>()
            .map(f64::from)
            .fold(0.0, |sum, loss| sum + loss);
        let guesses = read_predictions(logits);
        let hits = guesses.iter().zip(&hidden.tokens);
        right += hits.filter(|(guess, token)| **guess == **token as usize).count();
        all += guesses.len();
    }
    let all = all.max(1) as f64;
    Ok(Guessed {
        share: right as f64 / all,
        perplexity: (loss / all).exp(),
    })
}

/// A batch of sentences under attack, at their word embeddings.
struct Embedded<'a> {
    model: &'a TextModel,
    sentences: Vec<Encoded>,
    goals: Vec<Goal>,
    longest: usize,
    classes: usize,
}

impl Victims<3> for Embedded<'_> {
    type Context = TextBatch;

    fn goals(&self) -> &[Goal] {
        &self.goals
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn upload(&self, rows: &[usize], device: &Device) -> Result<Uploaded<3, TextBatch>> {
        let sentences: Vec<Encoded> = rows.iter().map(|&row| self.sentences[row].clone()).collect();
        // Of one length for all rows, since perturbations are carried over when some are dropped.
        let tokens = Tokens::padded(&sentences, self.longest, self.model.config(), device)?;
        Ok(Uploaded {
            clean: self.model.clean(&tokens),
            mask: Some(self.model.mask(&tokens, SpecialTokens::Perturbed)),
            context: TextBatch::new(self.model, tokens, Answers::None)?,
        })
    }

    fn logits(&self, input: Tensor<3>, context: &TextBatch) -> Tensor<2> {
        self.model.sentence_outputs(context.tokens(), Some(input))
    }

    fn clean_values(&self) -> Vec<f32> {
        Vec::new()
    }
}

/// An attack on embeddings.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingAttack {
    /// The attack.
    pub name: AttackName,
    /// The radius, over a whole sentence.
    pub eps: f64,
    /// The step size; by attack if none.
    pub step: Option<f64>,
    /// Seed of the random starts.
    pub seed: u64,
}

/// Attacks the word embeddings of those sentences that have not fallen yet, and marks the ones that fall. For classes only; the model
/// must be frozen and in eval mode. Words that are embedded so need not exist: this measures the model, not what a writer could do to it.
pub fn turn(
    model: &TextModel,
    sentences: &Sentences,
    plan: &EmbeddingAttack,
    fallen: &mut [bool],
    device: &Device,
    ledger: &mut Ledger,
    mut progress: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    ledger.begin_batch(Phase::Evaluation);
    let model = model.clone().with_place(Place::Words)?;
    let classes = sentences.classes().context("an attack needs classes")?;
    let count = match &sentences.problem {
        Problem::Classes(names) => names.len(),
        Problem::Score | Problem::Nothing => 0,
    };
    let perturbation = plan.name.unranged(plan.eps, plan.step)?;
    let mut done = 0;
    for (number, places) in sentences.batches(BATCH).into_iter().enumerate() {
        progress(done)?;
        done += places.len();
        let standing: Vec<usize> = places.into_iter().filter(|&place| !fallen[place]).collect();
        if standing.is_empty() {
            continue;
        }
        let picked = sentences.pick(&standing);
        let victims = Embedded {
            model: &model,
            longest: picked.iter().map(Encoded::len).max().unwrap_or(0),
            sentences: picked,
            goals: standing
                .iter()
                .map(|&place| Goal::Avoid(classes[place] as usize))
                .collect(),
            classes: count,
        };
        let starts = Starts {
            restarts: plan.name.restarts,
            seed: plan.seed,
            batch: number,
        };
        let attacked = attack(&victims, &perturbation, starts, device, ledger)
            .with_context(|| format!("attack {} at {}", plan.name, plan.eps))?;
        for (&place, success) in standing.iter().zip(attacked.success) {
            fallen[place] |= success;
        }
    }
    progress(done)
}
