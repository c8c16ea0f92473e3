//! Defaults by data set and by method.

use super::{AscentModeName, FirstLayerName, MethodName, MethodSpec, NormName, Settings, StartName};
use adv_data::DatasetId;
use adv_models::Architecture;

/// Defaults of a data set.
pub(super) struct Base {
    pub(super) model: Architecture,
    pub(super) eps: f64,
    pub(super) epochs: f64,
    pub(super) batch: usize,
    pub(super) lr: f64,
    pub(super) hold_out: usize,
}

pub(super) fn of(dataset: DatasetId) -> Base {
    let (model, eps, epochs, batch, lr, hold_out) = match dataset {
        DatasetId::Digits => (Architecture::WongCnn, 0.15, 40.0, 32, 5e-3, 144),
        // Wong et al. 2020.
        DatasetId::Mnist => (Architecture::WongCnn, 0.3, 10.0, 100, 5e-3, 1000),
        DatasetId::FashionMnist => (Architecture::WongCnn, 0.1, 10.0, 100, 5e-3, 1000),
        DatasetId::Cifar10 => (Architecture::SmallCnn, 8.0 / 255.0, 15.0, 128, 2e-3, 500),
    };
    Base {
        model,
        eps,
        epochs,
        batch,
        lr,
        hold_out,
    }
}

pub(super) fn method(s: &Settings, dataset: DatasetId, eps: f64) -> MethodSpec {
    let name = s.method.unwrap_or(MethodName::Pgd);
    let norm = s.norm.unwrap_or(if name == MethodName::Fgm {
        NormName::L2
    } else {
        NormName::Linf
    });
    // An L2 ball that holds visible changes is larger than an Linf one: 1.5 on MNIST where Linf has 0.3.
    let eps = s
        .eps
        .unwrap_or(if norm == NormName::L2 { 5.0 * eps } else { eps });
    let steps = s.steps.unwrap_or(if name == MethodName::FreeLb { 3 } else { 7 });
    let n_inner = s.n_inner.unwrap_or(10);
    let m = s.m.unwrap_or(if name == MethodName::Yopo { 5 } else { 8 });
    let step = s.step.unwrap_or(match name {
        MethodName::FgsmRs => 1.25 * eps,
        MethodName::Pgd | MethodName::FreeLb => 2.5 * eps / steps.max(1) as f64,
        // As far in all as PGD goes with m times n steps.
        MethodName::Yopo => 2.5 * eps / (m * n_inner).max(1) as f64,
        _ => eps,
    });
    // At the full radius of MNIST from the first update on, the loss never falls below that of guessing.
    let eps_warmup = match (name, dataset) {
        (MethodName::Pgd, DatasetId::Mnist) => 0.3,
        _ => 0.0,
    };
    MethodSpec {
        name,
        norm,
        eps,
        step,
        steps,
        m,
        n_inner,
        first_layer: s.first_layer.unwrap_or(FirstLayerName::Paper),
        noise: s.noise.unwrap_or(2.0),
        start: s.start.unwrap_or(StartName::Random),
        eps_warmup: s.eps_warmup.unwrap_or(eps_warmup),
        clean_share: s.clean_share.unwrap_or(0.0),
        ascent_mode: s.ascent_mode.unwrap_or(AscentModeName::Train),
    }
}
