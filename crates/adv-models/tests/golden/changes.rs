//! The changes of the weights by a step of plain SGD, by PyTorch's names and in its layout.

use super::set::Array;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// By name: `conv1.weight`, ...
pub type Changes = BTreeMap<String, Array>;

/// Minus rate times gradient: a difference of weights in float32 would round.
pub fn changes<M: Module>(model: &M, gradients: &GradientsParams, rate: f64) -> Changes {
    let mut visitor = Visitor {
        gradients,
        rate,
        path: Vec::new(),
        linear: false,
        changes: Changes::new(),
    };
    model.visit(&mut visitor);
    visitor.changes
}

/// Adds the changes of another step.
pub fn add(total: &mut Changes, step: Changes) {
    for (name, change) in step {
        match total.get_mut(&name) {
            Some(sum) => sum
                .values
                .iter_mut()
                .zip(&change.values)
                .for_each(|(a, b)| *a += b),
            None => drop(total.insert(name, change)),
        }
    }
}

struct Visitor<'a> {
    gradients: &'a GradientsParams,
    rate: f64,
    path: Vec<String>,
    linear: bool,
    changes: Changes,
}

impl ModuleVisitor for Visitor<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_string());
        self.linear = container == "Struct:Linear";
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path[self.path.len() - 2..].join(".");
        let gradient = self
            .gradients
            .get::<D>(param.id)
            .unwrap_or_else(|| panic!("no gradient of {name}"));
        let gradient = if self.linear && D == 2 {
            gradient.swap_dims(0, 1)
        } else {
            gradient
        };
        let mut change = Array::of(gradient);
        change
            .values
            .iter_mut()
            .for_each(|value| *value = (-self.rate * f64::from(*value)) as f32);
        self.changes.insert(name, change);
    }
}
