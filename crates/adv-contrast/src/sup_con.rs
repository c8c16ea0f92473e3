//! The supervised contrastive loss.

use crate::ContrastError;
use crate::cosine::{LEFT_OUT, diagonal, unit_rows};
use crate::error::positive;
use adv_models::Labels;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// SupCon (Khosla et al. 2020, eq. 2, `L_out`): all vectors of a class are each other's positives, all others negatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupCon {
    temperature: f64,
}

impl SupCon {
    /// At this temperature, which is positive.
    pub fn new(temperature: f64) -> Result<Self, ContrastError> {
        Ok(Self {
            temperature: positive(temperature, ContrastError::Temperature)?,
        })
    }

    /// The **mean** loss over the vectors `[N, H]` whose class another vector has too; 0 if there is none.
    ///
    /// # Panics
    ///
    /// If there is not one label for each vector.
    pub fn loss(&self, vectors: Tensor<2>, labels: &Labels) -> Tensor<1> {
        let size = vectors.dims()[0];
        assert_eq!(labels.len(), size, "one label for each vector");
        let unit = unit_rows(vectors);
        let logits = unit.clone().matmul(unit.transpose()).div_scalar(self.temperature);
        let itself = diagonal(size, 1.0, &logits);
        let shares = log_softmax(logits + itself.clone().mul_scalar(LEFT_OUT), 1);

        let classes = labels.tensor();
        let same = classes
            .clone()
            .reshape([size, 1])
            .expand([size, size])
            .equal(classes.reshape([1, size]).expand([size, size]));
        let partners = same.float() - itself;
        let count = partners.clone().sum_dim(1);
        // What is left out has a huge logarithm, times 0.
        let own = (shares * partners).sum_dim(1) / count.clone().clamp_min(1.0);
        let with_partners = count.clamp_max(1.0).sum().clamp_min(1.0); // tidy: small
        own.sum().neg() / with_partners // tidy: small
    }
}
