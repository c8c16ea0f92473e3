//! What a user may set: one list for the command line and for TOML files.

use super::{
    AscentModeName, AxesName, ContrastSettings, FilePlace, FirstLayerName, KeepName, MasksName, MethodName,
    ModelPlace, NormName, OptimiserName, PlaceName, PromptFlags, ScheduleName, SpecialName, StartName,
};
use crate::device::DeviceKind;
use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// Settings of a run. Each may come from a flag or from `--spec FILE.toml` (same names, `_` for `-`); a flag wins.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How to train; `adv methods` lists them [default: pgd; text: freelb]
    #[arg(long, value_name = "M")]
    pub method: Option<MethodName>,
    /// digits (bundled), mnist, fashion-mnist, cifar10, or the generated synth-sentiment [default: digits]
    #[arg(long, value_name = "D")]
    pub dataset: Option<String>,
    /// wong_cnn, madry_cnn, small_cnn, two_conv or mlp [default: by data set]; on text lstm
    #[arg(long, value_name = "N")]
    pub model: Option<String>,
    /// Passes over the training data, before replay; fractions are allowed [default: by data set; text: 3,
    /// without --model-dir 12; lstm 10]
    #[arg(long, value_name = "E")]
    pub epochs: Option<f64>,
    /// Updates in all, instead of --epochs; on text
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub updates: Option<u64>,
    /// Images or sentences per mini-batch [default: by data set; text: 32]
    #[arg(long, value_name = "B")]
    pub batch: Option<usize>,
    /// Seed of weights, order, noise and dropout [default: 0]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
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
    /// Train on the first N images or sentences only
    #[arg(long, value_name = "N")]
    pub take: Option<usize>,
    /// Training images held back to watch robustness and to choose the best checkpoint [default: by data set]
    #[arg(long, value_name = "N")]
    pub hold_out: Option<usize>,

    /// A folder with a pretrained encoder (BERT, RoBERTa, ALBERT) in the layout of Hugging Face, or with an LSTM of an
    /// earlier run; or on the hub: hf://OWNER/NAME or hf://OWNER/NAME@REVISION
    #[arg(long, value_name = "DIR", help_heading = TEXT)]
    pub model_dir: Option<ModelPlace>,
    /// What to learn: sst2, mrpc, rte, cola, stsb, sick-e, ... or synth-sentiment
    #[arg(long, value_name = "T", help_heading = TEXT)]
    pub task: Option<String>,
    /// Instead of a task: a table to train on, .tsv, .csv or .jsonl, .gz allowed, or .parquet; with mlm and lm also plain lines
    /// (.txt). On the hub: hf://datasets/OWNER/NAME/PATH or hf://datasets/OWNER/NAME@REVISION/PATH
    #[arg(long, value_name = "FILE", help_heading = TEXT)]
    pub train_file: Option<FilePlace>,
    /// A table to choose the best checkpoint by [default: a tenth of the training rows]
    #[arg(long, value_name = "FILE", help_heading = TEXT)]
    pub dev_file: Option<FilePlace>,
    /// A table to test on [default: a tenth of the training rows]
    #[arg(long, value_name = "FILE", help_heading = TEXT)]
    pub test_file: Option<FilePlace>,
    /// Sentences without labels that vat learns from too: plain lines (.txt) or a table (its first column of --columns, else sentence),
    /// .gz allowed; each mini-batch comes with as many of them
    #[arg(long, value_name = "FILE", help_heading = TEXT)]
    pub unlabelled: Option<PathBuf>,
    /// The columns of the tables: sentence,label or first,second,label; with mlm and lm also one alone, by name, or by number, from 1,
    /// of a table without header [default: sentence,label]
    #[arg(long, value_name = "A[,B[,C]]", value_delimiter = ',', help_heading = TEXT)]
    pub columns: Option<Vec<String>>,
    /// The labels of the tables are numbers to predict, not classes
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = TEXT)]
    pub scores: Option<bool>,
    /// Tokens of a sentence or pair; longer ones are cut [default: 128]
    #[arg(long, value_name = "N", help_heading = TEXT)]
    pub max_length: Option<usize>,
    /// What is perturbed: the word embeddings of the tokens, their sum with positions and types, or the rows of the word
    /// table [default: words]
    #[arg(long, help_heading = TEXT)]
    pub place: Option<PlaceName>,
    /// What a radius, a step and a start are measured over [default: sentence; smart: token]
    #[arg(long, help_heading = TEXT)]
    pub axes: Option<AxesName>,
    /// Whether special tokens (CLS, SEP, EOS) are perturbed too [default: perturbed; vat and random with lstm:
    /// kept]
    #[arg(long, help_heading = TEXT)]
    pub special_tokens: Option<SpecialName>,
    /// Dropout masks in the passes of a mini-batch [default: replayed; freeat, smart, r3f: fresh]
    #[arg(long, help_heading = TEXT)]
    pub masks: Option<MasksName>,
    /// Length of the random start, shared out over the entries of a sentence as FreeLB does [default: 2 steps, of pgd,
    /// freeat and yopo within the radius; freelb++: 0.05]; under linf the half width of each entry
    #[arg(long, value_parser = number, help_heading = TEXT)]
    pub init_mag: Option<f64>,
    /// Weight of the penalty of smart, r3f and vat [default: 1]
    #[arg(long, value_parser = number, help_heading = TEXT)]
    pub penalty: Option<f64>,
    /// Layers that stay as they are, from the bottom; the embedding with them [default: none, nor the embedding]
    #[arg(long, value_name = "N", help_heading = TEXT)]
    pub freeze: Option<usize>,
    /// Each layer learns at this share of the rate of the layer above it [default: 1]
    #[arg(long, value_parser = number, help_heading = TEXT)]
    pub layer_decay: Option<f64>,
    /// Which weights are measured in the end and saved as the result [default: best]
    #[arg(long, help_heading = TEXT)]
    pub keep: Option<KeepName>,
    /// AdvGLUE's dev.json, to be measured too [default: $ADV_DATA_DIR/advglue/dev.json, if it is there]
    #[arg(long, value_name = "FILE", help_heading = TEXT)]
    pub advglue: Option<PathBuf>,

    /// The norm of the perturbation [default: linf; random, fgm, vat and all but fgsm, fgsm-rs and n-fgsm on text: l2]
    #[arg(long, help_heading = METHOD)]
    pub norm: Option<NormName>,
    /// Radius: of pixels 0 to 1, such as 0.3 or 8/255; of embeddings in their own units [default: by data set; text: 0.05,
    /// without --model-dir 0.1, lstm 5, under linf 0.01, lstm 0.05; freelb on text: none, the perturbation is not projected]
    #[arg(long, value_parser = number, help_heading = METHOD)]
    pub eps: Option<f64>,
    /// Step size [default: 2.5 eps / steps, yopo and on text freeat in their own count of steps; fgsm, fgm, freeat: eps;
    /// fgsm-rs: 1.25 eps; smart: 1e-3; freelb on text: 0.03, lstm 1.5, under linf 0.005, lstm 0.025]
    #[arg(long, value_parser = number, help_heading = METHOD)]
    pub step: Option<f64>,
    /// Steps of pgd and smart, passes of freelb, power iterations of vat [default: 7; freelb and text: 3; freelb++: 10; smart
    /// and vat: 1]
    #[arg(long, help_heading = METHOD)]
    pub steps: Option<usize>,
    /// Replays of freeat, full passes of yopo [default: 8; yopo: 5; text: 3]
    #[arg(long, help_heading = METHOD)]
    pub m: Option<usize>,
    /// First-layer steps of yopo per full pass [default: 10; text: 2]
    #[arg(long, help_heading = METHOD)]
    pub n_inner: Option<usize>,
    /// Which first-layer gradients yopo uses [default: paper]
    #[arg(long, help_heading = METHOD)]
    pub first_layer: Option<FirstLayerName>,
    /// Noise of n-fgsm in radii [default: 2]; of smart and r3f in units of the embedding [default: 1e-5]; length at which vat looks
    /// for its direction [default: 1; text: 0.1]
    #[arg(long, value_parser = number, help_heading = METHOD)]
    pub noise: Option<f64>,
    /// Start of pgd and freelb, on text also of freeat and yopo [default: random]
    #[arg(long, help_heading = METHOD)]
    pub start: Option<StartName>,
    /// Share of the training, from its beginning, over which eps and step grow from 0 to their full size
    /// [default: 0; pgd on mnist: 0.3]
    #[arg(long, value_parser = number, help_heading = METHOD)]
    pub eps_warmup: Option<f64>,
    /// Mini-batches of standard training before the method sets in [default: 0; text without --model-dir: 250, at most
    /// a third; lstm 0]
    #[arg(long, value_name = "N", help_heading = METHOD)]
    pub begin_step: Option<u64>,
    /// Share of the clean loss in random, fgsm, fgm, fgsm-rs, n-fgsm and pgd [default: 0; random and fgm on text: 0.5]
    #[arg(long, value_parser = number, help_heading = METHOD)]
    pub clean_share: Option<f64>,
    /// Mode of the network during the ascent [default: train]
    #[arg(long, help_heading = METHOD)]
    pub ascent_mode: Option<AscentModeName>,

    /// Optimiser [default: adam; text: adamw, lstm adam]
    #[arg(long, help_heading = OPTIMISER)]
    pub optimiser: Option<OptimiserName>,
    /// Learning rate, at its peak [default: by data set; text: 5e-5, without --model-dir 2e-3; lstm 1e-3,
    /// with --model-dir 5e-4]
    #[arg(long, value_parser = number, help_heading = OPTIMISER)]
    pub lr: Option<f64>,
    /// Learning-rate schedule over all updates [default: triangular; text: linear]
    #[arg(long, help_heading = OPTIMISER)]
    pub schedule: Option<ScheduleName>,
    /// Updates over which the rate grows from 0 to its peak; below 1, a share of all updates [default: 0; text: 0.06, lstm 0]
    #[arg(long, value_parser = number, help_heading = OPTIMISER)]
    pub warmup: Option<f64>,
    /// Momentum of sgd [default: 0.9]
    #[arg(long, value_parser = number, help_heading = OPTIMISER)]
    pub momentum: Option<f64>,
    /// Weight decay; on text not of biases and normalisations [default: 0; text: 0.01, lstm 0]
    #[arg(long, value_parser = number, help_heading = OPTIMISER)]
    pub weight_decay: Option<f64>,
    /// Largest global gradient norm; 0 for no clipping [default: 0; text: 1]
    #[arg(long, value_parser = number, help_heading = OPTIMISER)]
    pub clip_norm: Option<f64>,
    /// Mini-batches per update; their gradients are averaged [default: 1]
    #[arg(long, value_name = "N", help_heading = OPTIMISER)]
    pub accumulate: Option<u64>,

    /// Attack of the final evaluation, repeatable: fgsm, fgm, pgd-50-10 (steps, restarts), pgd-l2-20, mi-fgsm-10
    /// [default: fgsm, pgd-20; under l2: fgm, pgd-l2-20; text: pgd-l2-10]
    #[arg(long, value_name = "A", help_heading = EVALUATION)]
    pub attack: Option<Vec<String>>,
    /// Radius of the evaluation; on text several, separated by commas [default: that of training; text: 0.05,0.1,0.2,0.5,
    /// without --model-dir 0.1,0.3,0.5,1; lstm 1,2,5,10]
    #[arg(long, value_parser = number, value_delimiter = ',', help_heading = EVALUATION)]
    #[serde(deserialize_with = "one_or_more")]
    pub eval_eps: Option<Vec<f64>>,
    /// Step size of the evaluation [default: 2.5 eps / steps]
    #[arg(long, value_parser = number, help_heading = EVALUATION)]
    pub eval_step: Option<f64>,
    /// Attack the first N test images or sentences [default: 1000; text: 500]
    #[arg(long, value_name = "N", help_heading = EVALUATION)]
    pub n: Option<usize>,
    /// Mini-batches between validations, beside those at epoch ends
    #[arg(long, value_name = "N", help_heading = EVALUATION)]
    pub validate_every: Option<u64>,
    /// Stop after so many validations without a better one
    #[arg(long, value_name = "N", help_heading = EVALUATION)]
    pub patience: Option<u64>,
    /// Seconds between checkpoints, beside those at epoch ends; 0 writes one after every mini-batch [default: 20]
    #[arg(long, value_parser = number)]
    pub checkpoint_seconds: Option<f64>,

    /// Of scal, simcse, uscal and promptbert. Tables of a spec come last.
    #[command(flatten)]
    #[serde(skip_serializing_if = "is_usual")]
    pub contrast: ContrastSettings,

    /// Of promptbert, and of simcse and uscal with a prompt. Another table of a spec.
    #[command(flatten)]
    #[serde(skip_serializing_if = "PromptFlags::is_usual")]
    pub prompt: PromptFlags,
}

