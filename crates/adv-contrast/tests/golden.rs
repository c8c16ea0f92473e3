//! Golden values: contrastive objectives, SCAL and USCAL on a real encoder, against another program's, in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `text.safetensors` and `text.json`, `ADV_MODEL_DIR` one with `all-MiniLM-L6-v2`.

#[allow(dead_code)] // The golden tests of adv-models use all of it.
#[path = "../../adv-models/tests/golden/mod.rs"]
mod golden;

use adv_contrast::{
    InfoNce, Negatives, Pairs, Represent, Scal, ScalWeights, Uscal, UscalForm, View, Views, alignment,
    between_views, uniformity,
};
use adv_core::{Batch, Carried, Ledger, Objective, Perturbation, TrainingMethod, Update};
use adv_models::text::{Place, SpecialTokens};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use golden::device;
use golden::set::{Array, Set};
use golden::text_probe::{Probe, Sample, check_norms, sample, with_set};
use std::sync::{Arc, Mutex};

fn info_nce(set: &Set) -> InfoNce {
    InfoNce::new(set.config("temperature")).unwrap()
}

#[test]
fn golden_objectives() {
    with_set(|set, _, table| {
        let leaf = |name: &str| set.tensor(name).tensor::<2>(&device()).require_grad();
        let [a, b, negative] = ["con/a", "con/b", "con/negative"].map(leaf);
        let value = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
        let pairs = || Pairs::new(a.clone(), b.clone());
        let hard = || pairs().with_hard_negatives(negative.clone());
        let one = info_nce(set);
        let symmetric = one.with_negatives(Negatives::Symmetric);
        let weight = set.config("hard_negative_log_weight").exp();
        let weighted = one.with_hard_weight(weight).unwrap();

        table.value("con/info_nce", value(one.loss(&pairs())));
        table.value("con/info_nce_symmetric", value(symmetric.loss(&pairs())));
        table.value("con/hard_negatives", value(one.loss(&hard())));
        table.value("con/hard_negatives_weighted", value(weighted.loss(&hard())));

        let mut gradients = one.loss(&pairs()).backward();
        for (name, leaf) in [("a", &a), ("b", &b)] {
            let gradient = leaf.grad_remove(&mut gradients).unwrap();
            table.check(&format!("con/info_nce_grad_{name}"), Array::of(gradient));
        }
        let mut gradients = weighted.loss(&hard()).backward();
        for (name, leaf) in [("a", &a), ("b", &b), ("negative", &negative)] {
            let gradient = leaf.grad_remove(&mut gradients).unwrap();
            let name = format!("con/hard_negatives_weighted_grad_{name}");
            table.check(&name, Array::of(gradient));
        }
    });
}

#[test]
fn golden_geometry() {
    with_set(|set, _, table| {
        let [a, b] = ["con/a", "con/b"].map(|name| set.tensor(name).tensor::<2>(&Device::flex()));
        table.value("con/align", alignment(a.clone(), b.clone()));
        table.value("con/uniform_a", uniformity(a.clone()));
        table.value("con/uniform_a_and_b", uniformity(Tensor::cat(vec![a, b], 0)));
    });
}

impl Represent<3> for Probe {
    fn outputs_and_vectors(&self, input: Tensor<3>, sample: &Sample) -> (Tensor<2>, Tensor<2>) {
        self.seen.lock().unwrap().push(input.clone().inner());
        let vectors = self.first(&sample.tokens, Some(input));
        (self.head.forward(vectors.clone()), vectors)
    }
}

fn update<M, T>(model: &M, sample: &T, mask: Tensor<3>, method: &dyn TrainingMethod<3, M>) -> Update
where
    M: Objective<3, Targets = T> + Module,
{
    let batch = Batch::new(mask.zeros_like(), sample).with_mask(mask);
    let (carried, ledger) = (&mut Carried::default(), &mut Ledger::new());
    // No start is drawn.
    let mut noise = golden::StoredNoise::new(Array {
        shape: vec![0],
        values: Vec::new(),
    });
    let update = method
        .gradients(model, &batch, carried, &mut noise, ledger)
        .unwrap();
    ledger.update(&update.gradients).unwrap();
    assert_eq!(ledger.batch(), method.expected_cost());
    update
}

