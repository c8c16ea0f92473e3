//! Sentences with answers, in memory.

use std::sync::Arc;

/// What is to be said of a sentence or a pair.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// One of these classes.
    Classes(Arc<[String]>),
    /// A number.
    Score,
    /// Nothing: sentences alone.
    Nothing,
}

impl Problem {
    /// Classes by their names.
    pub fn classes<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Problem::Classes(names.into_iter().map(String::from).collect())
    }
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// The number of a class.
    Class(u32),
    /// A score.
    Score(f32),
    /// None.
    Nothing,
}

/// One sentence or a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRow {
    /// The first sentence.
    pub first: String,
    /// The second one of a pair.
    pub second: Option<String>,
    /// What is right.
    pub answer: Answer,
}

/// Rows of one problem. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct TextSet {
    problem: Problem,
    rows: Arc<[TextRow]>,
}

impl TextSet {
    pub(super) fn new(problem: Problem, rows: Vec<TextRow>) -> Self {
        Self {
            problem,
            rows: rows.into(),
        }
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The rows.
    pub fn rows(&self) -> &[TextRow] {
        &self.rows
    }

    /// The same sentences without their answers.
    pub fn unanswered(&self) -> Self {
        let rows = self.rows.iter().cloned().map(|row| TextRow {
            answer: Answer::Nothing,
            ..row
        });
        Self {
            problem: Problem::Nothing,
            rows: rows.collect(),
        }
    }

    /// These rows, then those of another set of the same problem.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            problem: self.problem.clone(),
            rows: self.rows.iter().chain(other.rows()).cloned().collect(),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first `n` rows.
    pub fn take(&self, n: usize) -> Self {
        self.pick(0..n.min(self.len()))
    }

    /// The rows at these places, in this order.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn pick(&self, places: impl IntoIterator<Item = usize>) -> Self {
        Self {
            problem: self.problem.clone(),
            rows: places.into_iter().map(|place| self.rows[place].clone()).collect(),
        }
    }

    /// The same rows in an order that the seed alone decides: files may be sorted by class.
    pub fn shuffled(&self, seed: u64) -> Self {
        self.pick(crate::order::permutation(
            self.len(),
            seed,
            0,
            *b"adv-data: mixed.",
        ))
    }

    /// All rows but `share` of them, and these, drawn without regard to classes; the same for the same seed.
    pub fn split(&self, share: f64, seed: u64) -> (Self, Self) {
        let order = crate::order::permutation(self.len(), seed, 0, *b"adv-data: split.");
        let apart = ((self.len() as f64 * share.clamp(0.0, 1.0)).round() as usize).min(self.len());
        let (second, first) = order.split_at(apart);
        let sorted = |places: &[usize]| {
            let mut places = places.to_vec();
            places.sort_unstable();
            self.pick(places)
        };
        (sorted(first), sorted(second))
    }
}
