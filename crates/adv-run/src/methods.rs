//! From the name and numbers of a method to the method.

use crate::spec::{AscentModeName, FirstLayerName, MethodName, MethodSpec, NormName, StartName};
use adv_core::{
    Adversarial, AscentMode, Axes, Ball, FirstLayer, FreeAt, FreeLb, ParamError, PassReduction, Perturbation,
    PerturbationSpec, RangePolicy, Standard, Start, StepRule, StepSize, TrainingMethod, ValueRange, Yopo,
    YopoParts,
};
use adv_models::ImageClassifier;

/// A training method for images.
pub type ImageMethod = Box<dyn TrainingMethod<4, ImageClassifier>>;

/// The method, or which of its numbers is wrong. Pixels lie in [0, 1].
pub fn build(spec: &MethodSpec) -> Result<ImageMethod, ParamError> {
    let range = ValueRange::UNIT;
    Ok(match spec.name {
        MethodName::Standard => Box::new(Standard),
        MethodName::Fgsm => adversarial(
            spec,
            Perturbation::pgd(spec.eps, spec.step, 1)?,
            RangePolicy::EachStep,
        )?,
        MethodName::Fgm => adversarial(
            spec,
            Perturbation::pgd_l2(spec.eps, spec.step, 1)?,
            RangePolicy::EachStep,
        )?,
        MethodName::FgsmRs => adversarial(
            spec,
            Perturbation::fgsm_rs(spec.eps, spec.step)?,
            RangePolicy::Final,
        )?,
        MethodName::NFgsm => {
            let size = StepSize::Absolute(spec.step);
            let published = Perturbation::n_fgsm(spec.eps, spec.noise)?;
            adversarial(
                spec,
                PerturbationSpec {
                    size,
                    ..*published.spec()
                }
                .check()?,
                RangePolicy::Final,
            )?
        }
        MethodName::Pgd => adversarial(spec, pgd(spec)?, RangePolicy::EachStep)?,
        MethodName::FreeAt => Box::new(FreeAt::new(spec.m, spec.eps, Some(range))?.with_step(spec.step)?),
        MethodName::Yopo => {
            let parts = YopoParts {
                passes: spec.m,
                inner_steps: spec.n_inner,
                radius: spec.eps,
                step: spec.step,
                range: Some(range),
            };
            let first_layer = match spec.first_layer {
                FirstLayerName::Paper => FirstLayer::Paper,
                FirstLayerName::Code => FirstLayer::Code,
            };
            // The mean over the passes, so that one learning rate fits all methods.
            Box::new(
                Yopo::new(parts)?
                    .with_first_layer(first_layer)
                    .with_reduction(PassReduction::Mean),
            )
        }
        MethodName::FreeLb => Box::new(FreeLb::new(pgd(spec)?.with_range(range, RangePolicy::EachStep))),
    })
}

/// K steps with the rule dual to the ball.
fn pgd(spec: &MethodSpec) -> Result<Perturbation, ParamError> {
    let (ball, rule) = match spec.norm {
        NormName::Linf => (Ball::linf(spec.eps), StepRule::Sign),
        NormName::L2 => (Ball::l2(spec.eps), StepRule::UnitL2(Axes::Sample)),
    };
    let start = match spec.start {
        StartName::Zero => Start::Zero,
        StartName::Random => Start::InBall,
    };
    let size = StepSize::Absolute(spec.step);
    PerturbationSpec {
        ball,
        start,
        rule,
        size,
        steps: spec.steps,
        momentum: None,
        range: None,
    }
    .check()
}

fn adversarial(
    spec: &MethodSpec,
    perturbation: Perturbation,
    policy: RangePolicy,
) -> Result<ImageMethod, ParamError> {
    let mode = match spec.ascent_mode {
        AscentModeName::Train => AscentMode::Train,
        AscentModeName::Eval => AscentMode::Eval,
    };
    let method = Adversarial::new(perturbation.with_range(ValueRange::UNIT, policy)).with_mode(mode);
    Ok(Box::new(method.with_clean_share(spec.clean_share)?))
}
