//! A method and its numbers.

use super::contrast_settings::ContrastNumbers;
use super::method_name::{MethodName, Uses};
use super::names::{AscentModeName, AxesName, FirstLayerName, NormName, StartName};
use super::settings::Settings;

/// An L2 ball that holds visible changes of an image is larger than an Linf one: 1.5 on MNIST where Linf has 0.3.
pub(super) const L2_OVER_LINF: f64 = 5.0;

/// What is perturbed. Pixels have a range of legal values and share units; embeddings have neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Images, `[B, C, H, W]`, in [0, 1].
    Pixels,
    /// Embedded tokens, `[B, T, E]`.
    Embeddings,
}

/// How long embeddings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedded {
    /// Those of a pretrained encoder.
    Pretrained,
    /// Those of a small one that is yet to learn and easily led astray.
    Small,
    /// Entries of unit variance.
    Normalised,
}

/// A method and its parameters, as numbers; [`crate::methods::build`] makes the method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodSpec {
    /// Which one.
    pub name: MethodName,
    /// On what.
    pub space: Space,
    /// The norm.
    pub norm: NormName,
    /// What it is taken over.
    pub axes: AxesName,
    /// The radius; none: no projection.
    pub eps: Option<f64>,
    /// The step size.
    pub step: f64,
    /// Ascent steps, passes of FreeLB, power iterations of VAT.
    pub steps: usize,
    /// Replays of FreeAT, full passes of YOPO.
    pub m: usize,
    /// First-layer steps of YOPO.
    pub n_inner: usize,
    /// First-layer accounting of YOPO.
    pub first_layer: FirstLayerName,
    /// Noise of N-FGSM, in radii; of SMART and R3F; the probe of VAT.
    pub noise: f64,
    /// Where the ascent starts.
    pub start: StartName,
    /// Length of a random start; none: anywhere in the ball.
    pub init_mag: Option<f64>,
    /// Share of the training over which the radius grows from 0.
    pub eps_warmup: f64,
    /// Share of the clean loss.
    pub clean_share: f64,
    /// Mode of the network during the ascent.
    pub ascent_mode: AscentModeName,
    /// Weight of the penalty of SMART, R3F and VAT.
    pub penalty: f64,
    /// Whether outputs are scores, not logits.
    pub scores: bool,
    /// Whether each mini-batch has sentences without labels beside it.
    pub unlabelled: bool,
    /// The contrast of SCAL, SimCSE and USCAL.
    pub contrast: ContrastNumbers,
}

impl MethodSpec {
    /// On pixels. `eps`: the usual radius under Linf.
    pub(super) fn pixels(s: &Settings, eps: f64, eps_warmup: f64) -> Self {
        use MethodName::*;
        let name = s.method.unwrap_or(MethodName::usual(false));
        let norm = s.norm.unwrap_or(match name {
            Random | Fgm | Vat => NormName::L2,
            _ => NormName::Linf,
        });
        let l2 = norm == NormName::L2;
        let eps = s.eps.unwrap_or(if l2 { L2_OVER_LINF * eps } else { eps });
        let steps = s.steps.unwrap_or(match name {
            FreeLb => 3,
            Smart | Vat => 1,
            _ => 7,
        });
        let n_inner = s.n_inner.unwrap_or(10);
        let m = s.m.unwrap_or(if name == Yopo { 5 } else { 8 });
        let step = s.step.unwrap_or(match name {
            FgsmRs => 1.25 * eps,
            Pgd | FreeLb => 2.5 * eps / steps.max(1) as f64,
            // As far in all as PGD goes with m times n steps.
            Yopo => 2.5 * eps / (m * n_inner).max(1) as f64,
            Smart => 1e-3,
            _ => eps,
        });
        Self {
            name,
            space: Space::Pixels,
            norm,
            axes: AxesName::Sentence,
            eps: Some(eps),
            step,
            steps,
            m,
            n_inner,
            noise: s.noise.unwrap_or(match name {
                Smart | R3f => 1e-5,
                Vat => 1.0,
                _ => 2.0,
            }),
            init_mag: None,
            eps_warmup: s.eps_warmup.unwrap_or(eps_warmup),
            scores: false,
            ..Self::common(s, name)
        }
    }

