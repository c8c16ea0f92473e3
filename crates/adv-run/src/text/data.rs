//! Sentences of a run: read, split, and as token ids.

use crate::hub;
use crate::spec::{FilePlace, TextSource, TextSpec};
use crate::usage::UsageError;
use adv_data::text::{
    Answer, Problem, SentenceColumn, TextSet, TextSplits, read_column, read_sentences, read_table,
    synth_sentiment,
};
use adv_models::text::{Encoded, Overlong, Tokenizer};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The sentences of a run.
pub struct Corpus {
    /// To train on.
    pub train: TextSet,
    /// To choose by.
    pub dev: TextSet,
    /// To test on.
    pub test: TextSet,
    /// What became of parts that the source does not have.
    pub notes: Vec<String>,
}

/// Share of the rows that stand in for a part which is missing.
const APART: f64 = 0.1;

/// Reads the sentences that a spec names. A missing part to choose by is split off the training rows, and so is one to test on where
/// there is neither; of a known task with a part to choose by alone, that is tested on, and another one to choose by is split off.
/// Rows come in an order of their own, the same for every seed.
pub fn load(spec: &TextSpec) -> Result<Corpus> {
    let splits = read(spec)?;
    let named = spec.source.name();
    let Some(mut train) = splits.train else {
        return Err(UsageError(format!("{named} has no rows to train on here")).into());
    };
    check_classes(spec, &train, &splits.folder)?;
    let mut notes = splits.notes;
    let mut apart = |train: &mut TextSet, seed: u64, what: &str| {
        let (rest, part) = train.split(APART, seed);
        notes.push(format!(
            "{named} has no part {what}: {} training rows were split off for it",
            part.len()
        ));
        *train = rest;
        part
    };
    // GLUE's part to choose by is what is published on; a user's own is what its name says.
    let own = matches!(spec.source, TextSource::Tables { .. });
    let (dev, test) = match (splits.dev, splits.test) {
        (Some(dev), Some(test)) => (dev, test),
        (Some(dev), None) if own => (dev, apart(&mut train, 0, "to test on")),
        (Some(known), None) => (
            apart(&mut train, 1, "to choose by beside the one to test on"),
            known,
        ),
        (None, Some(test)) => (apart(&mut train, 1, "to choose by"), test),
        (None, None) => {
            let test = apart(&mut train, 0, "to test on");
            (apart(&mut train, 1, "to choose by"), test)
        }
    };
    // The first rows of a file that is sorted by class would all be of one.
    let [mut train, dev, test] = [train, dev, test].map(|part| part.shuffled(0));
    if let Some(n) = spec.training.take {
        if n > train.len() {
            return Err(UsageError(format!("--take {n}: there are {} training rows", train.len())).into());
        }
        train = train.take(n);
    }
    if [&train, &dev, &test].iter().any(|part| part.is_empty()) {
        return Err(UsageError(format!("{named} has too few rows to be split")).into());
    }
    Ok(Corpus {
        train,
        dev,
        test,
        notes,
    })
}

/// Refuses labelled rows of a single class: a model that says nothing else is always right on them, under any attack.
fn check_classes(spec: &TextSpec, train: &TextSet, folder: &Path) -> Result<()> {
    let Problem::Classes(names) = train.problem() else {
        return Ok(());
    };
    let mut answers = train.rows().iter().map(|row| row.answer);
    let Some(Answer::Class(first)) = answers.next() else {
        return Ok(());
    };
    // For a language model answers mean nothing.
    let unread = spec.training.method.name.is_language_model();
    if unread || answers.any(|answer| answer != Answer::Class(first)) {
        return Ok(());
    }
    let place = match &spec.source {
        TextSource::Tables { train, .. } => train.to_string(),
        _ => format!("{} in {}", spec.source.name(), folder.display()),
    };
    Err(UsageError(format!(
        "{place}: all rows to train on are of one class, `{}`: there must be two at least",
        names[first as usize]
    ))
    .into())
}

/// Sentences without labels: lines, or a column of a table.
pub fn load_unlabelled(path: &Path, column: &str) -> Result<TextSet> {
    let name = path.to_string_lossy();
    if name.ends_with(".txt") || name.ends_with(".txt.gz") {
        return Ok(read_sentences(path)?);
    }
    Ok(read_column(path, &SentenceColumn::Named(column.into()))?)
}

fn read(spec: &TextSpec) -> Result<TextSplits> {
    let alone = |train: TextSet| TextSplits {
        train: Some(train),
        dev: None,
        test: None,
        folder: PathBuf::new(),
        notes: Vec::new(),
    };
    Ok(match &spec.source {
        TextSource::Synthetic => synth_sentiment(),
        TextSource::Sentences { file, column } => {
            let path = hub::file(file)?;
            alone(match column {
                Some(column) => read_column(&path, column)?,
                None => read_sentences(&path)?,
            })
        }
        TextSource::Task(task) => {
            let root = std::env::var_os("ADV_DATA_DIR").map(PathBuf::from);
            task.read(spec.data_dir.as_deref(), root.as_deref())
                .context("put the files there, or name their folder with --data-dir")?
        }
        TextSource::Tables {
            train,
            dev,
            test,
            columns,
            scores,
        } => {
            let train = read_table(&hub::file(train)?, columns, scores.then_some(&Problem::Score))?;
            let problem = train.problem().clone();
            let part = |place: &Option<FilePlace>| -> Result<Option<TextSet>> {
                let Some(place) = place else {
                    return Ok(None);
                };
                Ok(Some(read_table(&hub::file(place)?, columns, Some(&problem))?))
            };
            TextSplits {
                dev: part(dev)?,
                test: part(test)?,
                train: Some(train),
                folder: PathBuf::new(),
                notes: Vec::new(),
            }
        }
    })
}

/// Sentences as token ids, with their answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sentences {
    /// What is to be said.
    pub problem: Problem,
    /// Token ids.
    pub encoded: Arc<[Encoded]>,
    /// What is right.
    pub answers: Arc<[Answer]>,
}

impl Sentences {
    /// The rows of a set as token ids, and how many were cut.
    pub fn new(set: &TextSet, tokenizer: &Tokenizer) -> Result<(Self, Overlong)> {
        let texts: Vec<(&str, Option<&str>)> = set
            .rows()
            .iter()
            .map(|row| (row.first.as_str(), row.second.as_deref()))
            .collect();
        let (encoded, overlong) = tokenizer.encode(&texts)?;
        let sentences = Self {
            problem: set.problem().clone(),
            encoded: encoded.into(),
            answers: set.rows().iter().map(|row| row.answer).collect(),
        };
        Ok((sentences, overlong))
    }

    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.encoded.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The first `n`.
    pub fn take(&self, n: usize) -> Self {
        let n = n.min(self.len());
        Self {
            problem: self.problem.clone(),
            encoded: self.encoded[..n].into(),
            answers: self.answers[..n].into(),
        }
    }

    /// The classes, if these are the answers.
    pub fn classes(&self) -> Option<Vec<u32>> {
        let class = |answer: &Answer| match answer {
            Answer::Class(class) => Some(*class),
            Answer::Score(_) | Answer::Nothing => None,
        };
        self.answers.iter().map(class).collect()
    }

    /// The places in batches of at most `size` sentences of about the same length, longest first.
    pub fn batches(&self, size: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&place| std::cmp::Reverse(self.encoded[place].len()));
        order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
    }

    /// The token ids at these places.
    pub fn pick(&self, places: &[usize]) -> Vec<Encoded> {
        places.iter().map(|&place| self.encoded[place].clone()).collect()
    }
}
