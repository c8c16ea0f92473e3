//! What GLUE measures: accuracy, F1, Matthews' correlation, Pearson's and Spearman's.
//!
//! Every function panics if its two lists differ in length.

/// The share of equal entries; 0 of none.
pub fn accuracy(predicted: &[u32], right: &[u32]) -> f64 {
    assert_eq!(predicted.len(), right.len(), "one prediction for each answer");
    let equal = predicted.iter().zip(right).filter(|(a, b)| a == b).count();
    equal as f64 / right.len().max(1) as f64
}

/// F1 of class 1: the harmonic mean of precision and recall; 0 where there is no true positive.
pub fn f1(predicted: &[u32], right: &[u32]) -> f64 {
    assert_eq!(predicted.len(), right.len(), "one prediction for each answer");
    let count = |p: bool, r: bool| {
        let pairs = predicted.iter().zip(right);
        pairs.filter(|(a, b)| (**a == 1) == p && (**b == 1) == r).count() as f64
    };
    let (hits, false_alarms, misses) = (count(true, true), count(true, false), count(false, true));
    if hits == 0.0 {
        0.0
    } else {
        2.0 * hits / (2.0 * hits + false_alarms + misses)
    }
}

/// Matthews' correlation for any number of classes (Gorodkin 2004); 0 where one side names a single class.
pub fn matthews(predicted: &[u32], right: &[u32]) -> f64 {
    let n = right.len() as f64;
    let classes = predicted
        .iter()
        .chain(right)
        .max()
        .map_or(0, |&most| most as usize + 1);
    let mut seen = vec![(0.0, 0.0); classes];
    for (p, r) in predicted.iter().zip(right) {
        seen[*p as usize].0 += 1.0;
        seen[*r as usize].1 += 1.0;
    }
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| seen.iter().map(of).sum::<f64>();
    let hits = accuracy(predicted, right) * n;
    let covariance = hits * n - sum(&|(p, r)| p * r);
    let spread = (n * n - sum(&|(p, _)| p * p)) * (n * n - sum(&|(_, r)| r * r));
    if spread > 0.0 {
        covariance / spread.sqrt()
    } else {
        0.0
    }
}

/// Pearson's correlation; 0 where one side is constant, NaN where a value is.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "one value for each other");
    let n = a.len().max(1) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut own, mut other) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        both += x * y;
        own += x * x;
        other += y * y;
    }
    if own.is_nan() || other.is_nan() {
        f64::NAN
    } else if own > 0.0 && other > 0.0 {
        both / (own.sqrt() * other.sqrt())
    } else {
        0.0
    }
}

/// Spearman's rank correlation; equal values share the mean of their ranks. NaN where a value is.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    if a.iter().chain(b).any(|value| value.is_nan()) {
        return f64::NAN;
    }
    pearson(&ranks(a), &ranks(b))
}

/// Ranks from 1, ties with the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let end = start
            + order[start..]
                .iter()
                .take_while(|&&place| values[place] == value)
                .count();
        let mean = (start + 1 + end) as f64 / 2.0;
        for &place in &order[start..end] {
            ranks[place] = mean;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{name}: {found}, not {expected}"
        );
    }

    /// By hand, and by scikit-learn and SciPy.
    #[test]
    fn values_are_those_of_the_definitions() {
        let (predicted, right) = ([1, 1, 0, 0, 1, 0, 1], [1, 0, 0, 1, 1, 0, 1]);
        check("accuracy", accuracy(&predicted, &right), 5.0 / 7.0);
        check("f1", f1(&predicted, &right), 0.75);
        // (3 * 2 - 1 * 1) / sqrt(4 * 4 * 3 * 3)
        check("matthews", matthews(&predicted, &right), 5.0 / 12.0);
        check("three classes", matthews(&[0, 1, 2, 2], &[0, 1, 2, 1]), 0.7);
        let (a, b) = ([1.0, 2.0, 2.0, 4.0], [1.0, 3.0, 2.0, 5.0]);
        check("ranks", ranks(&a)[1], 2.5);
        check("spearman", spearman(&a, &b), 4.5 / (4.5f64 * 5.0).sqrt());
        check("pearson", pearson(&a, &[2.0, 4.0, 4.0, 8.0]), 1.0);
    }

    #[test]
    fn what_has_no_value_is_zero() {
        check("accuracy", accuracy(&[], &[]), 0.0);
        check("f1", f1(&[0, 0], &[1, 1]), 0.0);
        check("matthews", matthews(&[1, 1], &[0, 1]), 0.0);
        check("matthews of none", matthews(&[], &[]), 0.0);
        check("pearson", pearson(&[1.0, 1.0], &[0.0, 1.0]), 0.0);
        for both in [spearman, pearson] {
            assert!(both(&[f64::NAN, 1.0, 2.0], &[1.0, 2.0, 3.0]).is_nan());
        }
    }
}
