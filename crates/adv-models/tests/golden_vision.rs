//! Golden values: attacks and training steps of `wong_cnn` against those of another program, computed in float64.
//!
//! `ADV_GOLDEN_DIR` names a folder with `vision.safetensors` and `vision.json`. Names, shapes, hyper-parameters and pass
//! criteria come from these files, so that another set made by the same recipe passes too.

#[allow(dead_code)] // The golden tests of text use the rest.
mod golden;

use adv_core::{
    Adversarial, Ascent, AscentMode, Axes, Ball, Batch, Carried, FirstLayer, FreeAt, FreeLb, Ledger,
    ParamError, Perturbation, PerturbationSpec, RangePolicy, Standard, Start, StepRule, StepSize,
    TrainingMethod, ValueRange, Yopo, YopoParts,
};
use adv_models::{ImageClassifier, Labels, cross_entropy};
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::Tensor;
use golden::changes::{Changes, changes};
use golden::probe::Probe;
use golden::set::{Array, Set};
use golden::table::Table;
use golden::{StoredNoise, device, model};

/// Runs the checks on the golden set, if there is one, and fails with everything that is off.
fn with_set(checks: impl FnOnce(&Set, &mut Table)) {
    let Some(folder) = std::env::var_os("ADV_GOLDEN_DIR") else {
        println!("skipped: set ADV_GOLDEN_DIR");
        return;
    };
    let set = Set::read(folder.as_ref(), "vision");
    let mut table = Table::new(&set);
    checks(&set, &mut table);
    table.finish();
}

/// The first `count` images and their labels.
fn samples(set: &Set, count: usize) -> (Tensor<4>, Labels, Vec<i64>) {
    let images = set.tensor("x").tensor::<4>(&device()).narrow(0, 0, count);
    let labels = set.integers("y")[..count].to_vec();
    let classes = set.tensor("fc2.bias").values.len();
    let checked = Labels::new(labels.clone(), classes, &device()).unwrap();
    (images, checked, labels)
}

/// How many of the images are classified right, one flag each.
fn correct(model: &ImageClassifier, images: Tensor<4>, labels: &[i64]) -> Vec<bool> {
    let predicted = model.logits(images).argmax(1).into_data();
    let predicted = predicted.iter::<i64>();
    predicted
        .zip(labels)
        .map(|(class, label)| class == *label)
        .collect()
}

fn count(flags: &[bool]) -> f64 {
    flags.iter().filter(|flag| **flag).count() as f64
}

/// The value range of pixels, enforced at each step.
fn pixels(perturbation: Result<Perturbation, ParamError>) -> Perturbation {
    perturbation
        .unwrap()
        .with_range(ValueRange::UNIT, RangePolicy::EachStep)
}

fn ascend(set: &Set, model: &ImageClassifier, perturbation: &Perturbation) -> Ascent<4> {
    let (images, labels, _) = samples(set, set.config("n_images") as usize);
    let mut noise = StoredNoise::new(set.tensor("start/uniform"));
    perturbation
        .ascend(
            model,
            &Batch::new(images, &labels),
            &mut noise,
            &mut Ledger::new(),
        )
        .unwrap()
}

#[test]
fn golden_clean_pass() {
    with_set(|set, table| {
        let model = model(set).valid();
        let (images, labels, numbers) = samples(set, set.config("n_images") as usize);
        let logits = model.logits(images.clone());
        table.check("clean/logits", Array::of(logits.clone()));
        table.check("clean/ce_per_sample", Array::of(cross_entropy(logits, &labels)));
        let pass = Ledger::new()
            .input_gradient(&model, images.clone(), &labels)
            .unwrap();
        table.check("clean/input_grad", Array::of(pass.gradient));
        table.count("clean/accuracy_count", count(&correct(&model, images, &numbers)));
    });
}