    /// On embeddings.
    pub(super) fn embeddings(s: &Settings, scores: bool, embedded: Embedded) -> Self {
        use MethodName::*;
        let name = s.method.unwrap_or(MethodName::usual(true));
        let norm = s.norm.unwrap_or(match name {
            Fgsm | FgsmRs | NFgsm => NormName::Linf,
            _ => NormName::L2,
        });
        let linf = norm == NormName::Linf;
        // What is usual elsewhere, in units of these embeddings: over a sentence, and of an entry.
        let (whole_unit, entry) = match embedded {
            Embedded::Pretrained | Embedded::Small => (1.0, 1.0),
            Embedded::Normalised => (50.0, 5.0),
        };
        // FreeLB's published settings have no bound on most tasks. An Linf radius is one of single entries.
        let usual = match name {
            FreeLb | FreeLbPlusPlus => None,
            _ if linf => Some(0.01 * entry),
            _ => Some(match embedded {
                Embedded::Pretrained => 0.05,
                Embedded::Small => 0.1,
                // Miyato et al. 2017, section 4.
                Embedded::Normalised => 5.0,
            }),
        };
        let eps = s.eps.or(usual);
        let steps = s.steps.unwrap_or(match name {
            FreeLbPlusPlus => 10,
            Smart | Vat | Scal | Uscal => 1,
            _ => 3,
        });
        let (m, n_inner) = (s.m.unwrap_or(3), s.n_inner.unwrap_or(2));
        let whole = eps.unwrap_or(0.0);
        let step = s.step.unwrap_or(match name {
            FreeLb if linf => 0.005 * entry,
            // Published are 0.03 to 0.2 for large models; under 0.1 a small one learns nothing.
            FreeLb | FreeLbPlusPlus => 0.03 * whole_unit,
            Pgd => 2.5 * whole / steps.max(1) as f64,
            Scal | Uscal if steps > 1 => 2.5 * whole / steps as f64,
            FgsmRs => 1.25 * whole,
            Yopo => 2.5 * whole / (m * n_inner).max(1) as f64,
            FreeAt => 2.5 * whole / m.max(1) as f64,
            Smart => 1e-3,
            _ => whole,
        });
        // A start outside the ball would be trained on by what does not project it first.
        let farthest = match (name, eps) {
            (Pgd | FreeAt | Yopo, Some(eps)) if linf => eps,
            // The expected length of such a start is 1 / sqrt(3) of its magnitude.
            (Pgd | FreeAt | Yopo, Some(eps)) => 3.0f64.sqrt() * eps,
            _ => f64::INFINITY,
        };
        let init_mag = match name {
            FreeLbPlusPlus => 0.05 * whole_unit,
            _ => (2.0 * step).min(farthest),
        };
        Self {
            name,
            space: Space::Embeddings,
            norm,
            axes: s.axes.unwrap_or(match name {
                Smart => AxesName::Token,
                _ => AxesName::Sentence,
            }),
            eps,
            step,
            steps,
            m,
            n_inner,
            noise: s.noise.unwrap_or(match name {
                Smart | R3f => 1e-5,
                Vat => 0.1,
                _ => 2.0,
            }),
            init_mag: s.init_mag.or(Some(init_mag)),
            // Clean and perturbed loss alike (Miyato et al. 2017, section 3).
            clean_share: s.clean_share.unwrap_or(match name {
                Random | Fgm => 0.5,
                _ => 0.0,
            }),
            eps_warmup: s.eps_warmup.unwrap_or(0.0),
            scores,
            unlabelled: s.unlabelled.is_some() && name == Vat,
            ..Self::common(s, name)
        }
    }

    /// What does not depend on the space.
    fn common(s: &Settings, name: MethodName) -> Self {
        Self {
            name,
            space: Space::Pixels,
            norm: NormName::Linf,
            axes: AxesName::Sentence,
            eps: None,
            step: 0.0,
            steps: 1,
            m: 1,
            n_inner: 1,
            noise: 0.0,
            init_mag: None,
            eps_warmup: 0.0,
            scores: false,
            unlabelled: false,
            first_layer: s.first_layer.unwrap_or(FirstLayerName::Paper),
            start: s.start.unwrap_or(match name {
                MethodName::Scal | MethodName::Uscal => StartName::Zero,
                _ => StartName::Random,
            }),
            clean_share: s.clean_share.unwrap_or(0.0),
            ascent_mode: s.ascent_mode.unwrap_or(AscentModeName::Train),
            penalty: s.penalty.unwrap_or(1.0),
            contrast: ContrastNumbers::of(&s.contrast, name),
        }
    }

    /// Which settings it uses.
    pub fn uses(&self) -> Uses {
        self.name.uses(self.space == Space::Pixels)
    }

    /// How often a mini-batch is used for an update.
    pub fn replays(&self) -> usize {
        if self.name == MethodName::FreeAt {
            self.m
        } else {
            1
        }
    }

    /// The settings that say all of it.
    pub(super) fn filled(&self) -> Settings {
        let uses = self.uses();
        let on_text = self.space == Space::Embeddings;
        Settings {
            method: Some(self.name),
            norm: (uses.norm || !on_text).then_some(self.norm),
            axes: (on_text && uses.axes).then_some(self.axes),
            // On images it is the radius of the evaluation too.
            eps: self.eps.filter(|_| uses.radius || !on_text),
            step: uses.step.then_some(self.step),
            steps: uses.steps.then_some(self.steps),
            m: uses.m.then_some(self.m),
            n_inner: uses.n_inner.then_some(self.n_inner),
            first_layer: uses.n_inner.then_some(self.first_layer),
            noise: uses.noise.then_some(self.noise),
            start: uses.start.then_some(self.start),
            init_mag: self.init_mag.filter(|_| uses.start),
            eps_warmup: uses.perturbs.then_some(self.eps_warmup),
            clean_share: uses.clean_share.then_some(self.clean_share),
            ascent_mode: uses.ascends.then_some(self.ascent_mode),
            penalty: uses.penalty.then_some(self.penalty),
            contrast: self.contrast.filled(self.name),
            ..Settings::default()
        }
    }
}
