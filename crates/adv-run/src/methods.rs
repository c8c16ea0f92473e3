//! From the name and numbers of a method to the method.

use crate::spec::{
    AscentModeName, AxesName, FirstLayerName, MethodName, MethodSpec, NormName, Space, StartName,
};
use adv_contrast::sentence::SentenceEncoder;
use adv_contrast::{
    ContrastError, Contrastive, GradCache, InChunks, InfoNce, MomentumQueue, Scal, ScalWeights, Uscal,
};
use adv_core::{
    Adversarial, AscentMode, Axes, Ball, FirstLayer, FreeAt, FreeLb, Noisy, Norm, ParamError, PassReduction,
    Passes, Perturbation, PerturbationSpec, Predict, R3f, RangePolicy, Smart, Split, Standard, Start,
    StepRule, StepSize, TrainingMethod, ValueRange, Vat, VatParts, Yopo, YopoParts,
};
use adv_models::ImageClassifier;
use adv_models::text::TextModel;
use burn::module::Module;
use thiserror::Error;

/// A training method for images.
pub type ImageMethod = Box<dyn TrainingMethod<4, ImageClassifier>>;

/// A method of training text classifiers.
pub type TextMethod = Box<dyn TrainingMethod<3, TextModel>>;

/// A method of learning vectors of sentences.
pub type SentenceMethod<M> = Box<dyn TrainingMethod<3, M>>;