#[test]
fn golden_attacks() {
    with_set(|set, table| {
        let c = |name| set.config(name);
        let n = |name| set.config(name) as usize;
        let pgd = || Perturbation::pgd(c("pgd_eps"), c("pgd_alpha"), n("pgd_steps"));
        let start = Start::Uniform {
            half_width: c("pgd_eps"),
        };
        let attacks = [
            ("fgsm", pixels(Perturbation::fgsm(c("fgsm_eps")))),
            ("fgm_l2", pixels(Perturbation::fgm(c("fgm_l2_eps")))),
            ("pgd_linf", pixels(pgd())),
            (
                "pgd_linf_start",
                pixels(pgd().and_then(|pgd| pgd.with_start(start))),
            ),
            (
                "pgd_l2",
                pixels(Perturbation::pgd_l2(
                    c("pgd_l2_eps"),
                    c("pgd_l2_alpha"),
                    n("pgd_l2_steps"),
                )),
            ),
            (
                "mi_fgsm",
                pixels(Perturbation::mi_fgsm(
                    c("mi_eps"),
                    c("mi_alpha"),
                    n("mi_steps"),
                    c("mi_decay"),
                )),
            ),
        ];
        let model = model(set).valid();
        let (_, labels, numbers) = samples(set, n("n_images"));
        let mut worst = vec![true; numbers.len()];
        for (name, perturbation) in attacks {
            let adversarial = ascend(set, &model, &perturbation).input;
            table.check(&format!("attack/{name}"), Array::of(adversarial.clone()));
            let losses = cross_entropy(model.logits(adversarial.clone()), &labels);
            table.check(&format!("attack_loss/{name}"), Array::of(losses));
            let right = correct(&model, adversarial, &numbers);
            table.count(&format!("attack_correct/{name}"), count(&right));
            if name.starts_with("pgd_linf") {
                worst
                    .iter_mut()
                    .zip(&right)
                    .for_each(|(worst, right)| *worst &= right);
            }
        }
        table.count("attack_correct/pgd_linf_worst_of_both_starts", count(&worst));

        let unclipped = ascend(set, &model, &Perturbation::fgm(c("fgm_l2_eps")).unwrap()).input;
        table.check(
            "attack/fgm_l2_unclipped_logits",
            Array::of(model.logits(unclipped)),
        );
    });
}

/// The gradients of one update of a method, as changes of the weights by plain SGD, and what the passes saw.
struct Step {
    probe: Probe,
    changes: Changes,
    losses: Vec<f64>,
    images: Tensor<4>,
    labels: Labels,
}

fn step(set: &Set, method: &dyn TrainingMethod<4, Probe>, noise: &str) -> Step {
    let probe = Probe::new(model(set));
    let (images, labels, _) = samples(set, set.config("n_step") as usize);
    let mut noise = StoredNoise::new(set.tensor(noise));
    let update = method.gradients(
        &probe,
        &Batch::new(images.clone(), &labels),
        &mut Carried::default(),
        &mut noise,
        &mut Ledger::new(),
    );
    let update = update.unwrap();
    Step {
        changes: changes(&probe, &update.gradients, set.config("lr")),
        losses: update.losses,
        probe,
        images: images.inner(),
        labels,
    }
}

#[test]
fn golden_step_clean() {
    with_set(|set, table| {
        let step = step(set, &Standard, "start/uniform");
        table.changes("clean", &step.changes);
        table.value("step/clean/loss", step.losses[0]);
    });
}

#[test]
fn golden_step_fgsm_rs() {
    with_set(|set, table| {
        let perturbation = Perturbation::fgsm_rs(set.config("rs_eps"), set.config("rs_alpha")).unwrap();
        let method = Adversarial::new(perturbation.with_range(ValueRange::UNIT, RangePolicy::Final));
        let step = step(set, &method, "start/uniform");
        let seen = step.probe.seen();
        table.changes("fgsm_rs", &step.changes);
        table.value("step/fgsm_rs/loss_at_start", seen.losses[0]);
        table.value("step/fgsm_rs/loss", step.losses[0]);
        table.check("step/fgsm_rs/x_adv", Array::of(seen.inputs[1].clone()));
    });
}

#[test]
fn golden_step_pgd() {
    with_set(|set, table| {
        let c = |name| set.config(name);
        let pgd = Perturbation::pgd(c("pgd7_eps"), c("pgd7_alpha"), c("pgd7_steps") as usize);
        let method = Adversarial::new(pixels(pgd)).with_mode(AscentMode::Eval);
        let step = step(set, &method, "start/uniform");
        table.changes("pgd7", &step.changes);
        table.value("step/pgd7/loss", step.losses[0]);
        let seen = step.probe.seen();
        let input = seen.inputs.last().unwrap().clone();
        table.check("step/pgd7/x_adv", Array::of(input));
    });
}

