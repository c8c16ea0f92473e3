//! The encoder of the text set, with its head; and what its gradients are compared with.

use super::set::{Array, Set, norm};
use super::table::Table;
use super::{device, encoded};
use adv_core::{Objective, Predict};
use adv_models::text::{EncoderConfig, HeadKind, Place, TextModel, Tokens};
use adv_models::{Labels, cross_entropy};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, s};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Runs the checks on the golden set, if there is one, and fails with everything that is off.
pub fn with_set(checks: impl FnOnce(&Set, &Path, &mut Table)) {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(golden), Some(models)) = (folder("ADV_GOLDEN_DIR"), folder("ADV_MODEL_DIR")) else {
        println!("skipped: set ADV_GOLDEN_DIR and ADV_MODEL_DIR");
        return;
    };
    let set = Set::read(&golden, "text");
    let mut table = Table::new(&set);
    checks(&set, &models.join("all-MiniLM-L6-v2"), &mut table);
    table.finish();
}

/// The encoder with the linear head of the set on its first token.
#[derive(Module, Debug)]
pub struct Probe {
    pub model: TextModel,
    pub head: Linear,
    /// What is added in each forward.
    #[module(skip)]
    pub seen: Arc<Mutex<Vec<Tensor<3>>>>,
}

/// Sentences and labels.
pub struct Sample {
    pub tokens: Tokens,
    pub labels: Labels,
}

impl Probe {
    pub fn new(set: &Set, folder: &Path, place: Place) -> Self {
        let device = device();
        let mut config = EncoderConfig::read(folder).unwrap();
        // Dropout is off in the set.
        (config.hidden_dropout, config.attention_dropout) = (0.0, 0.0);
        let (model, _) = TextModel::load(config, folder, HeadKind::None, 0, &device).unwrap();
        let weight = set.tensor("head/weight");
        let mut head = LinearConfig::new(weight.shape[1], weight.shape[0]).init(&device);
        head.weight = Param::from_tensor(weight.tensor::<2>(&device.clone().inner()).transpose().autodiff());
        head.bias = Some(Param::from_tensor(set.tensor("head/bias").tensor(&device)));
        Self {
            model: model.with_place(place).unwrap(),
            head,
            seen: Arc::default(),
        }
    }

    pub fn hidden(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<3> {
        self.model.hidden(tokens, delta)
    }

    /// The vectors of the first tokens, `[B, H]`.
    pub fn first(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        let hidden = self.hidden(tokens, delta);
        let [batch, _, width] = hidden.dims();
        let first: Tensor<3> = hidden.slice(s![.., 0..1, ..]);
        first.reshape([batch, width])
    }

    pub fn logits(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        self.head.forward(self.first(tokens, delta))
    }
}

impl Objective<3> for Probe {
    type Targets = Sample;

    fn loss(&self, input: Tensor<3>, sample: &Sample) -> Tensor<1> {
        self.judge(self.outputs(input, sample), sample)
    }
}

impl Predict<3> for Probe {
    fn outputs(&self, input: Tensor<3>, sample: &Sample) -> Tensor<2> {
        self.seen.lock().unwrap().push(input.clone().inner());
        self.logits(&sample.tokens, Some(input))
    }

    fn judge(&self, outputs: Tensor<2>, sample: &Sample) -> Tensor<1> {
        cross_entropy(outputs, &sample.labels).mean()
    }
}

pub fn sample(set: &Set, probe: &Probe, device: &Device) -> Sample {
    let mask = set.integers("mask");
    let width = mask.len() / set.length("mask");
    let ids = set.integers("ids");
    let sentences: Vec<_> = ids
        .chunks(width)
        .zip(mask.chunks(width))
        .map(|(row, mask)| {
            let kept = row.iter().zip(mask).filter(|(_, mask)| **mask == 1);
            encoded(&kept.map(|(id, _)| *id as u32).collect::<Vec<_>>())
        })
        .collect();
    let tokens = Tokens::new(&sentences, probe.model.config(), device).unwrap();
    let classes = set.config("n_labels") as usize;
    let labels = Labels::new(set.integers("labels"), classes, device).unwrap();
    Sample { tokens, labels }
}

/// Norms of gradients by the names of the file.
fn grad_norms<M: Module>(model: &M, gradients: &GradientsParams) -> BTreeMap<String, f64> {
    struct Norms<'a> {
        gradients: &'a GradientsParams,
        path: Vec<String>,
        found: BTreeMap<String, f64>,
    }
    impl ModuleVisitor for Norms<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.found
                    .insert(self.path.join("."), norm(&Array::of(gradient).values));
            }
        }
    }
    let mut norms = Norms {
        gradients,
        path: Vec::new(),
        found: BTreeMap::new(),
    };
    model.visit(&mut norms);
    norms.found
}

/// Norms of gradients against those of the set, by the names of the file: within 1e-3, or 1e-6 of the largest. The set has none
/// of the pooler.
pub fn check_norms<M: Module>(set: &Set, name: &str, model: &M, gradients: &GradientsParams) {
    let found = grad_norms(model, gradients);
    let want = set.named_numbers(&format!("{name}/grad_l2"));
    let largest = want.values().fold(0f64, |most, value| most.max(*value));
    let mut compared = 0;
    for (theirs, want) in &want {
        let ours = ours(theirs);
        let got = found
            .get(&ours)
            .unwrap_or_else(|| panic!("{name}: no gradient {ours} for {theirs}"));
        let limit = (1e-3 * want).max(1e-6 * largest);
        assert!(
            (got - want).abs() <= limit,
            "{name}: {theirs} is {got}, expected {want}"
        );
        compared += 1;
    }
    println!("ok   {name}/grad_l2: {compared} norms");
    assert!(compared > 50, "{compared}");
}

/// The path of a parameter in the probe, by its name in the file.
fn ours(theirs: &str) -> String {
    let mut name = theirs.to_string();
    for (from, to) in [
        ("embeddings.word_embeddings.weight", "words"),
        ("embeddings.position_embeddings.weight", "positions"),
        ("embeddings.token_type_embeddings.weight", "types"),
        ("embeddings.LayerNorm", "norm"),
        ("encoder.layer", "layer"),
        ("attention.output.LayerNorm", "attention_norm"),
        ("attention.output.dense", "attention_output"),
        ("attention.self.", ""),
        ("intermediate.dense", "intermediate"),
        ("output.dense", "output"),
        ("output.LayerNorm", "output_norm"),
        ("norm.weight", "norm.gamma"),
        ("norm.bias", "norm.beta"),
    ] {
        name = name.replace(from, to);
    }
    if theirs.starts_with("head.") {
        name
    } else {
        format!("model.encoder.Transformer.{name}")
    }
}
