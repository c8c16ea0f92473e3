//! What the benches share: networks, random batches, and one training step as the runner does it.
#![deny(missing_docs)]

use std::error::Error;

use adv_core::{Batch, Carried, Ledger, Passes, Phase};
use adv_models::{Architecture, ImageClassifier, Labels, build};
use adv_run::spec::{MethodName, RunSpec, Settings};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The image of the benches: MNIST's.
pub const SHAPE: [usize; 3] = [1, 28, 28];

/// The networks of the benches.
pub const NETS: [Architecture; 2] = [Architecture::WongCnn, Architecture::MadryCnn];

/// The batch sizes of the benches.
pub const BATCHES: [usize; 2] = [50, 128];

/// A method of training image classifiers.
pub type Method = adv_run::methods::ImageMethod;

/// Every method by its name in `adv compare`, with the runner's numbers for MNIST.
pub fn methods() -> Result<Vec<(&'static str, Method)>, Box<dyn Error>> {
    let rows = [
        ("standard", MethodName::Standard),
        ("fgsm", MethodName::Fgsm),
        ("fgm", MethodName::Fgm),
        ("fgsm-rs", MethodName::FgsmRs),
        ("n-fgsm", MethodName::NFgsm),
        ("pgd-7", MethodName::Pgd),
        ("free-8", MethodName::FreeAt),
        ("yopo-5-10", MethodName::Yopo),
        ("freelb-3", MethodName::FreeLb),
    ];
    let mut methods = Vec::new();
    for (label, name) in rows {
        let spec = RunSpec::resolve(Settings {
            method: Some(name),
            dataset: Some("mnist".into()),
            ..Settings::default()
        })?;
        methods.push((label, adv_run::methods::build(&spec.method)?));
    }
    Ok(methods)
}

/// A network with its first weights, and a batch of random pixels and labels. From fixed seeds, on the default CPU device.
pub struct Workload {
    /// The network, ready to be trained.
    pub model: ImageClassifier,
    /// Pixels in [0, 1], `[B, 1, 28, 28]`.
    pub images: Tensor<4>,
    /// Ten classes.
    pub labels: Labels,
    /// Where start noise comes from.
    pub noise: ChaCha8Rng,
}

impl Workload {
    /// A batch of `batch` images.
    pub fn new(architecture: Architecture, batch: usize) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex().autodiff();
        let [channels, height, width] = SHAPE;
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        let mut draw = || noise.next_u32();
        let pixels: Vec<f32> = (0..batch * channels * height * width)
            .map(|_| (draw() >> 8) as f32 / (1 << 24) as f32)
            .collect();
        let labels: Vec<u8> = (0..batch).map(|_| (draw() % 10) as u8).collect();
        Ok(Self {
            model: build(architecture, SHAPE, 10, 1, &device)?,
            images: Tensor::from_data(TensorData::new(pixels, [batch, channels, height, width]), &device),
            labels: Labels::new(labels, 10, &device)?,
            noise,
        })
    }
}

/// One network, one method, one batch, Adam. Each [`run`](Self::run) is one mini-batch.
pub struct TrainingStep<'a> {
    model: Option<ImageClassifier>,
    optimiser: ModuleOptimizer,
    method: &'a Method,
    images: Tensor<4>,
    labels: Labels,
    carried: Carried<4>,
    noise: ChaCha8Rng,
    ledger: Ledger,
}

impl<'a> TrainingStep<'a> {
    /// On a [`Workload`].
    pub fn new(architecture: Architecture, method: &'a Method, batch: usize) -> Result<Self, Box<dyn Error>> {
        let Workload {
            model,
            images,
            labels,
            noise,
        } = Workload::new(architecture, batch)?;
        Ok(Self {
            model: Some(model),
            // The rate is too small to turn the network into one that is right, or NaN, for ever: its speed would differ.
            optimiser: AdamConfig::new().with_epsilon(1e-8).init(),
            method,
            images,
            labels,
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
        })
    }

    /// All updates of one mini-batch; what they cost, counted.
    pub fn run(&mut self) -> Result<Passes, Box<dyn Error>> {
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
        Ok(self.ledger.batch())
    }
}

/// The README of the workspace, so that its example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
