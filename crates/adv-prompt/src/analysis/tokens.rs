//! What kinds of tokens a vocabulary has.

use adv_models::text::{Encoded, Tokenizer};

/// What is known of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenKind {
    /// How often it occurs in the texts that were counted.
    pub count: u64,
    /// Whether it is one of the most frequent.
    pub is_frequent: bool,
    /// Whether it continues a word.
    pub is_subword: bool,
    /// Whether it has an upper-case letter.
    pub has_upper_case: bool,
    /// Whether it has no letter and no digit.
    pub is_punctuation: bool,
}

/// The kinds of all tokens of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKinds(Vec<TokenKind>);

/// What begins a token that continues a word, of WordPiece.
const CONTINUED: &str = "##";
/// What stands for characters that the vocabulary does not have: counted as punctuation, as in the authors' program.
const UNKNOWN: [&str; 2] = ["[UNK]", "<unk>"];
/// What begins a token that begins a word, of byte-level BPE: a blank.
const WORD: char = 'Ġ';

impl TokenKinds {
    /// Of a vocabulary of so many tokens; frequent are the `frequent` most frequent ones in these texts, special tokens not counted.
    pub fn new(tokenizer: &Tokenizer, vocabulary: usize, texts: &[Encoded], frequent: usize) -> Self {
        let names: Vec<String> = (0..vocabulary as u32)
            .map(|id| tokenizer.token(id).unwrap_or_default())
            .collect();
        let marks_words = names.iter().any(|name| name.starts_with(WORD));
        let mut kinds: Vec<TokenKind> = names.iter().map(|name| kind(name, marks_words)).collect();
        for text in texts {
            for (id, special) in text.ids.iter().zip(&text.special) {
                if let (0, Some(kind)) = (special, kinds.get_mut(*id as usize)) {
                    kind.count += 1;
                }
            }
        }
        let mut order: Vec<usize> = (0..kinds.len()).filter(|&id| kinds[id].count > 0).collect();
        order.sort_by_key(|&id| (std::cmp::Reverse(kinds[id].count), id));
        for id in order.into_iter().take(frequent) {
            kinds[id].is_frequent = true;
        }
        Self(kinds)
    }

    /// The kind of a token; nothing special of one that is unknown.
    pub fn of(&self, id: u32) -> TokenKind {
        self.0.get(id as usize).copied().unwrap_or_default()
    }

    /// All, by id.
    pub fn all(&self) -> &[TokenKind] {
        &self.0
    }
}

fn kind(name: &str, marks_words: bool) -> TokenKind {
    let text = name.strip_prefix(CONTINUED).unwrap_or(name);
    let text = text.strip_prefix(WORD).unwrap_or(text);
    let is_unknown = UNKNOWN.contains(&name);
    let is_punctuation = is_unknown || !text.is_empty() && !text.chars().any(char::is_alphanumeric);
    TokenKind {
        count: 0,
        is_frequent: false,
        is_subword: match marks_words {
            true => !name.starts_with(WORD) && !is_punctuation,
            false => name.starts_with(CONTINUED),
        },
        has_upper_case: !is_unknown && text.chars().any(char::is_uppercase),
        is_punctuation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        let table = [
            // name, marked words, subword, upper case, punctuation
            ("dog", false, false, false, false),
            ("##ing", false, true, false, false),
            ("Dog", false, false, true, false),
            (".", false, false, false, true),
            ("##?", false, true, false, true),
            ("Ġdog", true, false, false, false),
            ("dog", true, true, false, false),
            ("ĠDog", true, false, true, false),
            ("Ġ,", true, false, false, true),
            ("7", false, false, false, false),
            ("[UNK]", false, false, false, true),
        ];
        for (name, marks, subword, upper, punctuation) in table {
            let kind = kind(name, marks);
            let found = (kind.is_subword, kind.has_upper_case, kind.is_punctuation);
            assert_eq!(found, (subword, upper, punctuation), "{name}");
        }
    }

    #[test]
    fn the_most_frequent_are_found() {
        let tokenizer = Tokenizer::of_words(["a dog and a cat and a cow"]).unwrap();
        let (texts, _) = tokenizer.encode(&[("a dog and a cat and a cow", None)]).unwrap();
        let kinds = TokenKinds::new(&tokenizer, 11, &texts, 2);
        let frequent = |word: &str| kinds.of(tokenizer.id(word).unwrap()).is_frequent;
        assert_eq!(
            ["a", "and", "cat", "[CLS]"].map(frequent),
            [true, true, false, false]
        );
        assert_eq!(kinds.of(tokenizer.id("a").unwrap()).count, 3);
        assert_eq!(kinds.of(999), TokenKind::default());
    }
}
