//! What a user may set of prompts.

use super::MethodName;
use adv_prompt::{BiasPositions, Denoising, Guesser, Template};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

const PROMPT: &str = "Prompt";

/// Settings of promptbert, and of simcse and uscal with a prompt: flags like all others, a table `[prompt]` of a spec.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptFlags {
    /// A template with one `[X]`, the sentence, and one `[MASK]`, whose vector is the sentence's; given twice, the second one makes the
    /// second view [default: promptbert: the two that its paper has for BERT; else none]
    #[arg(long = "prompt", value_name = "TEMPLATE", help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<Template>>,
    /// Where the vector of the template without the sentence is taken off [default: training; of pairs always]
    #[arg(long, help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denoising: Option<DenoisingName>,
    /// Average the static embeddings of the K tokens that are likeliest at the mask, instead of taking its vector
    #[arg(long, value_name = "K", help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likely_tokens: Option<usize>,
    /// Who finds them likely [default: head]
    #[arg(long, help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guesser: Option<GuesserName>,
    /// Train vectors in place of the template's words, and nothing else of the model (OptiPrompt)
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_prompt: Option<bool>,
    /// At which position a template without its sentence begins [default: model]
    #[arg(long, help_heading = PROMPT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias_positions: Option<BiasPositionsName>,
}

impl PromptFlags {
    /// These where set, else those of `base`.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            templates: self.templates.or(base.templates),
            denoising: self.denoising.or(base.denoising),
            likely_tokens: self.likely_tokens.or(base.likely_tokens),
            guesser: self.guesser.or(base.guesser),
            soft_prompt: self.soft_prompt.or(base.soft_prompt),
            bias_positions: self.bias_positions.or(base.bias_positions),
        }
    }

    /// Whether nothing is set.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether sentences are put into templates by this method.
    pub(super) fn is_asked_for(&self, method: MethodName) -> bool {
        method == MethodName::PromptBert || self.templates.is_some()
    }

    /// Those that were given and play no part in this method, by their flags.
    pub(super) fn without_part(&self, method: MethodName) -> Vec<&'static str> {
        let prompted = method.is_contrastive() && self.is_asked_for(method);
        let likely = prompted && self.likely_tokens.is_some();
        let given = [
            (self.templates.is_some(), prompted, "--prompt"),
            (self.denoising.is_some(), prompted, "--denoising"),
            (self.likely_tokens.is_some(), prompted, "--likely-tokens"),
            (self.guesser.is_some(), likely, "--guesser"),
            (self.soft_prompt.is_some(), prompted, "--soft-prompt"),
            (self.bias_positions.is_some(), prompted, "--bias-positions"),
        ];
        let unread = given.into_iter().filter(|(given, used, _)| *given && !used);
        unread.map(|(_, _, flag)| flag).collect()
    }
}

/// Where the bias of a template is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DenoisingName {
    /// Nowhere.
    Off,
    /// In training and where weights are chosen.
    Training,
    /// In use as well.
    Always,
}

impl From<DenoisingName> for Denoising {
    fn from(name: DenoisingName) -> Self {
        match name {
            DenoisingName::Off => Denoising::Off,
            DenoisingName::Training => Denoising::Training,
            DenoisingName::Always => Denoising::Always,
        }
    }
}

/// Who guesses the tokens at the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuesserName {
    /// The model's masked-LM head.
    #[default]
    Head,
    /// The word table, for a model whose head is lost.
    WordTable,
}

impl From<GuesserName> for Guesser {
    fn from(name: GuesserName) -> Self {
        match name {
            GuesserName::Head => Guesser::Head,
            GuesserName::WordTable => Guesser::WordTable,
        }
    }
}

/// At which position a template without its sentence begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BiasPositionsName {
    /// The model's first.
    #[default]
    Model,
    /// Row 0 of the table, also of RoBERTa, as PromptBERT's program has it.
    Table,
}

impl From<BiasPositionsName> for BiasPositions {
    fn from(name: BiasPositionsName) -> Self {
        match name {
            BiasPositionsName::Model => BiasPositions::Model,
            BiasPositionsName::Table => BiasPositions::Table,
        }
    }
}
