//! Dropout whose masks belong to the mini-batch, so that several passes can use the same one.

use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::sync::{Arc, Mutex, PoisonError};

/// Which mask a forward pass uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaskPolicy {
    /// The same one in every pass of a mini-batch: what FreeLB's published setting does, and what makes the loss of
    /// a mini-batch one function during an ascent.
    #[default]
    Replay,
    /// A new one in every pass: what Burn and PyTorch do.
    Fresh,
}

/// Where the masks of a mini-batch come from. Shared by all clones of a model, also by the frozen ones of an ascent.
#[derive(Debug, Clone, Default)]
pub struct Masks(Arc<Mutex<Source>>);

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    seed: u64,
    pass: u32,
    policy: MaskPolicy,
}

impl Masks {
    /// Masks of a new mini-batch: they depend on this seed, the layer and, if fresh, the pass.
    pub fn begin_batch(&self, seed: u64) {
        self.change(|source| {
            source.seed = seed;
            source.pass = 0;
        });
    }

    /// Sets the policy, for all passes that follow.
    pub fn set_policy(&self, policy: MaskPolicy) {
        self.change(|source| source.policy = policy);
    }

    /// Counts a forward pass.
    pub(crate) fn next_pass(&self) {
        self.change(|source| source.pass = source.pass.wrapping_add(1));
    }

    fn change(&self, edit: impl FnOnce(&mut Source)) {
        // The state is valid after every edit, so a panic elsewhere cannot have broken it.
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The draws of one use: 16 bits an entry, enough for a probability and half the work of 32. Those from entry `first`, which is
    /// even, on.
    fn draws(&self, layer: u32) -> impl Fn(usize, &mut [u16]) + Send + Sync + use<> {
        let source = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = match source.policy {
            MaskPolicy::Replay => 0,
            MaskPolicy::Fresh => source.pass,
        };
        let mut start = ChaCha8Rng::seed_from_u64(source.seed);
        start.set_stream(u64::from(layer) << 32 | u64::from(pass));
        move |first, out| {
            let mut rng = start.clone();
            rng.set_word_pos(first as u128 / 2);
            let mut bytes = vec![0; 2 * out.len()];
            rng.fill_bytes(&mut bytes);
            for (draw, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *draw = u16::from_le_bytes([pair[0], pair[1]]);
            }
        }
    }
}

/// Dropout (Srivastava et al. 2014): in train mode, entries are zero with a probability, and the others are scaled up.
///
/// Not `burn::nn::Dropout`, which draws from a generator of the whole process and cannot repeat a mask. Off in a
/// `valid()` copy, on again in a `train()` one.
#[derive(Module, Debug)]
pub struct Dropout {
    probability: f64,
    layer: u32,
    active: Param<Flag>,
    #[module(skip)]
    masks: Masks,
}

/// Where the number of a turn begins in the address of a mask: a network has fewer layers.
const TURN: u32 = 16;

impl Dropout {
    /// `probability` in [0, 1). `layer` tells the dropout layers of a network apart.
    pub(crate) fn new(probability: f64, layer: u32, masks: Masks) -> Self {
        Self {
            probability,
            layer,
            active: Param::from_bool(true),
            masks,
        }
    }

    /// Drops single entries. `[B, N]` to `[B, N]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.apply(x, 0)
    }

    /// Drops whole channels (PyTorch's `Dropout2d`). `[B, C, H, W]` to `[B, C, H, W]`.
    pub fn forward_channels(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, _, _] = x.dims();
        let factors = Tensor::ones([batch, channels, 1, 1], &x.device());
        x * self.apply(factors, 0)
    }

    /// Drops the same entries at all steps of a sequence (Gal and Ghahramani 2016). `[B, T, E]` to `[B, T, E]`.
    pub(crate) fn forward_steps(&self, x: Tensor<3>) -> Tensor<3> {
        if self.is_off() {
            return x;
        }
        let [batch, _, width] = x.dims();
        let factors = Tensor::ones([batch, 1, width], &x.device());
        x * self.apply(factors, 0)
    }

    fn is_off(&self) -> bool {
        !self.active.is_enabled() || self.probability == 0.0
    }

    /// Drops single entries of a tensor of any rank. `turn` tells the uses of a shared layer apart.
    pub(crate) fn apply<const D: usize>(&self, x: Tensor<D>, turn: u32) -> Tensor<D> {
        if self.is_off() {
            return x;
        }
        adv_ops::dropout(x, self.probability, self.masks.draws(self.layer | turn << TURN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// What becomes of so many ones.
    fn factors(masks: &Masks, layer: u32, count: usize, probability: f64) -> Vec<f32> {
        let ones = Tensor::<1>::ones([count], &Device::flex());
        let dropout = Dropout::new(probability, layer, masks.clone());
        dropout.apply(ones, 0).into_data().iter::<f32>().collect()
    }

    #[test]
    fn the_share_of_zeros_and_the_mean_are_right() {
        let masks = Masks::default();
        for (probability, layer) in [(0.5, 0), (0.1, 1), (0.0, 2)] {
            let factors = factors(&masks, layer, 100_000, probability);
            let zeros = factors.iter().filter(|f| **f == 0.0).count() as f64 / 1e5;
            let mean = factors.iter().map(|f| f64::from(*f)).sum::<f64>() / 1e5;
            assert!((zeros - probability).abs() < 0.01, "{probability}: {zeros}");
            assert!((mean - 1.0).abs() < 0.02, "{probability}: {mean}");
        }
    }

    #[test]
    fn layers_of_one_batch_have_masks_of_their_own() {
        let masks = Masks::default();
        assert_ne!(factors(&masks, 0, 64, 0.5), factors(&masks, 1, 64, 0.5));
    }

    #[test]
    fn draws_are_the_same_however_they_are_asked_for() {
        let draws = Masks::default().draws(3);
        let (mut whole, mut part) = (vec![0; 1000], vec![0; 400]);
        draws(0, &mut whole);
        draws(332, &mut part);
        assert_eq!(whole[332..732], part);
    }
}
