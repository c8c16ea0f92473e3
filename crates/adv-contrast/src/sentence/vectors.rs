//! Vectors in host memory.

use burn::tensor::{Device, Tensor, TensorData};

/// Vectors of one width in host memory, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Rows of `width` numbers.
    ///
    /// # Panics
    ///
    /// If the numbers do not make whole rows, or the width is 0.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
        Self { width, values }
    }

    /// So many rows of zeros.
    pub(crate) fn zeros(rows: usize, width: usize) -> Self {
        Self::new(vec![0.0; rows * width], width)
    }

    /// The number of vectors.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// True if there is no vector.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Their width.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A vector.
    ///
    /// # Panics
    ///
    /// If there is none at this place.
    pub fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.width..(place + 1) * self.width]
    }

    pub(crate) fn row_mut(&mut self, place: usize) -> &mut [f32] {
        &mut self.values[place * self.width..(place + 1) * self.width]
    }

    /// All vectors in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    /// All numbers, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// `[N, W]` on a device.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let shape = [self.len(), self.width];
        Tensor::from_data(TensorData::new(self.values.clone(), shape), device)
    }

    /// The cosine of two of them; 0 where one has no direction.
    ///
    /// # Panics
    ///
    /// If there is none at one of the places.
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        cosine(self.row(a), self.row(b))
    }

    /// The first `rows` of them, and the others.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn split_at(mut self, rows: usize) -> (Self, Self) {
        let others = self.values.split_off(rows * self.width);
        let others = Self::new(others, self.width);
        (self, others)
    }

    /// The first `width` numbers of each: for models trained to be cut (Kusupati et al. 2022, Matryoshka). All, if there are fewer.
    pub fn truncated(&self, width: usize) -> Self {
        let width = width.clamp(1, self.width);
        let values = self.rows().flat_map(|row| row[..width].iter().copied());
        Self::new(values.collect(), width)
    }

    /// The sum of these and others, one by one.
    ///
    /// # Panics
    ///
    /// If they differ in number or width.
    pub fn plus(mut self, others: &Self) -> Self {
        assert!(
            self.width == others.width && self.len() == others.len(),
            "vectors for the same texts"
        );
        let pairs = self.values.iter_mut().zip(&others.values);
        pairs.for_each(|(value, other)| *value += other);
        self
    }

    /// Each of them times a number.
    pub fn scaled(mut self, factor: f32) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// Vectors of length 1; one of zeros stays one.
    pub fn normalised(mut self) -> Self {
        for row in self.values.chunks_exact_mut(self.width) {
            let length = dot(row, row).sqrt();
            if length > 0.0 {
                row.iter_mut()
                    .for_each(|value| *value = (f64::from(*value) / length) as f32);
            }
        }
        self
    }
}

/// The cosine of two vectors; 0 where one has no direction.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 { dot(a, b) / length } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_and_lengths() {
        let vectors = Vectors::new(vec![3.0, 4.0, 0.0, 0.0, 4.0, -3.0, 6.0, 8.0], 2);
        assert_eq!(vectors.len(), 4);
        assert_eq!(vectors.cosine(0, 1), 0.0);
        assert_eq!(vectors.cosine(0, 2), 0.0);
        assert!((vectors.cosine(0, 3) - 1.0).abs() < 1e-12);
        let unit = vectors.clone().normalised();
        assert_eq!(unit.row(0), [0.6, 0.8]);
        assert_eq!(unit.row(1), [0.0, 0.0]);
        assert_eq!(vectors.truncated(1).values(), [3.0, 0.0, 4.0, 6.0]);
        assert_eq!(vectors.truncated(9), vectors);
    }
}
