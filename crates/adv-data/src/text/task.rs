//! The known tasks: where their files are, and what is in them.

use super::format::rows;
use super::layouts::{LAYOUTS, Layout, Part};
use super::set::{Problem, TextSet};
use super::{TextDataError, advglue};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A task with files this crate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskId {
    /// Sentiment of phrases and sentences of film reviews (GLUE; Socher et al. 2013).
    Sst2,
    /// The same, whole sentences only.
    Sst2Sentences,
    /// The same in five classes.
    Sst5,
    /// Paraphrases (Dolan and Brockett 2005).
    Mrpc,
    /// Entailment (GLUE).
    Rte,
    /// Acceptability of sentences (Warstadt et al. 2019).
    Cola,
    /// Similarity, a score from 0 to 5 (Cer et al. 2017).
    StsB,
    /// Whom a pronoun means, as entailment (GLUE).
    Wnli,
    /// Duplicate questions (GLUE).
    Qqp,
    /// Whether a sentence answers a question (GLUE).
    Qnli,
    /// Entailment in several genres (Williams et al. 2018), tested on the genres of the training rows.
    Mnli,
    /// The same, tested on other genres.
    MnliMismatched,
    /// Entailment of SICK (Marelli et al. 2014).
    SickE,
    /// Relatedness of SICK, a score from 1 to 5.
    SickR,
    /// Entailment of image captions (Bowman et al. 2015).
    Snli,
    /// Entailment of science questions (Khot et al. 2018).
    SciTail,
    /// Sentiment of film reviews (Pang and Lee 2005).
    Mr,
    /// Sentiment of whole film reviews (Pang and Lee 2004, polarity 2.0); the last of ten folds, cv900 to cv999, is tested on.
    MovieReviews,
    /// Sentiment of product reviews (Hu and Liu 2004).
    Cr,
    /// Subjective or objective (Pang and Lee 2004).
    Subj,
    /// Polarity of opinions (Wiebe et al. 2005).
    Mpqa,
    /// Types of questions (Li and Roth 2002).
    Trec,
}

/// A task in its published parts.
#[derive(Debug, Clone)]
pub struct TextSplits {
    /// To train on. Some collections have none.
    pub train: Option<TextSet>,
    /// To choose by.
    pub dev: Option<TextSet>,
    /// To test on.
    pub test: Option<TextSet>,
    /// The folder they were read from; empty for a generated corpus.
    pub folder: PathBuf,
    /// What a reader should know of the parts, such as rows that were skipped.
    pub notes: Vec<String>,
}

