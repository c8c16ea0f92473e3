//! Where sentences come from.

use super::settings::Settings;
use crate::usage::UsageError;
use adv_data::text::{Columns, Problem, TaskId};
use std::path::PathBuf;

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
        train: PathBuf,
        /// To choose by.
        dev: Option<PathBuf>,
        /// To test on.
        test: Option<PathBuf>,
        /// What the columns hold.
        columns: Columns,
        /// Whether answers are numbers.
        scores: bool,
    },
    /// One sentence a line, without answers.
    Lines(PathBuf),
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

    fn tables(s: &Settings, train: &PathBuf) -> Result<Self, UsageError> {
        let name = train.to_string_lossy();
        let plain = name.ends_with(".txt") || name.ends_with(".txt.gz");
        if s.method.is_some_and(|method| method.is_language_model()) && plain {
            return Ok(TextSource::Lines(super::absolute(train)));
        }
        let usual = || vec!["sentence".to_string(), "label".to_string()];
        let (first, second, answer) = match s.columns.clone().unwrap_or_else(usual).as_slice() {
            [first, answer] => (first.clone(), None, answer.clone()),
            [first, second, answer] => (first.clone(), Some(second.clone()), answer.clone()),
            _ => {
                return Err(UsageError(
                    "--columns: name two or three, such as sentence,label or premise,hypothesis,label".into(),
                ));
            }
        };
        Ok(TextSource::Tables {
            train: super::absolute(train),
            dev: s.dev_file.as_ref().map(super::absolute),
            test: s.test_file.as_ref().map(super::absolute),
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
        let unread = [
            (s.dev_file.is_some() && !tables, "--dev-file"),
            (s.test_file.is_some() && !tables, "--test-file"),
            (s.columns.is_some() && !tables, "--columns"),
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
            TextSource::Synthetic | TextSource::Lines(_) => false,
        }
    }

    /// In one word.
    pub fn name(&self) -> String {
        match self {
            TextSource::Task(task) => task.to_string(),
            TextSource::Synthetic => SYNTHETIC.into(),
            TextSource::Tables { train: path, .. } | TextSource::Lines(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.split('.').next().unwrap_or("table").into()
            }
        }
    }
}
