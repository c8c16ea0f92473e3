//! One step of Adam on slices.

use super::parallel::for_each_three;
use super::simd::dispatch;
use pulp::{Simd, WithSimd};

/// Values of one piece of a parallel loop: of all four slices they fit the cache of a core.
const PIECE: usize = 1 << 14;

/// The numbers of one step, as the loop needs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factors {
    /// Shares that the moments keep, and those that come new.
    pub(crate) kept: [f32; 2],
    pub(crate) new: [f32; 2],
    /// What the moments are divided by, since they began at zero.
    pub(crate) divisors: [f32; 2],
    /// What the first moment is multiplied by.
    pub(crate) factor: f32,
    pub(crate) epsilon: f32,
    pub(crate) rate: f32,
    /// Times the weight, added to the gradient.
    pub(crate) penalty: Option<f32>,
    /// What the weight is multiplied by before its update.
    pub(crate) shrink: f32,
}

struct Step<'a> {
    factors: Factors,
    weight: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
}

impl Step<'_> {
    /// In the order of Burn's operations, so that the bits are theirs.
    #[inline(always)]
    fn run(self, of_gradient: impl Fn(f32, f32) -> f32) {
        let f = self.factors;
        let moments = self.first.iter_mut().zip(self.second);
        for ((w, g), (m, v)) in self.weight.iter_mut().zip(self.gradient).zip(moments) {
            let g = of_gradient(*w, *g);
            *m = *m * f.kept[0] + g * f.new[0];
            *v = *v * f.kept[1] + g * g * f.new[1];
            let root = (*v / f.divisors[1]).sqrt() + f.epsilon;
            let change = *m / f.divisors[0] * f.factor / root;
            *w = *w * f.shrink - change * f.rate;
        }
    }
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.factors.penalty {
            None => self.run(|_, g| g),
            Some(penalty) => self.run(|w, g| w * penalty + g),
        }
    }
}

/// Moves `weight` and both moments, of the gradient and of its square, by one step.
pub(crate) fn step_in_place(
    factors: Factors,
    weight: &mut [f32],
    moments: [&mut [f32]; 2],
    gradient: &[f32],
) {
    let count = gradient.len();
    assert_eq!(weight.len(), count, "a gradient of the weight's shape");
    let [first, second] = moments;
    for_each_three(
        [weight, first, second],
        PIECE,
        4 * count,
        |i, [weight, first, second]| {
            let gradient = &gradient[i * PIECE..][..weight.len()];
            dispatch(Step {
                factors,
                weight,
                first,
                second,
                gradient,
            });
        },
    );
}
