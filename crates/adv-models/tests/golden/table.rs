//! The table of comparisons: prints all of them, and fails if one is off.

use super::changes::Changes;
use super::criterion::number_is_close;
use super::set::{Array, Set, norm};

pub struct Table<'a> {
    set: &'a Set,
    compared: usize,
    failures: Vec<String>,
}

impl<'a> Table<'a> {
    pub fn new(set: &'a Set) -> Self {
        Self {
            set,
            compared: 0,
            failures: Vec::new(),
        }
    }

    /// A tensor, by the criterion of the set.
    pub fn check(&mut self, name: &str, got: Array) {
        let (passed, text) = self.set.criterion(name).judge(&got, &self.set.tensor(name));
        self.row(name, passed, &text);
    }

    /// One number.
    pub fn value(&mut self, name: &str, got: f64) {
        self.values(name, &[got]);
    }

    /// A list of numbers.
    pub fn values(&mut self, name: &str, got: &[f64]) {
        let (want, float32) = self.set.numbers(name);
        let close = got
            .iter()
            .zip(&want)
            .zip(&float32)
            .all(|((g, w), f)| number_is_close(*g, *w, *f));
        self.row(
            name,
            close && got.len() == want.len(),
            &format!("{got:?}, expected {want:?}"),
        );
    }

    /// A count of samples: within 2.
    pub fn count(&mut self, name: &str, got: f64) {
        let want = self.set.numbers(name).0[0];
        self.row(
            name,
            (got - want).abs() <= 2.0,
            &format!("{got}, expected {want} (within 2)"),
        );
    }

    /// All that the set holds of the changes of a step: tensors, rows and sums of tensors, and norms.
    pub fn changes(&mut self, step: &str, changes: &Changes) {
        let prefix = format!("step/{step}/");
        let before = self.compared;
        for name in self.set.names() {
            let Some(part) = name.strip_prefix(&prefix) else {
                continue;
            };
            if let Some(got) = self.part(part, changes) {
                self.check(&name, got);
            }
        }
        assert!(self.compared > before, "the set holds no change of step {step}");
        let prefix = format!("step/{step}/l2/");
        for name in self.set.number_names() {
            if let Some(parameter) = name.strip_prefix(&prefix) {
                let change = changes
                    .get(parameter)
                    .unwrap_or_else(|| panic!("no parameter {parameter}"));
                self.value(&name, norm(&change.values));
            }
        }
    }

    /// `conv1.weight`, `fc1.weight_rows`, ...: that part of the changes, if it is one.
    fn part(&self, part: &str, changes: &Changes) -> Option<Array> {
        if let Some(change) = changes.get(part) {
            return Some(change.clone());
        }
        let of = |suffix: &str| part.strip_suffix(suffix).and_then(|name| changes.get(name));
        let sum = |values: &mut dyn Iterator<Item = &f32>| values.map(|v| f64::from(*v)).sum::<f64>() as f32;
        if let Some(change) = of("_rows") {
            let stride = self.set.config("fc1_row_stride") as usize;
            let rows: Vec<_> = change
                .values
                .chunks(change.row_length())
                .step_by(stride)
                .collect();
            return Some(Array {
                shape: vec![rows.len(), change.row_length()],
                values: rows.concat(),
            });
        }
        if let Some(change) = of("_row_sums") {
            let rows = change.values.chunks(change.row_length());
            let values: Vec<_> = rows.map(|row| sum(&mut row.iter())).collect();
            return Some(Array {
                shape: vec![values.len()],
                values,
            });
        }
        let change = of("_col_sums")?;
        let width = change.row_length();
        let column = |c| sum(&mut change.values[c..].iter().step_by(width));
        Some(Array {
            shape: vec![width],
            values: (0..width).map(column).collect(),
        })
    }

    fn row(&mut self, name: &str, passed: bool, text: &str) {
        self.compared += 1;
        let line = format!("{} {name}: {text}", if passed { "ok  " } else { "FAIL" });
        println!("{line}");
        if !passed {
            self.failures.push(line);
        }
    }

    pub fn finish(self) {
        assert!(self.compared > 0, "nothing was compared");
        assert!(
            self.failures.is_empty(),
            "{} of {} are off:\n{}",
            self.failures.len(),
            self.compared,
            self.failures.join("\n")
        );
    }
}
