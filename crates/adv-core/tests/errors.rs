//! What cannot be built, and what must not be used: one row per rule.

mod toy;

use adv_core::gradients::MaxNorm;
use adv_core::{
    Adversarial, AscentMode, Axes, Ball, Batch, Carried, FirstLayer, FreeAt, FreeLb, Ledger, Noisy, Norm,
    Objective, ParamError, PassError, Perturbation, PerturbationSpec, Phase, R3f, Smart, Split, Standard,
    Start, StepRule, StepSize, TrainingMethod, ValueRange, Vat, VatParts, Yopo, YopoParts,
};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn spec() -> PerturbationSpec {
    *Perturbation::pgd(0.3, 0.1, 7).unwrap().spec()
}

fn built(spec: PerturbationSpec) -> Option<ParamError> {
    spec.check().err()
}

fn yopo(passes: usize, inner_steps: usize, radius: f64, step: f64) -> Option<ParamError> {
    let range = None;
    let parts = YopoParts {
        passes,
        inner_steps,
        radius,
        step,
        range,
    };
    Yopo::new(parts).err()
}

fn vat(radius: f64, probe: f64, iterations: usize) -> Result<Vat, ParamError> {
    let weight = 1.0;
    let parts = VatParts {
        radius,
        probe,
        iterations,
        weight,
    };
    Vat::new(parts)
}

