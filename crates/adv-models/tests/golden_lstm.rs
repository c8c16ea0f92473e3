//! Golden values: the LSTM of Miyato et al. 2017 against PyTorch's, in float64 and without padding. `fixtures/lstm/make.py` made them.

use adv_core::{
    Adversarial, Batch, Carried, Ledger, Noise, Objective, Perturbation, Predict, TrainingMethod, Vat,
    VatParts,
};
use adv_models::Labels;
use adv_models::text::{
    Answers, Encoded, HeadKind, HiddenTokens, SpecialTokens, TextBatch, TextModel, Tokens,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lstm")
}

fn expected() -> Value {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A list of numbers for each sentence.
fn lists(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn sentences(expected: &Value) -> Vec<Encoded> {
    let ids: Vec<Vec<u32>> = serde_json::from_value(expected["sentences"].clone()).unwrap();
    ids.into_iter()
        .map(|ids| Encoded {
            types: vec![0; ids.len()],
            special: ids.iter().map(|id| u32::from(*id == 2)).collect(),
            ids,
        })
        .collect()
}

/// Our values of a padded batch, `[B, T, N]`, against those of each sentence.
fn check(what: &str, got: Tensor<3>, want: &Value) {
    let [_, length, width] = got.dims();
    let got: Vec<f32> = got.into_data().try_to_vec().unwrap();
    for (row, want) in lists(want).iter().enumerate() {
        let own = &got[row * length * width..][..want.len()];
        close(&format!("{what}, sentence {row}"), own, want);
    }
}

fn close(what: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0f64, |most, value| most.max(value.abs()));
    for (place, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= 2e-6 * largest.max(1e-2), "{what}, {place}: {got}, {want}");
    }
}

/// The model; remembers what is added in each forward.
#[derive(Module, Debug)]
struct Probe {
    model: TextModel,
    #[module(skip)]
    seen: Arc<Mutex<Vec<Tensor<3>>>>,
}

impl Objective<3> for Probe {
    type Targets = TextBatch;

    fn loss(&self, input: Tensor<3>, batch: &TextBatch) -> Tensor<1> {
        self.judge(self.outputs(input, batch), batch)
    }
}

impl Predict<3> for Probe {
    fn outputs(&self, input: Tensor<3>, batch: &TextBatch) -> Tensor<2> {
        self.seen.lock().unwrap().push(input.clone().inner());
        self.model.outputs(input, batch)
    }

    fn judge(&self, outputs: Tensor<2>, batch: &TextBatch) -> Tensor<1> {
        self.model.judge(outputs, batch)
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn classifier() -> Probe {
    let (model, report) = TextModel::from_folder(&folder(), HeadKind::Classes(2), 0, &device()).unwrap();
    assert!(report.new.is_empty(), "{report:?}");
    assert_eq!(report.unused, ["lm_head.bias", "lm_head.weight"]);
    Probe {
        model,
        seen: Arc::default(),
    }
}

fn batch(probe: &Probe, expected: &Value) -> TextBatch {
    let device = Device::flex();
    let tokens = Tokens::new(&sentences(expected), probe.model.config(), &device).unwrap();
    let labels: Vec<u8> = serde_json::from_value(expected["labels"].clone()).unwrap();
    let labels = Labels::new(labels, 2, &device).unwrap();
    TextBatch::new(&probe.model, tokens, Answers::Classes(labels)).unwrap()
}

/// A stored start, whatever the distribution.
struct Stored(Vec<f32>);

impl Noise for Stored {
    fn uniform(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.0);
    }

    fn normal(&mut self, out: &mut [f32]) {
        out.copy_from_slice(&self.0);
    }
}

/// Gradients by the names of the module.
fn named(probe: &Probe, gradients: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    struct Found<'a>(&'a GradientsParams, Vec<String>, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Found<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.1.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let name = self.1.join(".");
                // Linear layers lie the other way round in PyTorch.
                let turned = name.starts_with("model.head") && D == 2;
                let gradient = if turned { gradient.transpose() } else { gradient };
                self.2.insert(name, gradient.into_data().try_to_vec().unwrap());
            }
        }
    }
    let mut found = Found(gradients, Vec::new(), BTreeMap::new());
    probe.visit(&mut found);
    found.2
}

const NAMES: [(&str, &str); 9] = [
    ("model.encoder.Lstm.words", "embedding.weight"),
    ("model.encoder.Lstm.weight_ih_l0", "lstm.weight_ih_l0"),
    ("model.encoder.Lstm.weight_hh_l0", "lstm.weight_hh_l0"),
    ("model.encoder.Lstm.bias_ih_l0", "lstm.bias_ih_l0"),
    ("model.encoder.Lstm.bias_hh_l0", "lstm.bias_hh_l0"),
    ("model.head.Last.dense.weight", "classifier.dense.weight"),
    ("model.head.Last.dense.bias", "classifier.dense.bias"),
    ("model.head.Last.out.weight", "classifier.out.weight"),
    ("model.head.Last.out.bias", "classifier.out.bias"),
];