impl TaskId {
    /// All tasks by name.
    pub const ALL: [(&'static str, TaskId); 22] = [
        ("sst2", TaskId::Sst2),
        ("sst2-sentences", TaskId::Sst2Sentences),
        ("sst5", TaskId::Sst5),
        ("mrpc", TaskId::Mrpc),
        ("rte", TaskId::Rte),
        ("cola", TaskId::Cola),
        ("stsb", TaskId::StsB),
        ("wnli", TaskId::Wnli),
        ("qqp", TaskId::Qqp),
        ("qnli", TaskId::Qnli),
        ("mnli", TaskId::Mnli),
        ("mnli-mm", TaskId::MnliMismatched),
        ("sick-e", TaskId::SickE),
        ("sick-r", TaskId::SickR),
        ("snli", TaskId::Snli),
        ("scitail", TaskId::SciTail),
        ("mr", TaskId::Mr),
        ("movie-reviews", TaskId::MovieReviews),
        ("cr", TaskId::Cr),
        ("subj", TaskId::Subj),
        ("mpqa", TaskId::Mpqa),
        ("trec", TaskId::Trec),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        let hit = Self::ALL.iter().find(|(_, task)| *task == self);
        hit.map_or("", |(name, _)| name)
    }

    /// What is to be said. The order of classes is that of GLUE's own numbers.
    pub fn problem(self) -> Problem {
        let names: &[&str] = match self {
            TaskId::StsB | TaskId::SickR => return Problem::Score,
            TaskId::Sst2
            | TaskId::Sst2Sentences
            | TaskId::Mr
            | TaskId::MovieReviews
            | TaskId::Cr
            | TaskId::Mpqa => &["negative", "positive"],
            TaskId::Sst5 => &[
                "very negative",
                "negative",
                "neutral",
                "positive",
                "very positive",
            ],
            TaskId::Mrpc => &["not_equivalent", "equivalent"],
            TaskId::Rte | TaskId::Qnli => &["entailment", "not_entailment"],
            TaskId::Cola => &["unacceptable", "acceptable"],
            TaskId::Wnli => &["not_entailment", "entailment"],
            TaskId::Qqp => &["not_duplicate", "duplicate"],
            TaskId::Mnli | TaskId::MnliMismatched | TaskId::SickE | TaskId::Snli => {
                &["entailment", "neutral", "contradiction"]
            }
            TaskId::SciTail => &["entails", "neutral"],
            TaskId::Subj => &["subjective", "objective"],
            TaskId::Trec => &["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"],
        };
        Problem::classes(names.iter().copied())
    }

    /// Reads the task. `folder`: the folder with its files; `root`: a folder of data sets, in which each task has its own. Files
    /// may be gzip-compressed, with `.gz` behind their names.
    ///
    /// Errors: no file of the task there; one that cannot be read; a line that makes no row.
    pub fn read(self, folder: Option<&Path>, root: Option<&Path>) -> Result<TextSplits, TextDataError> {
        let places: Vec<(&Layout, PathBuf)> = LAYOUTS
            .iter()
            .filter(|(task, _)| *task == self)
            .filter_map(|(_, layout)| match (folder, root) {
                (Some(folder), _) => Some((layout, folder.to_path_buf())),
                (None, Some(root)) => Some((layout, root.join(layout.folder))),
                (None, None) => None,
            })
            .collect();
        // Layouts share names of files: the one whose folder this is goes first, then a complete one, then one that is begun.
        let there = |place: &Path, name: &str| existing(place, name).is_some();
        let all = |(layout, place): &&(&Layout, PathBuf)| layout.files().all(|name| there(place, name));
        let begun =
            |(layout, place): &&(&Layout, PathBuf)| layout.files().take(1).all(|name| there(place, name));
        let own = |row: &&(&Layout, PathBuf)| {
            folder.is_some_and(|folder| folder.ends_with(row.0.folder)) && begun(row)
        };
        let found = places.iter().find(own);
        let found = found
            .or_else(|| places.iter().find(all))
            .or_else(|| places.iter().find(begun));
        if let Some((layout, place)) = found {
            let mut notes = Vec::new();
            let parts = layout.parts();
            let [train, dev, test] = parts.map(|part| read_part(place, part, &self.problem(), &mut notes));
            return Ok(TextSplits {
                train: train?,
                dev: dev?,
                test: match test {
                    // GLUE's own test files have no labels.
                    Err(TextDataError::NoColumn { .. }) => None,
                    test => test?,
                },
                folder: place.clone(),
                notes,
            });
        }
        let missing = places.iter().filter_map(|(layout, place)| {
            let file = place.join(layout.files().next()?);
            let below = root
                .and_then(|root| file.strip_prefix(root).ok())
                .map(Path::to_path_buf);
            Some(below.unwrap_or(file).display().to_string())
        });
        Err(TextDataError::NoFiles {
            task: self.name().into(),
            files: missing.collect(),
            root: folder
                .or(root)
                .unwrap_or(Path::new("no folder at all"))
                .to_path_buf(),
        })
    }

    /// The adversarially changed rows that AdvGLUE has for this task (Wang et al. 2021), from its `dev.json`; none where it has
    /// none.
    pub fn read_advglue(self, file: &Path) -> Result<Option<TextSet>, TextDataError> {
        let (name, first, second) = match self {
            TaskId::Sst2 | TaskId::Sst2Sentences => ("sst2", "sentence", None),
            TaskId::Qqp => ("qqp", "question1", Some("question2")),
            TaskId::Mnli | TaskId::SickE | TaskId::Snli => ("mnli", "premise", Some("hypothesis")),
            TaskId::MnliMismatched => ("mnli-mm", "premise", Some("hypothesis")),
            TaskId::Qnli => ("qnli", "question", Some("sentence")),
            TaskId::Rte => ("rte", "sentence1", Some("sentence2")),
            _ => return Ok(None),
        };
        advglue::read(file, name, first, second, self.problem()).map(Some)
    }
}

/// The file, or its compressed form.
fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_string(), format!("{name}.gz")]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn read_part(
    folder: &Path,
    part: &[Part],
    problem: &Problem,
    notes: &mut Vec<String>,
) -> Result<Option<TextSet>, TextDataError> {
    if part.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for (name, format) in part {
        // A file that is not there is an error where it is read, with its name.
        let path = existing(folder, name).unwrap_or_else(|| folder.join(name));
        let found = rows(&path, *format, problem)?;
        all.extend(found.rows);
        notes.extend(found.notes);
    }
    Ok(Some(TextSet::new(problem.clone(), all)))
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TaskId {
    type Err = TextDataError;

    fn from_str(name: &str) -> Result<Self, TextDataError> {
        let hit = Self::ALL.iter().find(|(known, _)| *known == name);
        hit.map(|(_, task)| *task)
            .ok_or_else(|| TextDataError::UnknownTask {
                name: name.into(),
                known: Self::ALL.map(|(name, _)| name).join(", "),
            })
    }
}
