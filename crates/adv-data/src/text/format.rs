//! From lines to rows.

use super::TextDataError;
use super::documents::{self, Fold};
use super::lines::{Encoding, Line, lines};
use super::set::{Answer, Problem, TextRow, TextSet};
use std::path::Path;

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// By the name in the header.
    Named(&'static str),
    /// By its place, from 0, in a table without header.
    At(usize),
}

/// Which columns of a tab-separated table hold what. No quoting, as in GLUE.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) first: Column,
    pub(super) second: Option<Column>,
    pub(super) answer: Column,
    /// Rows whose answer is empty are left out, as unscored pairs of STS.
    pub(super) skip_unanswered: bool,
    /// What becomes of rows without all columns, or with an empty sentence.
    pub(super) broken: Broken,
}

/// What becomes of broken rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// They are an error.
    Refused,
    /// They are left out and counted: they are in the published file.
    Skipped,
}

/// The rows of a file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<TextRow>,
    /// What a reader should know of them.
    pub(super) notes: Vec<String>,
}

/// How a file holds its rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// A table.
    Table(Table),
    /// Label, blank, sentence.
    LabelFirst,
    /// Sentences of one class.
    Lines(u32, Encoding),
    /// `COARSE:fine sentence` (TREC); the coarse class counts.
    Trec,
    /// An archive with a file for each document.
    Documents(Fold),
}

