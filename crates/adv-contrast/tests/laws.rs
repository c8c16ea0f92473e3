//! Laws of the objectives and of the methods.

use adv_contrast::{
    AdversarialMask, ContrastError, InfoNce, Negatives, Pairs, Represent, Scal, ScalWeights, SupCon, Through,
    Uscal, UscalForm, View, Views, alignment, between_views, duplicates, mean_cosine, uniformity,
};
use adv_core::{
    AscentMode, Batch, Carried, Ledger, Noise, Objective, Perturbation, Phase, Predict, Standard, Start,
    TrainingMethod, Update,
};
use adv_models::{Labels, cross_entropy};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::{Arc, Mutex};

fn device() -> Device {
    Device::flex().autodiff()
}

fn normal<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let mut values = vec![0.0; shape.iter().product()];
    ChaCha8Rng::seed_from_u64(seed).normal(&mut values);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn value(loss: Tensor<1>) -> f64 {
    f64::from(loss.into_scalar::<f32>())
}

fn close(name: &str, found: f64, expected: f64) {
    let limit = 1e-5 * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() < limit,
        "{name}: {found}, not {expected}"
    );
}

/// Rows in f64.
fn rows(t: &Tensor<2>) -> Vec<Vec<f64>> {
    let [_, width] = t.dims();
    let values: Vec<f64> = t.to_data().iter::<f64>().collect();
    values.chunks(width).map(<[f64]>::to_vec).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// `-log share` of the first logit.
fn surprise(own: f64, others: &[f64]) -> f64 {
    let all: f64 = others.iter().map(|other| (other - own).exp()).sum::<f64>() + 1.0;
    all.ln()
}

#[test]
fn each_form_is_that_of_the_definition() {
    let [a, b, n, q] = [(1, 5), (2, 5), (3, 5), (4, 7)].map(|(seed, count)| normal(seed, [count, 3]));
    let (x, y, hard, queue) = (rows(&a), rows(&b), rows(&n), rows(&q));
    let (tau, weight) = (0.3, 2.0);
    let logit = |u: &[f64], v: &[f64]| cosine(u, v) / tau;
    let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    let one_sided = |from: &[Vec<f64>], to: &[Vec<f64>], further: &dyn Fn(usize, &[f64]) -> Vec<f64>| {
        let loss = |i: usize| {
            let others = (0..5).filter(|j| *j != i).map(|j| logit(&from[i], &to[j]));
            let others = [others.collect(), further(i, &from[i])].concat();
            surprise(logit(&from[i], &to[i]), &others)
        };
        mean((0..5).map(loss).collect())
    };
    let nothing = |_: usize, _: &[f64]| Vec::new();
    let extra = |i: usize, u: &[f64]| -> Vec<f64> {
        let own = |j: usize| if i == j { f64::ln(weight) } else { 0.0 };
        let hard = hard.iter().enumerate().map(|(j, v)| logit(u, v) + own(j));
        hard.chain(queue.iter().map(|v| logit(u, v))).collect()
    };
    let all: Vec<Vec<f64>> = x.iter().chain(&y).cloned().collect();
    let nt_xent = |further: &dyn Fn(usize, &[f64]) -> Vec<f64>| {
        let loss = |i: usize| {
            let partner = (i + 5) % 10;
            let others = (0..10).filter(|j| *j != i && *j != partner);
            let others = others.map(|j| logit(&all[i], &all[j])).collect();
            let others = [others, further(i % 5, &all[i])].concat();
            surprise(logit(&all[i], &all[partner]), &others)
        };
        mean((0..10).map(loss).collect())
    };

    let nce = InfoNce::new(tau).unwrap().with_hard_weight(weight).unwrap();
    let pairs = Pairs::new(a, b);
    let full = pairs.clone().with_hard_negatives(n).with_further_negatives(q);
    let found = |negatives, pairs: &Pairs| value(nce.with_negatives(negatives).loss(pairs));
    let (forth, back) = (one_sided(&x, &y, &nothing), one_sided(&y, &x, &nothing));
    close("one-sided", found(Negatives::OneSided, &pairs), forth);
    close(
        "symmetric",
        found(Negatives::Symmetric, &pairs),
        (forth + back) / 2.0,
    );
    close(
        "all others",
        found(Negatives::AllOthers, &pairs),
        nt_xent(&nothing),
    );
    let forth = one_sided(&x, &y, &extra);
    close("one-sided, more", found(Negatives::OneSided, &full), forth);
    close(
        "symmetric, more",
        found(Negatives::Symmetric, &full),
        (forth + back) / 2.0,
    );
    close(
        "all others, more",
        found(Negatives::AllOthers, &full),
        nt_xent(&extra),
    );
}

#[test]
fn nt_xent_is_sup_con_with_a_class_for_each_pair() {
    let (a, b) = (normal(1, [6, 4]), normal(2, [6, 4]));
    let nt_xent = InfoNce::new(0.2).unwrap().with_negatives(Negatives::AllOthers);
    let labels = Labels::new((0..6).chain(0..6), 6, &Device::flex()).unwrap();
    let both = Tensor::cat(vec![a.clone(), b.clone()], 0);
    let sup_con = SupCon::new(0.2).unwrap().loss(both.clone(), &labels);
    close("loss", value(sup_con), value(nt_xent.loss(&Pairs::new(a, b))));
    // A class of its own for each vector: nothing to draw together.
    let alone = Labels::new(0..12, 12, &Device::flex()).unwrap();
    close("alone", value(SupCon::new(0.2).unwrap().loss(both, &alone)), 0.0);
}

#[test]
fn a_loss_does_not_see_lengths_and_falls_to_zero_where_partners_agree() {
    let a = normal(1, [8, 16]);
    let longer = Pairs::new(a.clone().mul_scalar(3.0), a.clone().mul_scalar(0.1));
    for negatives in [Negatives::OneSided, Negatives::Symmetric, Negatives::AllOthers] {
        let nce = InfoNce::new(0.02).unwrap().with_negatives(negatives);
        let loss = value(nce.loss(&longer));
        close(
            "lengths",
            loss,
            value(nce.loss(&Pairs::new(a.clone(), a.clone()))),
        );
        assert!((0.0..1e-6).contains(&loss), "{loss}");
    }
}

#[test]
fn zero_vectors_have_a_loss_and_gradients() {
    let leaf = Tensor::<2>::zeros([3, 4], &device()).require_grad();
    let loss = InfoNce::default().loss(&Pairs::new(leaf.clone(), normal(1, [3, 4]).autodiff()));
    close("loss", value(loss.clone()), 3f64.ln());
    let gradient = leaf.grad_remove(&mut loss.backward()).unwrap();
    assert!(gradient.into_data().iter::<f32>().all(f32::is_finite));
}

#[test]
fn duplicates_are_no_negatives() {
    let texts = (["a", "b", "a", "c"], ["x", "y", "z", "y"]);
    let excluded = duplicates(&texts.0, &texts.1, &Device::flex()).unwrap();
    let found: Vec<f32> = excluded.to_data().iter().collect();
    // b and c have the same positive; a is nobody's.
    assert_eq!(
        found,
        [0., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0., 0., 0., 1., 0., 0.]
    );
    assert!(duplicates(&["a", "b"], &["c", "d"], &Device::flex()).is_none());
    let same = duplicates(&["a", "b", "a"], &["a", "b", "a"], &Device::flex()).unwrap();
    assert_eq!(same.to_data().iter::<f32>().sum::<f32>(), 2.0);

    // Without its twin an anchor has the loss of a batch without it.
    let a = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &Device::flex());
    let b = Tensor::<2>::from_data([[1.0, 0.2], [1.0, 0.2], [0.3, 1.0]], &Device::flex());
    let nce = InfoNce::new(0.5).unwrap();
    let keys = ["a", "a", "b"];
    let excluded = duplicates(&keys, &keys, &Device::flex()).unwrap();
    let found = value(nce.loss(&Pairs::new(a.clone(), b.clone()).without(excluded.clone())));
    let (x, y) = (rows(&a), rows(&b));
    let logit = |i: usize, j: usize| cosine(&x[i], &y[j]) / 0.5;
    let expected = (2.0 * surprise(logit(0, 0), &[logit(0, 2)])
        + surprise(logit(2, 2), &[logit(2, 0), logit(2, 1)]))
        / 3.0;
    close("one-sided", found, expected);
    // Nor are the twins themselves, where all are told apart.
    let nt_xent = nce.with_negatives(Negatives::AllOthers);
    let with = value(nt_xent.loss(&Pairs::new(a.clone(), b.clone()).without(excluded)));
    assert!(with < value(nt_xent.loss(&Pairs::new(a, b))));
}

