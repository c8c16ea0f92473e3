//! A new perturbation and a new training method, from the value to its laws: docs/ADDING_A_METHOD.md walks through this.
//!
//! Run: `cargo run --release -p adv-core --example adding_a_method`

use adv_core::{
    Adversarial, Axes, Ball, Batch, Carried, Ledger, Noise, Objective, ParamError, PassError, Passes,
    Perturbation, PerturbationSpec, Phase, Standard, Start, StepRule, StepSize, TrainingMethod, Update,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::error::Error;

// Step 1. A perturbation is a value: choose its parts.

/// FGSM-RS under L2: one step of 1.25 radii along the gradient, from a start uniform in the ball, projected.
fn fgsm_rs_l2(radius: f64) -> Result<Perturbation, ParamError> {
    PerturbationSpec {
        ball: Ball::l2(radius),
        start: Start::InBall,
        rule: StepRule::UnitL2(Axes::Sample),
        size: StepSize::RelativeToRadius(1.25),
        steps: 1,
        momentum: None,
        range: None,
    }
    .check()
}

// Step 2. A training method is a checked value and an implementation of one trait.

/// Training on the worst of k random perturbations of the batch: the gradient-free baseline.
///
/// Draws k starts of the perturbation, without climbing, and takes the weight gradient at the one with the largest
/// mean loss. After Engstrom et al. 2019 ("Worst-of-k"), who choose per sample; this chooses per mini-batch, since an
/// [`Objective`] knows mean losses only. With k = 1: training on noise.
#[derive(Debug, Clone, Copy, PartialEq)]
struct WorstOf {
    draws: usize,
    perturbation: Perturbation,
}

impl WorstOf {
    /// `draws` (k) is at least 1. Only start and value range of the perturbation are used.
    fn new(draws: usize, perturbation: Perturbation) -> Result<Self, ParamError> {
        if draws == 0 {
            return Err(ParamError::CountZero("draws"));
        }
        Ok(Self { draws, perturbation })
    }
}

impl<const D: usize, M: Objective<D> + Module> TrainingMethod<D, M> for WorstOf {
    // Step 3. The theory of its cost, which the ledger is held to.
    fn expected_cost(&self) -> Passes {
        Passes {
            forwards: self.draws as u64 + 1,
            full_backwards: 1,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(Self {
            perturbation: self.perturbation.scaled(share)?,
            ..*self
        }))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        _carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        // Frozen, so that no forward touches running statistics or records what no backward will use.
        let frozen = adv_core::AscentMode::Train.freeze(model);
        let candidates = (0..self.draws).map(|_| {
            let delta = self.perturbation.start(batch, noise);
            let input = self.perturbation.apply(batch, delta);
            let loss = ledger.forward(|| frozen.loss(input.clone(), batch.targets()));
            (loss.into_scalar::<f32>(), input)
        });
        // The order of all f32, NaN largest: the pass below then refuses it.
        let worst = candidates.max_by(|(a, _), (b, _)| a.total_cmp(b));
        let (_, input) = worst.expect("checked: at least one draw");
        let pass = ledger.weight_gradients(model, input, batch.targets(), 1.0)?;
        Ok(Update {
            gradients: pass.gradients,
            losses: vec![pass.loss],
        })
    }
}

// Step 4. Rows of the tests: cost, laws, refusals. In the workspace these are rows of tables that exist.

/// A linear classifier of points, to try the methods on.
#[derive(Module, Debug)]
struct Classifier {
    layer: Linear,
}

impl Objective<2> for Classifier {
    type Targets = Tensor<1, Int>;

    fn loss(&self, points: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
        let own = labels.clone().unsqueeze_dim(1);
        log_softmax(self.layer.forward(points), 1)
            .gather(1, own)
            .mean()
            .neg()
    }
}

/// A loss, and the gradients of the parameters one after the other.
type Outcome = (f64, Vec<Vec<f32>>);

/// One update from fixed noise: the loss, and all gradients on the host.
fn update(method: &dyn TrainingMethod<2, Classifier>, model: &Classifier) -> Result<Outcome, Box<dyn Error>> {
    let (points, labels) = data();
    let batch = Batch::new(points, &labels);
    let mut ledger = Ledger::new();
    ledger.begin_batch(Phase::Training);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let update = method.gradients(model, &batch, &mut Carried::default(), &mut rng, &mut ledger)?;
    ledger.update(&update.gradients)?;
    assert_eq!(
        ledger.batch(),
        method.expected_cost(),
        "counted is what theory says"
    );

    struct Collect<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id);
            let values = gradient.and_then(|gradient| gradient.try_into_vec_as::<f32>().ok());
            self.1.extend(values);
        }
    }
    let mut collect = Collect(&update.gradients, Vec::new());
    model.visit(&mut collect);
    Ok((update.mean_loss(), collect.1))
}

/// Eight points in the plane, `[8, 2]`, and the sides they are on.
fn data() -> (Tensor<2>, Tensor<1, Int>) {
    let device = Device::flex();
    let coordinates: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
    let labels: Vec<i64> = coordinates.chunks(2).map(|p| i64::from(p[0] > p[1])).collect();
    (
        Tensor::from_data(TensorData::new(coordinates, [8, 2]), &device),
        Tensor::from_data(TensorData::new(labels, [8]), &device),
    )
}

/// Runs the example. Public so that a test can run it too.
pub fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    device.seed(1);
    let layer = LinearConfig::new(2, 2).init(&device.autodiff());
    let model = Classifier { layer };
    let worst_of = |draws, radius| WorstOf::new(draws, fgsm_rs_l2(radius)?);

    // The law of every method: with radius zero it is the clean step, bit for bit.
    let (clean, gradients) = update(&Standard, &model)?;
    let still: [&dyn TrainingMethod<2, Classifier>; 2] =
        [&worst_of(4, 0.0)?, &Adversarial::new(fgsm_rs_l2(0.0)?)];
    for method in still {
        assert_eq!(update(method, &model)?.1, gradients);
    }
    // A law of its own: from the same stream, more draws never find a smaller loss.
    let mut losses = Vec::new();
    for draws in [1, 4, 16] {
        losses.push(update(&worst_of(draws, 0.3)?, &model)?.0);
    }
    assert!(losses.is_sorted(), "{losses:?}");
    // What makes no sense cannot be built.
    assert_eq!(worst_of(0, 0.3), Err(ParamError::CountZero("draws")));
    assert_eq!(fgsm_rs_l2(-0.3), Err(ParamError::Radius(-0.3)));

    let (climbed, _) = update(&Adversarial::new(fgsm_rs_l2(0.3)?), &model)?;
    println!("loss: clean {clean:.4}, worst of 1, 4, 16 {losses:.4?}, one gradient step {climbed:.4}");
    Ok(())
}
