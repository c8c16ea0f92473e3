//! The training methods by name.

use super::names::{MasksName, NormName, write_name};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A training method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// Clean data only.
    Standard,
    /// A random direction of a fixed L2 length, as a control (Miyato et al. 2017); on images clamped to the value range.
    Random,
    /// One sign step (Goodfellow et al. 2015).
    Fgsm,
    /// One step along the gradient under L2 (Miyato et al. 2017).
    Fgm,
    /// One sign step from a random start (Wong et al. 2020).
    FgsmRs,
    /// One sign step from strong noise, not projected (de Jorge et al. 2022).
    NFgsm,
    /// K projected steps (Madry et al. 2018).
    Pgd,
    /// m replays of every mini-batch (Shafahi et al. 2019).
    #[value(name = "freeat")]
    #[serde(rename = "freeat")]
    FreeAt,
    /// m full passes with n first-layer steps each (Zhang et al. 2019).
    Yopo,
    /// K passes whose gradients are averaged (Zhu et al. 2020).
    #[value(name = "freelb")]
    #[serde(rename = "freelb")]
    FreeLb,
    /// FreeLB with ten small steps and no bound (Li et al. 2021); on text.
    #[value(name = "freelb++")]
    #[serde(rename = "freelb++")]
    FreeLbPlusPlus,
    /// A penalty on the change of the outputs, against an ascent (Jiang et al. 2020).
    Smart,
    /// The same under plain noise (Aghajanyan et al. 2021).
    R3f,
    /// A penalty along the direction that changes the outputs most (Miyato et al. 2018).
    Vat,
    /// No perturbation: a masked language model on sentences without labels (Devlin et al. 2019); on text.
    Mlm,
    /// No perturbation: a model of the next word, by an LSTM (Miyato et al. 2017 begin with one); on text.
    Lm,
    /// The loss at clean and perturbed sentences, and the contrast of their vectors (after Miao et al. 2021); on text.
    Scal,
    /// No perturbation: two dropout views of a sentence, or pairs, drawn together (Gao et al. 2021); sentence vectors.
    #[value(name = "simcse")]
    #[serde(rename = "simcse")]
    SimCse,
    /// The same with an adversarial view (after Miao et al. 2021); sentence vectors.
    Uscal,
    /// No perturbation: two templates around a sentence, or pairs, drawn together at their masks (Jiang et al. 2022); sentence vectors.
    #[value(name = "promptbert")]
    #[serde(rename = "promptbert")]
    PromptBert,
}

/// Which settings a method uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses {
    /// `--eps-warmup` and `--begin-step`: all but training without perturbations.
    pub perturbs: bool,
    /// `--step`.
    pub step: bool,
    /// `--steps`.
    pub steps: bool,
    /// `--m`.
    pub m: bool,
    /// `--n-inner` and `--first-layer`.
    pub n_inner: bool,
    /// `--noise`.
    pub noise: bool,
    /// `--start`, and `--init-mag` on text.
    pub start: bool,
    /// `--clean-share`.
    pub clean_share: bool,
    /// `--ascent-mode`.
    pub ascends: bool,
    /// `--penalty`.
    pub penalty: bool,
    /// `--eps`; on images it is the radius of the evaluation in any case.
    pub radius: bool,
    /// `--axes`.
    pub axes: bool,
    /// `--norm`; on images it is the norm of the evaluation in any case.
    pub norm: bool,
}

impl MethodName {
    /// All methods, in the order of the tables.
    pub const ALL: [MethodName; 20] = [
        MethodName::Standard,
        MethodName::Random,
        MethodName::Fgsm,
        MethodName::Fgm,
        MethodName::FgsmRs,
        MethodName::NFgsm,
        MethodName::Pgd,
        MethodName::FreeAt,
        MethodName::Yopo,
        MethodName::FreeLb,
        MethodName::FreeLbPlusPlus,
        MethodName::Smart,
        MethodName::R3f,
        MethodName::Vat,
        MethodName::Mlm,
        MethodName::Lm,
        MethodName::Scal,
        MethodName::SimCse,
        MethodName::Uscal,
        MethodName::PromptBert,
    ];

