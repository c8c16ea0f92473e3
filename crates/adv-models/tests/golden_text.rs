//! Golden values: adversarial training on the word embeddings of a real encoder, against another program's, in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `text.safetensors` and `text.json`, `ADV_MODEL_DIR` one with `all-MiniLM-L6-v2`. Names,
//! shapes, hyper-parameters and pass criteria come from these files.

#[allow(dead_code)] // The other golden tests use all of it.
mod golden;

use adv_core::{
    Adversarial, AscentMode, Axes, Ball, Batch, Carried, Divergence, FreeLb, Ledger, Norm, Objective,
    Perturbation, PerturbationSpec, Predict, R3f, Smart, Start, StepRule, StepSize, TrainingMethod, Update,
    Vat, VatParts,
};
use adv_models::text::{EncoderConfig, HeadKind, Place, SpecialTokens, TextModel, Tokenizer, Tokens};
use adv_models::{Labels, cross_entropy};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, s};
use golden::set::{Array, Set, norm};
use golden::table::Table;
use golden::{StoredNoise, device, encoded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Runs the checks on the golden set, if there is one, and fails with everything that is off.
fn with_set(checks: impl FnOnce(&Set, &Path, &mut Table)) {
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
struct Probe {
    model: TextModel,
    head: Linear,
    /// What is added in each forward.
    #[module(skip)]
    seen: Arc<Mutex<Vec<Tensor<3>>>>,
}

/// Sentences and labels.
struct Sample {
    tokens: Tokens,
    labels: Labels,
}

impl Probe {
    fn new(set: &Set, folder: &Path, place: Place) -> Self {
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

    fn hidden(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<3> {
        self.model.hidden(tokens, delta)
    }

    fn logits(&self, tokens: &Tokens, delta: Option<Tensor<3>>) -> Tensor<2> {
        let hidden = self.hidden(tokens, delta);
        let [batch, _, width] = hidden.dims();
        let first: Tensor<3> = hidden.slice(s![.., 0..1, ..]);
        self.head.forward(first.reshape([batch, width]))
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

fn sample(set: &Set, probe: &Probe, device: &Device) -> Sample {
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
fn grad_norms(probe: &Probe, gradients: &GradientsParams) -> BTreeMap<String, f64> {
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
    probe.visit(&mut norms);
    norms.found
}

/// Norms of gradients against those of the set, by the names of the file: within 1e-3, or 1e-6 of the largest. The set has none
/// of the pooler.
fn check_norms(set: &Set, name: &str, probe: &Probe, gradients: &GradientsParams) {
    let found = grad_norms(probe, gradients);
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

#[test]
fn golden_encoder() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words).valid();
        let device = Device::flex();
        let Sample { tokens, labels } = sample(set, &probe, &device);
        let mask = tokens.mask().unsqueeze_dim::<3>(2);

        let tokenizer = Tokenizer::from_folder(folder).unwrap();
        let sentences = set.strings("sentences");
        let texts: Vec<_> = sentences.iter().map(|text| (text.as_str(), None)).collect();
        let (encoded, _) = tokenizer.encode(&texts).unwrap();
        let again = Tokens::new(&encoded, probe.model.config(), &device).unwrap();
        assert_eq!(again.ids().into_data(), tokens.ids().into_data());

        let hidden = probe.hidden(&tokens, None);
        let [batch, _, width] = hidden.dims();
        let first: Tensor<3> = hidden.clone().slice(s![.., 0..1, ..]);
        table.check("enc/cls", Array::of(first.reshape([batch, width])));
        let kept = hidden * mask.clone();
        let mean = kept.clone().sum_dim(1).squeeze_dim::<2>(1) / tokens.mask().sum_dim(1);
        table.check("enc/mean_pooled", Array::of(mean));
        table.check("enc/last_hidden", Array::of(kept));
        let logits = probe.logits(&tokens, None);
        table.check("ce/logits", Array::of(logits.clone()));
        let loss = cross_entropy(logits, &labels).mean();
        table.value("ce/loss", f64::from(loss.into_scalar::<f32>()));
    });
}

#[test]
fn golden_gradients() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let clean = probe.model.clean(&sample.tokens);
        let pass = Ledger::new()
            .joint_gradients(&probe, clean, &sample, 1.0)
            .unwrap();
        table.check("ce/embedding_grad", Array::of(pass.input));
        check_norms(set, "ce", &probe, &pass.gradients);
    });
}

/// One update on perturbed data, from the noise of the set.
fn update(
    set: &Set,
    noise: &str,
    probe: &Probe,
    sample: &Sample,
    method: &dyn TrainingMethod<3, Probe>,
) -> Update {
    let clean = probe.model.clean(&sample.tokens);
    let batch =
        Batch::new(clean, sample).with_mask(probe.model.mask(&sample.tokens, SpecialTokens::Perturbed));
    let mut noise = StoredNoise::new(set.tensor(noise));
    let (carried, ledger) = (&mut Carried::default(), &mut Ledger::new());
    method
        .gradients(probe, &batch, carried, &mut noise, ledger)
        .unwrap()
}

#[test]
fn golden_fgm_per_sentence() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let fgm = Perturbation::fgm(set.config("fgm_eps")).unwrap();
        let frozen = AscentMode::Train.freeze(&probe);
        let batch = Batch::new(probe.model.clean(&sample.tokens), &sample);
        let mut noise = StoredNoise::new(set.tensor("noise/uniform"));
        let ascent = fgm
            .ascend(&frozen, &batch, &mut noise, &mut Ledger::new())
            .unwrap();
        let norms = Array::of(ascent.delta.clone()).row_norms();
        table.check(
            "fgm_sentence/r_norms",
            Array {
                shape: vec![norms.len()],
                values: norms,
            },
        );
        table.check(
            "fgm_sentence/logits",
            Array::of(frozen.logits(&sample.tokens, Some(ascent.delta))),
        );
        let update = update(set, "noise/uniform", &probe, &sample, &Adversarial::new(fgm));
        table.value("fgm_sentence/loss", update.losses[0]);
        check_norms(set, "fgm_sentence", &probe, &update.gradients);
    });
}

