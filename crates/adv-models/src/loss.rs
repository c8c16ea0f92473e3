//! Labels and cross entropy.

use crate::ModelError;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The classes of a batch: `[B]`.
#[derive(Debug, Clone)]
pub struct Labels {
    classes: usize,
    labels: Tensor<1, Int>,
}

impl Labels {
    /// Every label must be one of the `classes`: a wrong one would panic in the middle of a pass.
    pub fn new<L: Into<i64>>(
        labels: impl IntoIterator<Item = L>,
        classes: usize,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let labels: Vec<i64> = labels.into_iter().map(Into::into).collect();
        for (index, &label) in labels.iter().enumerate() {
            if !(0..classes as i64).contains(&label) {
                return Err(ModelError::Label {
                    index,
                    label,
                    classes,
                });
            }
        }
        let count = labels.len();
        let data = TensorData::new(labels, [count]);
        Ok(Self {
            classes,
            labels: Tensor::from_data(data, device),
        })
    }

    /// The labels as a tensor, `[B]`.
    pub fn tensor(&self) -> Tensor<1, Int> {
        self.labels.clone()
    }

    /// The number of classes that they were checked against.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of labels.
    pub fn len(&self) -> usize {
        self.labels.dims()[0]
    }

    /// True if there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The cross entropy of each sample: logits `[B, C]` and `B` labels to `[B]`.
///
/// `log sum_j exp(z_j - z_y)`, in a form that keeps the relative precision of loss and gradient also where the network is
/// confident: there `p_y - 1` of the usual form rounds to zero. NaN and infinite logits give NaN.
pub fn cross_entropy(logits: Tensor<2>, labels: &Labels) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let own = labels.tensor().reshape([batch, 1]);
    let is_own = Tensor::<1, Int>::arange(0..classes as i64, &own.device())
        .reshape([1, classes])
        .equal(own.clone());

    let lead = logits.clone() - logits.gather(1, own);
    // At least 0, the lead of the own class over itself. A constant: the loss does not depend on it.
    let shift = lead.clone().inner().max_dim(1);
    let others = (lead - shift.clone()).exp().mask_fill(is_own, 0.0).sum_dim(1);
    // log(exp(-shift) + others), which is log1p(others) for a sample classified right.
    let rest = (others + (shift.clone().neg().exp() - 1.0)).log1p();
    (rest + shift).reshape([batch])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss and gradient in f64.
    fn reference(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
        let others = |skip: usize| -> f64 {
            let terms = logits.iter().enumerate().filter(|(j, _)| *j != skip);
            terms.map(|(_, z)| (z - logits[label]).exp()).sum()
        };
        let sum = others(label);
        let mut gradient: Vec<f64> = logits
            .iter()
            .map(|z| (z - logits[label]).exp() / (1.0 + sum))
            .collect();
        gradient[label] = -sum / (1.0 + sum);
        (sum.ln_1p(), gradient)
    }

    fn check(logits: [f64; 3], label: usize) {
        let device = Device::flex().autodiff();
        let z = Tensor::<2>::from_data(
            TensorData::new(logits.map(|z| z as f32).to_vec(), [1, 3]),
            &device,
        )
        .require_grad();
        let labels = Labels::new([label as u8], 3, &device).unwrap();
        let loss = cross_entropy(z.clone(), &labels);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        let gradient = z
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        let (want, want_gradient) = reference(&logits, label);
        assert!((value - want).abs() <= 2e-6 * want, "{logits:?}: {value} {want}");
        for (got, want) in gradient.iter().zip(&want_gradient) {
            let difference = (f64::from(*got) - want).abs();
            assert!(difference <= 2e-6 * want.abs(), "{logits:?}: {got} {want}");
        }
    }

    #[test]
    fn loss_and_gradient_are_exact() {
        for (logits, label) in [
            ([1.0, 2.0, 3.0], 0),
            ([1.0, 2.0, 3.0], 2),
            ([0.0, 0.0, 0.0], 1),
            // Confident and right: the usual form gives a gradient of 0 for the own class.
            ([30.0, 2.0, 3.0], 0),
            ([60.0, 0.0, -10.0], 0),
            // Confident and wrong.
            ([30.0, 2.0, 3.0], 1),
            ([-40.0, 35.0, 36.0], 0),
        ] {
            check(logits, label);
        }
    }

    #[test]
    fn a_thousand_is_not_too_much_and_nan_stays() {
        let device = Device::flex();
        let labels = Labels::new([0u8], 2, &device).unwrap();
        let loss =
            |z: [f32; 2]| cross_entropy(Tensor::<2>::from_data([z], &device), &labels).into_scalar::<f32>();
        assert_eq!(loss([0.0, 1000.0]), 1000.0);
        assert_eq!(loss([1000.0, 0.0]), 0.0);
        for bad in [[f32::NAN, 0.0], [0.0, f32::NAN], [0.0, f32::INFINITY]] {
            assert!(loss(bad).is_nan(), "{bad:?}");
        }
    }

    #[test]
    fn labels_outside_the_classes_are_refused() {
        let device = Device::flex();
        for (labels, index) in [([0, 3], 1), ([-1, 0], 0)] {
            match Labels::new(labels, 3, &device) {
                Err(ModelError::Label { index: found, .. }) => assert_eq!(found, index),
                other => panic!("{labels:?} gave {other:?}"),
            }
        }
    }
}
