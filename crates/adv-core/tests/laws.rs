//! The laws of the core, tried on random cases.
//!
//! On flex; `ADV_TEST_DEVICE=default` takes the device that Burn prefers among those compiled in.

#[path = "laws/mod.rs"]
mod laws;

use burn::tensor::Device;
use laws::toy::Agree;
use laws::{Case, Law, Rig};
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1..5usize, 2..6usize, 1..5usize);
    (any::<u64>(), sizes, 0.01..1.0f64, 0.05..2.0f64).prop_map(
        |(seed, (batch, side, steps), radius, relative_step)| Case {
            seed,
            batch,
            side,
            radius,
            relative_step,
            steps,
        },
    )
}

fn rig() -> Rig {
    match std::env::var("ADV_TEST_DEVICE").as_deref() {
        Err(_) | Ok("flex") => Rig {
            device: Device::flex(),
            agree: Agree::Bits,
        },
        Ok("default") => Rig {
            device: Device::default(),
            agree: Agree::Closely,
        },
        Ok(other) => panic!("ADV_TEST_DEVICE is `{other}`: use flex or default"),
    }
}

/// Holds the laws of a group on random cases, the same ones every time.
fn check(group: &[(&str, Law)]) {
    let rig = rig();
    for (name, law) in group {
        let config = Config {
            cases: 32,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let result = TestRunner::new_with_rng(config, rng).run(&cases(), |case| {
            law(&rig, &case);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn laws_of_the_ball() {
    check(&laws::ball::LAWS);
}

#[test]
fn laws_of_starts() {
    check(&laws::start::LAWS);
}

#[test]
fn laws_of_the_ascent() {
    check(&laws::ascent::LAWS);
}

#[test]
fn laws_of_training() {
    check(&laws::train::LAWS);
}

#[test]
fn laws_of_free_at() {
    check(&laws::free_at::LAWS);
}

#[test]
fn laws_of_yopo() {
    check(&laws::yopo::LAWS);
}

#[test]
fn laws_of_compared_outputs() {
    check(&laws::smooth::LAWS);
}

#[test]
fn laws_of_gradients() {
    check(&laws::gradients::LAWS);
}

#[test]
fn the_device_gate_runs() {
    let rig = rig();
    laws::all(&rig.device, rig.agree);
}