/// Why there is no such method.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MethodError {
    /// One of its numbers is wrong.
    #[error(transparent)]
    Number(#[from] ParamError),
    /// A number of its contrast is.
    #[error(transparent)]
    Contrast(#[from] ContrastError),
    /// It learns something else.
    #[error("{method} does not train {what}")]
    Elsewhere {
        /// The method.
        method: MethodName,
        /// What it was asked to train.
        what: &'static str,
    },
}

/// A method for text: those of [`build`], and SCAL.
pub fn build_text(spec: &MethodSpec) -> Result<TextMethod, MethodError> {
    match spec.name {
        MethodName::Scal => Ok(Box::new(scal(spec)?)),
        _ => build(spec),
    }
}

/// A method for vectors of sentences.
pub fn build_contrastive<M>(spec: &MethodSpec) -> Result<SentenceMethod<M>, MethodError>
where
    M: InChunks<3> + Module,
{
    Ok(match (spec.name, spec.contrast.chunk) {
        (MethodName::SimCse | MethodName::PromptBert, None) => Box::new(Standard),
        (MethodName::SimCse | MethodName::PromptBert, Some(chunk)) => Box::new(GradCache::new(chunk)?),
        (MethodName::Uscal, _) => Box::new(uscal(spec)?),
        (method, _) => {
            let what = "vectors of sentences";
            return Err(MethodError::Elsewhere { method, what });
        }
    })
}

/// The method, or why there is none. Pixels lie in [0, 1], embeddings have no range.
pub fn build<const D: usize, M>(spec: &MethodSpec) -> Result<Box<dyn TrainingMethod<D, M>>, MethodError>
where
    M: Split<D> + Predict<D> + Module,
{
    Ok(match spec.name {
        MethodName::Standard | MethodName::Mlm | MethodName::Lm => Box::new(Standard),
        MethodName::Fgsm | MethodName::Fgm => {
            let one = one_step(spec, Start::Zero)?;
            Box::new(adversarial(spec, ranged(spec, one, RangePolicy::EachStep))?)
        }
        MethodName::Random => {
            let length = spec.eps.unwrap_or(0.0);
            let drawn = Perturbation::fgm(length)?.with_start(Start::Direction { length })?;
            let method = Noisy::new(ranged(spec, drawn, RangePolicy::EachStep));
            Box::new(method.with_clean_share(spec.clean_share)?)
        }
        MethodName::FgsmRs => {
            let half_width = spec.eps.unwrap_or(0.0);
            let one = one_step(spec, Start::Uniform { half_width })?;
            Box::new(adversarial(spec, ranged(spec, one, RangePolicy::Final))?)
        }
        MethodName::NFgsm => {
            let size = StepSize::Absolute(spec.step);
            let published = Perturbation::n_fgsm(spec.eps.unwrap_or(0.0), spec.noise)?;
            let one = PerturbationSpec {
                size,
                ..*published.spec()
            };
            Box::new(adversarial(spec, ranged(spec, one.check()?, RangePolicy::Final))?)
        }
        MethodName::Pgd => {
            let all = ranged(spec, ascent(spec, spec.steps)?, RangePolicy::EachStep);
            Box::new(adversarial(spec, all)?)
        }
        MethodName::FreeAt => Box::new(free_at(spec)?),
        MethodName::Yopo => Box::new(yopo(spec)?),
        MethodName::FreeLb | MethodName::FreeLbPlusPlus => {
            let all = ascent(spec, spec.steps)?;
            Box::new(FreeLb::new(ranged(spec, all, RangePolicy::EachStep)))
        }
        MethodName::Smart => {
            let method = Smart::new(smart(spec)?, spec.penalty)?;
            Box::new(if spec.scores { method.for_scores() } else { method })
        }
        MethodName::R3f => {
            let half_width = spec.noise;
            let method = R3f::new(Start::Uniform { half_width }, spec.penalty)?;
            Box::new(if spec.scores { method.for_scores() } else { method })
        }
        MethodName::Vat => Box::new(vat(spec)?),
        method @ (MethodName::Scal | MethodName::SimCse | MethodName::Uscal | MethodName::PromptBert) => {
            let what = "a classifier by its outputs alone";
            return Err(MethodError::Elsewhere { method, what });
        }
    })
}

/// What one mini-batch of the method costs in theory, whatever the model.
pub(crate) fn expected_cost(spec: &MethodSpec) -> Result<Passes, MethodError> {
    match spec.name {
        MethodName::Scal => return Ok(build_text(spec)?.expected_cost()),
        MethodName::SimCse | MethodName::Uscal | MethodName::PromptBert => {
            contrast(spec)?;
            let cost = build_contrastive::<Contrastive<SentenceEncoder>>(spec)?.expected_cost();
            let queued = match spec.contrast.queue {
                None => Passes::default(),
                Some(_) => MomentumQueue::<SentenceEncoder>::added_cost(),
            };
            let cost = match (spec.name, spec.contrast.chunk) {
                // A loss of two views.
                (MethodName::SimCse | MethodName::PromptBert, None) => Passes {
                    forwards: 2 * cost.forwards,
                    full_backwards: 2 * cost.full_backwards,
                    ..cost
                },
                _ => cost,
            };
            return Ok(cost + queued);
        }
        _ => {}
    }
    let labelled = build::<4, ImageClassifier>(spec)?.expected_cost();
    Ok(match spec.unlabelled {
        true => labelled + crate::text::added_cost(vat(spec)?),
        false => labelled,
    })
}

/// VAT with the numbers of a spec.
pub(crate) fn vat(spec: &MethodSpec) -> Result<Vat, ParamError> {
    let method = Vat::new(VatParts {
        radius: spec.eps.unwrap_or(0.0),
        probe: spec.noise,
        iterations: spec.steps,
        weight: spec.penalty,
    })?;
    Ok(if spec.scores { method.for_scores() } else { method })
}

/// What vectors are compared by.
pub(crate) fn contrast(spec: &MethodSpec) -> Result<InfoNce, ContrastError> {
    let numbers = &spec.contrast;
    InfoNce::new(numbers.temperature)?
        .with_negatives(numbers.negatives.into())
        .with_hard_weight(numbers.hard_weight)
}

fn scal(spec: &MethodSpec) -> Result<Scal, ContrastError> {
    let numbers = &spec.contrast;
    Scal::new(ascent(spec, spec.steps)?, contrast(spec)?)
        .with_mode(mode(spec))
        .with_weights(match numbers.convex {
            Some(share) => ScalWeights::Convex(share),
            None => ScalWeights::Sum {
                adversarial: numbers.alpha,
                contrast: numbers.beta,
            },
        })
}

fn uscal(spec: &MethodSpec) -> Result<Uscal, ContrastError> {
    let numbers = &spec.contrast;
    let method = Uscal::new(ascent(spec, spec.steps)?, numbers.form.into(), numbers.alpha)?;
    Ok(method
        .with_mode(mode(spec))
        .with_mask(numbers.adversarial_mask.into()))
}

fn axes(spec: &MethodSpec) -> Axes {
    match spec.axes {
        AxesName::Sentence => Axes::Sample,
        AxesName::Token => Axes::Token,
        AxesName::Batch => Axes::Tensor,
    }
}

/// Steps with the rule dual to the ball; under Linf on embeddings with FreeLB's, which is not the sign.
fn ascent(spec: &MethodSpec, steps: usize) -> Result<Perturbation, ParamError> {
    let axes = axes(spec);
    let (norm, rule) = match (spec.norm, spec.space) {
        (NormName::Linf, Space::Pixels) => (Norm::Linf, StepRule::Sign),
        (NormName::Linf, Space::Embeddings) => (Norm::Linf, StepRule::UnitMax(axes)),
        (NormName::L2, _) => (Norm::L2, StepRule::UnitL2(axes)),
    };
    let start = match (spec.start, spec.init_mag) {
        (StartName::Zero, _) => Start::Zero,
        (StartName::Random, None) => Start::InBall,
        (StartName::Random, Some(magnitude)) => match spec.norm {
            NormName::L2 => Start::LengthScaled { magnitude },
            NormName::Linf => Start::Uniform {
                half_width: magnitude,
            },
        },
    };
    PerturbationSpec {
        ball: match spec.eps {
            None => Ball::Unbounded,
            Some(radius) => Ball::Bounded { norm, radius, axes },
        },
        start,
        rule,
        size: StepSize::Absolute(spec.step),
        steps,
        momentum: None,
        range: None,
    }
    .check()
}

/// FGSM, FGM and FGSM-RS: one step, under Linf along the sign.
fn one_step(spec: &MethodSpec, start: Start) -> Result<Perturbation, ParamError> {
    let rule = match spec.norm {
        NormName::Linf => StepRule::Sign,
        NormName::L2 => StepRule::UnitL2(axes(spec)),
    };
    let one = ascent(spec, 1)?;
    PerturbationSpec {
        start,
        rule,
        ..*one.spec()
    }
    .check()
}

fn ranged(spec: &MethodSpec, perturbation: Perturbation, policy: RangePolicy) -> Perturbation {
    match spec.space {
        Space::Pixels => perturbation.with_range(ValueRange::UNIT, policy),
        Space::Embeddings => perturbation,
    }
}

fn adversarial(spec: &MethodSpec, perturbation: Perturbation) -> Result<Adversarial, ParamError> {
    Adversarial::new(perturbation)
        .with_mode(mode(spec))
        .with_clean_share(spec.clean_share)
}

fn mode(spec: &MethodSpec) -> AscentMode {
    match spec.ascent_mode {
        AscentModeName::Train => AscentMode::Train,
        AscentModeName::Eval => AscentMode::Eval,
    }
}

fn free_at(spec: &MethodSpec) -> Result<FreeAt, ParamError> {
    match spec.space {
        Space::Pixels => {
            FreeAt::new(spec.m, spec.eps.unwrap_or(0.0), Some(ValueRange::UNIT))?.with_step(spec.step)
        }
        // The same place of the next mini-batch is another word: nothing is carried over.
        Space::Embeddings => FreeAt::restarting(spec.m, ascent(spec, 1)?),
    }
}

fn yopo(spec: &MethodSpec) -> Result<Yopo, ParamError> {
    let parts = YopoParts {
        passes: spec.m,
        inner_steps: spec.n_inner,
        radius: spec.eps.unwrap_or(0.0),
        step: spec.step,
        range: matches!(spec.space, Space::Pixels).then_some(ValueRange::UNIT),
    };
    let first_layer = match spec.first_layer {
        FirstLayerName::Paper => FirstLayer::Paper,
        FirstLayerName::Code => FirstLayer::Code,
    };
    let method = match spec.space {
        Space::Pixels => Yopo::new(parts)?,
        Space::Embeddings => Yopo::new(parts)?.with_perturbation(ascent(spec, spec.n_inner)?),
    };
    // The mean over the passes, so that one learning rate fits all methods.
    Ok(method
        .with_first_layer(first_layer)
        .with_reduction(PassReduction::Mean))
}

/// SMART's ascent, a largest entry of 1 over the asked axes.
fn smart(spec: &MethodSpec) -> Result<Perturbation, ParamError> {
    let published = Perturbation::smart(spec.noise, spec.step, spec.steps)?;
    PerturbationSpec {
        ball: Ball::Surface {
            norm: Norm::Linf,
            radius: 1.0,
            axes: axes(spec),
        },
        ..*published.spec()
    }
    .check()
}
