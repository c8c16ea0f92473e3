//! Large mini-batches in the memory of small ones.

use crate::views::Views;
use adv_core::{
    AscentMode, Batch, Carried, Ledger, Noise, Objective, ParamError, PassError, Passes, TrainingMethod,
    Update, gradients,
};
use burn::module::Module;
use burn::tensor::{Tensor, s};
use std::ops::Range;

/// Views that can be made of some of the samples at a time.
///
/// A sample must have the vector, and the dropout masks, that it has in the whole mini-batch.
pub trait InChunks<const D: usize>: Views<D> {
    /// The number of samples.
    fn samples(&self, targets: &Self::Targets) -> usize;

    /// The vectors that these samples have in a loss: of the first view, of the second, and of hard negatives if there are any; `input` has
    /// their rows only.
    fn views_of(&self, rows: Range<usize>, input: Tensor<D>, targets: &Self::Targets) -> Vec<Tensor<2>>;
}

/// Contrastive training without a perturbation, a chunk of samples at a time: GradCache (Gao et al. 2021, RepL4NLP).
///
/// All vectors are made without a tape; the loss gives the gradient of each; then each chunk is run again, with a tape, against its part
/// of these. Gradients are those of one pass over all samples, up to rounding; memory is that of a chunk; each view has one more forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradCache {
    chunk: usize,
}

impl GradCache {
    /// So many samples at a time; at least 1.
    pub fn new(chunk: usize) -> Result<Self, ParamError> {
        match chunk {
            0 => Err(ParamError::CountZero("samples of a chunk")),
            chunk => Ok(Self { chunk }),
        }
    }
}

impl<const D: usize, M: InChunks<D> + Module> TrainingMethod<D, M> for GradCache {
    /// Of samples without hard negatives.
    fn expected_cost(&self) -> Passes {
        Passes {
            forwards: 4,
            full_backwards: 2,
            updates: 1,
            ..Passes::default()
        }
    }

    fn scaled(&self, _share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError> {
        Ok(Box::new(*self))
    }

    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        _carried: &mut Carried<D>,
        _noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let targets = batch.targets();
        let samples = model.samples(targets);
        let chunks = (0..samples).step_by(self.chunk);
        let chunks = chunks.map(|first| first..(first + self.chunk).min(samples));
        let chunks: Vec<Range<usize>> = chunks.collect();
        let of = |model: &M, rows: &Range<usize>| {
            let input = batch.clean().slice(s![rows.clone()]);
            model.views_of(rows.clone(), input, targets)
        };

        let frozen = AscentMode::Train.freeze(model);
        let all = ledger.forwards(model.forwards(), || {
            let chunks: Vec<Vec<Tensor<2>>> = chunks.iter().map(|rows| of(&frozen, rows)).collect();
            // View by view.
            let views = 0..chunks[0].len();
            let ordered = views.flat_map(|view| chunks.iter().map(move |chunk| chunk[view].clone().inner()));
            Tensor::cat(ordered.collect(), 0)
        });
        let pass = ledger.input_gradient(&OfVectors::<D, M> { model: &frozen }, all, targets)?;

        let mut total = None;
        for rows in &chunks {
            let parts = of(model, rows).into_iter().zip((0..).step_by(samples));
            let parts = parts.map(|(vectors, before)| {
                let gradient = pass.gradient.clone();
                let gradient: Tensor<2> = gradient.slice(s![before + rows.start..before + rows.end, ..]);
                (vectors * gradient.autodiff()).sum_dim(1).sum() // tidy: small
            });
            let against = parts.reduce(|sum, part| sum + part).expect("there are two views");
            // All chunks together are one pass of each view.
            let passes = if rows.start == 0 { model.forwards() } else { 0 };
            let part = ledger.gradients_of(model, against, passes)?.gradients;
            total = Some(match total {
                None => part,
                Some(total) => gradients::sum(total, part, model),
            });
        }
        Ok(Update {
            gradients: total.unwrap_or_default(),
            losses: vec![pass.loss],
        })
    }
}

/// The contrast as a function of vectors, one view after the other.
struct OfVectors<'a, const D: usize, M> {
    model: &'a M,
}

impl<const D: usize, M: Views<D>> Objective<2> for OfVectors<'_, D, M> {
    type Targets = M::Targets;

    fn loss(&self, vectors: Tensor<2>, targets: &M::Targets) -> Tensor<1> {
        let mut views = vectors.chunk(self.model.forwards() as usize, 0).into_iter();
        let (Some(first), Some(second)) = (views.next(), views.next()) else {
            panic!("there are two views");
        };
        self.model.contrast(first, second, views.next(), targets)
    }

    /// None of the network.
    fn forwards(&self) -> u64 {
        0
    }
}