#[test]
fn golden_fgm_of_the_embedding_matrix() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Table);
        let sample = sample(set, &probe, &device());
        let fgm = PerturbationSpec {
            ball: Ball::Unbounded,
            rule: StepRule::UnitL2(Axes::Tensor),
            size: StepSize::Absolute(set.config("fgm_matrix_eps")),
            ..*Perturbation::fgm(1.0).unwrap().spec()
        };
        let fgm = fgm.check().unwrap();
        let frozen = AscentMode::Train.freeze(&probe);
        let clean = probe.model.clean(&sample.tokens);
        let batch = Batch::new(clean.clone(), &sample);
        let mut ledger = Ledger::new();
        let gradient = ledger.input_gradient(&frozen, clean, &sample).unwrap().gradient;
        table.value(
            "fgm_matrix/grad_l2_whole_matrix",
            norm(&Array::of(gradient).values),
        );
        let mut noise = StoredNoise::new(set.tensor("noise/uniform"));
        let ascent = fgm.ascend(&frozen, &batch, &mut noise, &mut ledger).unwrap();
        // The set has the rows of the words that have a gradient; padding is none of them.
        let ids: Vec<i64> = sample.tokens.distinct_ids().into_data().iter::<i64>().collect();
        let delta = Array::of(ascent.delta.clone());
        let width = delta.shape[2];
        let rows: BTreeMap<i64, &[f32]> = ids.into_iter().zip(delta.values.chunks(width)).collect();
        let stored = set.integers("fgm_matrix/ids");
        let values: Vec<f32> = stored.iter().flat_map(|id| rows[id].to_vec()).collect();
        table.check(
            "fgm_matrix/delta_rows",
            Array {
                shape: vec![stored.len(), width],
                values,
            },
        );
        let outside: f64 = rows
            .iter()
            .filter(|(id, _)| !stored.contains(id))
            .map(|(_, row)| norm(row))
            .fold(0.0, f64::max);
        assert!(outside < 1e-9, "{outside}");
        table.check(
            "fgm_matrix/logits",
            Array::of(frozen.logits(&sample.tokens, Some(ascent.delta))),
        );
        let update = update(set, "noise/uniform", &probe, &sample, &Adversarial::new(fgm));
        table.value("fgm_matrix/loss", update.losses[0]);
    });
}

#[test]
fn golden_freelb() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        for (name, ball) in [
            ("freelb_free", Ball::Unbounded),
            ("freelb_ball", Ball::l2(set.config("freelb_max_norm"))),
        ] {
            let passes = set.config("freelb_k") as usize;
            let spec = PerturbationSpec {
                ball,
                start: Start::LengthScaled {
                    magnitude: set.config("freelb_init_mag"),
                },
                rule: StepRule::UnitL2(Axes::Sample),
                size: StepSize::Absolute(set.config("freelb_lr")),
                steps: passes,
                momentum: None,
                range: None,
            };
            let perturbation = spec.check().unwrap();
            let update = update(set, "noise/uniform", &probe, &sample, &FreeLb::new(perturbation));
            let scaled: Vec<f64> = update.losses.iter().map(|loss| loss / passes as f64).collect();
            table.values(&format!("{name}/losses"), &scaled);
            check_norms(set, name, &probe, &update.gradients);
            let weight: Tensor<2> = update.gradients.get(probe.head.weight.id).unwrap();
            table.check(&format!("{name}/grad_head_weight"), Array::of(weight.transpose()));
            traces(set, &probe, &sample, &perturbation, name, table);
        }
    });
}

