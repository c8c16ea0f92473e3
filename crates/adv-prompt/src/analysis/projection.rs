//! A plane to draw vectors on.

/// The places of vectors, rows of `width` numbers, on the plane of their two first principal components, and the share of the variance that
/// the plane holds. By power iteration on the covariance: exact to what a picture shows. Nothing of no vectors.
///
/// # Panics
///
/// If the numbers do not make whole rows, or the width is 0.
pub fn principal_plane(values: &[f32], width: usize) -> (Vec<[f64; 2]>, f64) {
    assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
    let rows = values.chunks_exact(width);
    let count = rows.len();
    if count == 0 {
        return (Vec::new(), 0.0);
    }
    let mut mean = vec![0f64; width];
    for row in rows.clone() {
        let sums = mean.iter_mut().zip(row);
        sums.for_each(|(sum, value)| *sum += f64::from(*value) / count as f64);
    }
    let mut covariance = vec![0f64; width * width];
    for row in rows.clone() {
        let centred: Vec<f64> = row
            .iter()
            .zip(&mean)
            .map(|(value, mean)| f64::from(*value) - mean)
            .collect();
        for (a, line) in centred.iter().zip(covariance.chunks_exact_mut(width)) {
            let sums = line.iter_mut().zip(&centred);
            sums.for_each(|(sum, b)| *sum += a * b / count as f64);
        }
    }
    let total: f64 = (0..width)
        .map(|at| covariance[at * width + at])
        .fold(0.0, |sum, value| sum + value);
    let first = leading(&covariance, width, None);
    let second = leading(&covariance, width, Some(&first));
    let held = [&first, &second].map(|axis| dot(axis, &product(&covariance, axis)));
    let places = rows.map(|row| {
        let centred: Vec<f64> = row
            .iter()
            .zip(&mean)
            .map(|(value, mean)| f64::from(*value) - mean)
            .collect();
        [dot(&first, &centred), dot(&second, &centred)]
    });
    let share = if total > 0.0 {
        (held[0] + held[1]) / total
    } else {
        0.0
    };
    (places.collect(), share)
}

/// The direction of the largest variance, orthogonal to another one.
fn leading(covariance: &[f64], width: usize, orthogonal: Option<&[f64]>) -> Vec<f64> {
    const ROUNDS: usize = 200;
    // A start that is orthogonal to no axis.
    let mut axis: Vec<f64> = (0..width).map(|at| 1.0 + (at as f64 * 0.618).fract()).collect();
    for _ in 0..ROUNDS {
        axis = product(covariance, &axis);
        if let Some(other) = orthogonal {
            let along = dot(&axis, other);
            axis.iter_mut()
                .zip(other)
                .for_each(|(value, other)| *value -= along * other);
        }
        let length = dot(&axis, &axis).sqrt();
        if length == 0.0 {
            return axis;
        }
        axis.iter_mut().for_each(|value| *value /= length);
    }
    axis
}

fn product(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(vector.len())
        .map(|row| dot(row, vector))
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + x * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_of_a_flat_cloud_holds_all_of_it() {
        // Points of a plane in three dimensions, longer one way than the other.
        let mut values = Vec::new();
        for step in -10..=10 {
            for short in [-1.0f32, 1.0] {
                let long = step as f32;
                values.extend([long, long + short, 5.0 - short]);
            }
        }
        let (places, share) = principal_plane(&values, 3);
        assert!((share - 1.0).abs() < 1e-9, "{share}");
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        let wanted = (20.0f64.powi(2) * 2.0).sqrt();
        assert!((distance(places[0], places[40]) - wanted).abs() < 1e-6);
        assert_eq!(principal_plane(&[], 3).0, Vec::<[f64; 2]>::new());
        assert_eq!(principal_plane(&[1.0, 1.0, 1.0, 1.0], 2).1, 0.0);
    }
}
