//! The pass criteria of a golden set, and proof that each can fail.

use super::set::{Array, norm};
use serde_json::Value;

/// How close a tensor must be to the stored one. All parts that are given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Criterion {
    max_abs_diff: Option<f64>,
    min_fraction_within: Option<f64>,
    min_equal: Option<f64>,
    min_cosine_per_row: Option<f64>,
    row_l2: Option<f64>,
    max_row_l2_diff: Option<f64>,
}

impl Criterion {
    /// Panics on a part that it does not know, and on none at all: either would pass anything.
    pub fn parse(json: &Value) -> Self {
        let mut criterion = Self::default();
        let parts = json
            .as_object()
            .unwrap_or_else(|| panic!("not a criterion: {json}"));
        for (name, value) in parts {
            let part = match name.as_str() {
                "max_abs_diff" => &mut criterion.max_abs_diff,
                "min_fraction_within_1e-5" => &mut criterion.min_fraction_within,
                "min_equal" => &mut criterion.min_equal,
                "min_cosine_per_row" => &mut criterion.min_cosine_per_row,
                "row_l2" => &mut criterion.row_l2,
                "max_row_l2_diff" => &mut criterion.max_row_l2_diff,
                other => panic!("unknown criterion {other}"),
            };
            *part = Some(
                value
                    .as_f64()
                    .unwrap_or_else(|| panic!("criterion {name} is {value}")),
            );
        }
        assert_ne!(criterion, Self::default(), "an empty criterion");
        criterion
    }

    /// What was measured, and whether it is close enough.
    pub fn judge(&self, got: &Array, want: &Array) -> (bool, String) {
        if got.shape != want.shape {
            return (false, format!("shape {:?}, expected {:?}", got.shape, want.shape));
        }
        let pairs = || {
            got.values
                .iter()
                .zip(&want.values)
                .map(|(g, w)| (f64::from(*g), f64::from(*w)))
        };
        let share = |close: &dyn Fn(f64, f64) -> bool| {
            pairs().filter(|(g, w)| close(*g, *w)).count() as f64 / got.values.len() as f64
        };
        let mut verdict = Verdict {
            passed: true,
            text: Vec::new(),
        };
        if let Some(limit) = self.max_abs_diff {
            let largest = extreme(pairs().map(|(g, w)| (g - w).abs()), f64::max);
            verdict.add("max_abs_diff", largest, largest <= limit, limit);
        }
        if let Some(limit) = self.min_fraction_within {
            let within = share(&|g, w| (g - w).abs() < 1e-5);
            verdict.add("within_1e-5", within, within >= limit, limit);
        }
        if let Some(limit) = self.min_equal {
            let equal = share(&|g, w| g == w);
            verdict.add("equal", equal, equal >= limit, limit);
        }
        let rows = || {
            let length = got.row_length();
            got.values.chunks(length).zip(want.values.chunks(length))
        };
        if let Some(limit) = self.min_cosine_per_row {
            let cosine = |g: &[f32], w: &[f32]| {
                let dot: f64 = g.iter().zip(w).map(|(g, w)| f64::from(*g) * f64::from(*w)).sum();
                dot / (norm(g) * norm(w))
            };
            let least = extreme(rows().map(|(g, w)| cosine(g, w)), f64::min);
            verdict.add("cosine", least, least >= limit, limit);
        }
        if let (Some(length), Some(limit)) = (self.row_l2, self.max_row_l2_diff) {
            let largest = extreme(rows().map(|(g, _)| (norm(g) - length).abs()), f64::max);
            verdict.add("row_l2_diff", largest, largest <= limit, limit);
        }
        (verdict.passed, verdict.text.join(", "))
    }
}

/// The largest or least value; NaN if there is one, which `f64::max` would pass over.
fn extreme(values: impl Iterator<Item = f64>, pick: fn(f64, f64) -> f64) -> f64 {
    let kept = values.reduce(|a, b| {
        if a.is_nan() || b.is_nan() {
            f64::NAN
        } else {
            pick(a, b)
        }
    });
    kept.unwrap_or(f64::NAN)
}

