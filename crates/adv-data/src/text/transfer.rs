//! Transfer tasks: what sentence embeddings know, told by a linear classifier.

use super::{Answer, TaskId, TextDataError, TextSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A transfer task (SentEval; Conneau and Kiela 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferTask {
    /// Movie reviews.
    Mr,
    /// Product reviews.
    Cr,
    /// Subjectivity.
    Subj,
    /// Opinion polarity.
    Mpqa,
    /// Sentiment, with the phrases of the training part.
    Sst2,
    /// Kinds of questions.
    Trec,
    /// Paraphrases.
    Mrpc,
}

/// How a task is cut into parts.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferParts {
    /// All rows, to be folded.
    Whole(TextSet),
    /// To train on, and to test on.
    Halves {
        /// To train on.
        train: TextSet,
        /// To test on.
        test: TextSet,
    },
    /// To train on, to choose by, to test on.
    Thirds {
        /// To train on.
        train: TextSet,
        /// To choose by.
        dev: TextSet,
        /// To test on.
        test: TextSet,
    },
}

impl TransferTask {
    /// The seven that published averages are over, with their names.
    pub const SEVEN: [(&'static str, TransferTask); 7] = [
        ("MR", TransferTask::Mr),
        ("CR", TransferTask::Cr),
        ("SUBJ", TransferTask::Subj),
        ("MPQA", TransferTask::Mpqa),
        ("SST2", TransferTask::Sst2),
        ("TREC", TransferTask::Trec),
        ("MRPC", TransferTask::Mrpc),
    ];

    /// The name, as tables have it.
    pub fn name(self) -> &'static str {
        let hit = Self::SEVEN.iter().find(|(_, task)| *task == self);
        hit.map_or("", |(name, _)| name)
    }

    /// Whether a row is a pair of sentences.
    pub fn has_pairs(self) -> bool {
        self == TransferTask::Mrpc
    }

    /// Reads the task from a folder of data sets, in the files of [`TaskId`].
    ///
    /// Errors: no file of the task there, a part without labels, a line that cannot be read.
    pub fn read(self, root: &Path) -> Result<TransferParts, TextDataError> {
        let task = match self {
            TransferTask::Mr => TaskId::Mr,
            TransferTask::Cr => TaskId::Cr,
            TransferTask::Subj => TaskId::Subj,
            TransferTask::Mpqa => TaskId::Mpqa,
            TransferTask::Sst2 => TaskId::Sst2,
            TransferTask::Trec => TaskId::Trec,
            TransferTask::Mrpc => TaskId::Mrpc,
        };
        let splits = task.read(None, Some(root))?;
        let lacks = |part: &str| TextDataError::NoFiles {
            task: self.name().into(),
            files: vec![format!("its part to {part}, with labels")],
            root: root.to_path_buf(),
        };
        let train = splits.train.ok_or_else(|| lacks("train on"))?;
        let test = splits.test;
        Ok(match self {
            TransferTask::Mr | TransferTask::Cr | TransferTask::Subj | TransferTask::Mpqa => {
                TransferParts::Whole(train)
            }
            TransferTask::Sst2 => TransferParts::Thirds {
                train,
                dev: splits.dev.ok_or_else(|| lacks("choose by"))?,
                test: test.ok_or_else(|| lacks("test on"))?,
            },
            TransferTask::Trec | TransferTask::Mrpc => TransferParts::Halves {
                // The published training part of MRPC is both.
                train: match splits.dev {
                    Some(dev) => train.and(&dev),
                    None => train,
                },
                test: test.ok_or_else(|| lacks("test on"))?,
            },
        })
    }
}

impl fmt::Display for TransferTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TransferTask {
    type Err = TextDataError;

    fn from_str(name: &str) -> Result<Self, TextDataError> {
        let hit = Self::SEVEN
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        hit.map(|(_, task)| *task)
            .ok_or_else(|| TextDataError::UnknownTask {
                name: name.into(),
                known: Self::SEVEN.map(|(name, _)| name).join(", "),
            })
    }
}

/// The classes of a set's rows, from 0.
pub fn classes_of(set: &TextSet) -> Vec<u32> {
    let answers = set.rows().iter().map(|row| row.answer);
    let classes = answers.filter_map(|answer| match answer {
        Answer::Class(class) => Some(class),
        Answer::Score(_) | Answer::Nothing => None,
    });
    classes.collect()
}
