//! Golden values: adversarial training on the word embeddings of a real encoder, against another program's, in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `text.safetensors` and `text.json`, `ADV_MODEL_DIR` one with `all-MiniLM-L6-v2`. Names,
//! shapes, hyper-parameters and pass criteria come from these files.

#[allow(dead_code)] // The other golden tests use all of it.
mod golden;

use adv_core::{
    Adversarial, AscentMode, Axes, Ball, Batch, Carried, Divergence, FreeLb, Ledger, Norm, Perturbation,
    PerturbationSpec, R3f, Smart, Start, StepRule, StepSize, TrainingMethod, Update, Vat, VatParts,
};
use adv_models::cross_entropy;
use adv_models::text::{Place, SpecialTokens, Tokenizer, Tokens};
use burn::module::Module;
use burn::tensor::{Device, Tensor, s};
use golden::set::{Array, Set, norm};
use golden::table::Table;
use golden::text_probe::{Probe, Sample, check_norms, sample, with_set};
use golden::{StoredNoise, device};
use std::collections::BTreeMap;

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
