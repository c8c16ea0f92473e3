//! Forward passes of a model.

use super::TextModel;
use super::batch::{Answers, TextBatch};
use super::body::Body;
use super::head::Head;
use super::tokens::Tokens;
use burn::tensor::{Int, Tensor};

impl TextModel {
    /// One vector per token, `[B, T, H]`; `delta` is added at the model's [`Place`](super::Place). What stands at padding means nothing.
    pub fn hidden(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<3> {
        self.masks.next_pass();
        let x = self.encoder.below(tokens, self.delta(delta), 0);
        self.encoder.above(x, tokens, 0)
    }

    /// One vector per token of the first layer and of the last, `[B, T, H]` each; likewise. The first layer of an LSTM is its embedding.
    pub fn first_and_last(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> [Tensor<3>; 2] {
        self.masks.next_pass();
        let layers = usize::from(matches!(self.encoder, Body::Transformer(_)));
        let first = self.encoder.below(tokens, self.delta(delta), layers);
        [first.clone(), self.encoder.above(first, tokens, layers)]
    }

    /// The vector that a head on whole sentences is given, `[B, H]`: of the first token, of an LSTM of the last one. Cheaper than
    /// [`hidden`](Self::hidden): the last layer is not run for the others.
    pub fn sentence_vectors(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        self.masks.next_pass();
        let x = self.encoder.below(tokens, self.delta(delta), 0);
        self.encoder.sentences_above(x, tokens, 0)
    }

    /// The vector of one token of each sentence, `[B, H]`: of those at these places of the batch read row by row, `[B]`. Of a transformer
    /// the last layer is not run for the others.
    pub fn vectors_at(&self, tokens: &Tokens, delta: Option<Tensor<3>>, places: Tensor<1, Int>) -> Tensor<2> {
        self.masks.next_pass();
        let x = self.encoder.below(tokens, self.delta(delta), 0);
        self.encoder.vectors_above(x, tokens, 0, places)
    }

    /// [`sentence_outputs`](Self::sentence_outputs) and [`sentence_vectors`](Self::sentence_vectors) of one forward.
    ///
    /// # Panics
    ///
    /// If the head is none for whole sentences.
    pub fn outputs_and_vectors(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> (Tensor<2>, Tensor<2>) {
        let vectors = self.sentence_vectors(tokens, delta);
        (self.sentence_top(vectors.clone()), vectors)
    }

    /// The logits or the score of each sentence, `[B, O]`; `delta` is added at the model's [`Place`](super::Place).
    ///
    /// # Panics
    ///
    /// If the head is none for whole sentences: see [`token_logits`](Self::token_logits) and [`hidden`](Self::hidden).
    pub fn sentence_outputs(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        self.masks.next_pass();
        let x = self.encoder.below(tokens, self.delta(delta), 0);
        self.top(x, tokens, 0)
    }

    /// Logits over the vocabulary for tokens at these places of the batch read row by row, `[N]` to `[N, V]`.
    ///
    /// # Panics
    ///
    /// If the head is not that of a language model.
    pub fn token_logits(&self, tokens: &Tokens, places: Tensor<1, Int>) -> Tensor<2> {
        self.token_top(self.hidden(tokens, None), places)
    }

    /// Logits over the vocabulary from the vectors of tokens, `[N, H]` to `[N, V]`.
    ///
    /// # Panics
    ///
    /// If the head is not that of a language model.
    pub fn logits_of(&self, vectors: Tensor<2>) -> Tensor<2> {
        match &self.head {
            Some(Head::MaskedLm(head)) => head.forward(vectors, self.encoder.words()),
            Some(Head::NextToken(head)) => head.forward(vectors),
            Some(Head::Sequence(_) | Head::Last(_)) | None => panic!("this model has no logits for tokens"),
        }
    }

    /// From what comes out of the first `layers` layers.
    fn top(&self, x: Tensor<3>, tokens: &Tokens, layers: usize) -> Tensor<2> {
        self.sentence_top(self.encoder.sentences_above(x, tokens, layers))
    }

    fn sentence_top(&self, vectors: Tensor<2>) -> Tensor<2> {
        match &self.head {
            Some(Head::Sequence(head)) => head.forward(vectors),
            Some(Head::Last(head)) => head.forward(vectors),
            Some(Head::MaskedLm(_) | Head::NextToken(_)) | None => {
                panic!("this model has no output for a whole sentence")
            }
        }
    }

    fn token_top(&self, hidden: Tensor<3>, places: Tensor<1, Int>) -> Tensor<2> {
        let [batch, length, width] = hidden.dims();
        self.logits_of(hidden.reshape([batch * length, width]).select(0, places))
    }

    /// The outputs that the answers are compared with, from what comes out of the first `layers` layers.
    pub(super) fn answering(&self, x: Tensor<3>, batch: &TextBatch, layers: usize) -> Tensor<2> {
        match &batch.answers {
            Answers::Hidden(places, _) => {
                let hidden = self.encoder.above(x, &batch.tokens, layers);
                self.token_top(hidden, places.clone())
            }
            Answers::Classes(_) | Answers::Scores(_) | Answers::None => self.top(x, &batch.tokens, layers),
        }
    }
}
