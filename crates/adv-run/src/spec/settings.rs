//! What a user may set: one list for the command line and for TOML files.

use super::{AscentModeName, FirstLayerName, MethodName, NormName, OptimiserName, ScheduleName, StartName};
use crate::device::DeviceKind;
use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Settings of a run. Each may come from a flag or from `--spec FILE.toml` (same names, `_` for `-`); a flag wins.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How to train; `adv methods` lists them [default: pgd]
    #[arg(long, value_name = "M")]
    pub method: Option<MethodName>,
    /// digits (bundled), mnist, fashion-mnist or cifar10 [default: digits]
    #[arg(long, value_name = "D")]
    pub dataset: Option<String>,
    /// wong_cnn, madry_cnn, small_cnn, two_conv or mlp [default: by data set]
    #[arg(long, value_name = "N")]
    pub model: Option<String>,
    /// Passes over the training data, before replay; fractions are allowed [default: by data set]
    #[arg(long, value_name = "E")]
    pub epochs: Option<f64>,
    /// Images per mini-batch [default: by data set]
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// Seed of weights, order, noise and dropout [default: 0]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Where to compute [default: flex, the CPU]
    #[arg(long, value_name = "X")]
    pub device: Option<DeviceKind>,
    /// The data set's own folder [default: $ADV_DATA_DIR/DATASET, else the user's cache, else a download]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Begin with these weights (safetensors, PyTorch's names) instead of random ones
    #[arg(long, value_name = "F")]
    pub init: Option<PathBuf>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    pub take: Option<usize>,
    /// Training images held back to watch robustness and to choose the best checkpoint [default: by data set]
    #[arg(long, value_name = "N")]
    pub hold_out: Option<usize>,

    /// The norm of the perturbation [default: linf; fgm: l2]
    #[arg(long)]
    pub norm: Option<NormName>,
    /// Radius in pixels of 0 to 1, such as 0.3 or 8/255 [default: by data set]
    #[arg(long, value_parser = number)]
    pub eps: Option<f64>,
    /// Step size in pixels [default: 2.5 eps / steps; fgsm, fgm, freeat: eps; fgsm-rs: 1.25 eps]
    #[arg(long, value_parser = number)]
    pub step: Option<f64>,
    /// Steps of pgd, passes of freelb [default: 7; freelb: 3]
    #[arg(long)]
    pub steps: Option<usize>,
    /// Replays of freeat, full passes of yopo [default: 8; yopo: 5]
    #[arg(long)]
    pub m: Option<usize>,
    /// First-layer steps of yopo per full pass [default: 10]
    #[arg(long)]
    pub n_inner: Option<usize>,
    /// Which first-layer gradients yopo uses [default: paper]
    #[arg(long)]
    pub first_layer: Option<FirstLayerName>,
    /// Noise of n-fgsm in radii [default: 2]
    #[arg(long, value_parser = number)]
    pub noise: Option<f64>,
    /// Start of pgd and freelb [default: random]
    #[arg(long)]
    pub start: Option<StartName>,
    /// Share of the training, from its beginning, over which eps and step grow from 0 to their full size
    /// [default: 0; pgd on mnist: 0.3]
    #[arg(long, value_parser = number)]
    pub eps_warmup: Option<f64>,
    /// Share of the clean loss in fgsm, fgm, fgsm-rs, n-fgsm and pgd [default: 0]
    #[arg(long, value_parser = number)]
    pub clean_share: Option<f64>,
    /// Mode of the network during the ascent [default: train]
    #[arg(long)]
    pub ascent_mode: Option<AscentModeName>,

    /// Optimiser [default: adam]
    #[arg(long)]
    pub optimiser: Option<OptimiserName>,
    /// Learning rate, at its peak [default: by data set]
    #[arg(long, value_parser = number)]
    pub lr: Option<f64>,
    /// Learning-rate schedule over all updates [default: triangular]
    #[arg(long)]
    pub schedule: Option<ScheduleName>,
    /// Momentum of sgd [default: 0.9]
    #[arg(long, value_parser = number)]
    pub momentum: Option<f64>,
    /// Weight decay [default: 0]
    #[arg(long, value_parser = number)]
    pub weight_decay: Option<f64>,
    /// Largest global gradient norm; no clipping without it
    #[arg(long, value_parser = number)]
    pub clip_norm: Option<f64>,

    /// Attack of the final evaluation, repeatable: fgsm, fgm, pgd-50-10 (steps, restarts), pgd-l2-20, mi-fgsm-10
    /// [default: fgsm, pgd-20; under l2: fgm, pgd-l2-20]
    #[arg(long, value_name = "A")]
    pub attack: Option<Vec<String>>,
    /// Radius of the evaluation [default: that of training]
    #[arg(long, value_parser = number)]
    pub eval_eps: Option<f64>,
    /// Step size of the evaluation [default: 2.5 eps / steps]
    #[arg(long, value_parser = number)]
    pub eval_step: Option<f64>,
    /// Attack the first N test images [default: 1000]
    #[arg(long, value_name = "N")]
    pub n: Option<usize>,
    /// Seconds between checkpoints, beside those at epoch ends; 0 writes one after every mini-batch [default: 20]
    #[arg(long, value_parser = number)]
    pub checkpoint_seconds: Option<f64>,
}

