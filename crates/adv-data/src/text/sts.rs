//! Semantic textual similarity: the seven tasks that sentence embeddings are measured on.

use super::lines::{Encoding, lines};
use super::{Answer, TaskId, TextDataError, TextSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A task of sentence similarity (SentEval; Conneau and Kiela 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StsTask {
    /// SemEval 2012.
    Sts12,
    /// SemEval 2013, without SMT.
    Sts13,
    /// SemEval 2014.
    Sts14,
    /// SemEval 2015.
    Sts15,
    /// SemEval 2016.
    Sts16,
    /// The STS benchmark's part to test on.
    StsBTest,
    /// SICK's part to test on.
    SickR,
    /// The STS benchmark's part to choose by. None of the seven.
    StsBDev,
}

/// Two sentences and how similar people find them.
#[derive(Debug, Clone, PartialEq)]
pub struct StsPair {
    /// One.
    pub first: String,
    /// The other.
    pub second: String,
    /// From 0 to 5; of SICK from 1 to 5.
    pub score: f64,
}

/// A part of a task: one of a year's sources, or the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StsSubset {
    /// Its name.
    pub name: String,
    /// The pairs with a score.
    pub pairs: Vec<StsPair>,
}

/// The sources of a year: SentEval's name, and another one under which files are found.
type Sources = &'static [(&'static str, &'static str)];

impl StsTask {
    /// The seven that published averages are over.
    pub const SEVEN: [StsTask; 7] = [
        StsTask::Sts12,
        StsTask::Sts13,
        StsTask::Sts14,
        StsTask::Sts15,
        StsTask::Sts16,
        StsTask::StsBTest,
        StsTask::SickR,
    ];

    /// All by name.
    pub const ALL: [(&'static str, StsTask); 8] = [
        ("STS12", StsTask::Sts12),
        ("STS13", StsTask::Sts13),
        ("STS14", StsTask::Sts14),
        ("STS15", StsTask::Sts15),
        ("STS16", StsTask::Sts16),
        ("STSB-test", StsTask::StsBTest),
        ("SICK-R", StsTask::SickR),
        ("STSB-dev", StsTask::StsBDev),
    ];

    /// The name, as tables have it.
    pub fn name(self) -> &'static str {
        let hit = Self::ALL.iter().find(|(_, task)| *task == self);
        hit.map_or("", |(name, _)| name)
    }

    /// Reads the task from a folder of data sets. The years are `sts/STS12/MSRpar.test.tsv` and so on (score, sentence, sentence), or lie
    /// as SentEval has them, `STS/STS12-en-test/STS.input.MSRpar.txt` with `STS.gs.MSRpar.txt`; the others are those of [`TaskId`].
    /// Pairs without a score are left out, and white space is one blank.
    ///
    /// Errors: no file of the task there; one that cannot be read; a line that makes no pair.
    pub fn read(self, root: &Path) -> Result<Vec<StsSubset>, TextDataError> {
        let (year, sources): (&str, Sources) = match self {
            StsTask::StsBTest | StsTask::StsBDev => {
                let splits = TaskId::StsB.read(None, Some(root))?;
                let part = if self == StsTask::StsBDev {
                    splits.dev
                } else {
                    splits.test
                };
                return self.whole(part, root);
            }
            StsTask::SickR => {
                let splits = TaskId::SickR.read(None, Some(root))?;
                return self.whole(splits.test, root);
            }
            StsTask::Sts12 => (
                "12",
                &[
                    ("MSRpar", "MSRpar"),
                    ("MSRvid", "MSRvid"),
                    ("SMTeuroparl", "SMTeuroparl"),
                    ("surprise.OnWN", "OnWN"),
                    ("surprise.SMTnews", "SMTnews"),
                ],
            ),
            StsTask::Sts13 => (
                "13",
                &[("FNWN", "FNWN"), ("headlines", "headlines"), ("OnWN", "OnWN")],
            ),
            StsTask::Sts14 => (
                "14",
                &[
                    ("deft-forum", "deft-forum"),
                    ("deft-news", "deft-news"),
                    ("headlines", "headlines"),
                    ("images", "images"),
                    ("OnWN", "OnWN"),
                    ("tweet-news", "tweet-news"),
                ],
            ),
            StsTask::Sts15 => (
                "15",
                &[
                    ("answers-forums", "answers-forums"),
                    ("answers-students", "answers-students"),
                    ("belief", "belief"),
                    ("headlines", "headlines"),
                    ("images", "images"),
                ],
            ),
            StsTask::Sts16 => (
                "16",
                &[
                    ("answer-answer", "answer-answer"),
                    ("headlines", "headlines"),
                    ("plagiarism", "plagiarism"),
                    ("postediting", "postediting"),
                    ("question-question", "question-question"),
                ],
            ),
        };
        let own = root.join(format!("sts/STS{year}"));
        let sent_eval = root.join(format!("STS/STS{year}-en-test"));
        let subset = |(name, short): &(&str, &str)| {
            let table = own.join(format!("{short}.test.tsv"));
            let input = sent_eval.join(format!("STS.input.{name}.txt"));
            let pairs = if table.is_file() {
                scored_lines(&table)
            } else if input.is_file() {
                two_files(&input, &sent_eval.join(format!("STS.gs.{name}.txt")))
            } else {
                let files = [table, input].map(|path| shown(&path, root));
                return Err(self.missing(files.to_vec(), root));
            };
            Ok(StsSubset {
                name: (*name).into(),
                pairs: pairs?,
            })
        };
        sources.iter().map(subset).collect()
    }

    fn missing(self, files: Vec<String>, root: &Path) -> TextDataError {
        TextDataError::NoFiles {
            task: self.name().into(),
            files,
            root: root.to_path_buf(),
        }
    }

    /// A task in one part.
    fn whole(self, part: Option<TextSet>, root: &Path) -> Result<Vec<StsSubset>, TextDataError> {
        // GLUE's own copy has no scores to test on.
        let part = part.ok_or_else(|| self.missing(vec!["sts/STSBenchmark/sts-test.csv".into()], root))?;
        let pairs = part
            .rows()
            .iter()
            .filter_map(|row| match (&row.second, row.answer) {
                (Some(second), Answer::Score(score)) => Some(StsPair {
                    first: one_blank(&row.first),
                    second: one_blank(second),
                    score: f64::from(score),
                }),
                _ => None,
            });
        Ok(vec![StsSubset {
            name: self.name().into(),
            pairs: pairs.collect(),
        }])
    }
}

/// A path as it is below the folder of data sets.
fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A pair, unless it has no score.
fn pair(
    path: &Path,
    line: usize,
    score: &str,
    first: &str,
    second: &str,
) -> Result<Option<StsPair>, TextDataError> {
    let path = || path.to_path_buf();
    let score = score.trim();
    if score.is_empty() {
        return Ok(None);
    }
    let number = score.parse().ok().filter(|number: &f64| number.is_finite());
    let number = number.ok_or_else(|| TextDataError::BadScore {
        path: path(),
        line,
        score: score.into(),
    })?;
    let [first, second] = [first, second].map(one_blank);
    if first.is_empty() || second.is_empty() {
        return Err(TextDataError::EmptySentence { path: path(), line });
    }
    Ok(Some(StsPair {
        first,
        second,
        score: number,
    }))
}

/// Columns of a line: `wanted` of them at least.
fn columns(path: &Path, line: usize, text: &str, wanted: usize) -> Result<Vec<String>, TextDataError> {
    let cells: Vec<String> = text.split('\t').map(String::from).collect();
    if cells.len() < wanted {
        return Err(TextDataError::TooFewColumns {
            path: path.to_path_buf(),
            line,
            found: cells.len(),
            wanted,
        });
    }
    Ok(cells)
}

/// `score<TAB>sentence<TAB>sentence`.
fn scored_lines(path: &Path) -> Result<Vec<StsPair>, TextDataError> {
    let mut pairs = Vec::new();
    for (line, text) in lines(path, Encoding::Utf8)? {
        let cells = columns(path, line, &text, 3)?;
        pairs.extend(pair(path, line, &cells[0], &cells[1], &cells[2])?);
    }
    some(pairs, path)
}

/// `sentence<TAB>sentence`, and scores in a file of their own, where a line may be empty.
fn two_files(input: &Path, scores: &Path) -> Result<Vec<StsPair>, TextDataError> {
    let texts = lines(input, Encoding::Utf8)?;
    let by_line: std::collections::BTreeMap<usize, String> =
        lines(scores, Encoding::Utf8)?.into_iter().collect();
    let mut pairs = Vec::new();
    for (line, text) in texts {
        let cells = columns(input, line, &text, 2)?;
        // A line that is not there has no score.
        let score = by_line.get(&line).map_or("", String::as_str);
        pairs.extend(pair(scores, line, score, &cells[0], &cells[1])?);
    }
    some(pairs, scores)
}

fn some(pairs: Vec<StsPair>, path: &Path) -> Result<Vec<StsPair>, TextDataError> {
    if pairs.is_empty() {
        let path: PathBuf = path.into();
        return Err(TextDataError::NoRows { path });
    }
    Ok(pairs)
}

impl fmt::Display for StsTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for StsTask {
    type Err = TextDataError;

    fn from_str(name: &str) -> Result<Self, TextDataError> {
        let hit = Self::ALL
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        hit.map(|(_, task)| *task)
            .ok_or_else(|| TextDataError::UnknownTask {
                name: name.into(),
                known: Self::ALL.map(|(name, _)| name).join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn both_layouts_give_the_same_pairs() {
        let sources = ["FNWN", "headlines", "OnWN"];
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in sources {
            write(
                one.path(),
                &format!("sts/STS13/{name}.test.tsv"),
                "2.5\ta  b\tc\n\tno\tscore\n0\td\te f\n",
            );
            write(
                other.path(),
                &format!("STS/STS13-en-test/STS.input.{name}.txt"),
                "a  b\tc\nno\tscore\nd\te f\n",
            );
            write(
                other.path(),
                &format!("STS/STS13-en-test/STS.gs.{name}.txt"),
                "2.5\n\n0\n",
            );
        }
        let [one, other] = [&one, &other].map(|root| StsTask::Sts13.read(root.path()).unwrap());
        assert_eq!(one, other);
        assert_eq!(
            one.iter().map(|subset| &*subset.name).collect::<Vec<_>>(),
            sources
        );
        assert_eq!(one[0].pairs.len(), 2);
        assert_eq!(one[0].pairs[0].first, "a b");
        assert_eq!(one[0].pairs[0].score, 2.5);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        let table = [
            ("2.5\ta\n", "line 1: 2 columns, column 3 is needed"),
            ("1\ta\tb\nmuch\ta\tb\n", "line 2: the score `much` is no number"),
            ("1\ta\t \n", "line 1: the sentence is empty"),
            ("\ta\tb\n", "holds no sentence"),
        ];
        for (text, said) in table {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), "sts/STS13/FNWN.test.tsv", text);
            let error = StsTask::Sts13.read(root.path()).unwrap_err().to_string();
            assert!(error.contains("FNWN.test.tsv") && error.contains(said), "{error}");
        }
        let root = tempfile::tempdir().unwrap();
        let error = StsTask::Sts13.read(root.path()).unwrap_err().to_string();
        assert!(
            error.contains("sts/STS13/FNWN.test.tsv or STS/STS13-en-test"),
            "{error}"
        );
        assert!("STS17".parse::<StsTask>().is_err());
    }
}
