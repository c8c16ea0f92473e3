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
    view: u32,
    rows: Option<Rows>,
    policy: MaskPolicy,
}

/// The samples of a mini-batch that a pass takes: so many from this one on.
#[derive(Debug, Clone, Copy)]
struct Rows {
    first: usize,
    count: usize,
}

impl Masks {
    /// Masks of a new mini-batch: they depend on this seed, the layer, the view and, if fresh, the pass.
    pub fn begin_batch(&self, seed: u64) {
        self.change(|source| {
            source.seed = seed;
            source.pass = 0;
            source.view = 0;
            source.rows = None;
        });
    }

    /// Passes that follow take `count` samples of the mini-batch from number `first` on, under the masks that these have in a pass of
    /// all samples.
    pub(crate) fn begin_rows(&self, first: usize, count: usize) {
        self.change(|source| source.rows = Some(Rows { first, count }));
    }

    /// What `run` gives, under the masks of another view and other samples; those at hand come back afterwards.
    pub(crate) fn aside<T>(&self, view: u32, first: usize, count: usize, run: impl FnOnce() -> T) -> T {
        let mut kept = (0, None);
        self.change(|source| {
            kept = (source.view, source.rows);
            (source.view, source.rows) = (view, Some(Rows { first, count }));
        });
        let out = run();
        self.change(|source| (source.view, source.rows) = kept);
        out
    }

    /// Masks of another view of the mini-batch at hand, 0 at first; fresh ones differ from pass to pass anyway. Going back to a view
    /// goes back to its masks.
    pub(crate) fn begin_view(&self, view: u32) {
        self.change(|source| source.view = view);
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

    /// The draws of one use by a tensor of so many entries: 16 bits an entry, enough for a probability and half the work of 32. Those from
    /// entry `first`, which is even, on.
    fn draws(&self, layer: u32, entries: usize) -> impl Fn(usize, &mut [u16]) + Send + Sync + use<> {
        let source = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = match source.policy {
            MaskPolicy::Replay => source.view,
            MaskPolicy::Fresh => source.pass,
        };
        let mut start = ChaCha8Rng::seed_from_u64(source.seed);
        start.set_stream(u64::from(layer) << 32 | u64::from(pass));
        // A sample is the first axis of every tensor that is dropped from, alone or before others.
        let before = source
            .rows
            .map_or(0, |rows| rows.first * (entries / rows.count.max(1)));
        move |first, out| {
            let first = before + first;
            let mut rng = start.clone();
            rng.set_word_pos(first as u128 / 2);
            let skipped = first % 2;
            let mut bytes = vec![0; 2 * (out.len() + skipped)];
            rng.fill_bytes(&mut bytes);
            for (draw, pair) in out.iter_mut().zip(bytes.chunks_exact(2).skip(skipped)) {
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
        let entries = x.dims().iter().product();
        let draws = self.masks.draws(self.layer | turn << TURN, entries);
        adv_ops::dropout(x, self.probability, draws)
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
    fn a_view_has_masks_of_its_own_and_gets_them_back() {
        let masks = Masks::default();
        masks.begin_batch(7);
        let seen: Vec<_> = [0, 1, 0, 1]
            .map(|view| {
                masks.begin_view(view);
                factors(&masks, 0, 64, 0.5)
            })
            .into();
        assert_ne!(seen[0], seen[1]);
        assert_eq!(seen[..2], seen[2..]);
        // A new mini-batch begins with the first one.
        masks.begin_batch(7);
        assert_eq!(factors(&masks, 0, 64, 0.5), seen[0]);
    }

    #[test]
    fn a_part_of_the_samples_has_the_masks_of_the_whole() {
        let masks = Masks::default();
        // Five samples of three entries, so that parts begin at odd ones too.
        let whole = factors(&masks, 0, 15, 0.5);
        for (first, count) in [(0, 2), (1, 3), (3, 2)] {
            masks.begin_rows(first, count);
            let part = factors(&masks, 0, 3 * count, 0.5);
            assert_eq!(part, whole[3 * first..3 * (first + count)], "{first}, {count}");
        }
        masks.begin_batch(0);
        assert_eq!(factors(&masks, 0, 15, 0.5), whole);
    }

    #[test]
    fn layers_of_one_batch_have_masks_of_their_own() {
        let masks = Masks::default();
        assert_ne!(factors(&masks, 0, 64, 0.5), factors(&masks, 1, 64, 0.5));
    }

    #[test]
    fn draws_are_the_same_however_they_are_asked_for() {
        let draws = Masks::default().draws(3, 1000);
        let (mut whole, mut part) = (vec![0; 1000], vec![0; 400]);
        draws(0, &mut whole);
        draws(332, &mut part);
        assert_eq!(whole[332..732], part);
    }
}