struct Verdict {
    passed: bool,
    text: Vec<String>,
}

impl Verdict {
    fn add(&mut self, name: &str, measured: f64, passed: bool, limit: f64) {
        self.passed &= passed;
        self.text
            .push(format!("{name} {measured:.3e} (limit {limit:.3e})"));
    }
}

/// |got - want| <= max(1e-4 |want|, 5 |float32 run - want|).
pub fn number_is_close(got: f64, want: f64, float32: f64) -> bool {
    (got - want).abs() <= (1e-4 * want.abs()).max(5.0 * (float32 - want).abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn array(values: &[f32]) -> Array {
        Array {
            shape: vec![2, values.len() / 2],
            values: values.to_vec(),
        }
    }

    #[test]
    fn golden_criteria_pass_what_is_close_and_fail_what_is_not() {
        const WANT: [f32; 4] = [3.0, 4.0, 0.0, -5.0];
        for (criterion, close, far) in [
            (
                json!({"max_abs_diff": 1e-3}),
                [3.0005, 4.0, 0.0, -5.0],
                [3.002, 4.0, 0.0, -5.0],
            ),
            (json!({"max_abs_diff": 1e-3}), WANT, [3.0, f32::NAN, 0.0, -5.0]),
            (
                json!({"min_fraction_within_1e-5": 0.75}),
                [9.0, 4.0, 0.0, -5.0],
                [9.0, 4.1, 0.0, -5.0],
            ),
            (
                json!({"min_fraction_within_1e-5": 0.75}),
                [f32::NAN, 4.0, 0.0, -5.0],
                [f32::NAN, 4.0, f32::NAN, -5.0],
            ),
            (
                json!({"min_equal": 0.75}),
                [2.0, 4.0, 0.0, -5.0],
                [2.0, 4.0, 1.0, -5.0],
            ),
            (
                json!({"min_cosine_per_row": 0.99}),
                [6.0, 8.0, 0.0, -1.0],
                [3.0, 4.0, 2.0, -5.0],
            ),
            (
                json!({"min_cosine_per_row": 0.99}),
                WANT,
                [3.0, f32::NAN, 0.0, -5.0],
            ),
            (
                json!({"row_l2": 5.0, "max_row_l2_diff": 0.01}),
                [0.0, 5.0, 5.0, 0.0],
                [0.0, 5.0, 5.1, 0.0],
            ),
            // Both parts must hold.
            (
                json!({"max_abs_diff": 1.0, "min_fraction_within_1e-5": 0.75}),
                [3.5, 4.0, 0.0, -5.0],
                [3.5, 4.5, 0.0, -5.0],
            ),
            (
                json!({"max_abs_diff": 1.0, "min_fraction_within_1e-5": 0.75}),
                [3.5, 4.0, 0.0, -5.0],
                [4.5, 4.0, 0.0, -5.0],
            ),
        ] {
            let parsed = Criterion::parse(&criterion);
            let judge = |got: &[f32]| parsed.judge(&array(got), &array(&WANT));
            assert!(judge(&WANT).0, "{criterion} fails on equal tensors");
            assert!(judge(&close).0, "{criterion} fails on {close:?}");
            assert!(!judge(&far).0, "{criterion} passes {far:?}");
            let reshaped = Array {
                shape: vec![4, 1],
                values: WANT.to_vec(),
            };
            assert!(
                !parsed.judge(&reshaped, &array(&WANT)).0,
                "{criterion} passes another shape"
            );
        }
    }

    #[test]
    fn golden_numbers_pass_what_is_close_and_fail_what_is_not() {
        assert!(number_is_close(1.00009, 1.0, 1.0));
        assert!(!number_is_close(1.0002, 1.0, 1.0));
        assert!(number_is_close(1.0002, 1.0, 1.0001));
        assert!(!number_is_close(-1.0, 1.0, 1.0));
        assert!(!number_is_close(f64::NAN, 1.0, 1.0));
    }
}