#[test]
fn geometry_is_that_of_all_pairs() {
    let vectors = normal(5, [1300, 6]);
    let units = rows(&adv_contrast::unit_rows(vectors.clone()));
    let (mut kernel, mut cosines, mut pairs) = (0.0, 0.0, 0.0);
    for (i, u) in units.iter().enumerate() {
        for v in &units[..i] {
            let square: f64 = u.iter().zip(v).map(|(x, y)| (x - y) * (x - y)).sum();
            kernel += (-2.0 * square).exp();
            cosines += cosine(u, v);
            pairs += 1.0;
        }
    }
    close("uniformity", uniformity(vectors.clone()), f64::ln(kernel / pairs));
    let apart = mean_cosine(vectors.clone()) - cosines / pairs;
    assert!(apart.abs() < 1e-6, "{apart}");
    close(
        "alignment",
        alignment(vectors.clone(), vectors.clone().neg()),
        4.0,
    );
    close("alignment of equals", alignment(vectors.clone(), vectors), 0.0);
}

#[test]
fn numbers_that_make_no_objective_are_refused() {
    assert_eq!(InfoNce::new(0.0).unwrap_err(), ContrastError::Temperature(0.0));
    assert!(InfoNce::new(f64::NAN).is_err() && SupCon::new(-1.0).is_err());
    assert!(InfoNce::default().with_hard_weight(0.0).is_err());
    let fgm = Perturbation::fgm(0.1).unwrap();
    assert!(Uscal::new(fgm, UscalForm::Article, -0.1).is_err());
    let scal = Scal::new(fgm, InfoNce::default());
    let sum = |adversarial, contrast| ScalWeights::Sum {
        adversarial,
        contrast,
    };
    for weights in [sum(-1.0, 1.0), sum(1.0, f64::INFINITY), ScalWeights::Convex(1.5)] {
        assert!(scal.with_weights(weights).is_err(), "{weights:?}");
    }
}