#[test]
fn golden_scal() {
    with_set(|set, folder, table| {
        let probe = Probe::new(set, folder, Place::Words);
        let sample = sample(set, &probe, &device());
        let mask = probe.model.mask(&sample.tokens, SpecialTokens::Perturbed);
        let perturbation = Perturbation::fgm(set.config("scal_eps")).unwrap();
        let weights = ScalWeights::Sum {
            adversarial: set.config("scal_alpha_adv"),
            contrast: set.config("scal_alpha_con"),
        };
        let method = Scal::new(perturbation, info_nce(set))
            .with_weights(weights)
            .unwrap();
        let update = update(&probe, &sample, mask, &method);
        table.value("scal/total", update.losses[0]);
        check_norms(set, "scal", &probe, &update.gradients);

        // In this order: the ascent, clean, perturbed.
        let r = probe.seen.lock().unwrap()[2].clone();
        let frozen = probe.valid();
        let loss = |delta| {
            let (outputs, vectors) = frozen.outputs_and_vectors(delta, &sample);
            let loss = adv_models::cross_entropy(outputs, &sample.labels).mean();
            (f64::from(loss.into_scalar::<f32>()), vectors)
        };
        let ((clean, h), (moved, h_adv)) = (loss(r.zeros_like()), loss(r.clone()));
        table.value("scal/l_ce", clean);
        table.value("scal/l_ce_adv", moved);
        table.check("scal/r", Array::of(r));
        table.check("scal/h_adv", Array::of(h_adv.clone()));
        let contrast = info_nce(set).loss(&Pairs::new(h, h_adv));
        table.value("scal/l_con", f64::from(contrast.into_scalar::<f32>()));
    });
}

/// The encoder of the set with noise in place of dropout.
#[derive(Module, Debug)]
struct Noisy {
    probe: Probe,
    #[module(skip)]
    contrast: InfoNce,
    #[module(skip)]
    noise: [Tensor<3>; 2],
    /// The vectors of each forward, and what was added beside the noise.
    #[module(skip)]
    seen: Arc<Mutex<Vec<(Tensor<3>, Tensor<2>)>>>,
}

impl Objective<3> for Noisy {
    type Targets = Sample;

    fn loss(&self, input: Tensor<3>, sample: &Sample) -> Tensor<1> {
        between_views(self, input, sample)
    }

    fn forwards(&self) -> u64 {
        2
    }
}

impl Views<3> for Noisy {
    fn vectors(&self, view: View, input: Tensor<3>, sample: &Sample) -> Tensor<2> {
        let noise = match view {
            View::First | View::Third => &self.noise[0],
            View::Second => &self.noise[1],
        };
        let moved = input.clone() + noise.clone().autodiff();
        let vectors = self.probe.first(&sample.tokens, Some(moved));
        let seen = (input.inner(), vectors.clone().inner());
        self.seen.lock().unwrap().push(seen);
        vectors
    }

    fn contrast(
        &self,
        anchors: Tensor<2>,
        positives: Tensor<2>,
        _: Option<Tensor<2>>,
        _: &Sample,
    ) -> Tensor<1> {
        self.contrast.loss(&Pairs::new(anchors, positives))
    }
}

#[test]
fn golden_uscal() {
    with_set(|set, folder, table| {
        let alpha = set.config("uscal_alpha");
        let perturbation = Perturbation::fgm(set.config("uscal_eps")).unwrap();
        for (name, form) in [
            ("uscal", UscalForm::Anchored),
            ("uscal_article", UscalForm::Article),
        ] {
            let probe = Probe::new(set, folder, Place::Words);
            let sample = sample(set, &probe, &device());
            let mask = probe.model.mask(&sample.tokens, SpecialTokens::Perturbed);
            let scale = set.config("uscal_view_noise");
            let noise = ["noise/normal_a", "noise/normal_b"].map(|name| {
                let values = set.tensor(name).tensor::<3>(&device().inner());
                values.mul_scalar(scale)
            });
            let model = Noisy {
                probe,
                contrast: info_nce(set),
                noise,
                seen: Arc::default(),
            };
            let method = Uscal::new(perturbation, form, alpha).unwrap();
            let update = update(&model, &sample, mask, &method);
            table.value(&format!("{name}/total"), update.losses[0]);
            check_norms(set, name, &model.probe, &update.gradients);

            // Last: the first view, then the perturbed one; the second view before one of them or both.
            let seen = std::mem::take(&mut *model.seen.lock().unwrap());
            let (r, h_adv) = seen.last().unwrap().clone();
            table.check(&format!("{name}/r"), Array::of(r.clone()));
            table.check(&format!("{name}/h_adv"), Array::of(h_adv.clone()));
            let frozen = model.valid();
            let [h, h_prime] =
                [View::First, View::Second].map(|view| frozen.vectors(view, r.zeros_like(), &sample).inner());
            let contrast = |a: &Tensor<2>, b: &Tensor<2>| {
                let loss = info_nce(set).loss(&Pairs::new(a.clone(), b.clone()));
                f64::from(loss.into_scalar::<f32>())
            };
            match form {
                UscalForm::Anchored => {
                    table.check("uscal/h", Array::of(h.clone()));
                    table.check("uscal/h_prime", Array::of(h_prime.clone()));
                    table.value("uscal/l_cl", contrast(&h, &h_prime));
                    table.value("uscal/l_adv", contrast(&h_adv, &h_prime));
                }
                UscalForm::Article => {
                    table.value("uscal_article/l_original", contrast(&h, &h_adv));
                    table.value("uscal_article/l_view", contrast(&h_prime, &h_adv));
                }
            }
        }
    });
}
