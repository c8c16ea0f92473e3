//! Negatives from earlier mini-batches: vectors of an encoder that follows the trained one slowly.

use crate::error::ContrastError;
use crate::sentence::Encoder;
use crate::text::{POSITIVES, SentenceBatch};
use adv_core::{Noise, Passes};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::VecDeque;

/// Vectors of the last sentences that were learnt from, which every anchor is told apart from (MoCo, He et al. 2020; for sentences ESimCSE,
/// Wu et al. 2022).
///
/// They are made without dropout, as in ESimCSE, by a copy of the encoder that is no part of the gradient: with every update
/// `copy = m * copy + (1 - m) * encoder`. An anchor is told apart from an equal sentence of an earlier mini-batch, too.
#[derive(Module, Debug)]
pub struct MomentumQueue<E: Module> {
    encoder: E,
    /// `[N, W]`, the oldest first.
    vectors: Param<Tensor<2>>,
    #[module(skip)]
    momentum: f64,
}

impl<E: Encoder> MomentumQueue<E> {
    /// A queue that begins with the vectors `start`, `[N, W]`, and never has more. `momentum` is
    /// 0.995 in ESimCSE, 0.999 in MoCo; with 0 the copy is the encoder, with 1 it stays what it is.
    ///
    /// Errors: a momentum outside [0, 1].
    pub fn new(encoder: &E, start: Tensor<2>, momentum: f64) -> Result<Self, ContrastError> {
        if !(0.0..=1.0).contains(&momentum) {
            return Err(ContrastError::Momentum(momentum));
        }
        Ok(Self {
            // Ids of its own: an optimiser would take the gradients of the encoder for it.
            encoder: encoder.valid().map(&mut Renamed).no_grad(),
            vectors: Param::initialized(ParamId::new(), start).set_require_grad(false),
            momentum,
        })
    }

    /// A queue that begins with Gaussian vectors of this shape, `[N, W]`, as MoCo's program does: see [`new`](Self::new).
    pub fn gaussian(
        encoder: &E,
        shape: [usize; 2],
        momentum: f64,
        noise: &mut dyn Noise,
        device: &Device,
    ) -> Result<Self, ContrastError> {
        let mut start = vec![0.0; shape.iter().product()];
        noise.normal(&mut start);
        Self::new(
            encoder,
            Tensor::from_data(TensorData::new(start, shape), device),
            momentum,
        )
    }

    /// What it adds to a mini-batch: one forward, the copy's.
    pub fn added_cost() -> Passes {
        Passes {
            forwards: 1,
            ..Passes::default()
        }
    }

    /// The vectors, `[N, W]`, the oldest first.
    pub fn vectors(&self) -> Tensor<2> {
        self.vectors.valid().val()
    }

    /// After an update: the copy goes a step towards `encoder`.
    pub fn follow(self, encoder: &E) -> Self {
        let mut found = Found::default();
        encoder.valid().visit(&mut found);
        let mut step = Follow {
            found,
            momentum: self.momentum,
        };
        Self {
            encoder: self.encoder.map(&mut step),
            ..self
        }
    }

    /// The candidates of a mini-batch take the place of the oldest: positives, where there are some, else the sentences. One forward.
    pub fn push(self, batch: &SentenceBatch) -> Self {
        let candidates = batch.positives.as_ref().unwrap_or(&batch.anchors);
        let new = self.encoder.valid().view(POSITIVES, candidates, None);
        let all = Tensor::cat(vec![self.vectors(), new], 0);
        let ([count, _], [kept, _]) = (all.dims(), self.vectors.dims());
        let vectors = all.narrow(0, count - kept, kept);
        Self {
            vectors: Param::initialized(self.vectors.id, vectors).set_require_grad(false),
            ..self
        }
    }
}

/// Gives every parameter a new id.
struct Renamed;

impl ModuleMapper for Renamed {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        Param::initialized(ParamId::new(), param.val())
    }
}

/// Parameters in their order; the container is that of gradients because it holds tensors of any rank.
#[derive(Default)]
struct Found {
    ids: VecDeque<ParamId>,
    values: GradientsParams,
}

impl ModuleVisitor for Found {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Not that of the parameter, which a module may hold in two places.
        let id = ParamId::new();
        self.ids.push_back(id);
        self.values.register(id, param.val());
    }
}

struct Follow {
    found: Found,
    momentum: f64,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = self
            .found
            .ids
            .pop_front()
            .expect("a copy has the parameters of its encoder");
        let towards: Tensor<D> = self.found.values.remove(id).expect("registered with its id");
        let m = self.momentum;
        param.map(|value| value.mul_scalar(m) + towards.mul_scalar(1.0 - m))
    }
}
