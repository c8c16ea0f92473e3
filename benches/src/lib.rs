//! What the benches share: one training step, as the runner does it, on a fixed batch.
#![deny(missing_docs)]

use std::error::Error;

use adv_core::{Batch, Carried, Ledger, Phase, TrainingMethod};
use adv_models::{Architecture, ImageClassifier, Labels, build};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The image of the benches: MNIST's.
pub const SHAPE: [usize; 3] = [1, 28, 28];

/// A method of training image classifiers.
pub type Method = Box<dyn TrainingMethod<4, ImageClassifier>>;

/// One network, one method, one batch of random pixels and labels, Adam. Each [`run`](Self::run) is one mini-batch.
pub struct TrainingStep {
    model: Option<ImageClassifier>,
    optimiser: ModuleOptimizer,
    method: Method,
    images: Tensor<4>,
    labels: Labels,
    carried: Carried<4>,
    noise: ChaCha8Rng,
    ledger: Ledger,
}

impl TrainingStep {
    /// On the default CPU device, from fixed seeds.
    pub fn new(architecture: Architecture, method: Method, batch: usize) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex().autodiff();
        let [channels, height, width] = SHAPE;
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        let mut draw = || noise.next_u32();
        let pixels: Vec<f32> = (0..batch * channels * height * width)
            .map(|_| (draw() >> 8) as f32 / (1 << 24) as f32)
            .collect();
        let labels: Vec<u8> = (0..batch).map(|_| (draw() % 10) as u8).collect();
        Ok(Self {
            model: Some(build(architecture, SHAPE, 10, 1, &device)?),
            // The rate is too small to turn the network into one that is right, or NaN, for ever: its speed would differ.
            optimiser: AdamConfig::new().with_epsilon(1e-8).init(),
            method,
            images: Tensor::from_data(TensorData::new(pixels, [batch, channels, height, width]), &device),
            labels: Labels::new(labels, 10, &device)?,
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
        })
    }

    /// All updates of one mini-batch.
    pub fn run(&mut self) -> Result<(), Box<dyn Error>> {
        const RATE: f64 = 1e-4;
        self.ledger.begin_batch(Phase::Training);
        for _ in 0..self.method.replays() {
            let model = self.model.take().ok_or("an earlier step failed")?;
            let batch = Batch::new(self.images.clone(), &self.labels);
            let update = self.method.gradients(
                &model,
                &batch,
                &mut self.carried,
                &mut self.noise,
                &mut self.ledger,
            )?;
            self.ledger.update(&update.gradients)?;
            self.model = Some(self.optimiser.step(RATE, model, update.gradients));
        }
        Ok(())
    }

    /// What the mini-batches have cost so far, counted.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The README of the workspace, so that its example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