/// A linear map with a classifier; views shift their inputs by something of their own.
#[derive(Module, Debug)]
struct Toy {
    weight: Param<Tensor<2>>,
    out: Param<Tensor<2>>,
    #[module(skip)]
    contrast: InfoNce,
    #[module(skip)]
    labels: bool,
    /// The view, and what it was shown.
    #[module(skip)]
    seen: Arc<Mutex<Vec<(View, Tensor<2>)>>>,
}

const ROWS: usize = 6;
const INPUTS: usize = 5;

impl Toy {
    fn new(labels: bool) -> Self {
        let weight = |seed, shape| Param::from_tensor(normal::<2>(seed, shape).autodiff());
        Self {
            weight: weight(10, [INPUTS, 4]),
            out: weight(11, [4, 3]),
            contrast: InfoNce::new(0.5).unwrap(),
            labels,
            seen: Arc::default(),
        }
    }

    fn hidden(&self, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.weight.val()).tanh()
    }
}

impl Objective<2> for Toy {
    type Targets = Labels;

    fn loss(&self, input: Tensor<2>, labels: &Labels) -> Tensor<1> {
        match self.labels {
            true => self.judge(self.outputs(input, labels), labels),
            false => between_views(self, input, labels),
        }
    }

    fn forwards(&self) -> u64 {
        if self.labels { 1 } else { 2 }
    }
}

impl Predict<2> for Toy {
    fn outputs(&self, input: Tensor<2>, labels: &Labels) -> Tensor<2> {
        self.outputs_and_vectors(input, labels).0
    }

    fn judge(&self, outputs: Tensor<2>, labels: &Labels) -> Tensor<1> {
        cross_entropy(outputs, labels).mean()
    }
}

impl Represent<2> for Toy {
    fn outputs_and_vectors(&self, input: Tensor<2>, _: &Labels) -> (Tensor<2>, Tensor<2>) {
        self.seen
            .lock()
            .unwrap()
            .push((View::First, input.clone().inner()));
        let hidden = self.hidden(input);
        (hidden.clone().matmul(self.out.val()), hidden)
    }
}

impl Views<2> for Toy {
    fn vectors(&self, view: View, input: Tensor<2>, _: &Labels) -> Tensor<2> {
        self.seen.lock().unwrap().push((view, input.clone().inner()));
        let shift = match view {
            View::First => normal(20, [ROWS, INPUTS]),
            View::Second => normal(21, [ROWS, INPUTS]),
            View::Third => normal(22, [ROWS, INPUTS]),
        };
        self.hidden(input + shift.mul_scalar(0.3).autodiff())
    }

