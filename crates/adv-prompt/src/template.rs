//! Templates as text.

use crate::PromptError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A template: text around the sentence, `[X]`, with one mask, `[MASK]` or `<mask>`, whose vector is the sentence's (Jiang et al. 2022,
/// PromptBERT). Blanks count as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    before: String,
    after: String,
}

const SENTENCE: &str = "[X]";
/// The mask as we write it.
pub(crate) const MASK: &str = "[MASK]";
/// The mask as RoBERTa's users write it.
const OTHER_MASK: &str = "<mask>";

impl Template {
    /// PromptBERT's first one, also that of its test.
    pub fn first() -> Self {
        Self::known("This sentence of \"", "\" means[MASK].")
    }

    /// PromptBERT's second one.
    pub fn second() -> Self {
        Self::known("This sentence : \"", "\" means[MASK].")
    }

    fn known(before: &str, after: &str) -> Self {
        Self {
            before: before.into(),
            after: after.into(),
        }
    }

    /// The text around a sentence, with this mask, and where in it the sentence stands, in bytes.
    pub(crate) fn around(&self, sentence: &str, mask: &str) -> (String, std::ops::Range<usize>) {
        let [before, after] = [&self.before, &self.after].map(|part| part.replace(MASK, mask));
        let range = before.len()..before.len() + sentence.len();
        (before + sentence + &after, range)
    }
}

impl FromStr for Template {
    type Err = PromptError;

    fn from_str(text: &str) -> Result<Self, PromptError> {
        let wrong = |problem: &str| PromptError::Template {
            text: text.into(),
            problem: problem.into(),
        };
        if text.contains(['\n', '\r']) {
            return Err(wrong("has a line break"));
        }
        let text = text.replace(OTHER_MASK, MASK);
        match text.matches(MASK).count() {
            1 => {}
            0 => return Err(wrong("has no mask, [MASK]")),
            _ => return Err(wrong("has more than one mask, [MASK]")),
        }
        match text.split(SENTENCE).collect::<Vec<_>>()[..] {
            [before, after] => Ok(Self::known(before, after)),
            [_] => Err(wrong("has no place for the sentence, [X]")),
            _ => Err(wrong("has more than one place for the sentence, [X]")),
        }
    }
}

impl TryFrom<String> for Template {
    type Error = PromptError;

    fn try_from(text: String) -> Result<Self, PromptError> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SENTENCE}{}", self.before, self.after)
    }
}

/// The sentence, with a full stop if it ends in none of `. ? " '`: what PromptBERT's evaluation does, and its training does not.
pub fn with_full_stop(sentence: &str) -> String {
    match sentence.chars().last() {
        Some('.' | '?' | '"' | '\'') => sentence.into(),
        _ => format!("{sentence}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_or_refused() {
        for (text, problem) in [
            ("This sentence of \"[X]\" means[MASK].", ""),
            ("[MASK] is what [X] means", ""),
            ("This sentence : ' [X] ' means<mask>.", ""),
            ("[X] means", "no mask"),
            ("[MASK].", "no place"),
            ("[X] [X] [MASK]", "more than one place"),
            ("[X] [MASK] <mask>", "more than one mask"),
            ("[X]\n[MASK]", "line break"),
            ("", "no mask"),
        ] {
            match text.parse::<Template>() {
                Ok(template) => {
                    assert!(problem.is_empty(), "{text}");
                    assert_eq!(template.to_string(), text.replace("<mask>", "[MASK]"));
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(!problem.is_empty() && error.contains(problem), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_sentence_stands_where_it_is_said_to() {
        let table = [
            ("a dog", "This sentence of \"a dog\" means<mask>."),
            ("[MASK] [X]", "This sentence of \"[MASK] [X]\" means<mask>."),
        ];
        for (sentence, whole) in table {
            let (text, range) = Template::first().around(sentence, "<mask>");
            assert_eq!((text.as_str(), &text[range]), (whole, sentence));
        }
    }

    #[test]
    fn a_full_stop_is_added_where_none_is() {
        for (sentence, whole) in [
            ("a dog", "a dog."),
            ("a dog.", "a dog."),
            ("why?", "why?"),
            ("it's '", "it's '"),
            ("go!", "go!."),
            ("", "."),
        ] {
            assert_eq!(with_full_stop(sentence), whole);
        }
    }
}
