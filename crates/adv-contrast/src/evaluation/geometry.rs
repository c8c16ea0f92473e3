//! How the vectors of similarity tasks lie on the sphere.

use crate::sentence::Vectors;
use crate::{alignment, mean_cosine, uniformity};
use adv_data::text::{StsSubset, StsTask};
use burn::tensor::Device;
use std::collections::HashMap;

/// Pairs with a score above this are the close ones (Gao et al. 2021, section 5).
const CLOSE: f64 = 4.0;

/// How the vectors of similarity tasks lie on the sphere (Wang and Isola 2020).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StsGeometry {
    /// The mean squared distance of the pairs with a score above 4.
    pub alignment: f64,
    /// How many such pairs there are.
    pub close_pairs: usize,
    /// Of all sentences, each once.
    pub uniformity: f64,
    /// The mean cosine of two different sentences.
    pub mean_cosine: f64,
    /// How many different sentences there are.
    pub sentences: usize,
}

impl StsGeometry {
    /// Of the tasks' sentences, each once, and their vectors; computed on `device`.
    ///
    /// # Panics
    ///
    /// If a sentence of the tasks is not among the texts.
    pub fn of(
        tasks: &[(StsTask, Vec<StsSubset>)],
        texts: &[&str],
        vectors: &Vectors,
        device: &Device,
    ) -> Self {
        let places: HashMap<&str, i64> = texts.iter().copied().zip(0..).collect();
        let pairs = tasks
            .iter()
            .flat_map(|(_, subsets)| subsets)
            .flat_map(|subset| &subset.pairs);
        let close = pairs.filter(|pair| pair.score > CLOSE);
        let (first, second): (Vec<i64>, Vec<i64>) = close
            .map(|pair| (places[pair.first.as_str()], places[pair.second.as_str()]))
            .unzip();
        let all = vectors.tensor(device);
        let close_pairs = first.len();
        let [first, second] = [first, second].map(|rows| {
            all.clone()
                .select(0, burn::tensor::Tensor::from_data(&rows[..], device))
        });
        Self {
            alignment: alignment(first, second),
            close_pairs,
            uniformity: uniformity(all.clone()),
            mean_cosine: mean_cosine(all),
            sentences: texts.len(),
        }
    }
}