    /// What trains where nothing is said.
    pub fn usual(on_text: bool) -> Self {
        if on_text {
            MethodName::FreeLb
        } else {
            MethodName::Pgd
        }
    }

    /// Whether images can be trained with it.
    pub fn is_for_images(self) -> bool {
        !matches!(self, MethodName::FreeLbPlusPlus | MethodName::Scal)
            && !self.is_language_model()
            && !self.is_contrastive()
    }

    /// Whether it learns vectors of sentences, without answers.
    pub fn is_contrastive(self) -> bool {
        matches!(
            self,
            MethodName::SimCse | MethodName::Uscal | MethodName::PromptBert
        )
    }

    /// Whether it learns words from sentences without answers.
    pub fn is_language_model(self) -> bool {
        matches!(self, MethodName::Mlm | MethodName::Lm)
    }

    /// Which settings the method uses, on pixels or else on embeddings.
    pub fn uses(self, pixels: bool) -> Uses {
        use MethodName::*;
        let perturbs = !matches!(self, Standard | Mlm | Lm | SimCse | PromptBert);
        Uses {
            perturbs,
            step: perturbs && !matches!(self, R3f | Vat | Random),
            steps: matches!(self, Pgd | FreeLb | FreeLbPlusPlus | Smart | Vat | Scal | Uscal),
            m: matches!(self, FreeAt | Yopo),
            n_inner: self == Yopo,
            noise: matches!(self, NFgsm | Smart | R3f | Vat),
            start: matches!(self, Pgd | FreeLb | FreeLbPlusPlus | Scal | Uscal)
                || !pixels && matches!(self, FreeAt | Yopo),
            clean_share: matches!(self, Random | Fgsm | Fgm | FgsmRs | NFgsm | Pgd),
            ascends: matches!(self, Fgsm | Fgm | FgsmRs | NFgsm | Pgd | Scal | Uscal),
            penalty: matches!(self, Smart | R3f | Vat),
            radius: perturbs && !matches!(self, Smart | R3f),
            axes: perturbs && !matches!(self, Random | R3f | Vat | Fgsm | FgsmRs | NFgsm),
            norm: perturbs && !matches!(self, Smart | R3f),
        }
    }

    /// The dropout masks in the passes of a mini-batch, unless asked for others: the programs of FreeAT on text, SMART and R3F draw
    /// new ones for each pass, so that the penalties of the last two also see what dropout changes.
    pub fn usual_masks(self) -> MasksName {
        use MethodName::*;
        match self {
            FreeAt | Smart | R3f => MasksName::Fresh,
            Standard | Random | Fgsm | Fgm | FgsmRs | NFgsm | Pgd | Yopo | FreeLb | FreeLbPlusPlus | Vat
            | Mlm | Lm | Scal | SimCse | Uscal | PromptBert => MasksName::Replayed,
        }
    }

    /// Whether the method exists under this norm, on pixels or else on embeddings.
    pub fn allows(self, norm: NormName, pixels: bool) -> bool {
        use MethodName::*;
        match self {
            Standard | Mlm | Lm | Pgd | FreeLb | FreeLbPlusPlus | Smart | R3f | Scal | SimCse | Uscal
            | PromptBert => true,
            Random | Fgm | Vat => norm == NormName::L2,
            Fgsm | FgsmRs | NFgsm => norm == NormName::Linf,
            FreeAt | Yopo => !pixels || norm == NormName::Linf,
        }
    }

    /// Whether a single step makes the training perturbation: such training may overfit to it catastrophically.
    pub fn is_single_step(self) -> bool {
        matches!(
            self,
            MethodName::Fgsm | MethodName::Fgm | MethodName::FgsmRs | MethodName::NFgsm
        )
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_on_the_command_line_in_a_spec_and_in_a_table() {
        for method in MethodName::ALL {
            let shown = method.to_string();
            assert_eq!(MethodName::from_str(&shown, false), Ok(method));
            assert_eq!(
                serde_json::to_value(method).expect("a string"),
                serde_json::json!(shown)
            );
        }
    }
}