#[test]
fn invalid_parameters_cannot_be_built() {
    let tokens = Ball::Bounded {
        norm: Norm::L2,
        radius: 1.0,
        axes: Axes::Token,
    };
    let pgd = Perturbation::pgd(0.3, 0.1, 7).unwrap();
    let plain = Adversarial::new(Perturbation::fgsm(0.1).unwrap());
    let of_vat = vat(1.0, 0.1, 1).unwrap();
    let table = [
        (Perturbation::fgsm(-0.1).err(), ParamError::Radius(-0.1)),
        (Perturbation::fgm(NAN).err(), ParamError::Radius(NAN)),
        (Perturbation::n_fgsm(INF, 2.0).err(), ParamError::Radius(INF)),
        (FreeAt::new(8, INF, None).err(), ParamError::Radius(INF)),
        (yopo(5, 10, -1.0, 0.1), ParamError::Radius(-1.0)),
        (Perturbation::pgd(0.3, -0.1, 7).err(), ParamError::StepSize(-0.1)),
        (Perturbation::fgsm_rs(0.3, NAN).err(), ParamError::StepSize(NAN)),
        (
            built(PerturbationSpec {
                size: StepSize::RelativeToRadius(INF),
                ..spec()
            }),
            ParamError::StepSize(INF),
        ),
        (yopo(5, 10, 0.3, INF), ParamError::StepSize(INF)),
        (
            FreeAt::new(8, 0.3, None)
                .and_then(|free| free.with_step(-1.0))
                .err(),
            ParamError::StepSize(-1.0),
        ),
        (
            built(PerturbationSpec {
                ball: Ball::Unbounded,
                size: StepSize::RelativeToRadius(1.0),
                ..spec()
            }),
            ParamError::RelativeStepWithoutBall,
        ),
        (
            Perturbation::pgd(0.3, 0.1, 0).err(),
            ParamError::CountZero("steps"),
        ),
        (FreeAt::new(0, 0.3, None).err(), ParamError::CountZero("replays")),
        (yopo(0, 10, 0.3, 0.1), ParamError::CountZero("full passes")),
        (yopo(5, 0, 0.3, 0.1), ParamError::CountZero("first-layer steps")),
        (
            built(PerturbationSpec {
                start: Start::Uniform { half_width: -0.1 },
                ..spec()
            }),
            ParamError::StartScale(-0.1),
        ),
        (
            built(PerturbationSpec {
                start: Start::LengthScaled { magnitude: INF },
                ..spec()
            }),
            ParamError::StartScale(INF),
        ),
        (
            built(PerturbationSpec {
                start: Start::Gaussian { std: NAN },
                ..spec()
            }),
            ParamError::StartScale(NAN),
        ),
        (
            Perturbation::n_fgsm(0.3, -2.0).err(),
            ParamError::StartScale(-0.6),
        ),
        (
            built(PerturbationSpec {
                ball: Ball::Unbounded,
                start: Start::InBall,
                ..spec()
            }),
            ParamError::StartWithoutBall,
        ),
        (
            built(PerturbationSpec {
                ball: tokens,
                start: Start::InBall,
                ..spec()
            }),
            ParamError::StartAxes,
        ),
        (
            Perturbation::mi_fgsm(0.3, 0.1, 7, -0.5).err(),
            ParamError::Momentum(-0.5),
        ),
        (
            ValueRange::new(1.0, 0.0).err(),
            ParamError::Range { low: 1.0, high: 0.0 },
        ),
        (
            ValueRange::new(0.0, INF).err(),
            ParamError::Range { low: 0.0, high: INF },
        ),
        (plain.with_clean_share(1.0).err(), ParamError::CleanShare(1.0)),
        (plain.with_clean_share(NAN).err(), ParamError::CleanShare(NAN)),
        (Smart::new(pgd, -1.0).err(), ParamError::Weight(-1.0)),
        (R3f::new(Start::Zero, NAN).err(), ParamError::Weight(NAN)),
        (
            R3f::new(Start::Gaussian { std: INF }, 1.0).err(),
            ParamError::StartScale(INF),
        ),
        (
            pgd.with_start(Start::Direction { length: -1.0 }).err(),
            ParamError::StartScale(-1.0),
        ),
        (
            Noisy::new(pgd).with_clean_share(1.0).err(),
            ParamError::CleanShare(1.0),
        ),
        (vat(-1.0, 0.1, 1).err(), ParamError::Radius(-1.0)),
        (vat(1.0, NAN, 1).err(), ParamError::Radius(NAN)),
        (vat(1.0, 0.1, 0).err(), ParamError::CountZero("power iterations")),
        (
            of_vat.with_weight_share(-0.1).err(),
            ParamError::WeightShare(-0.1),
        ),
        (of_vat.with_weight_share(1.5).err(), ParamError::WeightShare(1.5)),
        (of_vat.with_weight_share(NAN).err(), ParamError::WeightShare(NAN)),
        (FreeAt::restarting(0, pgd).err(), ParamError::CountZero("replays")),
        (FreeAt::restarting(3, pgd).err(), ParamError::OneStep),
        (
            FreeAt::restarting(3, Perturbation::mi_fgsm(0.3, 0.1, 1, 0.9).unwrap()).err(),
            ParamError::OneStep,
        ),
        (pgd.scaled(-0.1).err(), ParamError::RadiusShare(-0.1)),
        (pgd.scaled(1.5).err(), ParamError::RadiusShare(1.5)),
        (pgd.scaled(NAN).err(), ParamError::RadiusShare(NAN)),
        (MaxNorm::new(0.0).err(), ParamError::MaxNorm(0.0)),
        (MaxNorm::new(INF).err(), ParamError::MaxNorm(INF)),
    ];
    for (found, expected) in table {
        // By their text, since NaN is not equal to itself.
        assert_eq!(format!("{found:?}"), format!("{:?}", Some(&expected)));
        assert!(expected.to_string().len() > 30, "says too little: {expected}");
    }
}

/// What a [`Deaf`] model does not listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignores {
    Nothing,
    Input,
    Activation,
}

/// `mean(w2 * (w1 * x))`, or a model that ignores a part of that.
#[derive(Module, Debug)]
struct Deaf {
    w1: Param<Tensor<2>>,
    w2: Param<Tensor<2>>,
    #[module(skip)]
    ignores: Ignores,
}

impl Deaf {
    fn new(ignores: Ignores) -> Self {
        let device = Device::flex();
        let weight = || toy::param(toy::tensor(vec![0.5, -2.0], [1, 2], &device));
        Self {
            w1: weight(),
            w2: weight(),
            ignores,
        }
    }
}

impl Objective<2> for Deaf {
    type Targets = ();

    fn loss(&self, input: Tensor<2>, targets: &()) -> Tensor<1> {
        self.rest(self.first(input, targets), targets)
    }
}

impl Split<2> for Deaf {
    fn first(&self, input: Tensor<2>, _: &()) -> Tensor<2> {
        match self.ignores {
            Ignores::Input => input.zeros_like() + self.w1.val(),
            Ignores::Nothing | Ignores::Activation => input * self.w1.val(),
        }
    }

