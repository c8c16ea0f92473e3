//! A text model as what the core knows: a loss, outputs, a first layer.

use super::{TextBatch, TextModel};
use adv_core::{Objective, Predict, Split};
use burn::tensor::Tensor;

impl Objective<3> for TextModel {
    type Targets = TextBatch;

    fn loss(&self, input: Tensor<3>, batch: &TextBatch) -> Tensor<1> {
        self.judge(self.outputs(input, batch), batch)
    }
}

impl Predict<3> for TextModel {
    fn outputs(&self, input: Tensor<3>, batch: &TextBatch) -> Tensor<2> {
        self.masks.next_pass();
        let x = self.encoder.below(&batch.tokens, self.delta(Some(input)), 0);
        self.answering(x, batch, 0)
    }

    fn judge(&self, outputs: Tensor<2>, batch: &TextBatch) -> Tensor<1> {
        batch.answers.compare(outputs)
    }
}

impl Split<3> for TextModel {
    fn first(&self, input: Tensor<3>, batch: &TextBatch) -> Tensor<3> {
        self.masks.next_pass();
        self.encoder.below(&batch.tokens, self.delta(Some(input)), 1)
    }

    fn rest(&self, activation: Tensor<3>, batch: &TextBatch) -> Tensor<1> {
        self.judge(self.answering(activation, batch, 1), batch)
    }
}
