//! From text to token ids.

use super::{Encoded, TextError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, EncodeInput, PostProcessor, TruncationParams, TruncationStrategy};

/// The tokenizer of a model folder, by the library of the original programs.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    folder: PathBuf,
    mask: Option<u32>,
}

/// How many texts of a call were cut to the model's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlong {
    /// Texts that were cut.
    pub cut: usize,
    /// Of so many.
    pub texts: usize,
}

impl Tokenizer {
    /// The tokenizer of a folder: `tokenizer.json`, or made of `vocab.txt` (WordPiece) or of `vocab.json` and `merges.txt`
    /// (byte-level BPE), with the options of `tokenizer_config.json`. Padding and truncation that a file asks for are
    /// switched off: batches are padded to their longest sentence.
    ///
    /// Errors: no such file, or one that makes no tokenizer.
    pub fn from_folder(folder: &Path) -> Result<Self, TextError> {
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let options = Options::read(folder)?;
        let mut inner = if let Some(path) = file("tokenizer.json") {
            tokenizers::Tokenizer::from_file(&path).map_err(|error| broken(&path, error))?
        } else if let Some(path) = file("vocab.txt") {
            word_piece(&path, &options)?
        } else if let (Some(vocabulary), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
            byte_level(&vocabulary, &merges, &options)?
        } else {
            return Err(TextError::NoTokenizer {
                folder: folder.to_path_buf(),
            });
        };
        inner.with_padding(None);
        let off = inner.with_truncation(None);
        off.map_err(|error| broken(folder, error))?;
        let mask = options.mask.as_deref();
        let known = mask.into_iter().chain(["[MASK]", "<mask>"]);
        let mask = known.into_iter().find_map(|token| inner.token_to_id(token));
        Ok(Self {
            inner,
            folder: folder.to_path_buf(),
            mask,
        })
    }

    /// The same, cutting texts to at most `longest` tokens, special ones included; of a pair the longer text first.
    ///
    /// Errors: no room for anything but special tokens.
    pub fn with_longest(mut self, longest: usize) -> Result<Self, TextError> {
        // A pair has the most special tokens. The library does not look.
        let special = self
            .inner
            .get_post_processor()
            .map_or(0, |added| added.added_tokens(true));
        if longest <= special {
            return Err(TextError::Tokenizer {
                path: self.folder,
                detail: format!("{longest} tokens leave no room for text: {special} are special ones"),
            });
        }
        let cut = TruncationParams {
            max_length: longest,
            strategy: TruncationStrategy::LongestFirst,
            ..TruncationParams::default()
        };
        let done = self.inner.with_truncation(Some(cut)).map(|_| ());
        done.map_err(|error| broken(&self.folder, error))?;
        Ok(self)
    }

    /// Texts, or pairs of texts, as token ids with special tokens, and how many were cut.
    ///
    /// Errors: a text that the tokenizer refuses.
    pub fn encode(&self, texts: &[(&str, Option<&str>)]) -> Result<(Vec<Encoded>, Overlong), TextError> {
        let inputs: Vec<EncodeInput<'_>> = texts
            .iter()
            .map(|(first, second)| match second {
                Some(second) => (*first, *second).into(),
                None => (*first).into(),
            })
            .collect();
        let encodings = self.inner.encode_batch(inputs, true);
        let encodings = encodings.map_err(|error| broken(&self.folder, error))?;
        let cut = encodings
            .iter()
            .filter(|one| !one.get_overflowing().is_empty())
            .count();
        let encoded = encodings.iter().map(|one| Encoded {
            ids: one.get_ids().to_vec(),
            types: one.get_type_ids().to_vec(),
            special: one.get_special_tokens_mask().to_vec(),
        });
        let overlong = Overlong {
            cut,
            texts: texts.len(),
        };
        Ok((encoded.collect(), overlong))
    }

    /// The text of token ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        let decoded = self.inner.decode(ids, true);
        decoded.map_err(|error| broken(&self.folder, error))
    }

    /// Number of tokens, added ones included.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The mask token, if there is one.
    pub fn mask(&self) -> Option<u32> {
        self.mask
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Refuses a tokenizer whose ids reach beyond the word embedding.
    pub fn check(&self, rows: usize) -> Result<(), TextError> {
        let largest = self.inner.get_vocab(true).into_values().max().unwrap_or(0) as usize;
        if largest < rows {
            return Ok(());
        }
        Err(TextError::Vocabulary {
            folder: self.folder.clone(),
            largest,
            rows,
        })
    }
}

/// What `tokenizer_config.json` says, where it is needed.
#[derive(Debug, Default)]
struct Options {
    lower_case: Option<bool>,
    chinese: Option<bool>,
    strip_accents: Option<bool>,
    prefix_space: bool,
    mask: Option<String>,
}

impl Options {
    fn read(folder: &Path) -> Result<Self, TextError> {
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

fn broken(path: &Path, error: tokenizers::Error) -> TextError {
    TextError::Tokenizer {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}

/// BERT's: clean-up, lower case unless told otherwise, words and punctuation, WordPiece.
fn word_piece(path: &Path, options: &Options) -> Result<tokenizers::Tokenizer, TextError> {
    let text = path.to_str().ok_or_else(|| TextError::Tokenizer {
        path: path.to_path_buf(),
        detail: "its path is not UTF-8".into(),
    })?;
    let model = WordPiece::from_file(text)
        .unk_token("[UNK]".into())
        .build()
        .map_err(|error| broken(path, error))?;
    let mut made = tokenizers::Tokenizer::new(model);
    let [sep, cls] = special(&made, path, ["[SEP]", "[CLS]"])?;
    let lower = options.lower_case.unwrap_or(true);
    let chinese = options.chinese.unwrap_or(true);
    let normalizer = BertNormalizer::new(true, chinese, options.strip_accents, lower);
    made.with_normalizer(Some(normalizer))
        .map_err(|error| broken(path, error))?;
    made.with_pre_tokenizer(Some(BertPreTokenizer));
    made.with_post_processor(Some(BertProcessing::new(sep, cls)));
    made.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    let known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    add_special(&mut made, path, &known)?;
    Ok(made)
}

/// RoBERTa's: bytes as characters, BPE.
fn byte_level(
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
    let [sep, cls] = special(&made, vocabulary, ["</s>", "<s>"])?;
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
fn special(
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
