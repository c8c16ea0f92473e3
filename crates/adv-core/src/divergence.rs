//! How far the outputs at two inputs lie apart.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// A distance between outputs `[B, C]` at two inputs, for logits unless said. Zero where they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divergence {
    /// `KL(p || q)`, p of the reference: VAT (Miyato et al. 2018), ALUM.
    Kl,
    /// `KL(p || q) + KL(q || p)`: R3F (Aghajanyan et al. 2021).
    SymmetricKl,
    /// The same, the target of each term a constant: the regulariser of SMART's program, `SymKlCriterion`.
    SymmetricKlConstantTargets,
    /// What SMART's program climbs on, `stable_kl`: `sum 2 q (logit q - logit p)`, where gradients flow through the leading q alone
    /// and the logits, `log(q / (1 - q))`, are taken of clipped probabilities. It may fall below zero where there are more than two
    /// classes.
    SmartAscent,
    /// `sum (z - z')^2` of the outputs themselves: for regression.
    SquaredError,
}

/// Keeps the logit of a probability finite: SMART's program.
const CLIP: f64 = 1e-6;

impl Divergence {
    /// One value a sample, `[B]`. Gradients flow through both arguments, except where a variant says otherwise.
    pub fn of(self, reference: Tensor<2>, other: Tensor<2>) -> Tensor<1> {
        let batch = other.dims()[0];
        let sum = match self {
            Divergence::SquaredError => (reference - other).square().sum_dim(1),
            Divergence::SmartAscent => {
                let [target, own] = [reference, other].map(|z| log_softmax(z, 1).exp());
                let odds = |p: Tensor<2>| clipped_logit(p.detach());
                let apart = odds(own.clone()) - odds(target);
                (own * apart).mul_scalar(2.0).sum_dim(1)
            }
            Divergence::Kl => kl(log_softmax(reference, 1), log_softmax(other, 1)),
            Divergence::SymmetricKl => {
                let (p, q) = (log_softmax(reference, 1), log_softmax(other, 1));
                kl(p.clone(), q.clone()) + kl(q, p)
            }
            Divergence::SymmetricKlConstantTargets => {
                let (p, q) = (log_softmax(reference, 1), log_softmax(other, 1));
                kl(p.clone().detach(), q.clone()) + kl(q.detach(), p)
            }
        };
        sum.reshape([batch])
    }
}

/// `sum p (log p - log q)` of log-probabilities, `[B, 1]`.
fn kl(log_p: Tensor<2>, log_q: Tensor<2>) -> Tensor<2> {
    (log_p.clone().exp() * (log_p - log_q)).sum_dim(1)
}

/// `log(p / (1 - p))`, of clipped probabilities as SMART's program has it.
fn clipped_logit(p: Tensor<2>) -> Tensor<2> {
    let odds = p.add_scalar(CLIP).recip().add_scalar(CLIP - 1.0);
    odds.log().neg()
}
