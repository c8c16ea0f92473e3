//! Exact search: the texts nearest to a query.

use crate::sentence::Vectors;

/// A text that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its place in the index.
    pub place: usize,
    /// Its cosine with the query.
    pub score: f64,
}

/// An exact index: every search compares with every vector.
#[derive(Debug, Clone)]
pub struct Index {
    unit: Vectors,
}

impl Index {
    /// Of vectors of any length.
    pub fn new(vectors: Vectors) -> Self {
        Self {
            unit: vectors.normalised(),
        }
    }

    /// The number of vectors.
    pub fn len(&self) -> usize {
        self.unit.len()
    }

    /// True if there is no vector.
    pub fn is_empty(&self) -> bool {
        self.unit.is_empty()
    }

    /// The `count` nearest by cosine, the nearest first, of those that reach `threshold`; of equal ones the first.
    ///
    /// # Panics
    ///
    /// If the query has another width.
    pub fn search(&self, query: &[f32], count: usize, threshold: f64) -> Vec<Hit> {
        assert_eq!(query.len(), self.unit.width(), "vectors of one width");
        let scored = self.unit.rows().enumerate();
        let scored = scored.map(|(place, row)| Hit {
            place,
            score: crate::sentence::cosine(query, row),
        });
        let mut hits: Vec<Hit> = scored.filter(|hit| hit.score >= threshold).collect();
        let nearest = |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then(a.place.cmp(&b.place));
        if count < hits.len() {
            hits.select_nth_unstable_by(count, nearest);
            hits.truncate(count);
        }
        hits.sort_by(nearest);
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_thresholds_cut() {
        let index = Index::new(Vectors::new(vec![0.0, 2.0, 5.0, 0.0, 1.0, 1.0, 3.0, 0.0], 2));
        let places = |count, threshold| -> Vec<usize> {
            let hits = index.search(&[1.0, 0.1], count, threshold);
            hits.into_iter().map(|hit| hit.place).collect()
        };
        assert_eq!(places(9, -1.0), [1, 3, 2, 0]);
        assert_eq!(places(1, -1.0), [1]);
        assert_eq!(places(2, -1.0), [1, 3]);
        assert_eq!(places(9, 0.5), [1, 3, 2]);
        assert!(places(0, -1.0).is_empty());
    }
}