const TEXT: &str = "Text";
const METHOD: &str = "Method";
const OPTIMISER: &str = "Optimiser";
const EVALUATION: &str = "Evaluation";

impl Settings {
    /// Reads settings from a TOML file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the spec {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in the spec {}", path.display()))
    }

    /// These settings where set, else those of `base`.
    pub fn over(self, base: Self) -> Result<Self> {
        // Two words for one thing: the flag wins over the other word, too.
        let base = Self {
            epochs: base.epochs.filter(|_| self.updates.is_none()),
            updates: base.updates.filter(|_| self.epochs.is_none()),
            ..base
        };
        let base = match (self.method, base.method) {
            (Some(method), Some(other)) if method != other => base.without_numbers_of_method(),
            _ => base,
        };
        let contrast = self.contrast.clone().over(base.contrast.clone());
        let prompt = self.prompt.clone().over(base.prompt.clone());
        let mut merged = toml::Table::try_from(base)?;
        merged.extend(toml::Table::try_from(self)?);
        Ok(Self {
            contrast,
            prompt,
            ..merged.try_into()?
        })
    }
}

fn is_usual(contrast: &ContrastSettings) -> bool {
    *contrast == ContrastSettings::default()
}

/// A number, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<f64>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        One(f64),
        More(Vec<f64>),
    }
    Ok(Some(match Numbers::deserialize(from)? {
        Numbers::One(number) => vec![number],
        Numbers::More(numbers) => numbers,
    }))
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
        let merged = flags.over(file).expect("merged");
        assert_eq!(
            (merged.epochs, merged.method),
            (Some(5.0), Some(MethodName::FgsmRs))
        );
        // Another method has numbers of its own; what is to be withstood stays.
        let file: Settings = toml::from_str(
            "method = \"freelb\"\nmasks = \"replayed\"\nstep = 0.03\neps = 0.1\nunlabelled = \"a.txt\"",
        )
        .expect("valid settings");
        let smart = Settings {
            method: Some(MethodName::Smart),
            ..Settings::default()
        };
        let merged = smart.over(file.clone()).expect("merged");
        assert_eq!(
            (merged.masks, merged.step, merged.unlabelled, merged.eps),
            (None, None, None, Some(0.1))
        );
        let same = Settings {
            method: Some(MethodName::FreeLb),
            ..Settings::default()
        };
        assert_eq!(same.over(file.clone()).expect("merged"), file);
        let error = toml::from_str::<Settings>("epoch = 3")
            .expect_err("an unknown key")
            .to_string();
        assert!(error.contains("unknown field `epoch`"), "{error}");
    }
}