/// Reads the rows of a file.
pub(super) fn rows(path: &Path, format: Format, problem: &Problem) -> Result<Rows, TextDataError> {
    let reader = Reader {
        path,
        problem,
        labels: Labels::Published,
    };
    let plain = |rows: Result<Vec<TextRow>, TextDataError>| {
        let notes = Vec::new();
        rows.map(|rows| Rows { rows, notes })
    };
    let found = match format {
        Format::Table(table) => reader.table(lines(path, Encoding::Utf8)?, table)?,
        Format::Documents(fold) => documents::read(&reader, fold)?,
        Format::LabelFirst => {
            let whole = lines(path, Encoding::Utf8)?.into_iter();
            let split = whole.map(|(line, text)| {
                let (label, sentence) = text.split_once(' ').unwrap_or((&text, ""));
                reader.row(line, sentence, None, label)
            });
            plain(split.collect())?
        }
        Format::Lines(class, encoding) => {
            let whole = lines(path, encoding)?.into_iter();
            let answer = Answer::Class(class);
            let all = whole.map(|(line, text)| reader.with_answer(line, &text, None, answer));
            plain(all.collect())?
        }
        Format::Trec => {
            let whole = lines(path, Encoding::Latin1)?.into_iter();
            let split = whole.map(|(line, text)| {
                let (label, sentence) = text.split_once(' ').unwrap_or((&text, ""));
                let coarse = label.split_once(':').map_or(label, |(coarse, _)| coarse);
                reader.row(line, sentence, None, coarse)
            });
            plain(split.collect())?
        }
    };
    if found.rows.is_empty() {
        return Err(TextDataError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(found)
}

/// Reads a file with one sentence a line, gzip-compressed or not: sentences without answers. Lines of blanks are left out.
///
/// Errors: a file that cannot be read, a line that is no UTF-8, no sentence.
pub fn read_sentences(path: &Path) -> Result<TextSet, TextDataError> {
    let all = lines(path, Encoding::Utf8)?.into_iter();
    let rows: Vec<TextRow> = all
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(_, text)| TextRow {
            first: text.trim().into(),
            second: None,
            answer: Answer::Nothing,
        })
        .collect();
    if rows.is_empty() {
        return Err(TextDataError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(TextSet::new(Problem::Nothing, rows))
}

/// How a label is taken for a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// By its name as it stands: a user's own tables.
    Exact,
    /// By its name in any case, or by its number: published files, which number their classes in our order.
    Published,
}

/// What every way of reading needs: the file for errors, and the problem for answers.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) problem: &'a Problem,
    pub(super) labels: Labels,
}

impl Reader<'_> {
    fn table(&self, lines: Vec<Line>, table: Table) -> Result<Rows, TextDataError> {
        let named = matches!(table.first, Column::Named(_));
        let header: Vec<String> = match lines.first() {
            Some((_, text)) if named => text.split('\t').map(String::from).collect(),
            _ => Vec::new(),
        };
        let place = |column: Column| match column {
            Column::At(place) => Ok(place),
            Column::Named(name) => self.place(&header, name),
        };
        let first = place(table.first)?;
        let second = table.second.map(place).transpose()?;
        let answer = place(table.answer)?;
        let mut rows = Vec::with_capacity(lines.len());
        let (mut short, mut empty) = (0, 0);
        let skips = table.broken == Broken::Skipped;
        for (line, text) in lines.iter().skip(usize::from(named)) {
            let cells: Vec<&str> = text.split('\t').collect();
            let cell = |place: usize| {
                cells.get(place).copied().ok_or(TextDataError::TooFewColumns {
                    path: self.path.to_path_buf(),
                    line: *line,
                    found: cells.len(),
                    wanted: place + 1,
                })
            };
            let given = match cell(answer) {
                Err(_) if skips => {
                    short += 1;
                    continue;
                }
                given => given?,
            };
            if given.is_empty() && table.skip_unanswered {
                continue;
            }
            let second = second.map(cell).transpose()?;
            match self.row(*line, cell(first)?, second, given) {
                Err(TextDataError::EmptySentence { .. }) if skips => empty += 1,
                row => rows.push(row?),
            }
        }
        let column = match table.answer {
            Column::Named(name) => name.to_string(),
            Column::At(place) => format!("{}th", place + 1),
        };
        let notes = [
            self.skipped(short, &format!("no column {column}")),
            self.skipped(empty, "an empty sentence"),
        ];
        Ok(Rows {
            rows,
            notes: notes.into_iter().flatten().collect(),
        })
    }

    /// What is said of rows that were left out; nothing if there are none.
    fn skipped(&self, count: usize, which: &str) -> Option<String> {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        match count {
            0 => None,
            1 => Some(format!("a row of {file} was skipped: it has {which}")),
            _ => Some(format!("{count} rows of {file} were skipped: they have {which}")),
        }
    }

    /// The place of a column in a header.
    pub(super) fn place(&self, header: &[String], name: &str) -> Result<usize, TextDataError> {
        let place = header.iter().position(|column| column.trim() == name);
        place.ok_or_else(|| TextDataError::NoColumn {
            path: self.path.to_path_buf(),
            line: 1,
            column: name.into(),
            found: header.join(", "),
        })
    }

    /// A row with its answer still in words.
    pub(super) fn row(
        &self,
        line: usize,
        first: &str,
        second: Option<&str>,
        answer: &str,
    ) -> Result<TextRow, TextDataError> {
        self.with_answer(line, first, second, self.answer(line, answer.trim())?)
    }

    /// A row.
    pub(super) fn with_answer(
        &self,
        line: usize,
        first: &str,
        second: Option<&str>,
        answer: Answer,
    ) -> Result<TextRow, TextDataError> {
        if first.trim().is_empty() || second.is_some_and(|second| second.trim().is_empty()) {
            return Err(TextDataError::EmptySentence {
                path: self.path.to_path_buf(),
                line,
            });
        }
        Ok(TextRow {
            first: first.trim().into(),
            second: second.map(|second| second.trim().into()),
            answer,
        })
    }

    fn answer(&self, line: usize, text: &str) -> Result<Answer, TextDataError> {
        match self.problem {
            Problem::Nothing => Ok(Answer::Nothing),
            Problem::Score => match text.parse::<f32>() {
                Ok(score) if score.is_finite() => Ok(Answer::Score(score)),
                _ => Err(TextDataError::BadScore {
                    path: self.path.to_path_buf(),
                    line,
                    score: text.into(),
                }),
            },
            Problem::Classes(names) => {
                let exact = names.iter().position(|name| name == text);
                let published = || match self.labels {
                    Labels::Exact => None,
                    Labels::Published => {
                        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
                        named.or_else(|| text.parse().ok().filter(|&class: &usize| class < names.len()))
                    }
                };
                let class = exact
                    .or_else(published)
                    .ok_or_else(|| TextDataError::UnknownLabel {
                        path: self.path.to_path_buf(),
                        line,
                        label: text.into(),
                        known: names.join(", "),
                    })?;
                Ok(Answer::Class(class as u32))
            }
        }
    }
}
