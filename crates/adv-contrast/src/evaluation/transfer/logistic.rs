//! Logistic regression with a penalty, to its optimum.

use super::TransferError;
use linfa::DatasetView;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate};

/// Weights that minimise the mean cross entropy + λ/2 · the squared weights; the bias is free.
#[derive(Debug, Clone)]
pub struct LogisticRegression {
    /// `[W, C]`.
    weights: Array2<f64>,
    /// `[C]`.
    bias: Array1<f64>,
    /// The classes of the columns.
    classes: Vec<u32>,
}

/// Iterations of L-BFGS at most. The penalties here need some dozens.
const ITERATIONS: u64 = 500;

/// The mean gradient that counts as none.
const FLAT: f64 = 1e-6;

impl LogisticRegression {
    /// Fits `[N, W]` and a class for each row; `start` may be another fit of the same classes.
    ///
    /// Errors: a penalty that is not positive, a single class, an optimiser that gave up.
    pub fn fit(
        inputs: &Array2<f64>,
        classes: &[u32],
        penalty: f64,
        start: Option<&Self>,
    ) -> Result<Self, TransferError> {
        let rows = classes.len();
        if !(penalty.is_finite() && penalty > 0.0) {
            return Err(TransferError::Penalty(penalty));
        }
        if rows == 0 || classes.iter().all(|class| *class == classes[0]) {
            return Err(TransferError::OneClass { rows });
        }
        // The library sums the loss where this one is a mean.
        let scale = rows as f64;
        let recipe = MultiLogisticRegression::default()
            .alpha(penalty * scale)
            .max_iterations(ITERATIONS)
            .gradient_tolerance(FLAT * scale);
        let recipe = match start {
            Some(fitted) => {
                let bias = fitted.bias.view().insert_axis(Axis(0));
                let whole = concatenate(Axis(0), &[fitted.weights.view(), bias]);
                recipe.initial_params(whole.map_err(|error| TransferError::Failed(error.to_string()))?)
            }
            None => recipe,
        };
        let set = DatasetView::new(inputs.view(), ArrayView1::from(classes));
        let fitted = recipe
            .fit(&set)
            .map_err(|error| TransferError::Failed(error.to_string()))?;
        Ok(Self {
            weights: fitted.params().clone(),
            bias: fitted.intercept().clone(),
            classes: fitted.classes().to_vec(),
        })
    }

    /// The class of each row.
    pub fn predict(&self, inputs: &Array2<f64>) -> Vec<u32> {
        let scores = inputs.dot(&self.weights) + &self.bias;
        let largest = |row: ArrayView1<'_, f64>| {
            let places = row.iter().enumerate();
            let hit = places.max_by(|a, b| a.1.total_cmp(b.1));
            hit.map_or(0, |(place, _)| self.classes[place])
        };
        scores.rows().into_iter().map(largest).collect()
    }

    /// The weights, `[W, C]`.
    pub fn weights(&self) -> &Array2<f64> {
        &self.weights
    }

    /// The bias, `[C]`.
    pub fn bias(&self) -> &Array1<f64> {
        &self.bias
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adv_core::Noise;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn data() -> (Array2<f64>, Vec<u32>) {
        let mut numbers = vec![0.0f32; 60 * 4];
        ChaCha8Rng::seed_from_u64(3).normal(&mut numbers);
        let inputs = Array2::from_shape_fn((60, 4), |(row, column)| f64::from(numbers[row * 4 + column]));
        // Three classes that overlap.
        let classes = (0..60).map(|row| {
            let noisy = inputs[[row, 0]] + 0.5 * inputs[[(row + 1) % 60, 1]];
            u32::from(noisy > -0.5) + u32::from(noisy > 0.5)
        });
        let classes = classes.collect();
        (inputs, classes)
    }

    /// Mean gradients by the definition, term by term.
    fn gradient(fitted: &LogisticRegression, inputs: &Array2<f64>, classes: &[u32], penalty: f64) -> f64 {
        let (rows, width, count) = (inputs.nrows(), inputs.ncols(), fitted.bias.len());
        let mut weights = fitted.weights.clone() * penalty;
        let mut bias = Array1::<f64>::zeros(count);
        for row in 0..rows {
            let score = |class: usize| {
                let products = (0..width).map(|i| inputs[[row, i]] * fitted.weights[[i, class]]);
                products.sum::<f64>() + fitted.bias[class]
            };
            let whole: f64 = (0..count).map(|class| score(class).exp()).sum();
            for class in 0..count {
                let off = score(class).exp() / whole - f64::from(u8::from(classes[row] as usize == class));
                bias[class] += off / rows as f64;
                for i in 0..width {
                    weights[[i, class]] += off * inputs[[row, i]] / rows as f64;
                }
            }
        }
        weights
            .iter()
            .chain(&bias)
            .fold(0.0, |most, entry| most.max(entry.abs()))
    }

    #[test]
    fn at_the_optimum_the_gradient_is_zero() {
        let (inputs, classes) = data();
        let mut last = None;
        for penalty in [1e-1, 1e-2, 1e-4] {
            let cold = LogisticRegression::fit(&inputs, &classes, penalty, None).unwrap();
            let warm = LogisticRegression::fit(&inputs, &classes, penalty, last.as_ref()).unwrap();
            for fitted in [&cold, &warm] {
                let off = gradient(fitted, &inputs, &classes, penalty);
                assert!(off < 2e-6, "penalty {penalty}: {off}");
            }
            assert_eq!(cold.predict(&inputs), warm.predict(&inputs));
            last = Some(cold);
        }
        // What is tested is no triviality: somewhere else it is not zero.
        let other = LogisticRegression::fit(&inputs, &classes, 1.0, None).unwrap();
        assert!(gradient(&other, &inputs, &classes, 1e-4) > 1e-3);
    }

    #[test]
    fn what_can_be_told_apart_is() {
        let inputs = Array2::from_shape_fn(
            (20, 2),
            |(row, column)| if row % 2 == column { 3.0 } else { 0.1 * row as f64 },
        );
        let classes: Vec<u32> = (0..20).map(|row| 4 + row % 2).collect();
        let fitted = LogisticRegression::fit(&inputs, &classes, 1e-5, None).unwrap();
        assert_eq!(fitted.predict(&inputs), classes);
        let fit = |classes: &[u32], penalty| LogisticRegression::fit(&inputs, classes, penalty, None);
        assert!(matches!(
            fit(&[1; 20], 1e-5),
            Err(TransferError::OneClass { rows: 20 })
        ));
        for penalty in [0.0, -1.0, f64::NAN] {
            assert!(matches!(fit(&classes, penalty), Err(TransferError::Penalty(_))));
        }
    }
}
