//! A wrapper that remembers every input its model saw.

use super::values;
use adv_core::{Objective, Predict, Split};
use burn::module::Module;
use burn::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// What a model saw: shared by all copies of it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    whole: Arc<Mutex<Vec<Vec<f32>>>>,
    first: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl Seen {
    /// The inputs of whole passes, in order.
    pub fn whole(&self) -> Vec<Vec<f32>> {
        self.whole.lock().unwrap().clone()
    }

    /// The inputs of the first layer, in order, those of passes that were cut after it included.
    pub fn first(&self) -> Vec<Vec<f32>> {
        self.first.lock().unwrap().clone()
    }
}

/// A model that remembers every input.
#[derive(Module, Debug)]
pub struct Recorder<M: Module> {
    pub model: M,
    #[module(skip)]
    pub seen: Seen,
}

impl<M: Module> Recorder<M> {
    pub fn new(model: M) -> Self {
        Self {
            model,
            seen: Seen::default(),
        }
    }
}

impl<const D: usize, M: Objective<D> + Module> Objective<D> for Recorder<M> {
    type Targets = M::Targets;

    fn loss(&self, input: Tensor<D>, targets: &M::Targets) -> Tensor<1> {
        self.seen.whole.lock().unwrap().push(values(&input));
        self.model.loss(input, targets)
    }
}

impl<const D: usize, M: Split<D> + Module> Split<D> for Recorder<M> {
    fn first(&self, input: Tensor<D>, targets: &M::Targets) -> Tensor<D> {
        self.seen.first.lock().unwrap().push(values(&input));
        self.model.first(input, targets)
    }

    fn rest(&self, activation: Tensor<D>, targets: &M::Targets) -> Tensor<1> {
        self.model.rest(activation, targets)
    }
}

impl<const D: usize, M: Predict<D> + Module> Predict<D> for Recorder<M> {
    fn outputs(&self, input: Tensor<D>, targets: &M::Targets) -> Tensor<2> {
        self.seen.whole.lock().unwrap().push(values(&input));
        self.model.outputs(input, targets)
    }

    fn judge(&self, outputs: Tensor<2>, targets: &M::Targets) -> Tensor<1> {
        self.model.judge(outputs, targets)
    }
}
