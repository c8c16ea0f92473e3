//! The formats of published files.

use super::format::{Broken, Column, Format, Table};
use super::lines::Encoding;

pub(super) const fn single(first: &'static str, answer: &'static str) -> Format {
    Format::Table(Table {
        first: Column::Named(first),
        second: None,
        answer: Column::Named(answer),
        skip_unanswered: false,
        broken: Broken::Refused,
    })
}

pub(super) const fn pair(first: &'static str, second: &'static str, answer: &'static str) -> Format {
    Format::Table(Table {
        first: Column::Named(first),
        second: Some(Column::Named(second)),
        answer: Column::Named(answer),
        skip_unanswered: false,
        broken: Broken::Refused,
    })
}

pub(super) const fn at(first: usize, second: Option<usize>, answer: usize) -> Format {
    Format::Table(Table {
        first: Column::At(first),
        second: match second {
            Some(second) => Some(Column::At(second)),
            None => None,
        },
        answer: Column::At(answer),
        skip_unanswered: true,
        broken: Broken::Refused,
    })
}

/// Some rows of the published files have a line break in a question, or no second question.
pub(super) const QUESTIONS: Format = Format::Table(Table {
    first: Column::Named("question1"),
    second: Some(Column::Named("question2")),
    answer: Column::Named("is_duplicate"),
    skip_unanswered: false,
    broken: Broken::Skipped,
});
pub(super) const GLUE_PAIR: Format = pair("sentence1", "sentence2", "label");
pub(super) const ENTAILMENT: Format = pair("sentence1", "sentence2", "gold_label");
pub(super) const PARAPHRASE: Format = pair("#1 String", "#2 String", "Quality");
pub(super) const COLA: Format = at(3, None, 1);
pub(super) const SICK: [Format; 2] = [
    pair("sentence_A", "sentence_B", "entailment_judgment"),
    pair("sentence_A", "sentence_B", "relatedness_score"),
];
pub(super) const NLI: Format = at(0, Some(1), 2);
pub(super) const UTF8: Encoding = Encoding::Utf8;
pub(super) const LATIN1: Encoding = Encoding::Latin1;