/// The perturbations on the way: the same steps, taken one by one.
fn traces(
    set: &Set,
    probe: &Probe,
    sample: &Sample,
    perturbation: &Perturbation,
    name: &str,
    table: &mut Table,
) {
    let frozen = AscentMode::Train.freeze(probe);
    let batch = Batch::new(probe.model.clean(&sample.tokens), sample)
        .with_mask(probe.model.mask(&sample.tokens, SpecialTokens::Perturbed));
    let mut noise = StoredNoise::new(set.tensor("noise/uniform"));
    let mut delta = perturbation.start(&batch, &mut noise);
    let mut norms = Array::of(delta.clone()).row_norms();
    for step in 1..perturbation.steps() {
        let pass = Ledger::new()
            .input_gradient(&frozen, delta.clone(), sample)
            .unwrap();
        delta = perturbation.step(&batch, delta, pass.gradient, &mut None);
        table.check(&format!("{name}/delta_{step}"), Array::of(delta.clone()));
        norms.extend(Array::of(delta.clone()).row_norms());
    }
    let shape = vec![perturbation.steps(), norms.len() / perturbation.steps()];
    table.check(&format!("{name}/delta_norms"), Array { shape, values: norms });
}

#[test]
fn golden_smart() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let token = Perturbation::smart(set.config("smart_noise_var"), set.config("smart_step"), 1).unwrap();
        let sentence = PerturbationSpec {
            ball: Ball::Surface {
                norm: Norm::Linf,
                radius: 1.0,
                axes: Axes::Sample,
            },
            ..*token.spec()
        };
        for (name, perturbation) in [
            ("smart_token", token),
            ("smart_sentence", sentence.check().unwrap()),
        ] {
            let method = Smart::new(perturbation, 1.0).unwrap();
            let update = update(set, "noise/normal_a", &probe, &sample, &method);
            // In this order: clean, the ascent's one pass, perturbed.
            let seen = std::mem::take(&mut *probe.seen.lock().unwrap());
            let [_, start, noise] = seen.try_into().unwrap();
            table.value(&format!("{name}/start_noise_max_abs"), largest(start.clone()));
            let frozen = AscentMode::Eval.freeze(&probe);
            let [clean, begun, moved] =
                [None, Some(start), Some(noise.clone())].map(|delta| frozen.logits(&sample.tokens, delta));
            let kl = Divergence::SmartAscent.of(clean.clone(), begun);
            table.value(&format!("{name}/stable_kl_at_start"), sum(kl));
            let penalty = Divergence::SymmetricKlConstantTargets.of(clean, moved.clone());
            table.value(
                &format!("{name}/regulariser"),
                sum(penalty) / set.length("labels") as f64,
            );
            if name == "smart_token" {
                table.check("smart_token/noise", Array::of(noise));
                table.check("smart_token/logits", Array::of(moved));
                check_norms(set, name, &probe, &update.gradients);
            }
        }
    });
}

#[test]
fn golden_r3f() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let half_width = set.config("r3f_eps");
        let method = R3f::new(Start::Uniform { half_width }, set.config("r3f_lambda")).unwrap();
        let update = update(set, "noise/uniform", &probe, &sample, &method);
        table.value("r3f/total", update.losses[0]);
        check_norms(set, "r3f", &probe, &update.gradients);
        let frozen = AscentMode::Eval.freeze(&probe);
        let [clean, moved] = [0, 1].map(|pass| {
            let delta = probe.seen.lock().unwrap()[pass].clone();
            frozen.logits(&sample.tokens, Some(delta))
        });
        let apart = Divergence::SymmetricKl.of(clean.clone(), moved);
        table.value("r3f/sym_kl", sum(apart) / set.length("labels") as f64);
        let loss = cross_entropy(clean, &sample.labels);
        table.value("r3f/ce", sum(loss) / set.length("labels") as f64);
    });
}

#[test]
fn golden_vat() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let parts = VatParts {
            radius: set.config("vat_eps"),
            probe: set.config("vat_xi"),
            iterations: set.config("vat_power_iterations") as usize,
            weight: 1.0,
        };
        let method = Vat::new(parts).unwrap().unlabelled();
        let update = update(set, "noise/normal_a", &probe, &sample, &method);
        let r = probe.seen.lock().unwrap().last().unwrap().clone();
        let frozen = AscentMode::Eval.freeze(&probe);
        let [clean, moved] = [None, Some(r.clone())].map(|delta| frozen.logits(&sample.tokens, delta));
        table.check("vat/r", Array::of(r));
        table.check("vat/lds_per_sample", Array::of(Divergence::Kl.of(clean, moved)));
        table.value("vat/lds", update.losses[0]);
        check_norms(set, "vat", &probe, &update.gradients);
    });
}

fn sum(values: Tensor<1>) -> f64 {
    Array::of(values)
        .values
        .iter()
        .map(|value| f64::from(*value))
        .sum()
}

fn largest(t: Tensor<3>) -> f64 {
    Array::of(t)
        .values
        .iter()
        .fold(0.0, |most, value| value.abs().max(most))
        .into()
}
