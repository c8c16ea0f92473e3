//! Training methods: from a model, a batch and carried state to the gradients of one optimiser update.

mod adversarial;
mod clean_share;
mod free_at;
mod free_lb;
mod noisy;
mod r3f;
mod smart;
mod smooth;
mod standard;
mod vat;
mod yopo;

pub use adversarial::Adversarial;
pub use free_at::FreeAt;
pub use free_lb::FreeLb;
pub use noisy::Noisy;
pub use r3f::R3f;
pub use smart::Smart;
pub use standard::Standard;
pub use vat::{Vat, VatParts};
pub use yopo::{FirstLayer, PassReduction, Yopo, YopoParts};

use crate::{Batch, Ledger, Noise, Objective, ParamError, PassError, Passes, WeightPass};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// A way to train, as a value: it yields the gradients of **one** optimiser update.
///
/// What happens to them (clipping, accumulation, reduction over devices, any optimiser) is the caller's. The loop is:
///
/// ```text
/// for each mini-batch:
///     ledger.begin_batch(Phase::Training)
///     carried.begin_batch()
///     for each replay in 0 .. method.replays():
///         update = method.gradients(model, batch, carried, noise, ledger)
///         ledger.update(update.gradients)
///         model  = optimiser.step(rate, model, update.gradients)
/// ```
pub trait TrainingMethod<const D: usize, M: Objective<D> + Module>: Send + Sync {
    /// How many updates one mini-batch gets. 1 for all but FreeAT.
    fn replays(&self) -> usize {
        1
    }

    /// What one mini-batch costs in theory, all replays together. The ledger must count the same.
    fn expected_cost(&self) -> Passes;

    /// The same method with a smaller perturbation ([`Perturbation::scaled`](crate::Perturbation::scaled)), at the same cost: for a radius that grows
    /// over the first mini-batches. `share` lies in [0, 1].
    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<D, M>>, ParamError>;

    /// The gradients of one update.
    ///
    /// `carried` lives as long as the training and belongs into its checkpoints.
    fn gradients(
        &self,
        model: &M,
        batch: &Batch<'_, D, M::Targets>,
        carried: &mut Carried<D>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError>;
}

/// What a method carries from one update to the next. Only FreeAT carries anything.
#[derive(Debug, Clone, Default)]
pub struct Carried<const D: usize> {
    /// The perturbation that survives the mini-batch, or its replay.
    pub delta: Option<Tensor<D>>,
    /// Replays done of the mini-batch at hand; 0 between mini-batches.
    pub replay: usize,
}

impl<const D: usize> Carried<D> {
    /// Tells that a new mini-batch begins, wherever the last one was left. FreeAT that restarts needs it.
    pub fn begin_batch(&mut self) {
        self.replay = 0;
    }
}

/// The gradients of one update, and the losses seen on the way.
#[derive(Debug)]
pub struct Update {
    /// The gradients, not tracked.
    pub gradients: GradientsParams,
    /// The mean loss of each pass that made weight gradients, in order, unscaled.
    pub losses: Vec<f64>,
}

/// One pass, one update.
impl From<WeightPass> for Update {
    fn from(pass: WeightPass) -> Self {
        Self {
            gradients: pass.gradients,
            losses: vec![pass.loss],
        }
    }
}

impl Update {
    /// The mean over the passes.
    pub fn mean_loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len().max(1) as f64
    }
}

/// The weight of a penalty.
fn checked_weight(weight: f64) -> Result<f64, ParamError> {
    if weight.is_finite() && weight >= 0.0 {
        Ok(weight)
    } else {
        Err(ParamError::Weight(weight))
    }
}
