//! The model of a run on text, with its tokenizer.

use super::data::{Corpus, Sentences};
use super::task::Companions;
use crate::hub;
use crate::spec::{MasksName, MethodName, PlaceName, TextNetwork, TextSpec};
use crate::usage::UsageError;
use adv_data::text::{Problem, TextSet};
use adv_models::MaskPolicy;
use adv_models::text::{Encoded, HeadKind, LstmConfig, Overlong, Place, TextConfig, TextModel, Tokenizer};
use anyhow::Result;
use burn::module::Module;
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The tokenizer and the configuration of a run's model.
pub struct Plan {
    /// From text to token ids, cutting what is too long.
    pub tokenizer: Tokenizer,
    /// Sizes and details.
    pub config: TextConfig,
    /// The head.
    pub head: HeadKind,
    /// The folder of the pretrained encoder, if the run begins with one.
    pub origin: Option<PathBuf>,
}

/// The head for a problem.
fn head(spec: &TextSpec, problem: &Problem) -> HeadKind {
    match problem {
        _ if spec.training.method.name == MethodName::Mlm => HeadKind::MaskedLm,
        _ if spec.training.method.name == MethodName::Lm => HeadKind::NextToken,
        Problem::Classes(names) => HeadKind::Classes(names.len()),
        Problem::Score => HeadKind::Regression,
        Problem::Nothing => HeadKind::None,
    }
}

/// A small encoder for a vocabulary of so many words.
fn small(vocabulary: usize, longest: usize) -> Result<TextConfig> {
    made(json!({
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "max_position_embeddings": longest,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "pad_token_id": 0,
        // The weights of a model this small would learn little with BERT's 0.02.
        "initializer_range": 0.1,
    }))
}

/// An LSTM for a vocabulary of so many words: half of the published cells, so that two cores train it in minutes.
fn lstm(vocabulary: usize) -> Result<TextConfig> {
    made(json!({
        "model_type": LstmConfig::TYPE,
        "vocab_size": vocabulary,
        "embedding_size": 256,
        "hidden_size": 512,
        "classifier_size": 30,
        "embedding_dropout": 0.5,
        "classifier_dropout": 0.0,
    }))
}

fn made(sizes: Value) -> Result<TextConfig> {
    let sizes = sizes.as_object().cloned().unwrap_or_default();
    Ok(TextConfig::from_json(sizes, Path::new("the model of this run"))?)
}

/// How often a word must occur to be one of the vocabulary of an LSTM: the others are unknown words, which it must learn too.
const LEAST: usize = 2;

/// How often each token of the vocabulary occurs.
fn counts(train: &Sentences, vocabulary: usize) -> Vec<f64> {
    let mut counts = vec![0.0; vocabulary];
    for sentence in train.encoded.iter() {
        for &id in &sentence.ids {
            counts[id as usize] += 1.0;
        }
    }
    counts
}

/// Says what a reader of the result must know, now and there.
fn note(notes: &mut Vec<String>, text: String) {
    eprintln!("warning: {text}");
    notes.push(text);
}

impl Plan {
    /// The plan of a new run: of the pretrained folder, or a small model for the words of the training sentences.
    pub fn new(spec: &TextSpec, corpus: &Corpus) -> Result<Self> {
        let origin = spec.model_dir.as_ref().map(hub::folder).transpose()?;
        let (tokenizer, config) = match &origin {
            Some(folder) => {
                let config = TextConfig::read(folder)?;
                spec.network.check(&config, folder)?;
                let tokenizer = Tokenizer::from_folder(folder)?;
                tokenizer.check(config.vocabulary())?;
                (tokenizer, config)
            }
            None => {
                let words = corpus.train.rows().iter();
                let words = words.flat_map(|row| [Some(row.first.as_str()), row.second.as_deref()]);
                match spec.network {
                    TextNetwork::Transformer => {
                        let tokenizer = Tokenizer::of_words(words.flatten())?;
                        let config = small(tokenizer.size(), spec.max_length)?;
                        (tokenizer, config)
                    }
                    TextNetwork::Lstm => {
                        let tokenizer = Tokenizer::of_words_before_end(words.flatten(), LEAST)?;
                        let config = lstm(tokenizer.size())?;
                        (tokenizer, config)
                    }
                }
            }
        };
        let longest = spec.max_length.min(config.longest());
        Ok(Self {
            tokenizer: tokenizer.with_longest(longest)?,
            head: head(spec, corpus.train.problem()),
            config,
            origin,
        })
    }