    fn contrast(
        &self,
        anchors: Tensor<2>,
        positives: Tensor<2>,
        _: Option<Tensor<2>>,
        _: &Labels,
    ) -> Tensor<1> {
        self.contrast.loss(&Pairs::new(anchors, positives))
    }
}

fn labels() -> Labels {
    Labels::new((0..ROWS as i64).map(|row| row % 3), 3, &device()).unwrap()
}

/// One update, its cost checked against theory, and what the model was shown.
fn update(toy: &Toy, method: &dyn TrainingMethod<2, Toy>) -> (Update, Vec<(View, Tensor<2>)>) {
    let labels = labels();
    let batch = Batch::new(normal(30, [ROWS, INPUTS]), &labels);
    let mut ledger = Ledger::new();
    ledger.begin_batch(Phase::Training);
    let mut noise = ChaCha8Rng::seed_from_u64(1);
    toy.seen.lock().unwrap().clear();
    let update = method
        .gradients(toy, &batch, &mut Carried::default(), &mut noise, &mut ledger)
        .unwrap();
    ledger.update(&update.gradients).unwrap();
    let seen = std::mem::take(&mut *toy.seen.lock().unwrap());
    let costs_two = !toy.labels;
    let expected = method.expected_cost();
    // Theory counts views; plain training counts losses, of two views each.
    if expected.full_backwards > 1 || !costs_two {
        assert_eq!(ledger.batch(), expected);
        assert_eq!(seen.len() as u64, expected.forwards);
    }
    (update, seen)
}

fn gradient(toy: &Toy, update: &Update) -> Vec<f32> {
    let gradient: Tensor<2> = update.gradients.get(toy.weight.id).unwrap();
    gradient.into_data().iter().collect()
}

