//! Passes that stop at the first layer, or pass through it alone: what YOPO is made of.

use super::{Ledger, backward, finite, leaf};
use crate::passes::{InputPass, Passes, SplitPass, WeightPass};
use crate::{PassError, Split};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};

impl Ledger {
    /// A whole pass cut after the first layer: one forward, one full backward.
    ///
    /// With `first_layer` the backward goes on through the first layer and the gradients hold its weights too;
    /// without, it stops at the cut.
    pub fn split_gradients<const D: usize, M: Split<D> + Module>(
        &mut self,
        model: &M,
        input: Tensor<D>,
        targets: &M::Targets,
        first_layer: bool,
    ) -> Result<SplitPass<D>, PassError> {
        const PASS: &str = "a training pass";
        let activation = model.first(input, targets);
        // The tape of the first layer lives on only where its own backward follows.
        let taped = first_layer.then(|| activation.clone());
        let cut = leaf(activation);
        let loss = model.rest(cut.clone(), targets);
        self.book(Passes {
            forwards: 1,
            ..Passes::default()
        });
        let value = finite(&loss, PASS)?;
        let unreached = PassError::NoInputGradient { pass: PASS };
        let Some(mut rest) = backward(&loss) else {
            return Err(unreached);
        };
        self.book(Passes {
            full_backwards: 1,
            ..Passes::default()
        });
        let co_state = cut.grad_remove(&mut rest).ok_or(unreached)?;
        let mut gradients = GradientsParams::from_grads(rest, model);
        if let Some(activation) = taped
            && let Some(first) = backward(&hamiltonian(activation, &co_state))
        {
            gradients = crate::gradients::sum(gradients, GradientsParams::from_grads(first, model), model);
        }
        Ok(SplitPass {
            loss: value,
            gradients,
            co_state,
        })
    }

    /// The Hamiltonian `sum(first(input) * co_state)` of a frozen model and its input gradient:
    /// one forward and one backward of the first layer.
    pub fn first_layer_input_gradient<const D: usize, M: Split<D>>(
        &mut self,
        frozen: &M,
        input: Tensor<D>,
        targets: &M::Targets,
        co_state: &Tensor<D>,
    ) -> Result<InputPass<D>, PassError> {
        let leaf = leaf(input);
        let value = hamiltonian(frozen.first(leaf.clone(), targets), co_state);
        let (loss, gradients) = self.first_layer_pass(&value)?;
        let gradient = gradients
            .and_then(|mut gradients| leaf.grad_remove(&mut gradients))
            .ok_or(PassError::NoInputGradient {
                pass: FIRST_LAYER_PASS,
            })?;
        Ok(InputPass { loss, gradient })
    }

    /// The Hamiltonian at a constant input and the gradients of the first layer's weights:
    /// one forward and one backward of the first layer. A first layer that is frozen has no gradients.
    pub fn first_layer_weight_gradients<const D: usize, M: Split<D> + Module>(
        &mut self,
        model: &M,
        input: Tensor<D>,
        targets: &M::Targets,
        co_state: &Tensor<D>,
    ) -> Result<WeightPass, PassError> {
        let value = hamiltonian(model.first(input, targets), co_state);
        let (loss, gradients) = self.first_layer_pass(&value)?;
        Ok(WeightPass {
            loss,
            gradients: gradients
                .map(|gradients| GradientsParams::from_grads(gradients, model))
                .unwrap_or_default(),
        })
    }

    /// Value and gradients of a Hamiltonian; none where nothing in it wants a gradient, such as frozen weights.
    fn first_layer_pass(&mut self, value: &Tensor<1>) -> Result<(f64, Option<Gradients>), PassError> {
        self.book(Passes {
            first_forwards: 1,
            ..Passes::default()
        });
        let loss = finite(value, FIRST_LAYER_PASS)?;
        let gradients = backward(value);
        self.book(Passes {
            first_backwards: u64::from(gradients.is_some()),
            ..Passes::default()
        });
        Ok((loss, gradients))
    }
}

/// How errors name a pass through the first layer.
const FIRST_LAYER_PASS: &str = "a first-layer pass";

/// `sum(activation * co_state)`; summed by axis first, since a whole sum of many entries depends on the threads.
fn hamiltonian<const D: usize>(activation: Tensor<D>, co_state: &Tensor<D>) -> Tensor<1> {
    let dims = activation.dims();
    let product = activation * co_state.clone().autodiff();
    product
        .reshape([dims[0], dims[1..].iter().product::<usize>()])
        .sum_dim(1)
        .sum() // tidy: small
}
