//! Dropout on slices.

use super::parallel::for_each_pair;

/// Entries of one piece of a parallel loop; even, so that two draws of a 32-bit word stay together.
const PIECE: usize = 1 << 14;

/// What an entry becomes: 0 for draws below `dropped`, else `kept` times itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) dropped: u32,
    pub(crate) kept: f32,
}

impl Rule {
    /// For a probability in [0, 1).
    pub(crate) fn new(probability: f64) -> Self {
        Self {
            dropped: (probability * 65536.0).round() as u32,
            kept: (1.0 / (1.0 - probability)) as f32,
        }
    }

    pub(crate) fn factor(self, draw: u16) -> f32 {
        if u32::from(draw) < self.dropped {
            0.0
        } else {
            self.kept
        }
    }
}

/// Multiplies each entry with its factor; 1 for each entry that stays, else 0.
pub(crate) fn forward_in_place(
    rule: Rule,
    draws: impl Fn(usize, &mut [u16]) + Sync + Send,
    values: &mut [f32],
) -> Vec<u8> {
    let mut stays = vec![0; values.len()];
    let work = 8 * values.len();
    for_each_pair(values, &mut stays, [PIECE, PIECE], work, |i, values, stays| {
        let mut drawn = vec![0; values.len()];
        draws(i * PIECE, &mut drawn);
        for ((value, stay), draw) in values.iter_mut().zip(stays.iter_mut()).zip(drawn) {
            *value *= rule.factor(draw);
            *stay = u8::from(u32::from(draw) >= rule.dropped);
        }
    });
    stays
}

/// The same factors for the gradient.
pub(crate) fn backward_in_place(rule: Rule, stays: &[u8], grad: &mut [f32]) {
    assert_eq!(stays.len(), grad.len(), "gradient of the input's shape");
    super::parallel::for_each_piece(grad, PIECE, stays.len(), |i, grad| {
        for (grad, stay) in grad.iter_mut().zip(&stays[i * PIECE..]) {
            *grad *= rule.kept * f32::from(*stay);
        }
    });
}