#[test]
fn golden_step_free() {
    with_set(|set, table| {
        let (replays, rate) = (set.config("free_m") as usize, set.config("lr"));
        let method = FreeAt::new(replays, set.config("free_eps"), Some(ValueRange::UNIT)).unwrap();
        let (images, labels, _) = samples(set, set.config("n_step") as usize);
        let batch = Batch::new(images, &labels);
        let mut noise = StoredNoise::new(set.tensor("start/uniform"));
        let (mut model, mut carried, mut ledger) = (model(set), Carried::default(), Ledger::new());
        let mut total = Changes::new();
        let mut losses = Vec::new();
        for _ in 0..replays {
            let update = method
                .gradients(&model, &batch, &mut carried, &mut noise, &mut ledger)
                .unwrap();
            golden::changes::add(&mut total, changes(&model, &update.gradients, rate));
            losses.extend(update.losses);
            model = SgdConfig::new().init().step(rate, model, update.gradients);
        }
        table.changes("free", &total);
        table.values("step/free/losses", &losses);
        table.check("step/free/delta_final", Array::of(carried.delta.unwrap()));
    });
}

#[test]
fn golden_step_yopo() {
    with_set(|set, table| {
        let c = |name| set.config(name);
        let (passes, inner_steps) = (c("yopo_m") as usize, c("yopo_n") as usize);
        let method = Yopo::new(YopoParts {
            passes,
            inner_steps,
            radius: c("yopo_eps"),
            step: c("yopo_sigma"),
            range: Some(ValueRange::UNIT),
        });
        let method = method.unwrap();
        let code = method.with_first_layer(FirstLayer::Code);
        table.changes("yopo_code", &step(set, &code, "start/uniform").changes);

        let step = step(set, &method, "start/uniform");
        table.changes("yopo_paper", &step.changes);
        table.values("step/yopo/losses", &step.losses);

        // Each pass shows the first layer the full pass's input, those of the inner steps, and the last one.
        let seen = step.probe.seen().first_inputs;
        let mut hamiltonians = Vec::new();
        for inputs in seen.chunks(inner_steps + 2) {
            let (whole, last) = (inputs[0].clone(), inputs[inner_steps + 1].clone());
            let mut ledger = Ledger::new();
            let co_state = ledger
                .split_gradients(&step.probe, whole, &step.labels, false)
                .unwrap()
                .co_state;
            let pass = ledger
                .first_layer_weight_gradients(&step.probe, last, &step.labels, &co_state)
                .unwrap();
            // Theirs is taken with the negative co-state.
            hamiltonians.push(-pass.loss);
        }
        table.values("step/yopo/hamiltonians", &hamiltonians);
        let last = seen[seen.len() - 1].clone();
        table.check("step/yopo/eta_final", Array::of(last - step.images));
    });
}

#[test]
fn golden_step_freelb() {
    with_set(|set, table| {
        let c = |name| set.config(name);
        for (name, ball) in [
            ("freelb_free", Ball::Unbounded),
            ("freelb_ball", Ball::l2(c("freelb_max_norm"))),
        ] {
            let passes = c("freelb_k") as usize;
            let perturbation = PerturbationSpec {
                ball,
                start: Start::LengthScaled {
                    magnitude: c("freelb_init_mag"),
                },
                rule: StepRule::UnitL2(Axes::Sample),
                size: StepSize::Absolute(c("freelb_lr")),
                steps: passes,
                momentum: None,
                range: None,
            };
            let method = FreeLb::new(perturbation.check().unwrap());
            let step = step(set, &method, "start/freelb");
            table.changes(name, &step.changes);
            let divided: Vec<_> = step.losses.iter().map(|loss| loss / passes as f64).collect();
            table.values(&format!("step/{name}/losses"), &divided);

            let inputs = step.probe.seen().inputs;
            let deltas: Vec<_> = inputs
                .into_iter()
                .map(|input| input - step.images.clone())
                .collect();
            let norms: Vec<_> = deltas
                .iter()
                .map(|delta| Array::of(delta.clone()).row_norms())
                .collect();
            let shape = vec![passes, step.images.dims()[0]];
            let norms = Array {
                shape,
                values: norms.concat(),
            };
            table.check(&format!("step/{name}/delta_norms"), norms);
            let last = deltas[passes - 1].clone();
            table.check(&format!("step/{name}/delta_final"), Array::of(last));
        }
    });
}
