//! Prompts with nothing left open.

use super::prompt_settings::{DenoisingName, PromptFlags};
use crate::sentences::PromptChoice;
use adv_prompt::{Reading, Representation, Template};

/// Templates, and what is trained of them.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptSpec {
    /// The templates and how they are read.
    pub choice: PromptChoice,
    /// The same as they were given, defaults filled in.
    pub flags: PromptFlags,
}

impl PromptSpec {
    pub(super) fn of(flags: &PromptFlags, pairs: bool) -> Self {
        let soft = flags.soft_prompt.unwrap_or(false);
        let usual = || match soft {
            true => vec![Template::second()],
            false => vec![Template::first(), Template::second()],
        };
        let templates = flags.templates.clone().unwrap_or_else(usual);
        let denoising = flags.denoising.unwrap_or(match pairs {
            true => DenoisingName::Always,
            false => DenoisingName::Training,
        });
        let guesser = flags.guesser.unwrap_or_default();
        let bias_positions = flags.bias_positions.unwrap_or_default();
        Self {
            choice: PromptChoice {
                templates: templates.clone(),
                averaged: false,
                reading: Reading {
                    representation: Representation::of(flags.likely_tokens, guesser.into()),
                    denoising: denoising.into(),
                    bias_positions: bias_positions.into(),
                },
            },
            flags: PromptFlags {
                templates: Some(templates),
                denoising: Some(denoising),
                likely_tokens: flags.likely_tokens,
                guesser: flags.likely_tokens.map(|_| guesser),
                soft_prompt: soft.then_some(true),
                bias_positions: Some(bias_positions),
            },
        }
    }

    /// Whether vectors are trained in place of the template's words, and nothing else of the model.
    pub fn is_soft(&self) -> bool {
        self.flags.soft_prompt == Some(true)
    }
}
