//! Frozen copies for the ascent: no weight gradients, no trace in the model that is trained.

mod toy;

use adv_core::{
    Adversarial, AscentMode, Batch, Carried, Ledger, Objective, Perturbation, Standard, TrainingMethod,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use toy::models::{Net, labels};

const MODES: [AscentMode; 2] = [AscentMode::Train, AscentMode::Eval];
const SHAPE: [usize; 4] = [5, 1, 4, 4];

fn net() -> Net {
    Net::new(1, 4, 3, &Device::flex())
}

fn targets() -> Tensor<1, Int> {
    labels(SHAPE[0], &Device::flex())
}

/// Far from mean 0 and variance 1, so that statistics of the batch differ from fresh running ones.
fn images() -> Tensor<4> {
    toy::uniform(&mut toy::stream(1, 1), SHAPE, [2.0, 5.0], &Device::flex())
}

fn loss(model: &Net) -> f32 {
    model.loss(images(), &targets()).inner().into_scalar::<f32>()
}

#[test]
fn gradients_of_a_frozen_ascent_hold_no_parameter() {
    let model = net();
    let parameters = toy::weights(&model).len();
    for mode in MODES {
        let frozen = mode.freeze(&model);
        let leaf = images().autodiff().require_grad();
        let loss = frozen.loss(leaf.clone(), &targets());
        let mut gradients = loss.backward();
        assert!(leaf.grad_remove(&mut gradients).is_some(), "{mode:?}");
        // Neither under its own parameters nor under those of the model: a copy keeps their ids.
        let found = GradientsParams::from_module(&mut gradients, &frozen);
        assert_eq!(found.len(), 0, "{mode:?}");
        assert_eq!(
            GradientsParams::from_grads(gradients, &model).len(),
            0,
            "{mode:?}"
        );

        let gradients = model.loss(images(), &targets()).backward();
        assert_eq!(GradientsParams::from_grads(gradients, &model).len(), parameters);
        assert_eq!(toy::weights(&frozen), toy::weights(&model));
    }
}

/// A model whose weights do not exist before they are used.
#[derive(Module, Debug)]
struct Lazy {
    layer: Linear,
}

impl Objective<2> for Lazy {
    type Targets = ();

    fn loss(&self, input: Tensor<2>, _: &()) -> Tensor<1> {
        self.layer.forward(input).mean()
    }
}

#[test]
fn a_model_stays_trainable_when_its_first_use_is_an_ascent() {
    let device = Device::flex();
    for mode in MODES {
        let layer = LinearConfig::new(3, 2).init(&device.clone().autodiff());
        let model = Lazy { layer };
        let method = Adversarial::new(Perturbation::fgsm(0.1).unwrap()).with_mode(mode);
        let clean = toy::normal(&mut toy::stream(1, 2), [4, 3], 1.0, &device);
        let batch = Batch::new(clean, &());
        for _ in 0..2 {
            let rng = &mut toy::stream(1, 3);
            let ledger = &mut Ledger::new();
            let update = method.gradients(&model, &batch, &mut Carried::default(), rng, ledger);
            assert_eq!(update.unwrap().gradients.len(), 2, "{mode:?}");
        }
    }
}

/// Running mean and variance, what is pending included.
fn statistics(model: &Net) -> [Vec<f32>; 2] {
    let norm = model.norm.as_ref().unwrap();
    [&norm.running_mean, &norm.running_var].map(|state| toy::values(&state.value_sync()))
}

#[test]
fn an_ascent_leaves_no_trace_in_batch_norm() {
    let (clean, targets) = (images(), targets());
    let batch = Batch::new(clean, &targets);
    let pgd = Perturbation::pgd(0.5, 0.2, 3).unwrap();
    for mode in MODES {
        let model = net().with_norm();
        let before = statistics(&model);
        let frozen = mode.freeze(&model);
        let (rng, ledger) = (&mut toy::stream(1, 4), &mut Ledger::new());
        pgd.ascend(&frozen, &batch, rng, ledger).unwrap();
        drop(frozen);
        assert_eq!(statistics(&model), before, "{mode:?}");

        // One update of a whole method moves them as much as one clean forward does: only by the training pass.
        let still = Perturbation::pgd(0.0, 0.0, 3).unwrap();
        let updated = [
            &Standard as &dyn TrainingMethod<4, Net>,
            &Adversarial::new(still).with_mode(mode),
        ]
        .map(|method| {
            let model = net().with_norm();
            let (rng, ledger) = (&mut toy::stream(1, 5), &mut Ledger::new());
            method
                .gradients(&model, &batch, &mut Carried::default(), rng, ledger)
                .unwrap();
            statistics(&model)
        });
        assert_eq!(updated[0], updated[1], "{mode:?}");
        assert_ne!(updated[0], before, "{mode:?}");
    }
}

#[test]
fn the_modes_are_what_they_say() {
    let model = net().with_norm();
    let [train, eval] = MODES.map(|mode| loss(&mode.freeze(&model)));
    assert_eq!(eval, loss(&model.valid()), "running statistics");
    assert!((train - eval).abs() > 1e-2, "{train} {eval}");
    // Last, since it moves the running statistics.
    assert_eq!(train, loss(&model), "statistics of the batch");

    // Without batch norm or dropout there is nothing to tell the modes apart.
    let [train, eval] = MODES.map(|mode| loss(&mode.freeze(&net())));
    assert_eq!(train, eval);
}
