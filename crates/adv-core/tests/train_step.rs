//! The adapter to burn-train's loop makes the very updates of a loop of one's own, and stops where it must.

#[path = "../examples/burn_train.rs"]
#[allow(dead_code)]
mod burn_train;
mod toy;

use adv_core::gradients::{MaxNorm, clip_global_norm};
use adv_core::{
    Adversarial, Batch, Carried, FreeAt, Ledger, MethodStep, Objective, ParamError, PassError, Perturbation,
    Phase, Start, TrainItem, TrainingMethod,
};
use burn::module::Module;
use burn::nn::Linear;
use burn::optim::{GradientsAccumulator, MultiGradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, Interrupter, Learner, TrainStep};
use rand_chacha::ChaCha8Rng;
use toy::{normal, param, stream, tensor, weights};

/// A linear regression: the loss is the mean square.
#[derive(Module, Debug)]
struct Net {
    layer: Linear,
}

impl Net {
    /// The same weights every time. Burn's own generator is shared with the tests that run beside this one.
    fn new() -> Self {
        let device = Device::flex();
        Self {
            layer: Linear {
                weight: param(normal(&mut stream(3, 0), [4, 1], 1.0, &device)),
                bias: None,
            },
        }
    }
}

impl Objective<2> for Net {
    type Targets = Tensor<2>;

    fn loss(&self, input: Tensor<2>, targets: &Tensor<2>) -> Tensor<1> {
        (self.layer.forward(input) - targets.clone()).square().mean()
    }
}

impl InferenceStep for Net {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) {}
}

fn method() -> Adversarial {
    let pgd = Perturbation::pgd(0.1, 0.05, 3).unwrap();
    Adversarial::new(pgd.with_start(Start::InBall).unwrap())
}

fn noise(step: u64) -> ChaCha8Rng {
    stream(5, step)
}

fn item(index: u64) -> TrainItem<2, Tensor<2>> {
    let device = Device::flex();
    let mut rng = stream(9, index);
    TrainItem {
        clean: normal(&mut rng, [6, 4], 1.0, &device),
        targets: normal(&mut rng, [6, 1], 1.0, &device),
        mask: (index % 2 == 1).then(|| tensor([1., 1., 0., 1.].repeat(6), [6, 4], &device)),
    }
}

fn learner<T>(method: T, interrupter: &Interrupter) -> Learner<MethodStep<2, Net, T>>
where
    T: TrainingMethod<2, Net> + Clone + std::fmt::Debug + 'static,
{
    let step = MethodStep::new(Net::new(), method, noise, interrupter.clone()).unwrap();
    let step = step.with_max_norm(MaxNorm::new(0.5).unwrap());
    Learner::new(step, SgdConfig::new().init(), 0.1)
}

#[test]
fn updates_are_those_of_a_loop_of_ones_own() {
    let method = method();
    let mut own = Net::new();
    let mut optimiser = SgdConfig::new().init();
    let (mut carried, mut ledger) = (Carried::default(), Ledger::new());
    for index in 0..5 {
        let item = item(index);
        let mut batch = Batch::new(item.clean, &item.targets);
        if let Some(mask) = item.mask {
            batch = batch.with_mask(mask);
        }
        ledger.begin_batch(Phase::Training);
        let update = method
            .gradients(&own, &batch, &mut carried, &mut noise(index), &mut ledger)
            .unwrap();
        let (gradients, _) = clip_global_norm(update.gradients, &own, MaxNorm::new(0.5).unwrap());
        ledger.update(&gradients).unwrap();
        own = optimiser.step(0.1, own, gradients);
    }

    let mut learner = learner(method, &Interrupter::new());
    for index in 0..5 {
        let output = learner.train_step(item(index));
        assert!(output.item.0.is_finite());
        learner.lr_step();
        learner.optimizer_step(output.grads);
    }
    assert_eq!(weights(learner.model().model()), weights(&own));
    let counted = learner.model().ledger();
    assert_eq!(counted.total(Phase::Training), ledger.total(Phase::Training));
}

