//! A template around a sentence, read at its mask (PromptBERT; Jiang et al. 2022).

use std::str::FromStr;

/// A template with one `[X]`, the sentence, and one `[MASK]`, whose vector is the sentence's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt(String);

const SENTENCE: &str = "[X]";
const MASK: &str = "[MASK]";

impl FromStr for Prompt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for part in [SENTENCE, MASK] {
            if text.matches(part).count() != 1 {
                return Err(format!(
                    "a template needs one {part}, as in: This sentence of \"[X]\" means[MASK]."
                ));
            }
        }
        Ok(Self(text.into()))
    }
}

impl Prompt {
    /// The template around a sentence, with the model's own mask. A sentence that ends in none of `. ? " '` gets a full stop, as in
    /// PromptBERT's evaluation.
    pub fn around(&self, sentence: &str, mask: &str) -> String {
        let stop = match sentence.chars().last() {
            Some('.' | '?' | '"' | '\'') => "",
            _ => ".",
        };
        self.0
            .replace(MASK, mask)
            .replace(SENTENCE, &format!("{sentence}{stop}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_or_refused() {
        let prompt: Prompt = "This sentence of \"[X]\" means[MASK].".parse().unwrap();
        let table = [
            ("a dog", "This sentence of \"a dog.\" means<mask>."),
            ("a dog?", "This sentence of \"a dog?\" means<mask>."),
            ("[MASK] me", "This sentence of \"[MASK] me.\" means<mask>."),
        ];
        for (sentence, whole) in table {
            assert_eq!(prompt.around(sentence, "<mask>"), whole);
        }
        for bad in ["[X]", "[MASK]", "[X] [X] [MASK]", ""] {
            assert!(bad.parse::<Prompt>().is_err(), "{bad}");
        }
    }
}
