//! One update by Adam.

use crate::cpu::adam::{Factors, step_in_place};
use crate::route::{Operand, contiguous, operand, plain, values};
use burn::tensor::Tensor;

/// How the weights decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// So many times the weight is added to the gradient (Adam with an L2 penalty; 0: Adam).
    Gradient(f32),
    /// The weight shrinks by so many times the rate (AdamW, Loshchilov and Hutter 2019).
    Weight(f32),
}

/// Adam (Kingma and Ba 2015, Algorithm 1), without AMSGrad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Shares that the moments keep, below 1: of the gradient, and of its square.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// How the weights decay.
    pub decay: Decay,
}

impl Adam {
    /// Update number `time`, from 1, of one tensor: the new weight, and the new moments. Those before the first update are zero.
    ///
    /// One pass over the memory, in the place of weight and moments where nothing else holds them. In 32 bits the bits are those of
    /// Burn's `Adam` and `AdamW` without AMSGrad, up to the sign of a zero, for every number of threads. Arguments are tensors without
    /// autodiff, as an optimiser of Burn gets them.
    ///
    /// # Panics
    /// If the shapes differ, `time` is 0, or a share of [`betas`](Self::betas) does not lie in [0, 1).
    pub fn step<const D: usize>(
        &self,
        rate: f64,
        time: usize,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        assert!(time > 0, "updates count from 1");
        let shares = self.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        assert!(shares, "moments keep shares in [0, 1), not {:?}", self.betas);
        let shape = weight.dims();
        let [first, second] = &moments;
        let same = [&gradient, first, second].iter().all(|part| part.dims() == shape);
        assert!(same, "gradient and moments of the weight's shape {shape:?}");
        let factors = self.factors(rate, time);
        let found = [&weight, &gradient, first, second].map(operand);
        let [
            Some(Operand::Plain(w)),
            Some(Operand::Plain(g)),
            Some(Operand::Plain(m)),
            Some(Operand::Plain(v)),
        ] = found
        else {
            return reference(factors, weight, gradient, moments);
        };
        // Second handles would force copies.
        drop((weight, gradient, moments));
        let [mut w, mut m, mut v] = [w, m, v].map(contiguous);
        let g = contiguous(g);
        step_in_place(
            factors,
            w.storage_mut(),
            [m.storage_mut(), v.storage_mut()],
            values(&g),
        );
        (plain(w), [plain(m), plain(v)])
    }

    /// Both kinds correct the moments for their start at zero, Burn's two in another order of operations each.
    fn factors(&self, rate: f64, time: usize) -> Factors {
        let corrections = self.betas.map(|beta| 1.0 - beta.powi(time as i32));
        let common = Factors {
            kept: self.betas,
            new: self.betas.map(|beta| 1.0 - beta),
            divisors: [1.0; 2],
            factor: 1.0,
            epsilon: self.epsilon,
            rate: rate as f32,
            penalty: None,
            shrink: 1.0,
        };
        match self.decay {
            Decay::Gradient(penalty) => {
                let root = corrections[1].sqrt();
                Factors {
                    factor: root / corrections[0],
                    epsilon: self.epsilon * root,
                    penalty: (penalty != 0.0).then_some(penalty),
                    ..common
                }
            }
            Decay::Weight(decay) => Factors {
                divisors: corrections,
                shrink: (1.0 - rate * f64::from(decay)) as f32,
                ..common
            },
        }
    }
}

/// Burn's operations; a factor of 1 costs no pass.
fn reference<const D: usize>(
    f: Factors,
    weight: Tensor<D>,
    gradient: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let gradient = match f.penalty {
        None => gradient,
        Some(penalty) => weight.clone().mul_scalar(penalty) + gradient,
    };
    let first = first.mul_scalar(f.kept[0]) + gradient.clone().mul_scalar(f.new[0]);
    let second = second.mul_scalar(f.kept[1]) + gradient.square().mul_scalar(f.new[1]);
    let times = |x: Tensor<D>, factor: f32| if factor == 1.0 { x } else { x.mul_scalar(factor) };
    let over = |x: Tensor<D>, divisor: f32| if divisor == 1.0 { x } else { x.div_scalar(divisor) };
    let root = over(second.clone(), f.divisors[1]).sqrt();
    let corrected = times(over(first.clone(), f.divisors[0]), f.factor);
    let change = corrected / root.add_scalar(f.epsilon);
    let weight = times(weight, f.shrink) - change.mul_scalar(f.rate);
    (weight, [first, second])
}