#[test]
fn accumulated_steps_are_one_update() {
    let mut learner = learner(method(), &Interrupter::new());
    let mut accumulator = GradientsAccumulator::new();
    for index in 0..4 {
        let output = learner.train_step(item(index));
        accumulator.accumulate(&learner.model(), output.grads);
    }
    learner.lr_step();
    learner.optimizer_step(accumulator.grads());
    let counted = learner.model().ledger().total(Phase::Training);
    assert_eq!((counted.full_backwards, counted.updates), (4, 1));
    // Clipped once, as a whole: plain descent at rate 0.1 moves by 0.1 times the largest norm.
    let moved: f32 = weights(learner.model().model())[0]
        .iter()
        .zip(&weights(&Net::new())[0])
        .map(|(after, before)| (after - before).powi(2))
        .sum();
    assert!((moved.sqrt() - 0.1 * 0.5).abs() < 1e-6, "{}", moved.sqrt());
}

#[test]
fn a_record_brings_the_weights_back() {
    let mut trained = learner(method(), &Interrupter::new());
    let output = trained.train_step(item(0));
    trained.lr_step();
    trained.optimizer_step(output.grads);
    let record = trained.model().into_record();
    let mut fresh = learner(method(), &Interrupter::new());
    assert_ne!(weights(fresh.model().model()), weights(trained.model().model()));
    fresh.load_model(record);
    assert_eq!(weights(fresh.model().model()), weights(trained.model().model()));
    // Copies go on with the same account, a validation copy too.
    assert_eq!(trained.model().valid().steps(), 1);
    assert_eq!(trained.model().valid().ledger(), trained.model().ledger());
}

#[test]
fn a_training_that_goes_on_draws_the_noise_of_its_step() {
    let losses = |first: u64, steps: u64| -> Vec<f64> {
        let step = MethodStep::new(Net::new(), method(), noise, Interrupter::new()).unwrap();
        let step = step.starting_at(first);
        (0..steps)
            .map(|_| TrainStep::step(&step, item(0)).item.0)
            .collect()
    };
    let whole = losses(0, 3);
    assert_eq!(whole[2..], losses(2, 1));
    assert_ne!(whole[0], whole[2]);
}

#[test]
fn a_method_that_replays_is_refused() {
    let build = |m| {
        MethodStep::new(
            Net::new(),
            FreeAt::new(m, 0.1, None).unwrap(),
            noise,
            Interrupter::new(),
        )
    };
    assert_eq!(build(4).map(drop), Err(ParamError::Replays(4)));
    // One replay is one update: its delta lives in the adapter.
    let step = build(1).unwrap();
    let losses = [0, 1].map(|_| TrainStep::step(&step, item(0)).item.0);
    assert_ne!(
        losses[0], losses[1],
        "the second step starts from the carried delta"
    );
}

#[test]
fn a_loss_that_is_no_number_stops_and_leaves_the_weights() {
    let interrupter = Interrupter::new();
    let mut learner = learner(method(), &interrupter);
    let before = weights(learner.model().model());
    // A good step in the same update: its gradients must not be used either.
    let mut accumulator = GradientsAccumulator::new();
    let good = learner.train_step(item(0));
    accumulator.accumulate(&learner.model(), good.grads);
    let mut bad = item(1);
    bad.targets = bad.targets.mul_scalar(f32::NAN);
    let output = learner.train_step(bad);
    assert!(output.item.0.is_nan());
    accumulator.accumulate(&learner.model(), output.grads);
    learner.lr_step();
    learner.optimizer_step(accumulator.grads());
    assert_eq!(weights(learner.model().model()), before);
    let model = learner.model();
    assert!(matches!(model.error(), Some(PassError::NonFiniteLoss { .. })));
    let said = model.error().map(|error| error.to_string());
    assert!(interrupter.should_stop() && interrupter.get_message() == said);
    assert_eq!(model.ledger().total(Phase::Training).updates, 0);

    // It does not go on by itself: a good step after it stops again.
    interrupter.reset();
    assert!(learner.train_step(item(2)).item.0.is_nan());
    assert!(interrupter.should_stop());
}

#[test]
fn gradients_of_several_devices_are_refused() {
    let interrupter = Interrupter::new();
    let mut learner = learner(method(), &interrupter);
    let before = weights(learner.model().model());
    learner.lr_step();
    learner.optimizer_step_multi(MultiGradientsParams::default());
    assert_eq!(learner.model().error(), Some(PassError::SeveralDevices));
    assert!(interrupter.should_stop());
    assert_eq!(weights(learner.model().model()), before);
}

#[test]
fn the_example_trains() {
    burn_train::main().unwrap();
}