    fn rest(&self, activation: Tensor<2>, _: &()) -> Tensor<1> {
        match self.ignores {
            Ignores::Activation => self.w2.val().mean(),
            Ignores::Nothing | Ignores::Input => (activation * self.w2.val()).mean(),
        }
    }
}

/// The update of a method on an input of this value, and whether its ledger accepts it.
fn update(
    method: &dyn TrainingMethod<2, Deaf>,
    model: &Deaf,
    value: f32,
) -> Result<GradientsParams, PassError> {
    let clean = toy::tensor(vec![value; 6], [3, 2], &Device::flex());
    let ledger = &mut Ledger::new();
    ledger.begin_batch(Phase::Training);
    let batch = Batch::new(clean, &());
    let rng = &mut toy::stream(1, 1);
    let update = method.gradients(model, &batch, &mut Carried::default(), rng, ledger)?;
    ledger.update(&update.gradients)?;
    Ok(update.gradients)
}

fn methods() -> [(&'static str, Box<dyn TrainingMethod<2, Deaf>>); 6] {
    let pgd = Perturbation::pgd(0.3, 0.1, 3).unwrap();
    let parts = YopoParts {
        passes: 2,
        inner_steps: 2,
        radius: 0.3,
        step: 0.1,
        range: None,
    };
    let paper = Yopo::new(parts).unwrap();
    [
        ("standard", Box::new(Standard)),
        ("pgd", Box::new(Adversarial::new(pgd))),
        ("freelb", Box::new(FreeLb::new(pgd))),
        ("freeat", Box::new(FreeAt::new(2, 0.3, None).unwrap())),
        ("yopo", Box::new(paper)),
        ("yopo, code", Box::new(paper.with_first_layer(FirstLayer::Code))),
    ]
}

#[test]
fn a_loss_that_is_no_number_is_refused() {
    for (name, method) in methods() {
        let model = Deaf::new(Ignores::Nothing);
        for value in [f32::NAN, f32::INFINITY, 3e38] {
            match update(method.as_ref(), &model, value) {
                Err(PassError::NonFiniteLoss { loss, .. }) => assert!(!loss.is_finite()),
                other => panic!("{name} at {value}: {other:?}"),
            }
        }
        assert!(update(method.as_ref(), &model, 1.0).is_ok(), "{name}");
    }
}

#[test]
fn a_loss_that_ignores_its_input_cannot_be_climbed() {
    for ignores in [Ignores::Input, Ignores::Activation] {
        for (name, method) in methods() {
            let found = update(method.as_ref(), &Deaf::new(ignores), 1.0);
            match (name, found) {
                // No direction is asked for.
                ("standard", Ok(gradients)) => assert!(!gradients.is_empty()),
                (_, Err(PassError::NoInputGradient { pass })) => assert!(pass.contains("pass")),
                (_, other) => panic!("{name}, ignores {ignores:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_update_without_gradients_is_refused() {
    for (name, method) in methods() {
        let frozen = Deaf::new(Ignores::Nothing).no_grad();
        let found = update(method.as_ref(), &frozen, 1.0).err();
        assert_eq!(found, Some(PassError::EmptyUpdate), "{name}");
        let valid = AscentMode::Eval.freeze(&Deaf::new(Ignores::Nothing));
        let found = update(method.as_ref(), &valid, 1.0).err();
        assert_eq!(found, Some(PassError::EmptyUpdate), "{name}, valid()");
    }
}

#[test]
fn a_model_whose_first_layer_is_frozen_trains_the_rest() {
    for (name, method) in methods() {
        let mut model = Deaf::new(Ignores::Nothing);
        model.w1 = model.w1.set_require_grad(false);
        let found = update(method.as_ref(), &model, 1.0).unwrap();
        let sets = toy::gradients(&model, &found);
        assert!(sets[0].is_empty(), "{name}");
        assert!(sets[1].iter().all(|v| *v != 0.0), "{name}");
    }
}

#[test]
fn a_mask_under_a_rule_without_a_ball_is_legal() {
    // The least there can be: no ball, no range, the raw gradient.
    let spec = PerturbationSpec {
        ball: Ball::Unbounded,
        rule: StepRule::Raw,
        ..spec()
    };
    assert_eq!(built(spec), None);
}