    /// The plan of a model that a run has saved.
    pub fn of_saved(spec: &TextSpec, problem: &Problem, folder: &Path) -> Result<Self> {
        let config = TextConfig::read(folder)?;
        let longest = spec.max_length.min(config.longest());
        Ok(Self {
            tokenizer: Tokenizer::from_folder(folder)?.with_longest(longest)?,
            head: head(spec, problem),
            config,
            origin: None,
        })
    }

    /// The model that a run has saved, whole.
    pub fn saved(&self, folder: &Path, device: &Device) -> Result<TextModel> {
        let (model, report) = TextModel::from_folder(folder, self.head, 0, device)?;
        let drawn = [report.new, report.resized].concat();
        anyhow::ensure!(
            drawn.is_empty(),
            "{} has no weights for what it is to say ({}): was a file of it replaced?",
            folder.display(),
            drawn.join(", ")
        );
        Ok(model)
    }

    /// The model before the first update, its lowest layers frozen if asked for. The embeddings of a new LSTM are normalised by the
    /// frequencies in the training sentences.
    pub fn build(
        &self,
        spec: &TextSpec,
        train: &Sentences,
        device: &Device,
        notes: &mut Vec<String>,
    ) -> Result<TextModel> {
        let seed = spec.training.seed;
        let model = match &self.origin {
            Some(folder) => {
                let (model, report) = TextModel::load(self.config.clone(), folder, self.head, seed, device)?;
                if !report.resized.is_empty() {
                    note(
                        notes,
                        format!(
                            "the head of {} is for another number of classes: {} are new",
                            folder.display(),
                            report.resized.join(" and ")
                        ),
                    );
                }
                model
            }
            None => TextModel::new(self.config.clone(), self.head, seed, device)
                .with_frequencies(&counts(train, self.config.vocabulary()))?,
        };
        let model = model.with_place(match spec.place {
            PlaceName::Words => Place::Words,
            PlaceName::Sum => Place::Sum,
            PlaceName::Table => Place::Table,
        })?;
        model.set_mask_policy(match spec.masks {
            MasksName::Replayed => MaskPolicy::Replay,
            MasksName::Fresh => MaskPolicy::Fresh,
        });
        let Some(frozen) = spec.freeze else {
            return Ok(model);
        };
        let mut depths = model.depths();
        depths.pop();
        if frozen >= depths.len() {
            return Err(UsageError(format!(
                "--freeze {frozen}: the model has {} layers",
                depths.len() - 1
            ))
            .into());
        }
        let lowest = depths.into_iter().take(frozen + 1);
        Ok(lowest.fold(model, |model, group| model.freeze_group(group)))
    }

    /// What stands beside the weights in a folder.
    pub fn companions(&self, problem: &Problem) -> Companions {
        Companions {
            origin: self.origin.clone(),
            tokenizer: self.tokenizer.clone(),
            labels: match problem {
                Problem::Classes(names) => Some(names.to_vec()),
                Problem::Score | Problem::Nothing => None,
            },
        }
    }

    /// Whether nothing can be learnt from a sentence: it has no token, or a language model none to guess.
    fn is_bare(&self, sentence: &Encoded) -> bool {
        let special = || sentence.special.iter().all(|special| *special == 1);
        match self.head {
            HeadKind::MaskedLm => special(),
            // The first token is not guessed.
            HeadKind::NextToken => special() || sentence.len() < 2,
            HeadKind::Classes(_) | HeadKind::Regression | HeadKind::None => sentence.is_empty(),
        }
    }

    /// A set as token ids; says how many were cut.
    pub fn sentences(&self, set: &TextSet, what: &str, notes: &mut Vec<String>) -> Result<Sentences> {
        let (sentences, Overlong { cut, texts }) = Sentences::new(set, &self.tokenizer)?;
        if let Some(place) = sentences
            .encoded
            .iter()
            .position(|sentence| self.is_bare(sentence))
        {
            let lacks = match self.head {
                HeadKind::MaskedLm | HeadKind::NextToken => "no token that could be guessed",
                HeadKind::Classes(_) | HeadKind::Regression | HeadKind::None => {
                    "no token that the model knows"
                }
            };
            return Err(UsageError(format!(
                "the {what} row `{}` has {lacks}: leave it out",
                set.rows()[place].first.escape_debug()
            ))
            .into());
        }
        if cut > 0 {
            note(
                notes,
                format!("{cut} of {texts} {what} rows were too long and were cut: see --max-length"),
            );
        }
        Ok(sentences)
    }
}
