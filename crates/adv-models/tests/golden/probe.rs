//! A model that remembers what its passes saw.

use adv_core::{Objective, Split};
use adv_models::{ImageClassifier, Labels};
use burn::module::Module;
use burn::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// Inputs and losses of the passes of a step, in order.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Inputs of whole passes.
    pub inputs: Vec<Tensor<4>>,
    /// Losses of whole passes.
    pub losses: Vec<f64>,
    /// Inputs of the first layer, where the network is cut.
    pub first_inputs: Vec<Tensor<4>>,
}

/// A classifier whose copies share one memory, also the frozen ones of an ascent.
#[derive(Module, Debug)]
pub struct Probe {
    model: ImageClassifier,
    #[module(skip)]
    seen: Arc<Mutex<Seen>>,
}

impl Probe {
    pub fn new(model: ImageClassifier) -> Self {
        Self {
            model,
            seen: Arc::default(),
        }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Objective<4> for Probe {
    type Targets = Labels;

    fn loss(&self, input: Tensor<4>, targets: &Labels) -> Tensor<1> {
        let loss = self.model.loss(input.clone(), targets);
        let mut seen = self.seen.lock().unwrap();
        seen.inputs.push(input.inner());
        seen.losses
            .push(f64::from(loss.clone().inner().into_scalar::<f32>()));
        loss
    }
}

impl Split<4> for Probe {
    fn first(&self, input: Tensor<4>, targets: &Labels) -> Tensor<4> {
        self.seen.lock().unwrap().first_inputs.push(input.clone().inner());
        self.model.first(input, targets)
    }

    fn rest(&self, activation: Tensor<4>, targets: &Labels) -> Tensor<1> {
        self.model.rest(activation, targets)
    }
}
