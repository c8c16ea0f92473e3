//! Counts as fractions, with the interval that says how far to trust them.

use super::ReportError;

/// The 97.5 % quantile of the normal distribution: a two-sided 95 % interval.
const Z95: f64 = 1.959_963_984_540_054;

/// So many successes out of so many trials, such as correctly classified images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    successes: u64,
    trials: u64,
}

impl Proportion {
    /// `successes` out of `trials`.
    ///
    /// # Errors
    /// [`ReportError::Proportion`] without trials or with more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self, ReportError> {
        if trials == 0 || successes > trials {
            return Err(ReportError::Proportion { successes, trials });
        }
        Ok(Self { successes, trials })
    }

    /// The share of successes, in `[0, 1]`.
    pub fn value(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }

    /// The number of trials.
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// The 95 % score interval `(low, high)` of Wilson (1927), both in `[0, 1]`.
    ///
    /// It speaks of the sampling of test images only, not of the spread from one training seed to the next.
    pub fn wilson(&self) -> (f64, f64) {
        let n = self.trials as f64;
        let p = self.value();
        let z2 = Z95 * Z95;
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        // At 0 and n the bound is exact; rounding must not move it past the end.
        let low = if self.successes == 0 { 0.0 } else { middle - half };
        let high = if self.successes == self.trials {
            1.0
        } else {
            middle + half
        };
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe (1998), Table I, method 3; the last two rows from the formula's closed form at the ends.
    #[test]
    fn wilson_matches_published_intervals() {
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
            (29, 29, 0.8830, 1.0),
        ] {
            let (l, h) = Proportion::new(successes, trials).expect("valid").wilson();
            assert!(
                (l - low).abs() < 6e-5,
                "{successes}/{trials}: low {l} against {low}"
            );
            assert!(
                (h - high).abs() < 6e-5,
                "{successes}/{trials}: high {h} against {high}"
            );
        }
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert!(matches!(
            Proportion::new(0, 0),
            Err(ReportError::Proportion { .. })
        ));
        assert!(matches!(
            Proportion::new(3, 2),
            Err(ReportError::Proportion { .. })
        ));
    }
}