#[test]
fn golden_lstm_vectors_and_gradients() {
    let expected = expected();
    let probe = classifier();
    let batch = batch(&probe, &expected);
    let tokens = batch.tokens();
    check(
        "hidden",
        probe.model.hidden(tokens, None).inner(),
        &expected["hidden"],
    );
    let logits = probe.model.sentence_outputs(tokens, None);
    check("logits", logits.inner().unsqueeze_dim(1), &expected["logits"]);

    let clean = probe.model.clean(tokens);
    let mut ledger = Ledger::new();
    let pass = ledger
        .input_gradient(&probe.valid(), clean.clone(), &batch)
        .unwrap();
    check("input gradient", pass.gradient, &expected["input_gradients"]);
    assert!((pass.loss - number(&expected["loss"])).abs() < 1e-6);

    let pass = ledger.weight_gradients(&probe, clean, &batch, 1.0).unwrap();
    let found = named(&probe, &pass.gradients);
    assert_eq!(
        found.len(),
        NAMES.len(),
        "frequencies are not trained: {:?}",
        found.keys()
    );
    for (ours, theirs) in NAMES {
        let want: Vec<f64> = serde_json::from_value(expected["gradients"][theirs].clone()).unwrap();
        close(theirs, &found[ours], &want);
    }
}

#[test]
fn golden_lstm_fgm_and_vat() {
    let expected = expected();
    let probe = classifier();
    let batch = batch(&probe, &expected);
    let tokens = batch.tokens();
    let [rows, length, width] = probe.model.clean(tokens).dims();
    let mut padded = vec![0.0; rows * length * width];
    for (row, start) in lists(&expected["starts"]).iter().enumerate() {
        let to = padded[row * length * width..].iter_mut();
        to.zip(start).for_each(|(to, from)| *to = *from as f32);
    }
    let eps = number(&expected["eps"]);
    let (mut carried, mut ledger) = (Carried::default(), Ledger::new());
    let mut noise = Stored(padded);
    let given = |special| {
        let mask = probe.model.mask(tokens, special);
        Batch::new(probe.model.clean(tokens), &batch).with_mask(mask)
    };

    let fgm = Adversarial::new(Perturbation::fgm(eps).unwrap());
    let perturbed = given(SpecialTokens::Perturbed);
    let update = fgm
        .gradients(&probe, &perturbed, &mut carried, &mut noise, &mut ledger)
        .unwrap();
    let last = |probe: &Probe| probe.seen.lock().unwrap().last().cloned().unwrap();
    check("fgm", last(&probe), &expected["fgm"]);
    assert!((update.mean_loss() - number(&expected["fgm_loss"])).abs() < 1e-5);

    let vat = Vat::new(VatParts {
        radius: eps,
        probe: number(&expected["probe"]),
        iterations: 1,
        weight: 1.0,
    });
    let kept = given(SpecialTokens::Kept);
    let update = vat
        .unwrap()
        .gradients(&probe, &kept, &mut carried, &mut noise, &mut ledger)
        .unwrap();
    let r = last(&probe);
    let [_, length, width] = r.dims();
    let got: Vec<f32> = r.into_data().try_to_vec().unwrap();
    for (row, want) in lists(&expected["vat"]).iter().enumerate() {
        let own = &got[row * length * width..][..want.len()];
        // A second difference: the gradient of a penalty of about 1e-4 in 32 bits.
        let off = own
            .iter()
            .zip(want)
            .map(|(a, b)| (f64::from(*a) - b).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(off < 2e-3 * eps, "vat, sentence {row}: off by {off}");
    }
    let want = number(&expected["loss"]) + number(&expected["penalty"]);
    assert!(
        (update.mean_loss() - want).abs() < 1e-3 * want,
        "{} {want}",
        update.mean_loss()
    );
}

#[test]
fn golden_lstm_next_token() {
    let expected = expected();
    let (model, _) = TextModel::from_folder(&folder(), HeadKind::NextToken, 0, &device()).unwrap();
    let next = HiddenTokens::next(&sentences(&expected));
    let device = Device::flex();
    let tokens = Tokens::new(&next.sentences, model.config(), &device).unwrap();
    let answers = next
        .answers(&tokens, model.config().vocabulary(), &device)
        .unwrap();
    let batch = TextBatch::new(&model, tokens, answers).unwrap();
    let loss = model
        .loss(model.clean(batch.tokens()), &batch)
        .into_scalar::<f32>();
    assert!((f64::from(loss) - number(&expected["next_loss"])).abs() < 2e-6);
}
