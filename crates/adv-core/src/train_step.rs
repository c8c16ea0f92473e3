//! An adapter to burn-train's loop. Cargo feature `burn-train`.

use crate::gradients::{MaxNorm, clip_global_norm};
use crate::{Batch, Carried, Ledger, Noise, Objective, ParamError, PassError, TrainingMethod};
use burn::backend::ExecutionError;
use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{Device, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, Interrupter, ItemLazy, TrainOutput, TrainStep};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A model with the method that trains it: what burn-train's `Learner` takes for a model.
///
/// Takes every [`TrainingMethod`] that makes one update per mini-batch. FreeAT with more than one replay does not fit:
/// burn-train's loop makes one update per item.
///
/// - **Weights.** A record of it holds the weights of the model under the name `model`; a checkpoint of the bare model does
///   not load. What a method carries, and the ledger, are in no record: a resumed training is not bit-identical. Give
///   [`starting_at`](Self::starting_at) the number of steps made, so that the noise goes on where it stopped.
/// - **Errors.** burn-train's step cannot fail. A pass that cannot be used leaves the weights as they are and stops the
///   training through the [`Interrupter`]; [`error`](Self::error) says what it was. Nothing trains after it: begin anew
///   with [`into_model`](Self::into_model).
/// - **Clones** share the count of steps, the ledger and the error, since burn-train clones its model at every step.
/// - **One device.** burn-train's strategies for several do not fit: in one of them a backward waits for the other devices,
///   and the ascent makes backwards of its own. `SupervisedTraining::gradient_checkpointing` must stay off, because Burn
///   does not mix tensors with and without it.
/// - **Validation** is that of the model, on clean input: `M` must be an [`InferenceStep`].
#[derive(Module, Debug)]
pub struct MethodStep<const D: usize, M: Module, T: Clone + fmt::Debug + Send + Sync> {
    model: M,
    #[module(skip)]
    method: T,
    #[module(skip)]
    shared: Shared<D>,
}

/// An item of burn-train's loader: the clean tensor, what the loss compares with, where a perturbation may live.
#[derive(Debug, Clone)]
pub struct TrainItem<const D: usize, Y> {
    /// The clean tensor, in the units of the perturbation.
    pub clean: Tensor<D>,
    /// What the loss compares with.
    pub targets: Y,
    /// 1 where a perturbation may live, 0 elsewhere; the shape of the clean tensor, or the step panics. None: everywhere.
    pub mask: Option<Tensor<D>>,
}

/// What a step shows to burn-train's metrics: the loss of the method, perturbed for all methods but the standard one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLoss(
    /// The mean over the passes of one update. NaN where the step failed.
    pub f64,
);

/// Gives the noise of one step. Addressed by step, so that a training can go on at any of them.
type Streams = Arc<dyn Fn(u64) -> Box<dyn Noise> + Send + Sync>;

/// What lives beside the weights; clones of the model, which burn-train makes at every step, share it.
#[derive(Clone)]
struct Shared<const D: usize> {
    streams: Streams,
    interrupter: Interrupter,
    max_norm: Option<MaxNorm>,
    state: Arc<Mutex<State<D>>>,
}

#[derive(Debug, Default)]
struct State<const D: usize> {
    step: u64,
    carried: Carried<D>,
    ledger: Ledger,
    error: Option<PassError>,
}

impl<const D: usize, M: Module, T: Clone + fmt::Debug + Send + Sync> MethodStep<D, M, T> {
    /// A model that `method` trains.
    ///
    /// `streams` gives the noise of step 0, 1, ...; give `interrupter` to the training as well
    /// (`SupervisedTraining::with_interrupter`), or an error cannot stop it.
    pub fn new<N: Noise + 'static>(
        model: M,
        method: T,
        streams: impl Fn(u64) -> N + Send + Sync + 'static,
        interrupter: Interrupter,
    ) -> Result<Self, ParamError>
    where
        M: Objective<D>,
        T: TrainingMethod<D, M>,
    {
        match method.replays() {
            1 => Ok(Self {
                model,
                method,
                shared: Shared {
                    streams: Arc::new(move |step| Box::new(streams(step))),
                    interrupter,
                    max_norm: None,
                    state: Arc::default(),
                },
            }),
            replays => Err(ParamError::Replays(replays)),
        }
    }

    /// Clips the gradients of each update to this global norm. Burn's own clipping is per tensor.
    pub fn with_max_norm(mut self, max_norm: MaxNorm) -> Self {
        self.shared.max_norm = Some(max_norm);
        self
    }

    /// Counts steps from this one on: for a training that is resumed.
    pub fn starting_at(self, step: u64) -> Self {
        self.shared.lock().step = step;
        self
    }

    /// How many steps were made, those before [`starting_at`](Self::starting_at) included.
    pub fn steps(&self) -> u64 {
        self.shared.lock().step
    }

    /// The model alone.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model alone, without the method.
    pub fn into_model(self) -> M {
        self.model
    }

    /// What the training has cost so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.lock().ledger
    }

    /// The pass that stopped the training, if one did.
    pub fn error(&self) -> Option<PassError> {
        self.shared.lock().error.clone()
    }
}

