//! What the benches share: networks, random batches, and one training step as the runner does it.
#![deny(missing_docs)]

mod sentences;

pub use sentences::{SentenceRow, SentenceStep, sentence_methods};

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use adv_core::{Batch, Carried, Ledger, Objective, Passes, Phase, TrainingMethod};
use adv_models::text::{Answers, Encoded, HeadKind, LstmConfig, TextBatch, TextConfig, TextModel, Tokens};
use adv_models::{Architecture, ImageClassifier, Labels, build};
use adv_run::optim::optimiser;
use adv_run::spec::{MethodName, OptimSpec, OptimiserName, RunSpec, Settings};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The image of the benches: MNIST's.
pub const SHAPE: [usize; 3] = [1, 28, 28];

/// The networks of the benches.
pub const NETS: [Architecture; 2] = [Architecture::WongCnn, Architecture::MadryCnn];

/// The batch sizes of the benches.
pub const BATCHES: [usize; 2] = [50, 128];

/// Too small to turn the network into one that is right, or NaN, for ever: its speed would differ.
const RATE: f64 = 1e-4;

/// A method of training image classifiers.
pub type Method = adv_run::methods::ImageMethod;

/// Every method by its name in `adv compare`, with the runner's numbers for MNIST.
pub fn methods() -> Result<Vec<(&'static str, Method)>, Box<dyn Error>> {
    let rows = [
        ("standard", MethodName::Standard),
        ("random", MethodName::Random),
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
        methods.push((label, adv_run::methods::build(&spec.training().method)?));
    }
    Ok(methods)
}

/// A method of training sentence classifiers.
pub type TextMethod = adv_run::methods::TextMethod;

/// The methods for text, with the runner's numbers for a pretrained encoder.
pub fn text_methods() -> Result<Vec<(&'static str, TextMethod)>, Box<dyn Error>> {
    methods_on_text(&Settings {
        task: Some("sst2".into()),
        model_dir: Some(std::path::PathBuf::from("an encoder").into()),
        ..Settings::default()
    })
}

/// The same with its numbers for an LSTM.
pub fn lstm_methods() -> Result<Vec<(&'static str, TextMethod)>, Box<dyn Error>> {
    methods_on_text(&Settings {
        task: Some("mr".into()),
        model: Some("lstm".into()),
        ..Settings::default()
    })
}

