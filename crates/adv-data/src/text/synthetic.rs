//! A generated corpus for trying things out.

use super::TextSplits;
use super::set::{Answer, Problem, TextRow, TextSet};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::HashSet;
use std::path::PathBuf;

const THINGS: [&str; 16] = [
    "film",
    "plot",
    "script",
    "cast",
    "ending",
    "music",
    "camera work",
    "dialogue",
    "pacing",
    "lead actor",
    "story",
    "opening scene",
    "soundtrack",
    "direction",
    "comedy",
    "romance",
];
const GOOD: [&str; 16] = [
    "wonderful",
    "moving",
    "clever",
    "superb",
    "charming",
    "gripping",
    "fresh",
    "delightful",
    "brilliant",
    "funny",
    "touching",
    "elegant",
    "memorable",
    "rich",
    "honest",
    "stunning",
];
const BAD: [&str; 16] = [
    "dull",
    "clumsy",
    "tedious",
    "awful",
    "shallow",
    "lifeless",
    "stale",
    "annoying",
    "messy",
    "boring",
    "hollow",
    "predictable",
    "forgettable",
    "weak",
    "fake",
    "ugly",
];
const DEGREES: [&str; 6] = ["", "very ", "really ", "quite ", "rather ", "truly "];
const OPENINGS: [&str; 6] = [
    "",
    "overall , ",
    "to be fair , ",
    "i must say , ",
    "in short , ",
    "all in all , ",
];
const LINKS: [&str; 3] = ["but", "yet", "although at first it seemed otherwise ,"];

/// Words are drawn from here.
struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    /// "the plot is very moving", or its denied opposite: "the plot is not dull".
    fn clause(&mut self, good: bool) -> String {
        let thing = self.of(&THINGS);
        if self.below(4) == 0 {
            let opposite = self.of(if good { &BAD } else { &GOOD });
            return format!("the {thing} is not {opposite}");
        }
        let word = self.of(if good { &GOOD } else { &BAD });
        format!("the {thing} is {}{word}", self.of(&DEGREES))
    }

    /// One clause, two of a mind, or two that disagree, of which the last one counts.
    fn sentence(&mut self, good: bool) -> String {
        let opening = self.of(&OPENINGS);
        let last = self.clause(good);
        let whole = match self.below(3) {
            0 => last,
            1 => format!("{} and {last}", self.clause(good)),
            _ => format!("{} , {} {last}", self.clause(!good), self.of(&LINKS)),
        };
        format!("{opening}{whole} .")
    }
}

/// `synth-sentiment`: sentences made by a small grammar, with two classes; **not** real language, and no measure of anything but that
/// the machinery works. Denials and disagreeing clauses are in it, so that counting words does not solve it. 2000 sentences to
/// train on, 400 to choose by, 400 to test on; none occurs twice.
pub fn synth_sentiment() -> TextSplits {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(20));
    let mut seen = HashSet::new();
    let mut part = |count: usize| {
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            let good = rows.len() % 2 == 1;
            let first = draw.sentence(good);
            if seen.insert(first.clone()) {
                rows.push(TextRow {
                    first,
                    second: None,
                    answer: Answer::Class(u32::from(good)),
                });
            }
        }
        Some(TextSet::new(Problem::classes(["negative", "positive"]), rows))
    };
    TextSplits {
        train: part(2000),
        dev: part(400),
        test: part(400),
        folder: PathBuf::new(),
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn it_never_changes_and_repeats_nothing() {
        let splits = synth_sentiment();
        let parts = [&splits.train, &splits.dev, &splits.test].map(|part| part.clone().expect("a part"));
        assert_eq!(parts.each_ref().map(TextSet::len), [2000, 400, 400]);
        let all: HashSet<_> = parts
            .iter()
            .flat_map(|part| part.rows())
            .map(|row| &row.first)
            .collect();
        assert_eq!(all.len(), 2800);
        assert_eq!(
            parts[0].rows()[0].first,
            "all in all , the lead actor is really lifeless and the direction is messy ."
        );
    }

    /// Naive Bayes, which looks at one word at a time, is far from perfect: order matters.
    #[test]
    fn words_alone_do_not_solve_it() {
        let splits = synth_sentiment();
        let (train, test) = (splits.train.expect("a part"), splits.test.expect("a part"));
        let mut counts: HashMap<&str, [f64; 2]> = HashMap::new();
        for row in train.rows() {
            let Answer::Class(class) = row.answer else {
                continue;
            };
            for word in row.first.split(' ') {
                counts.entry(word).or_insert([1.0; 2])[class as usize] += 1.0;
            }
        }
        let right = test.rows().iter().filter(|row| {
            let odds: f64 = row
                .first
                .split(' ')
                .filter_map(|word| counts.get(word))
                .map(|[n, p]| (p / n).ln())
                .sum();
            row.answer == Answer::Class(u32::from(odds > 0.0))
        });
        let share = right.count() as f64 / test.len() as f64;
        assert!((0.55..0.85).contains(&share), "{share}");
    }
}
