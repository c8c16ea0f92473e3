//! A batch: sentences, and what is right for them.

use super::head::HeadKind;
use super::tokens::Tokens;
use super::{TextError, TextModel};
use crate::{Labels, cross_entropy};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// What becomes of special tokens (beginning, separator) under a perturbation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpecialTokens {
    /// They are perturbed as all others: FreeLB's program.
    #[default]
    Perturbed,
    /// They stay as they are.
    Kept,
}

/// What the outputs of a batch are compared with.
#[allow(clippy::large_enum_variant)] // A program has one or two of them, not a list.
#[derive(Debug, Clone)]
pub enum Answers {
    /// A class for each sentence.
    Classes(Labels),
    /// A number for each sentence, `[B]`.
    Scores(Tensor<1>),
    /// Tokens to be guessed: their places in the batch read row by row, `[N]`, and what they are. For a masked language model those
    /// that were hidden; for one that guesses the next token, the places before them.
    Hidden(Tensor<1, Int>, Labels),
    /// None: sentences without labels, for a penalty alone. A loss is not a number then, and refused as such.
    None,
}

impl Answers {
    /// The mean loss of outputs, `[N, C]`: cross entropy, or for scores the squared error.
    pub(super) fn compare(&self, outputs: Tensor<2>) -> Tensor<1> {
        match self {
            Answers::Classes(labels) | Answers::Hidden(_, labels) => cross_entropy(outputs, labels).mean(),
            Answers::Scores(scores) => {
                let count = outputs.dims()[0];
                (outputs.reshape([count]) - scores.clone()).square().mean()
            }
            Answers::None => outputs.mean().mul_scalar(f64::NAN),
        }
    }

    /// Scores of `B` sentences. Errors: one that is no finite number.
    pub fn scores(scores: Vec<f32>, device: &Device) -> Result<Self, TextError> {
        match scores.iter().position(|score| !score.is_finite()) {
            Some(index) => Err(TextError::Score {
                index,
                score: scores[index],
            }),
            None => {
                let count = scores.len();
                Ok(Answers::Scores(Tensor::from_data(
                    TensorData::new(scores, [count]),
                    device,
                )))
            }
        }
    }
}

/// A batch: sentences and their answers.
#[derive(Debug, Clone)]
pub struct TextBatch {
    pub(super) tokens: Tokens,
    pub(super) answers: Answers,
    unlabelled: Option<Box<TextBatch>>,
}

impl TextBatch {
    /// Sentences with answers for this model.
    ///
    /// Errors: answers of a kind that the head does not give, or not one for each sentence, a class or a place that there is not.
    /// Any of them would panic in the middle of a pass.
    pub fn new(model: &TextModel, tokens: Tokens, answers: Answers) -> Result<Self, TextError> {
        let [batch, length] = tokens.shape();
        let wrong = |problem: String| Err(TextError::Answers { problem });
        let head = model.head();
        let given = match (&answers, head) {
            (Answers::None, _) => batch,
            (Answers::Classes(labels), HeadKind::Classes(classes)) if labels.classes() <= classes => {
                labels.len()
            }
            (Answers::Scores(scores), HeadKind::Regression) => scores.dims()[0],
            (Answers::Hidden(places, labels), HeadKind::MaskedLm | HeadKind::NextToken)
                if labels.classes() <= model.config().vocabulary() =>
            {
                let inside = |place: i64| (0..(batch * length) as i64).contains(&place);
                if !places.to_data().iter::<i64>().all(inside) || places.dims()[0] != labels.len() {
                    return wrong(format!(
                        "hidden tokens must lie in the {batch} sentences of {length} tokens, each with what it was"
                    ));
                }
                batch
            }
            _ => return wrong(format!("they are not those of the head {head:?}")),
        };
        if given != batch {
            return wrong(format!("{given} for {batch} sentences"));
        }
        Ok(Self {
            tokens,
            answers,
            unlabelled: None,
        })
    }

    /// The same with sentences without labels beside it, for methods that learn from them too. A loss does not see them.
    pub fn with_unlabelled(self, beside: TextBatch) -> Self {
        Self {
            unlabelled: Some(Box::new(beside)),
            ..self
        }
    }

    /// The sentences without labels beside it.
    pub fn unlabelled(&self) -> Option<&TextBatch> {
        self.unlabelled.as_deref()
    }

    /// The sentences.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}