impl<const D: usize> Shared<D> {
    /// No panic of ours happens under the lock, so a poisoned one holds a whole state.
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the first error and stops the training.
    fn fail(&self, error: PassError) {
        let first = self.lock().error.get_or_insert(error).to_string();
        self.interrupter.stop(Some(&first));
    }
}

impl<const D: usize> fmt::Debug for Shared<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("max_norm", &self.max_norm)
            .finish_non_exhaustive()
    }
}

impl<const D: usize, M, T> TrainStep for MethodStep<D, M, T>
where
    M: Objective<D> + Module + ModuleDisplay,
    M::Targets: Send + 'static,
    T: TrainingMethod<D, M> + Clone + fmt::Debug,
{
    type Input = TrainItem<D, M::Targets>;
    type Output = StepLoss;

    fn step(&self, item: Self::Input) -> TrainOutput<StepLoss> {
        let (step, mut carried) = {
            let mut state = self.shared.lock();
            if let Some(error) = state.error.clone() {
                drop(state);
                self.shared.fail(error); // The interrupter may be another one by now, or have been reset.
                return unusable();
            }
            let step = state.step;
            state.step += 1;
            (step, std::mem::take(&mut state.carried))
        };
        let mut batch = Batch::new(item.clean, &item.targets);
        if let Some(mask) = item.mask {
            batch = batch.with_mask(mask);
        }
        // A ledger of its own, so that nothing is locked while the network runs.
        let mut ledger = Ledger::new();
        let mut noise = (self.shared.streams)(step);
        let update = self
            .method
            .gradients(&self.model, &batch, &mut carried, noise.as_mut(), &mut ledger);
        {
            let mut state = self.shared.lock();
            state.carried = carried;
            state.ledger.absorb(&ledger);
        }
        match update {
            Ok(update) => TrainOutput {
                item: StepLoss(update.mean_loss()),
                grads: update.gradients,
            },
            Err(error) => {
                self.shared.fail(error);
                unusable()
            }
        }
    }

    fn optimize(
        self,
        optimiser: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        if self.error().is_some() {
            return self;
        }
        // Booked and clipped here and not in `step`: with accumulation, several steps make one update.
        let booked = self.shared.lock().ledger.update(&gradients);
        if let Err(error) = booked {
            self.shared.fail(error);
            return self;
        }
        let gradients = match self.shared.max_norm {
            Some(max_norm) => clip_global_norm(gradients, &self.model, max_norm).0,
            None => gradients,
        };
        optimiser.step(rate, self, gradients)
    }

    fn optimize_multi(self, _: &mut ModuleOptimizer, _: ModuleLearningRate, _: MultiGradientsParams) -> Self {
        self.shared.fail(PassError::SeveralDevices);
        self
    }
}

/// What a step gives back that could not be made.
fn unusable() -> TrainOutput<StepLoss> {
    TrainOutput {
        item: StepLoss(f64::NAN),
        grads: GradientsParams::default(),
    }
}

impl<const D: usize, M, T> InferenceStep for MethodStep<D, M, T>
where
    M: InferenceStep + Module + ModuleDisplay,
    T: Clone + fmt::Debug + Send + Sync,
{
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: Self::Input) -> Self::Output {
        self.model.step(item)
    }
}

impl ItemLazy for StepLoss {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self) // The loss was read when the ledger checked it.
    }
}

impl Adaptor<LossInput> for StepLoss {
    fn adapt(&self) -> LossInput {
        // burn-train always has this device; the default one may be a GPU.
        LossInput::new(Tensor::from_data([self.0], &Device::flex()))
    }
}
