//! A method of adv-core in burn-train's own loop: its loader, metrics, scheduler and checkpoints, our gradients.
//!
//! Trains a small network on two circles with PGD-7. Run:
//! `cargo run --release -p adv-core --features burn-train --example burn_train`

use adv_core::gradients::MaxNorm;
use adv_core::{
    Adversarial, AscentMode, Batch, Ledger, MethodStep, Objective, Perturbation, Phase, Start, TrainItem,
};
use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::tensor::activation::{log_softmax, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, Interrupter, Learner, SupervisedTraining};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::error::Error;

/// The radius of the perturbations. The circles are 0.5 apart.
const RADIUS: f64 = 0.1;
const EPOCHS: usize = 20;

/// An ordinary Burn model.
#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Net {
    /// `[B, 2]` to `[B, 2]`.
    fn logits(&self, points: Tensor<2>) -> Tensor<2> {
        self.output.forward(tanh(self.hidden.forward(points)))
    }
}

/// For the method.
impl Objective<2> for Net {
    type Targets = Tensor<1, Int>;

    fn loss(&self, points: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
        let own = labels.clone().unsqueeze_dim(1);
        log_softmax(self.logits(points), 1).gather(1, own).mean().neg()
    }
}

/// For burn-train's validation, as without an adversary.
impl InferenceStep for Net {
    type Input = TrainItem<2, Tensor<1, Int>>;
    type Output = ClassificationOutput;

    fn step(&self, item: Self::Input) -> ClassificationOutput {
        let loss = self.loss(item.clean.clone(), &item.targets);
        ClassificationOutput::new(loss, self.logits(item.clean), item.targets)
    }
}

/// Points with their circle, as the loader's batches.
#[derive(Clone)]
struct Points;

type Point = ([f32; 2], i64);

impl Batcher<Point, TrainItem<2, Tensor<1, Int>>> for Points {
    fn batch(&self, points: Vec<Point>, device: &Device) -> TrainItem<2, Tensor<1, Int>> {
        let n = points.len();
        let labels: Vec<i64> = points.iter().map(|point| point.1).collect();
        let places: Vec<f32> = points.iter().flat_map(|point| point.0).collect();
        TrainItem {
            clean: Tensor::from_data(TensorData::new(places, [n, 2]), device),
            targets: Tensor::from_data(TensorData::new(labels, [n]), device),
            mask: None,
        }
    }
}

/// `n` points on circles of radius 1 and 1.5.
fn circles(n: usize, seed: u64) -> Vec<Point> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|index| {
            let label = (index % 2) as i64;
            let angle = std::f32::consts::TAU * rng.next_u32() as f32 / u32::MAX as f32;
            let radius = if label == 0 { 1.0 } else { 1.5 };
            ([radius * angle.cos(), radius * angle.sin()], label)
        })
        .collect()
}

/// Runs the example. Public so that a test can run it too.
pub fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let net = Net {
        hidden: LinearConfig::new(2, 64).init(&device),
        output: LinearConfig::new(64, 2).init(&device),
    };
    let loader = |points: Vec<Point>, shuffle: Option<u64>| {
        let builder = DataLoaderBuilder::new(Points)
            .batch_size(50)
            .set_device(device.clone());
        let builder = match shuffle {
            Some(seed) => builder.shuffle(seed),
            None => builder,
        };
        builder.build(InMemDataset::new(points))
    };

    let method = Adversarial::new(Perturbation::pgd(RADIUS, RADIUS / 4.0, 7)?.with_start(Start::InBall)?);
    let interrupter = Interrupter::new();
    let step = MethodStep::new(net, method, noise, interrupter.clone())?.with_max_norm(MaxNorm::new(1.0)?);

    let folder = std::env::temp_dir().join(format!("adv-core-burn-train-{}", std::process::id()));
    let result = SupervisedTraining::new(
        &folder,
        loader(circles(1000, 1), Some(1)),
        loader(circles(1000, 2), None),
    )
    .metric_train_numeric(LossMetric::new())
    .metric_valid_numeric(LossMetric::new())
    .metric_valid_numeric(AccuracyMetric::new())
    .num_epochs(EPOCHS)
    .with_interrupter(interrupter)
    .with_application_logger(None)
    .summary()
    .launch(Learner::new(
        step,
        AdamWConfig::new().with_epsilon(1e-8).init(),
        0.02,
    ));
    std::fs::remove_dir_all(&folder)?;
    if let Some(error) = result.model.error() {
        return Err(error.into());
    }

    // What it cost: 20 mini-batches an epoch, 8 gradient calls each.
    let cost = result.model.ledger().total(Phase::Training);
    assert_eq!(cost.updates as usize, 20 * EPOCHS);
    assert_eq!(cost.gradient_calls(0.0) as usize, 20 * EPOCHS * 8);
    println!("{cost:?}");

    // And how robust it is.
    let item = Points.batch(circles(1000, 3), &Device::flex());
    let frozen = AscentMode::Eval.freeze(result.model.model());
    let attack = Perturbation::pgd(RADIUS, RADIUS / 8.0, 20)?.with_start(Start::InBall)?;
    let mut ledger = Ledger::new();
    ledger.begin_batch(Phase::Evaluation);
    let batch = Batch::new(item.clean.clone(), &item.targets);
    let attacked = attack.ascend(&frozen, &batch, &mut noise(0), &mut ledger)?.input;
    for (name, points) in [("clean", item.clean), ("PGD-20", attacked)] {
        let classes = frozen.logits(points).argmax(1).reshape([1000]);
        let right = classes
            .equal(item.targets.clone())
            .int()
            .sum()
            .into_scalar::<i64>();
        println!("{name}: {:.3}", right as f64 / 1000.0);
        assert!(right > 900, "{name}: {right} of 1000");
    }
    Ok(())
}

/// The noise of one step.
fn noise(step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    rng.set_stream(step);
    rng
}
