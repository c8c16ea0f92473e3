//! Making tokenizers: of vocabularies, and of the words of texts.

use super::TextError;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// What `tokenizer_config.json` says, where it is needed.
#[derive(Debug, Default)]
pub(super) struct Options {
    lower_case: Option<bool>,
    chinese: Option<bool>,
    strip_accents: Option<bool>,
    prefix_space: bool,
    pub(super) mask: Option<String>,
}

impl Options {
    pub(super) fn read(folder: &Path) -> Result<Self, TextError> {
        let path = folder.join("tokenizer_config.json");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).map_err(|source| TextError::read(&path, source))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| TextError::json(&path, &error))?;
        let flag = |key: &str| value.get(key).and_then(Value::as_bool);
        // A token is a string, or an object with its content.
        let token = |key: &str| {
            let value = value.get(key)?;
            let content = value.as_str().or_else(|| value.get("content")?.as_str());
            content.map(String::from)
        };
        Ok(Self {
            lower_case: flag("do_lower_case"),
            chinese: flag("tokenize_chinese_chars"),
            strip_accents: flag("strip_accents"),
            prefix_space: flag("add_prefix_space").unwrap_or(false),
            mask: token("mask_token"),
        })
    }
}

pub(super) fn broken(path: &Path, error: tokenizers::Error) -> TextError {
    TextError::Tokenizer {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}

/// BERT's: clean-up, lower case unless told otherwise, words and punctuation, WordPiece.
pub(super) fn word_piece(path: &Path, options: &Options) -> Result<tokenizers::Tokenizer, TextError> {
    let text = path.to_str().ok_or_else(|| TextError::Tokenizer {
        path: path.to_path_buf(),
        detail: "its path is not UTF-8".into(),
    })?;
    let model = WordPiece::from_file(text)
        .unk_token("[UNK]".into())
        .build()
        .map_err(|error| broken(path, error))?;
    let mut made = tokenizers::Tokenizer::new(model);
    let lower = options.lower_case.unwrap_or(true);
    let chinese = options.chinese.unwrap_or(true);
    let normalizer = BertNormalizer::new(true, chinese, options.strip_accents, lower);
    made.with_normalizer(Some(normalizer))
        .map_err(|error| broken(path, error))?;
    made.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    finish_as_bert(&mut made, path)?;
    Ok(made)
}

/// What stands around a text of whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// BERT's special tokens on both sides.
    Bert,
    /// One at the end.
    Last,
}

/// Whole words of the texts that occur at least so often, in lower case, in the order in which they come, behind the special tokens.
pub(super) fn of_words<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    least: usize,
    ends: Ends,
    folder: &Path,
) -> Result<tokenizers::Tokenizer, TextError> {
    let mut found: HashMap<String, usize> = HashMap::new();
    let mut words: Vec<(String, usize)> = Vec::new();
    let normalizer = BertNormalizer::new(true, true, None, true);
    for text in texts {
        let mut text = PreTokenizedString::from(text);
        let cut = text
            .normalize(|part| normalizer.normalize(part))
            .and_then(|()| BertPreTokenizer.pre_tokenize(&mut text));
        cut.map_err(|error| broken(folder, error))?;
        for (word, ..) in text.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match found.get(word) {
                Some(&place) => words[place].1 += 1,
                None => {
                    found.insert(word.into(), words.len());
                    words.push((word.into(), 1));
                }
            }
        }
    }
    let special: &[&str] = match ends {
        Ends::Bert => &SPECIAL,
        Ends::Last => &["[PAD]", "[UNK]", EOS],
    };
    let frequent = words.into_iter().filter(|(_, count)| *count >= least);
    let names = special
        .iter()
        .map(ToString::to_string)
        .chain(frequent.map(|(word, _)| word));
    let mut ids: HashMap<String, u32> = HashMap::new();
    for name in names {
        let next = ids.len() as u32;
        ids.entry(name).or_insert(next);
    }
    let model = WordLevel::builder()
        .vocab(ids.into_iter().collect())
        .unk_token("[UNK]".into())
        .build();
    let model = model.map_err(|error| broken(folder, error))?;
    let mut inner = tokenizers::Tokenizer::new(model);
    inner
        .with_normalizer(Some(normalizer))
        .map_err(|error| broken(folder, error))?;
    match ends {
        Ends::Bert => finish_as_bert(&mut inner, folder)?,
        Ends::Last => {
            let [end, _] = special_ids(&inner, folder, [EOS, "[UNK]"])?;
            let made = TemplateProcessing::builder()
                .try_single(format!("$A {EOS}"))
                .and_then(|made| made.try_pair(format!("$A {EOS} $B:1 {EOS}:1")))
                .and_then(|made| {
                    made.special_tokens(vec![end])
                        .build()
                        .map_err(|error| error.to_string())
                });
            let made = made.map_err(|error| broken(folder, error.into()))?;
            inner.with_pre_tokenizer(Some(BertPreTokenizer));
            inner.with_post_processor(Some(made));
            add_special(&mut inner, folder, special)?;
        }
    }
    Ok(inner)
}