#[test]
fn uscal_counts_its_passes_and_perturbs_as_asked() {
    let toy = Toy::new(false);
    let clean = normal::<2>(30, [ROWS, INPUTS]);
    for steps in [1, 3] {
        for form in [UscalForm::Article, UscalForm::Anchored] {
            for mode in [AscentMode::Train, AscentMode::Eval] {
                for mask in [AdversarialMask::First, AdversarialMask::Own] {
                    let perturbation = Perturbation::pgd_l2(0.2, 0.2, steps).unwrap();
                    let method = Uscal::new(perturbation, form, 0.5).unwrap();
                    let (_, seen) = update(&toy, &method.with_mode(mode).with_mask(mask));
                    let (view, input) = seen.last().unwrap();
                    let expected = match mask {
                        AdversarialMask::First => View::First,
                        AdversarialMask::Own => View::Third,
                    };
                    assert_eq!(*view, expected);
                    for row in rows(&(input.clone() - clean.clone())) {
                        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                        assert!((length - 0.2).abs() < 1e-5, "{form:?}, {steps} steps: {length}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_perturbation_raises_the_contrast_that_it_climbed_on() {
    let toy = Toy::new(false);
    let clean = normal::<2>(30, [ROWS, INPUTS]);
    let frozen = AscentMode::Train.freeze(&toy);
    for form in [UscalForm::Article, UscalForm::Anchored] {
        let method = Uscal::new(Perturbation::fgm(0.05).unwrap(), form, 1.0).unwrap();
        let (_, seen) = update(&toy, &method);
        let moved = seen.last().unwrap().1.clone();
        let loss = |first: Tensor<2>, second: Tensor<2>| {
            let [first, second] = [(View::First, first), (View::Second, second)]
                .map(|(view, input)| frozen.vectors(view, input.autodiff(), &labels()));
            value(frozen.contrast(first, second, None, &labels()))
        };
        let second = match form {
            UscalForm::Article => moved.clone(),
            UscalForm::Anchored => clean.clone(),
        };
        assert!(
            loss(moved, second) > loss(clean.clone(), clean.clone()),
            "{form:?}"
        );
    }
}

#[test]
fn anchored_uscal_without_its_second_term_is_sim_cse_bit_for_bit() {
    let toy = Toy::new(false);
    let plain = Uscal::new(Perturbation::fgm(0.2).unwrap(), UscalForm::Anchored, 0.0).unwrap();
    let (uscal, seen) = update(&toy, &plain);
    assert_eq!(seen.len(), 2);
    let (sim_cse, _) = update(&toy, &Standard);
    assert_eq!(uscal.losses, sim_cse.losses);
    assert_eq!(gradient(&toy, &uscal), gradient(&toy, &sim_cse));
}

#[test]
fn without_a_radius_the_adversarial_view_is_the_first_one() {
    let toy = Toy::new(false);
    let none = Perturbation::fgm(0.0).unwrap();
    // contrast(h, h') + α contrast(h, h').
    let (uscal, _) = update(&toy, &Uscal::new(none, UscalForm::Anchored, 0.5).unwrap());
    let (sim_cse, _) = update(&toy, &Standard);
    close("loss", uscal.losses[0], 1.5 * sim_cse.losses[0]);
    // contrast(h, h) + α contrast(h', h).
    let (article, _) = update(&toy, &Uscal::new(none, UscalForm::Article, 0.5).unwrap());
    let vectors = |view| toy.vectors(view, normal(30, [ROWS, INPUTS]).autodiff(), &labels());
    let contrast = |a, b| value(toy.contrast(vectors(a), vectors(b), None, &labels()));
    let expected = contrast(View::First, View::First) + 0.5 * contrast(View::Second, View::First);
    close("article", article.losses[0], expected);
}

#[test]
fn a_smaller_share_is_a_smaller_perturbation() {
    let toy = Toy::new(false);
    let noise = Start::Direction { length: 0.2 };
    let perturbation = Perturbation::fgm(0.2).unwrap().with_start(noise).unwrap();
    let method = Uscal::new(perturbation, UscalForm::Article, 0.5).unwrap();
    let scaled = TrainingMethod::<2, Toy>::scaled(&method, 0.5).unwrap();
    let (_, seen) = update(&toy, &*scaled);
    let moved = seen.last().unwrap().1.clone() - normal::<2>(30, [ROWS, INPUTS]);
    for row in rows(&moved) {
        assert!(row.iter().map(|x| x * x).sum::<f64>().sqrt() < 0.1 + 1e-5);
    }
}

#[test]
fn scal_is_the_sum_of_its_parts() {
    let toy = Toy::new(true);
    let fgm = Perturbation::fgm(0.3).unwrap();
    let nce = InfoNce::new(0.5).unwrap();
    let of = |weights| {
        let method = Scal::new(fgm, nce).with_weights(weights).unwrap();
        update(&toy, &method).0
    };
    let sum = |adversarial, contrast| ScalWeights::Sum {
        adversarial,
        contrast,
    };
    let clean = of(sum(0.0, 0.0)).losses[0];
    let adversarial = of(sum(1.0, 0.0)).losses[0] - clean;
    let contrast = of(sum(0.0, 1.0)).losses[0] - clean;
    assert!(adversarial > clean, "the loss rises along its gradient");
    close(
        "sum",
        of(sum(0.7, 0.2)).losses[0],
        clean + 0.7 * adversarial + 0.2 * contrast,
    );
    let convex = of(ScalWeights::Convex(0.4)).losses[0];
    close("convex", convex, 0.3 * (clean + adversarial) + 0.4 * contrast);
    // No weight on anything adversarial: plain training.
    let plain = update(&toy, &Standard).0;
    assert_eq!(of(sum(0.0, 0.0)).losses, plain.losses);
    let apart = gradient(&toy, &of(sum(0.0, 0.0)))
        .iter()
        .zip(gradient(&toy, &plain))
        .fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(apart < 1e-7, "{apart}");
}

#[test]
fn the_gradients_through_both_vectors_add_up() {
    let toy = Toy::new(true);
    let weights = ScalWeights::Convex(1.0);
    let of = |through| {
        let method = Scal::new(Perturbation::fgm(0.3).unwrap(), InfoNce::new(0.5).unwrap());
        let method = method
            .with_weights(weights)
            .unwrap()
            .with_gradient_through(through);
        gradient(&toy, &update(&toy, &method).0)
    };
    let parts = of(Through::Clean).into_iter().zip(of(Through::Perturbed));
    for (both, (clean, perturbed)) in of(Through::Both).into_iter().zip(parts) {
        assert!(
            (both - clean - perturbed).abs() < 1e-5,
            "{both}, {clean}, {perturbed}"
        );
    }
}
