//! What can go wrong with a template, or with a folder of a prompted encoder.

use adv_contrast::sentence::SentenceError;
use adv_models::text::TextError;
use std::path::PathBuf;
use thiserror::Error;

/// Everything about prompts that this library refuses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PromptError {
    /// A text that is no template.
    #[error("the template `{text}` {problem}: write one such as  This sentence of \"[X]\" means[MASK].")]
    Template {
        /// The text.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// A tokenizer without a mask token.
    #[error(
        "the tokenizer has no mask token, so no template can be read at one: take a model that was trained by masking words, or pool by mean"
    )]
    NoMask,
    /// A template whose text and sentence become one token.
    #[error(
        "in the template `{template}` the words around [X] and the sentence share a token: put a blank or a mark between them"
    )]
    Merged {
        /// The template.
        template: String,
    },
    /// A template that leaves no room for a sentence.
    #[error("the template `{template}` has {tokens} tokens, the model takes {longest}: no sentence fits in")]
    NoRoom {
        /// The template.
        template: String,
        /// Its tokens.
        tokens: usize,
        /// Those of the model.
        longest: usize,
    },
    /// No template, or more than one where one is trained.
    #[error("{found} templates: {wanted}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many are wanted, and what for.
        wanted: &'static str,
    },
    /// A folder's `prompt.json` that says something wrong.
    #[error("{}: {detail}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The average of likely tokens, of a model that guesses none.
    #[error(
        "the model of {} has no masked-LM head, which guesses the tokens to be averaged: take one that has, read the mask's own vector, or let the word table guess",
        folder.display()
    )]
    NoHead {
        /// The folder.
        folder: PathBuf,
    },
    /// A word table that cannot guess, since it is not as wide as the hidden states.
    #[error(
        "the word table is {embedding} wide, the hidden states {hidden}: it cannot guess tokens, take a model with a masked-LM head"
    )]
    Widths {
        /// Width of the table.
        embedding: usize,
        /// Width of the hidden states.
        hidden: usize,
    },
    /// A file of trained vectors of a template that does not fit.
    #[error("{}: {detail}", path.display())]
    Soft {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A sentence encoder's folder, or sentences.
    #[error(transparent)]
    Sentence(#[from] SentenceError),
    /// The model or its tokenizer.
    #[error(transparent)]
    Text(#[from] TextError),
}