/// The end of a text that is read from left to right.
const EOS: &str = "[EOS]";

/// BERT's special tokens.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Words and punctuation, between BERT's special tokens.
fn finish_as_bert(made: &mut tokenizers::Tokenizer, path: &Path) -> Result<(), TextError> {
    let [sep, cls] = special_ids(made, path, ["[SEP]", "[CLS]"])?;
    made.with_pre_tokenizer(Some(BertPreTokenizer));
    made.with_post_processor(Some(BertProcessing::new(sep, cls)));
    add_special(made, path, &SPECIAL)
}

/// RoBERTa's: bytes as characters, BPE.
pub(super) fn byte_level(
    vocabulary: &Path,
    merges: &Path,
    options: &Options,
) -> Result<tokenizers::Tokenizer, TextError> {
    let (Some(words), Some(pairs)) = (vocabulary.to_str(), merges.to_str()) else {
        return Err(TextError::Tokenizer {
            path: vocabulary.to_path_buf(),
            detail: "its path is not UTF-8".into(),
        });
    };
    let model = BPE::from_file(words, pairs)
        .build()
        .map_err(|error| broken(vocabulary, error))?;
    let mut made = tokenizers::Tokenizer::new(model);
    let [sep, cls] = special_ids(&made, vocabulary, ["</s>", "<s>"])?;
    let bytes = ByteLevel::default().add_prefix_space(options.prefix_space);
    made.with_pre_tokenizer(Some(bytes));
    made.with_decoder(Some(ByteLevel::default()));
    made.with_post_processor(Some(
        RobertaProcessing::new(sep, cls).add_prefix_space(options.prefix_space),
    ));
    add_special(&mut made, vocabulary, &["<s>", "<pad>", "</s>", "<unk>"])?;
    // Blanks before the mask belong to it.
    if made.token_to_id("<mask>").is_some() {
        let mask = [AddedToken::from("<mask>", true).lstrip(true)];
        made.add_special_tokens(mask)
            .map_err(|error| broken(vocabulary, error))?;
    }
    Ok(made)
}

/// The ids of tokens that a sentence is put between.
fn special_ids(
    made: &tokenizers::Tokenizer,
    path: &Path,
    names: [&str; 2],
) -> Result<[(String, u32); 2], TextError> {
    let find = |name: &str| -> Result<(String, u32), TextError> {
        let id = made.token_to_id(name).ok_or_else(|| TextError::Tokenizer {
            path: path.to_path_buf(),
            detail: format!("the vocabulary has no {name}"),
        })?;
        Ok((name.to_string(), id))
    };
    Ok([find(names[0])?, find(names[1])?])
}

/// Tokens that text may hold as such: they are never split. Those that the vocabulary does not have are left out.
fn add_special(made: &mut tokenizers::Tokenizer, path: &Path, names: &[&str]) -> Result<(), TextError> {
    let known: Vec<AddedToken> = names
        .iter()
        .filter(|name| made.token_to_id(name).is_some())
        .map(|name| AddedToken::from(*name, true))
        .collect();
    made.add_special_tokens(known)
        .map_err(|error| broken(path, error))?;
    Ok(())
}
