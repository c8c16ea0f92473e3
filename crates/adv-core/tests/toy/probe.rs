//! A model that counts its own forwards and backwards, so that the ledger can be held against it.

use super::models::Net;
use adv_core::{Objective, Predict, Split};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::module::Module;
use burn::tensor::Tensor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is shared by all copies of a model.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    fn increase(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a [`Probe`] counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Forwards of the first layer, those of whole passes included.
    pub first_forwards: Counter,
    /// Forwards of all other layers: whole passes.
    pub rest_forwards: Counter,
    /// Backwards that came out of the loss.
    pub from_loss: Counter,
    /// Backwards that made the gradient of the head's weights.
    pub into_head: Counter,
    /// Backwards that entered the first layer.
    pub into_first: Counter,
    /// Backwards that reached the input.
    pub into_input: Counter,
}

/// A network that counts. Its numbers are those of the network it wraps.
#[derive(Module, Debug)]
pub struct Probe {
    net: Net,
    #[module(skip)]
    pub counts: Counts,
    /// Whole forwards per loss.
    #[module(skip)]
    pub forwards: u64,
}

impl Probe {
    pub fn new(net: Net) -> Self {
        Self {
            net,
            counts: Counts::default(),
            forwards: 1,
        }
    }
}

impl Probe {
    /// The network with a head that counts what makes its gradient.
    fn tapped(&self) -> Net {
        let mut net = self.net.clone();
        let head = tap(net.head.val(), &self.counts.into_head);
        net.head = net.head.map(|_| head);
        net
    }
}

impl Objective<4> for Probe {
    type Targets = <Net as Objective<4>>::Targets;

    fn loss(&self, input: Tensor<4>, labels: &Self::Targets) -> Tensor<1> {
        let one = || self.rest(self.first(input.clone(), labels), labels);
        (1..self.forwards).fold(one(), |sum, _| sum + one())
    }

    fn forwards(&self) -> u64 {
        self.forwards
    }
}

impl Split<4> for Probe {
    fn first(&self, input: Tensor<4>, labels: &Self::Targets) -> Tensor<4> {
        self.counts.first_forwards.increase();
        let input = tap(input, &self.counts.into_input);
        tap(self.net.first(input, labels), &self.counts.into_first)
    }

    fn rest(&self, activation: Tensor<4>, labels: &Self::Targets) -> Tensor<1> {
        self.counts.rest_forwards.increase();
        tap(self.tapped().rest(activation, labels), &self.counts.from_loss)
    }
}

impl Predict<4> for Probe {
    fn outputs(&self, input: Tensor<4>, labels: &Self::Targets) -> Tensor<2> {
        let one = || {
            let activation = self.first(input.clone(), labels);
            self.counts.rest_forwards.increase();
            tap(self.tapped().logits(activation), &self.counts.from_loss)
        };
        (1..self.forwards).fold(one(), |sum, _| sum + one())
    }

    fn judge(&self, outputs: Tensor<2>, labels: &Self::Targets) -> Tensor<1> {
        self.net.judge(outputs, labels)
    }
}

/// The identity, with a backward that counts itself.
fn tap<const D: usize>(t: Tensor<D>, counter: &Counter) -> Tensor<D> {
    let Ok(tracked) = t.clone().try_into_primitive::<Autodiff<Flex>>() else {
        return t;
    };
    let (raw, node) = tracked.into_parts();
    let prepared = Tap.prepare::<NoCheckpointing>([node]).compute_bound().stateful();
    Tensor::from_primitive::<Autodiff<Flex>>(match prepared {
        OpsKind::UnTracked(prep) => prep.finish(raw),
        OpsKind::Tracked(prep) => prep.finish(counter.clone(), raw),
    })
}

#[derive(Debug)]
struct Tap;

impl Backward<Flex, 1> for Tap {
    type State = Counter;

    fn backward(self, ops: Ops<Counter, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        if let [Some(node)] = &ops.parents {
            ops.state.increase();
            grads.register::<Flex>(node.id, gradient);
        }
    }
}