impl Settings {
    /// Reads settings from a TOML file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the spec {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in the spec {}", path.display()))
    }

    /// These settings where set, else those of `base`.
    pub fn over(self, base: Self) -> Self {
        Self {
            method: self.method.or(base.method),
            dataset: self.dataset.or(base.dataset),
            model: self.model.or(base.model),
            epochs: self.epochs.or(base.epochs),
            batch: self.batch.or(base.batch),
            seed: self.seed.or(base.seed),
            device: self.device.or(base.device),
            data_dir: self.data_dir.or(base.data_dir),
            init: self.init.or(base.init),
            take: self.take.or(base.take),
            hold_out: self.hold_out.or(base.hold_out),
            norm: self.norm.or(base.norm),
            eps: self.eps.or(base.eps),
            step: self.step.or(base.step),
            steps: self.steps.or(base.steps),
            m: self.m.or(base.m),
            n_inner: self.n_inner.or(base.n_inner),
            first_layer: self.first_layer.or(base.first_layer),
            noise: self.noise.or(base.noise),
            start: self.start.or(base.start),
            eps_warmup: self.eps_warmup.or(base.eps_warmup),
            clean_share: self.clean_share.or(base.clean_share),
            ascent_mode: self.ascent_mode.or(base.ascent_mode),
            optimiser: self.optimiser.or(base.optimiser),
            lr: self.lr.or(base.lr),
            schedule: self.schedule.or(base.schedule),
            momentum: self.momentum.or(base.momentum),
            weight_decay: self.weight_decay.or(base.weight_decay),
            clip_norm: self.clip_norm.or(base.clip_norm),
            attack: self.attack.or(base.attack),
            eval_eps: self.eval_eps.or(base.eval_eps),
            eval_step: self.eval_step.or(base.eval_step),
            n: self.n.or(base.n),
            checkpoint_seconds: self.checkpoint_seconds.or(base.checkpoint_seconds),
        }
    }
}

impl Settings {
    /// A setting that was given and plays no part in the method that was given, by its flag.
    pub fn without_part(&self) -> Option<&'static str> {
        let uses = self.method?.uses();
        let given = [
            (self.steps.is_some(), uses.steps, "--steps"),
            (self.m.is_some(), uses.m, "--m"),
            (self.n_inner.is_some(), uses.n_inner, "--n-inner"),
            (self.first_layer.is_some(), uses.n_inner, "--first-layer"),
            (self.noise.is_some(), uses.noise, "--noise"),
            (self.start.is_some(), uses.start, "--start"),
            (self.clean_share.is_some(), uses.clean_share, "--clean-share"),
            (self.ascent_mode.is_some(), uses.clean_share, "--ascent-mode"),
            (self.step.is_some(), uses.ball, "--step"),
            (self.eps_warmup.is_some(), uses.ball, "--eps-warmup"),
        ];
        given
            .into_iter()
            .find(|(given, used, _)| *given && !used)
            .map(|(_, _, flag)| flag)
    }
}

/// A finite number, or a fraction such as 8/255.
pub fn number(text: &str) -> Result<f64, String> {
    let parse = |part: &str| {
        part.trim()
            .parse::<f64>()
            .map_err(|_| format!("`{text}` is not a number or a fraction such as 8/255"))
    };
    let value = match text.split_once('/') {
        Some((over, under)) => parse(over)? / parse(under)?,
        None => parse(text)?,
    };
    if value.is_finite() {
        Ok(value)
    } else {
        Err(format!("`{text}` is not finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_fractions() {
        for (text, expected) in [
            ("0.3", Some(0.3)),
            ("8/255", Some(8.0 / 255.0)),
            ("1/0", None),
            ("x", None),
            ("inf", None),
        ] {
            assert_eq!(number(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_unknown_keys_are_refused() {
        let file: Settings = toml::from_str("epochs = 3\nmethod = \"fgsm-rs\"").expect("valid settings");
        let flags = Settings {
            epochs: Some(5.0),
            ..Settings::default()
        };
        let merged = flags.over(file);
        assert_eq!(
            (merged.epochs, merged.method),
            (Some(5.0), Some(MethodName::FgsmRs))
        );
        let error = toml::from_str::<Settings>("epoch = 3")
            .expect_err("an unknown key")
            .to_string();
        assert!(error.contains("unknown field `epoch`"), "{error}");
    }
}
