//! adv-core alone in a training loop of your own: your model, your data, any optimiser of Burn.
//!
//! Trains a small network on two interleaved half moons, with and without an adversary, and says what each method
//! cost. Run: `cargo run --release -p adv-core --example own_loop`

use adv_core::gradients::{MaxNorm, clip_global_norm};
use adv_core::{
    Adversarial, AscentMode, Batch, Carried, FreeLb, Ledger, Objective, Passes, Perturbation, Phase,
    Standard, Start, TrainingMethod,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamWConfig;
use burn::tensor::activation::{log_softmax, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::error::Error;

const BATCH: usize = 50;
const EPOCHS: usize = 40;
/// The radius of the perturbations, in units of the coordinates. The moons are about twice that apart.
const RADIUS: f64 = 0.2;

/// An ordinary Burn model. Nothing in it knows of adversaries.
#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(2, 64).init(device),
            output: LinearConfig::new(64, 2).init(device),
        }
    }

    /// `[B, 2]` to `[B, 2]`.
    fn logits(&self, points: Tensor<2>) -> Tensor<2> {
        self.output.forward(tanh(self.hidden.forward(points)))
    }
}

/// All that the core asks of it: the mean loss of a batch, as a function of what is perturbed.
impl Objective<2> for Net {
    type Targets = Tensor<1, Int>;

    fn loss(&self, points: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
        let [batch, _] = points.dims();
        let own = labels.clone().reshape([batch, 1]);
        log_softmax(self.logits(points), 1).gather(1, own).mean().neg()
    }
}

/// Points `[n, 2]` on two half moons with a little noise, and which of the moons.
fn moons(n: usize, rng: &mut ChaCha8Rng, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let mut points = Vec::with_capacity(2 * n);
    let mut labels = Vec::with_capacity(n);
    for index in 0..n {
        let (sin, cos) = (std::f64::consts::PI * uniform()).sin_cos();
        let second = index % 2 == 1;
        let (x, y) = if second {
            (1.0 - cos, 0.5 - sin)
        } else {
            (cos, sin)
        };
        points.extend([x + 0.1 * (uniform() - 0.5), y + 0.1 * (uniform() - 0.5)].map(|v| v as f32));
        labels.push(i64::from(second));
    }
    let points = Tensor::from_data(TensorData::new(points, [n, 2]), device);
    (points, Tensor::from_data(TensorData::new(labels, [n]), device))
}

/// Trains from scratch. This is the loop to copy: five lines around the method.
fn train(method: &dyn TrainingMethod<2, Net>, ledger: &mut Ledger) -> Result<Net, Box<dyn Error>> {
    let device = Device::flex();
    device.seed(1); // The initial weights come from Burn's own generator.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (points, labels) = moons(1000, &mut rng, &device);

    let mut model = Net::new(&device.autodiff());
    let mut optimiser = AdamWConfig::new().with_epsilon(1e-8).init();
    let mut carried = Carried::default();
    for _ in 0..EPOCHS {
        for (clean, targets) in points
            .clone()
            .split(BATCH, 0)
            .into_iter()
            .zip(labels.clone().split(BATCH, 0))
        {
            let batch = Batch::new(clean, &targets);
            ledger.begin_batch(Phase::Training);
            for _ in 0..method.replays() {
                let update = method.gradients(&model, &batch, &mut carried, &mut rng, ledger)?;
                let (gradients, _norm) = clip_global_norm(update.gradients, &model, MaxNorm::new(1.0)?);
                ledger.update(&gradients)?;
                model = optimiser.step(0.01, model, gradients);
            }
        }
        // The ledger counts; theory must agree.
        assert_eq!(ledger.batch(), method.expected_cost());
    }
    Ok(model)
}

/// The shares of fresh points that are classified right: as they are, and attacked by PGD-20.
fn evaluate(model: &Net, ledger: &mut Ledger) -> Result<[f64; 2], Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (points, labels) = moons(1000, &mut rng, &Device::flex());
    let batch = Batch::new(points.clone(), &labels);
    ledger.begin_batch(Phase::Evaluation);
    let frozen = AscentMode::Eval.freeze(model);
    let attack = Perturbation::pgd(RADIUS, RADIUS / 8.0, 20)?.with_start(Start::InBall)?;
    let attacked = attack.ascend(&frozen, &batch, &mut rng, ledger)?.input;
    let mut accuracy = |points: Tensor<2>| {
        let classes = ledger.forward(|| frozen.logits(points)).argmax(1).reshape([1000]);
        let right = classes.equal(labels.clone()).int().sum().into_scalar::<i64>();
        right as f64 / 1000.0
    };
    Ok([accuracy(points), accuracy(attacked)])
}

/// Runs the example. Public so that a test can run it too.
pub fn main() -> Result<(), Box<dyn Error>> {
    let pgd = Perturbation::pgd(RADIUS, RADIUS / 4.0, 7)?.with_start(Start::InBall)?;
    let free_lb = Perturbation::pgd_l2(RADIUS, RADIUS / 2.0, 3)?.with_start(Start::LengthScaled {
        magnitude: RADIUS / 2.0,
    })?;
    let methods: [(&str, &dyn TrainingMethod<2, Net>); 3] = [
        ("standard", &Standard),
        ("PGD-7", &Adversarial::new(pgd)),
        ("FreeLB-3", &FreeLb::new(free_lb)),
    ];
    println!(
        "{:10} {:>6} {:>8}  full and input-only backwards",
        "method", "clean", "attacked"
    );
    for (name, method) in methods {
        let mut ledger = Ledger::new();
        let model = train(method, &mut ledger)?;
        let [clean, attacked] = evaluate(&model, &mut ledger)?;
        let Passes {
            full_backwards,
            input_backwards,
            ..
        } = ledger.total(Phase::Training);
        println!("{name:10} {clean:6.3} {attacked:8.3}  {full_backwards} and {input_backwards}");
    }
    Ok(())
}
