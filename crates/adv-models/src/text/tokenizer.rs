//! From text to token ids.

use super::vocabulary::{Ends, Options, broken, byte_level, of_words, word_piece};
use super::{Encoded, TextError};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tokenizers::{EncodeInput, PostProcessor, TruncationParams, TruncationStrategy};

/// The tokenizer of a model folder, by the library of the original programs.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    folder: PathBuf,
    mask: Option<u32>,
}

/// Where a tokenizer is that no folder holds, as errors say it.
const OF_WORDS: &str = "memory";

/// What special tokens are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    One,
    Pair,
}

/// How many texts of a call were cut to the model's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlong {
    /// Texts that were cut.
    pub cut: usize,
    /// Of so many.
    pub texts: usize,
}

/// A text as token ids, and a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// The whole text.
    pub encoded: Encoded,
    /// Which of its tokens stand for the part.
    pub tokens: Range<usize>,
    /// Whether one of these reaches beyond the part, blanks aside.
    pub is_shared: bool,
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

    /// A tokenizer of whole words, in lower case, for a model without a pretrained one: all words of the texts in the order in which
    /// they come, behind `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`.
    ///
    /// Errors: those of the library.
    pub fn of_words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, TextError> {
        let folder = PathBuf::from(OF_WORDS);
        let inner = of_words(texts, 1, Ends::Bert, &folder)?;
        let mask = inner.token_to_id("[MASK]");
        Ok(Self { inner, folder, mask })
    }

    /// The same for a model that reads from left to right: words that occur at least `least` times, behind `[PAD]`, `[UNK]` and
    /// `[EOS]`; a text, and each of a pair, ends in `[EOS]`.
    ///
    /// Errors: those of the library.
    pub fn of_words_before_end<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        least: usize,
    ) -> Result<Self, TextError> {
        let folder = PathBuf::from(OF_WORDS);
        let inner = of_words(texts, least, Ends::Last, &folder)?;
        Ok(Self {
            inner,
            folder,
            mask: None,
        })
    }

    /// Writes `tokenizer.json`, without truncation.
    ///
    /// Errors: the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), TextError> {
        let path = folder.join("tokenizer.json");
        let mut whole = self.inner.clone();
        let off = whole.with_truncation(None).map(|_| ());
        off.map_err(|error| broken(&path, error))?;
        let text = whole.to_string(true).map_err(|error| broken(&path, error))?;
        std::fs::create_dir_all(folder).map_err(|source| TextError::write(folder, source))?;
        super::saving::replace(&path, text.as_bytes())
    }

    /// The same, cutting texts to at most `longest` tokens, special ones included; of a pair the longer text first.
    ///
    /// Errors: no room for anything but the special tokens of one text. Whether there is room for a pair is looked at by
    /// [`encode`](Self::encode), if there is one.
    pub fn with_longest(mut self, longest: usize) -> Result<Self, TextError> {
        self.check_room(longest, Texts::One)?;
        let cut = TruncationParams {
            max_length: longest,
            strategy: TruncationStrategy::LongestFirst,
            ..TruncationParams::default()
        };
        let done = self.inner.with_truncation(Some(cut)).map(|_| ());
        done.map_err(|error| broken(&self.folder, error))?;
        Ok(self)
    }

    /// Refuses a length that special tokens alone fill. The library does not look.
    fn check_room(&self, longest: usize, texts: Texts) -> Result<(), TextError> {
        let added = self.inner.get_post_processor();
        let special = added.map_or(0, |added| added.added_tokens(texts == Texts::Pair));
        if longest > special {
            return Ok(());
        }
        let texts = match texts {
            Texts::One => "a text",
            Texts::Pair => "a pair of texts",
        };
        Err(TextError::NoRoom {
            longest,
            texts,
            special,
        })
    }

    /// Texts, or pairs of texts, as token ids with special tokens, and how many were cut.
    ///
    /// Errors: a text that the tokenizer refuses; a pair where the length has room for its special tokens alone.
    pub fn encode(&self, texts: &[(&str, Option<&str>)]) -> Result<(Vec<Encoded>, Overlong), TextError> {
        let cutting = self.inner.get_truncation();
        if let Some(cutting) = cutting.filter(|_| texts.iter().any(|(_, second)| second.is_some())) {
            self.check_room(cutting.max_length, Texts::Pair)?;
        }
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
        let encoded = encodings.iter().map(encoded);
        let overlong = Overlong {
            cut,
            texts: texts.len(),
        };
        Ok((encoded.collect(), overlong))
    }

    /// Texts as token ids with special tokens, and which of them stand for the part of the text at these bytes. Nothing is cut.
    ///
    /// Errors: a text that the tokenizer refuses.
    pub fn encode_around(&self, texts: &[(String, Range<usize>)]) -> Result<Vec<Around>, TextError> {
        let mut whole = self.inner.clone();
        let off = whole.with_truncation(None).map(|_| ());
        off.map_err(|error| broken(&self.folder, error))?;
        let inputs: Vec<EncodeInput<'_>> = texts.iter().map(|(text, _)| text.as_str().into()).collect();
        let encodings = whole.encode_batch(inputs, true);
        let encodings = encodings.map_err(|error| broken(&self.folder, error))?;
        let found = encodings.iter().zip(texts).map(|(one, (text, part))| {
            let offsets = one.get_offsets();
            let special = one.get_special_tokens_mask();
            let own = |place: &usize| {
                let (start, end) = offsets[*place];
                special[*place] == 0 && start < part.end && end > part.start
            };
            let first = (0..offsets.len()).find(own);
            let last = (0..offsets.len()).rev().find(own);
            let tokens = match (first, last) {
                (Some(first), Some(last)) => first..last + 1,
                _ => {
                    let before = |place: &usize| special[*place] == 0 && offsets[*place].0 >= part.end;
                    let place = (0..offsets.len()).find(before).unwrap_or(offsets.len());
                    place..place
                }
            };
            let is_blank = |part: Option<&str>| part.is_none_or(|part| part.trim().is_empty());
            let is_shared = tokens.clone().any(|place| {
                let (start, end) = offsets[place];
                !is_blank(text.get(start..part.start.max(start)))
                    || !is_blank(text.get(part.end.min(end)..end))
            });
            Around {
                encoded: encoded(one),
                tokens,
                is_shared,
            }
        });
        Ok(found.collect())
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

    /// The token of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
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

/// A text of the library's as ours.
fn encoded(one: &tokenizers::Encoding) -> Encoded {
    Encoded {
        ids: one.get_ids().to_vec(),
        types: one.get_type_ids().to_vec(),
        special: one.get_special_tokens_mask().to_vec(),
    }
}
