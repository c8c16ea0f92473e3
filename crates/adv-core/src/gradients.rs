//! Arithmetic on whole sets of parameter gradients.

use crate::ParamError;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The L2 norm over all parameter gradients together.
pub fn global_norm<M: Module>(gradients: &GradientsParams, model: &M) -> f64 {
    let mut visitor = SquareSum {
        gradients,
        total: 0.0,
    };
    model.visit(&mut visitor);
    visitor.total.sqrt()
}

/// The gradients, scaled so that their norm over all parameters together is at most `max`; and the norm before.
///
/// What `torch.nn.utils.clip_grad_norm_` does, up to its 1e-6. Not Burn's `GradientClipping::Norm`, which clips each
/// tensor by itself. Gradients inside the bound are not changed at all.
pub fn clip_global_norm<M: Module>(
    gradients: GradientsParams,
    model: &M,
    max: MaxNorm,
) -> (GradientsParams, f64) {
    let norm = global_norm(&gradients, model);
    if norm <= max.0 {
        return (gradients, norm);
    }
    (scale(gradients, model, max.0 / norm), norm)
}

/// The largest global norm that gradients may have: a positive finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxNorm(f64);

impl MaxNorm {
    /// A positive finite number.
    pub fn new(max: f64) -> Result<Self, ParamError> {
        if max.is_finite() && max > 0.0 {
            Ok(Self(max))
        } else {
            Err(ParamError::MaxNorm(max))
        }
    }
}

/// The gradients times `factor`.
pub fn scale<M: Module>(gradients: GradientsParams, model: &M, factor: f64) -> GradientsParams {
    let mut visitor = Scale { gradients, factor };
    model.visit(&mut visitor);
    visitor.gradients
}

/// The sum of two sets; a parameter that is in one of them only keeps its gradient.
pub fn sum<M: Module>(first: GradientsParams, second: GradientsParams, model: &M) -> GradientsParams {
    let mut visitor = Sum {
        total: first,
        other: second,
    };
    model.visit(&mut visitor);
    visitor.total
}

struct SquareSum<'a> {
    gradients: &'a GradientsParams,
    total: f64,
}

impl ModuleVisitor for SquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // By rows first: a whole sum of millions of entries depends on the number of threads.
            let dims = gradient.dims();
            let rows = gradient.reshape([dims[0], dims[1..].iter().product::<usize>()]);
            let squares = rows.square().sum_dim(1).sum(); // tidy: small
            self.total += f64::from(squares.into_scalar::<f32>());
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

struct Sum {
    total: GradientsParams,
    other: GradientsParams,
}

impl ModuleVisitor for Sum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(addend) = self.other.remove::<D>(param.id) {
            let total = match self.total.remove::<D>(param.id) {
                Some(value) => value + addend,
                None => addend,
            };
            self.total.register(param.id, total);
        }
    }
}
