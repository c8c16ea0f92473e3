//! Adam and AdamW as an optimiser of Burn's, each tensor's update in one pass over the memory.

use adv_ops::Adam;
use burn::optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// Burn's `Adam` and `AdamW` in their updates and in their records: a checkpoint of the one can be resumed with the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnePassAdam(pub(crate) Adam);

impl Optimizer for OnePassAdam {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let (done, moments) = match state {
            None => (0, [weight.zeros_like(), weight.zeros_like()]),
            Some(AdamWState { momentum }) => (momentum.time, [momentum.moment_1, momentum.moment_2]),
        };
        let time = done + 1;
        let (weight, [first, second]) = self.0.step(rate, time, weight, gradient, moments);
        let momentum = AdaptiveMomentumState::new(time, first, second);
        (weight, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamWState::new(state.momentum.to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adv_ops::Decay;
    use burn::module::{Module, Param};
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer};
    use burn::tensor::TensorData;

    const INPUTS: usize = 700;
    const OUTPUTS: usize = 90;

    /// Values of every size, zeros among them.
    fn values<const D: usize>(seed: usize, shape: [usize; D]) -> Tensor<D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|i| match (i * 7919 + seed * 104_729) % 1013 {
                0 => 0.0,
                k => (k as f32 - 506.0) * 10f32.powi(-((k % 9) as i32)),
            })
            .collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn layer() -> Linear {
        let device = Device::flex().autodiff();
        let mut layer: Linear = LinearConfig::new(INPUTS, OUTPUTS).init(&device);
        let weight = Tensor::from_inner(values(0, [INPUTS, OUTPUTS]));
        layer.weight = Param::initialized(layer.weight.id, weight.require_grad());
        layer.bias = layer
            .bias
            .map(|bias| Param::initialized(bias.id, Tensor::from_inner(values(1, [OUTPUTS])).require_grad()));
        layer
    }

    /// Seven steps, with a break in which the optimiser is saved and one of the other kind loaded: the bits of the weights.
    fn steps(first: ModuleOptimizer, second: ModuleOptimizer) -> Vec<u32> {
        let mut layer = layer();
        let (mut optimiser, mut next) = (first, Some(second));
        for step in 0..7 {
            if step == 3 {
                let record = optimiser.into_bytes().expect("a record");
                let other = next.take().expect("one break");
                optimiser = other.from_bytes(record).expect("the same record");
            }
            let mut gradients = GradientsParams::new();
            gradients.register(layer.weight.id, values(2 + step, [INPUTS, OUTPUTS]));
            let bias = layer.bias.as_ref().expect("a bias");
            gradients.register(bias.id, values(3 + step, [OUTPUTS]));
            // A second handle to the weights, on which an update in place must not show.
            let before = layer.clone();
            let bits_before = bits(&before);
            layer = optimiser.step(1e-2 / (step + 1) as f64, layer, gradients);
            assert_eq!(bits(&before), bits_before);
        }
        bits(&layer)
    }

    fn bits(layer: &Linear) -> Vec<u32> {
        let layer = layer.valid();
        let bias = layer.bias.as_ref().expect("a bias");
        [layer.weight.val().reshape([-1]), bias.val()]
            .into_iter()
            .flat_map(|part: Tensor<1>| {
                part.into_data()
                    .iter::<f32>()
                    .map(f32::to_bits)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Weight and moments of one tensor after five steps, bit by bit.
    fn parts<O: Optimizer>(
        optimiser: &O,
        moments: impl Fn(O::State<2>) -> AdaptiveMomentumState<2>,
    ) -> [Vec<u32>; 3] {
        let (mut weight, mut state) = (values(0, [70, 90]), None);
        for step in 0..5 {
            let rate = 1e-2 / (step + 1) as f64;
            (weight, state) = optimiser.step(rate, weight, values(2 + step, [70, 90]), state);
        }
        let moments = moments(state.expect("a state after a step"));
        [weight, moments.moment_1, moments.moment_2].map(|part| {
            let data = part.into_data();
            data.iter::<f32>().map(f32::to_bits).collect()
        })
    }

    #[test]
    fn moments_have_the_bits_of_burns_optimisers() {
        let ours = |decay| {
            let rule = Adam {
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                decay,
            };
            parts(&OnePassAdam(rule), |state| state.momentum)
        };
        let penalty = Some(WeightDecayConfig::new(0.3));
        let adam = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(penalty);
        let adam = parts(&adam.build(), |state| state.momentum);
        assert!(ours(Decay::Gradient(0.3)) == adam, "Adam");
        let adamw = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.3);
        let adamw = parts(&adamw.build(), |state| state.momentum);
        assert!(ours(Decay::Weight(0.3)) == adamw, "AdamW");
    }

    #[test]
    fn weights_have_the_bits_of_burns_optimisers() {
        let ours = |decay| {
            ModuleOptimizer::from(OnePassAdam(Adam {
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                decay,
            }))
        };
        let adam = AdamConfig::new().with_epsilon(1e-8);
        let adamw = AdamWConfig::new().with_epsilon(1e-8);
        let penalty = Some(WeightDecayConfig::new(0.3));
        let check = |decay, burns: &dyn Fn() -> ModuleOptimizer| {
            let want = steps(burns(), burns());
            assert!(steps(ours(decay), ours(decay)) == want, "{decay:?}");
            assert!(
                steps(burns(), ours(decay)) == want,
                "{decay:?}, from a record of Burn's"
            );
            assert!(
                steps(ours(decay), burns()) == want,
                "{decay:?}, from a record of ours"
            );
        };
        check(Decay::Gradient(0.0), &|| adam.init());
        check(Decay::Gradient(0.3), &|| {
            adam.clone().with_weight_decay(penalty.clone()).init()
        });
        for decay in [0.0, 0.3] {
            check(Decay::Weight(decay), &|| {
                adamw.clone().with_weight_decay(decay).init()
            });
        }
    }
}
