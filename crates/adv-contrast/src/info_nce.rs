//! InfoNCE in its three forms, with hard and further negatives.

use crate::ContrastError;
use crate::cosine::{LEFT_OUT, cosines, diagonal, unit_rows};
use crate::error::positive;
use adv_models::{Labels, cross_entropy};
use burn::tensor::{Device, Tensor, TensorData};

/// From which other vectors of a batch of N pairs a vector has to be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negatives {
    /// Each anchor from the positives of the others, N − 1 of them: SimCSE (Gao et al. 2021, eq. 4), and the multiple negatives ranking
    /// loss of sentence-transformers.
    #[default]
    OneSided,
    /// The mean of that and of each positive from the anchors of the others.
    Symmetric,
    /// Each of the 2N vectors from all but its partner, 2N − 2 of them: NT-Xent (Chen et al. 2020, eq. 1).
    AllOthers,
}

/// InfoNCE: the cross entropy of finding a vector's partner among the candidates, by cosine over temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfoNce {
    temperature: f64,
    negatives: Negatives,
    hard_weight: f64,
}

impl Default for InfoNce {
    /// SimCSE's: one-sided, temperature 0.05.
    fn default() -> Self {
        Self {
            temperature: 0.05,
            negatives: Negatives::OneSided,
            hard_weight: 1.0,
        }
    }
}

impl InfoNce {
    /// One-sided, at this temperature, which is positive.
    pub fn new(temperature: f64) -> Result<Self, ContrastError> {
        Ok(Self {
            temperature: positive(temperature, ContrastError::Temperature)?,
            ..Self::default()
        })
    }

    /// The same with other negatives.
    pub fn with_negatives(self, negatives: Negatives) -> Self {
        Self { negatives, ..self }
    }

    /// The term of an anchor's own hard negative counts `weight` times: α of SimCSE's supervised loss (Gao et al. 2021, section 4.2). Its
    /// program takes the logarithm of it, `hard_negative_weight`.
    pub fn with_hard_weight(self, weight: f64) -> Result<Self, ContrastError> {
        Ok(Self {
            hard_weight: positive(weight, ContrastError::NegativeWeight)?,
            ..self
        })
    }

    /// The temperature.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// The **mean** loss over the pairs; over both directions if there are two.
    pub fn loss(&self, pairs: &Pairs) -> Tensor<1> {
        let rows = pairs.len();
        let further = pairs.further.clone();
        match self.negatives {
            Negatives::OneSided => self.forwards(pairs).0,
            Negatives::Symmetric => {
                let (forth, own) = self.forwards(pairs);
                let back = own_columns(own.transpose());
                (forth + back).mul_scalar(0.5)
            }
            Negatives::AllOthers => {
                let all = Tensor::cat(vec![pairs.anchors.clone(), pairs.positives.clone()], 0);
                let unit = unit_rows(all.clone());
                let mut logits = unit.clone().matmul(unit.transpose()).div_scalar(self.temperature);
                logits = logits.clone() + diagonal(2 * rows, LEFT_OUT, &logits);
                if let Some(excluded) = &pairs.excluded {
                    let twice = excluded.clone().repeat_dim(0, 2).repeat_dim(1, 2);
                    // A partner stays one.
                    let partners = diagonal(rows, 1.0, &twice).repeat_dim(0, 2).repeat_dim(1, 2);
                    logits = logits + (twice * (partners.neg() + 1.0)).mul_scalar(LEFT_OUT);
                }
                let hard = pairs.hard.clone().map(|hard| {
                    let block = cosines(all.clone(), hard).div_scalar(self.temperature);
                    let own = diagonal(rows, self.hard_weight.ln(), &block);
                    block + own.repeat_dim(0, 2)
                });
                let further = further.map(|further| cosines(all, further).div_scalar(self.temperature));
                let blocks = [Some(logits), hard, further].into_iter().flatten().collect();
                let partners = (0..2 * rows).map(|row| ((row + rows) % (2 * rows)) as i64);
                chosen(Tensor::cat(blocks, 1), partners)
            }
        }
    }

