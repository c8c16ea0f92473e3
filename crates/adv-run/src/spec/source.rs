//! Where sentences come from.

use super::method_name::MethodName;
use super::place::FilePlace;
use super::settings::Settings;
use crate::usage::UsageError;
use adv_data::text::{Columns, Problem, SentenceColumn, TaskId};

/// The word for the generated corpus, as a data set and as a task.
pub(super) const SYNTHETIC: &str = "synth-sentiment";

/// Where sentences come from.
#[derive(Debug, Clone, PartialEq)]
pub enum TextSource {
    /// A known task.
    Task(TaskId),
    /// The generated corpus.
    Synthetic,
    /// A user's own tables.
    Tables {
        /// To train on.
        train: FilePlace,
        /// To choose by.
        dev: Option<FilePlace>,
        /// To test on.
        test: Option<FilePlace>,
        /// What the columns hold.
        columns: Columns,
        /// Whether answers are numbers.
        scores: bool,
    },
    /// Sentences without answers.
    Sentences {
        /// Their file.
        file: FilePlace,
        /// Their column; none: one sentence a line.
        column: Option<SentenceColumn>,
    },
}

impl TextSource {
    pub(super) fn of(s: &Settings) -> Result<Self, UsageError> {
        match (s.task.as_ref(), s.dataset.as_ref(), &s.train_file) {
            (None, None, None) => Err(UsageError(
                "name what to train on, with --task or --train-file".into(),
            )),
            (None, None, Some(train)) => Self::tables(s, train),
            (Some(name), None, None) | (None, Some(name), None) if name == SYNTHETIC => {
                Ok(TextSource::Synthetic)
            }
            (Some(name), None, None) | (None, Some(name), None) => match name.parse() {
                Ok(task) => Ok(TextSource::Task(task)),
                Err(error) => Err(UsageError(format!("--task: {error}; or {SYNTHETIC}"))),
            },
            _ => Err(UsageError(
                "--task, --dataset and --train-file name different data: give one of them".into(),
            )),
        }
    }

    fn tables(s: &Settings, train: &FilePlace) -> Result<Self, UsageError> {
        let name = train.to_string();
        let plain = name.ends_with(".txt") || name.ends_with(".txt.gz");
        if s.method.is_some_and(MethodName::is_language_model) {
            let column = match s.columns.as_deref() {
                Some([column]) if !plain => Some(sentence_column(column)?),
                _ => None,
            };
            if plain || column.is_some() {
                let file = train.absolute();
                return Ok(TextSource::Sentences { file, column });
            }
        }
        let usual = || vec!["sentence".to_string(), "label".to_string()];
        let (first, second, answer) = match s.columns.clone().unwrap_or_else(usual).as_slice() {
            [first, answer] => (first.clone(), None, answer.clone()),
            [first, second, answer] => (first.clone(), Some(second.clone()), answer.clone()),
            _ => {
                return Err(UsageError(
                    "--columns: name two or three, such as sentence,label or premise,hypothesis,label; one alone with --method mlm"
                        .into(),
                ));
            }
        };
        Ok(TextSource::Tables {
            train: train.absolute(),
            dev: s.dev_file.as_ref().map(FilePlace::absolute),
            test: s.test_file.as_ref().map(FilePlace::absolute),
            columns: Columns {
                first,
                second,
                answer,
            },
            scores: s.scores.unwrap_or(false),
        })
    }

    /// A setting that was given and that this source does not read, by its flag.
    pub(super) fn without_part(&self, s: &Settings) -> Option<&'static str> {
        let tables = matches!(self, TextSource::Tables { .. });
        let task = matches!(self, TextSource::Task(_));
        let column = matches!(self, TextSource::Sentences { column: Some(_), .. });
        let unread = [
            (s.dev_file.is_some() && !tables, "--dev-file"),
            (s.test_file.is_some() && !tables, "--test-file"),
            (s.columns.is_some() && !tables && !column, "--columns"),
            (s.scores.is_some() && !tables, "--scores"),
            (s.data_dir.is_some() && !task, "--data-dir"),
            (s.advglue.is_some() && !task, "--advglue"),
        ];
        unread.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
    }

    /// Whether the answers are numbers.
    pub fn is_scored(&self) -> bool {
        match self {
            TextSource::Task(task) => task.problem() == Problem::Score,
            TextSource::Tables { scores, .. } => *scores,
            TextSource::Synthetic | TextSource::Sentences { .. } => false,
        }
    }

    /// In one word.
    pub fn name(&self) -> String {
        match self {
            TextSource::Task(task) => task.to_string(),
            TextSource::Synthetic => SYNTHETIC.into(),
            TextSource::Tables { train: file, .. } | TextSource::Sentences { file, .. } => file.name(),
        }
    }
}

/// A column by its name, or by its number, from 1, in a table without header.
pub(crate) fn sentence_column(text: &str) -> Result<SentenceColumn, UsageError> {
    match text.parse() {
        Ok(0) => Err(UsageError("--columns 0: columns count from 1".into())),
        Ok(number) => Ok(SentenceColumn::Numbered(number)),
        Err(_) => Ok(SentenceColumn::Named(text.into())),
    }
}