fn methods_on_text(settings: &Settings) -> Result<Vec<(&'static str, TextMethod)>, Box<dyn Error>> {
    let rows = [
        ("random", MethodName::Random),
        ("standard", MethodName::Standard),
        ("fgm", MethodName::Fgm),
        ("pgd-3", MethodName::Pgd),
        ("freeat-3", MethodName::FreeAt),
        ("yopo-3-2", MethodName::Yopo),
        ("freelb-3", MethodName::FreeLb),
        ("freelb++", MethodName::FreeLbPlusPlus),
        ("smart", MethodName::Smart),
        ("r3f", MethodName::R3f),
        ("vat", MethodName::Vat),
        ("scal", MethodName::Scal),
    ];
    let mut methods = Vec::new();
    for (label, name) in rows {
        let spec = RunSpec::resolve(Settings {
            method: Some(name),
            ..settings.clone()
        })?;
        methods.push((label, adv_run::methods::build_text(&spec.training().method)?));
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

/// One model, one method, one batch, one optimiser. Each [`run`](Self::run) is one mini-batch.
pub struct TrainingStep<'a, const D: usize, M: Objective<D>> {
    model: Option<M>,
    optimiser: ModuleOptimizer,
    method: &'a dyn TrainingMethod<D, M>,
    clean: Tensor<D>,
    targets: M::Targets,
    carried: Carried<D>,
    noise: ChaCha8Rng,
    ledger: Ledger,
    /// What the model does behind an update.
    after: fn(M, &M::Targets, &mut Ledger) -> M,
}

/// A step of an image classifier.
pub type ImageStep<'a> = TrainingStep<'a, 4, ImageClassifier>;

/// A step of a sentence classifier.
pub type TextStep<'a> = TrainingStep<'a, 3, TextModel>;

impl<'a> ImageStep<'a> {
    /// On a [`Workload`], with Adam.
    pub fn new(architecture: Architecture, method: &'a Method, batch: usize) -> Result<Self, Box<dyn Error>> {
        let Workload {
            model,
            images,
            labels,
            noise,
        } = Workload::new(architecture, batch)?;
        Ok(Self {
            model: Some(model),
            optimiser: optimiser(&OptimSpec::constant(OptimiserName::Adam, RATE)),
            method: method.as_ref(),
            clean: images,
            targets: labels,
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
            after: |model, _, _| model,
        })
    }
}

impl<'a> TextStep<'a> {
    /// On random sentences of one length for the encoder of a folder, with AdamW and two classes.
    pub fn on_text(
        folder: &Path,
        method: &'a dyn TrainingMethod<3, TextModel>,
        [batch, length]: [usize; 2],
    ) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex().autodiff();
        let (model, _) = TextModel::from_folder(folder, HeadKind::Classes(2), 0, &device)?;
        Self::of_model(model, method, [batch, length])
    }

    /// The same for an LSTM of the runner's size and 10 000 words.
    pub fn on_lstm(
        method: &'a dyn TrainingMethod<3, TextModel>,
        shape: [usize; 2],
    ) -> Result<Self, Box<dyn Error>> {
        let raw =
            serde_json::json!({"model_type": LstmConfig::TYPE, "vocab_size": 10_000, "hidden_size": 512});
        let raw = raw.as_object().cloned().unwrap_or_default();
        let config = TextConfig::from_json(raw, Path::new("the LSTM of the benches"))?;
        let device = Device::flex().autodiff();
        let model = TextModel::new(config, HeadKind::Classes(2), 0, &device);
        Self::of_model(model, method, shape)
    }

    fn of_model(
        model: TextModel,
        method: &'a dyn TrainingMethod<3, TextModel>,
        [batch, length]: [usize; 2],
    ) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex();
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        let mut draw = |bound: u32| noise.next_u32() % bound;
        let words = model.config().vocabulary() as u32;
        let sentences: Vec<Encoded> = (0..batch)
            .map(|_| Encoded {
                ids: (0..length).map(|_| draw(words)).collect(),
                types: vec![0; length],
                special: vec![0; length],
            })
            .collect();
        let labels: Vec<u32> = (0..batch).map(|_| draw(2)).collect();
        let tokens = Tokens::new(&sentences, model.config(), &device)?;
        let clean = model.clean(&tokens);
        let answers = Answers::Classes(Labels::new(labels, 2, &device)?);
        Ok(Self {
            clean,
            targets: TextBatch::new(&model, tokens, answers)?,
            model: Some(model),
            optimiser: optimiser(&OptimSpec {
                weight_decay: 0.01,
                ..OptimSpec::constant(OptimiserName::Adamw, RATE)
            }),
            method,
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
            after: |model, _, _| model,
        })
    }
}

impl<const D: usize, M: Objective<D> + Module> TrainingStep<'_, D, M> {
    /// Gradients of one mini-batch without an update.
    pub fn gradients(&mut self) -> Result<(), Box<dyn Error>> {
        let model = self.model.as_ref().ok_or("an earlier step failed")?;
        self.ledger.begin_batch(Phase::Training);
        let batch = Batch::new(self.clean.clone(), &self.targets);
        self.method.gradients(
            model,
            &batch,
            &mut self.carried,
            &mut self.noise,
            &mut self.ledger,
        )?;
        Ok(())
    }

    /// All updates of one mini-batch; what they cost, counted.
    pub fn run(&mut self) -> Result<Passes, Box<dyn Error>> {
        self.ledger.begin_batch(Phase::Training);
        for _ in 0..self.method.replays() {
            let model = self.model.take().ok_or("an earlier step failed")?;
            let batch = Batch::new(self.clean.clone(), &self.targets);
            let update = self.method.gradients(
                &model,
                &batch,
                &mut self.carried,
                &mut self.noise,
                &mut self.ledger,
            )?;
            self.ledger.update(&update.gradients)?;
            let model = self.optimiser.step(RATE, model, update.gradients);
            self.model = Some((self.after)(model, &self.targets, &mut self.ledger));
        }
        Ok(self.ledger.batch())
    }
}

/// Median in milliseconds over as many steps as fit into the time, at least five, after two for warming up.
pub fn median_ms(
    enough: Duration,
    mut step: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    for _ in 0..2 {
        step()?;
    }
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || begin.elapsed() < enough {
        let begin = Instant::now();
        step()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    Ok(if times.len() % 2 == 1 {
        times[middle]
    } else {
        (times[middle - 1] + times[middle]) / 2.0
    })
}

/// The README of the workspace, so that its example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