    /// The loss of the anchors, and their logits over the positives of the batch.
    fn forwards(&self, pairs: &Pairs) -> (Tensor<1>, Tensor<2>) {
        let over =
            |candidates: Tensor<2>| cosines(pairs.anchors.clone(), candidates).div_scalar(self.temperature);
        let mut own = over(pairs.positives.clone());
        if let Some(excluded) = &pairs.excluded {
            own = own + excluded.clone().mul_scalar(LEFT_OUT);
        }
        let hard = pairs.hard.clone().map(|hard| {
            let block = over(hard);
            match self.hard_weight {
                1.0 => block,
                weight => block.clone() + diagonal(pairs.len(), weight.ln(), &block),
            }
        });
        let further = pairs.further.clone().map(over);
        let blocks: Vec<_> = [Some(own.clone()), hard, further].into_iter().flatten().collect();
        (own_columns(Tensor::cat(blocks, 1)), own)
    }
}

/// The mean cross entropy where row i is right in column i: `[N, M]`, N ≤ M.
fn own_columns(logits: Tensor<2>) -> Tensor<1> {
    let rows = logits.dims()[0];
    chosen(logits, 0..rows as i64)
}

fn chosen(logits: Tensor<2>, right: impl Iterator<Item = i64>) -> Tensor<1> {
    let [_, columns] = logits.dims();
    let labels = Labels::new(right, columns, &logits.device()).expect("partners are columns");
    cross_entropy(logits, &labels).mean()
}

/// The vectors of a batch of pairs: N anchors and their positives, and what else they are told apart from.
#[derive(Debug, Clone)]
pub struct Pairs {
    anchors: Tensor<2>,
    positives: Tensor<2>,
    hard: Option<Tensor<2>>,
    further: Option<Tensor<2>>,
    excluded: Option<Tensor<2>>,
}

impl Pairs {
    /// Row i of one belongs to row i of the other: `[N, H]` each, of any length.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn new(anchors: Tensor<2>, positives: Tensor<2>) -> Self {
        assert_eq!(anchors.dims(), positives.dims(), "one positive for each anchor");
        Self {
            anchors,
            positives,
            hard: None,
            further: None,
            excluded: None,
        }
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.anchors.dims()[0]
    }

    /// True if there is no pair.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A hard negative for each anchor, such as a contradiction, `[N, H]`; a plain one for the other anchors.
    ///
    /// # Panics
    ///
    /// If the shape is not that of the anchors.
    pub fn with_hard_negatives(self, hard: Tensor<2>) -> Self {
        assert_eq!(
            hard.dims(),
            self.anchors.dims(),
            "one hard negative for each anchor"
        );
        Self {
            hard: Some(hard),
            ..self
        }
    }

    /// Negatives from elsewhere, such as a queue of earlier vectors or noise, `[Q, H]`.
    ///
    /// # Panics
    ///
    /// If the width is not that of the anchors.
    pub fn with_further_negatives(self, further: Tensor<2>) -> Self {
        assert_eq!(further.dims()[1], self.anchors.dims()[1], "vectors of one width");
        Self {
            further: Some(further),
            ..self
        }
    }

    /// Leaves pairs out that are no negatives of one another: 1 at (i, j) where positive j is none of anchor i, 0 on the diagonal.
    /// See [`duplicates`].
    ///
    /// # Panics
    ///
    /// If the shape is not `[N, N]`.
    pub fn without(self, excluded: Tensor<2>) -> Self {
        assert_eq!(
            excluded.dims(),
            [self.len(); 2],
            "one number for each pair of pairs"
        );
        Self {
            excluded: Some(excluded),
            ..self
        }
    }
}

/// Where positive j says the same as anchor i or its positive, word for word, `[N, N]` for [`Pairs::without`]; none if nowhere.
///
/// Such a pair would be pushed apart by one term of the loss and pulled together by another.
///
/// # Panics
///
/// If the numbers differ.
pub fn duplicates<T: PartialEq>(anchors: &[T], positives: &[T], device: &Device) -> Option<Tensor<2>> {
    assert_eq!(anchors.len(), positives.len(), "one positive for each anchor");
    let size = anchors.len();
    let mut flags = vec![0.0f32; size * size];
    for (i, (anchor, own)) in anchors.iter().zip(positives).enumerate() {
        for (j, other) in positives.iter().enumerate() {
            if i != j && (other == anchor || other == own) {
                flags[i * size + j] = 1.0;
            }
        }
    }
    let any = flags.iter().any(|flag| *flag > 0.0);
    any.then(|| Tensor::from_data(TensorData::new(flags, [size, size]), device))
}
