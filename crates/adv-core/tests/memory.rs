//! Memory does not grow with the number of passes: peak resident memory of processes of their own.

mod toy;

use adv_core::{Adversarial, Batch, Carried, FreeLb, Ledger, Perturbation, TrainingMethod, Yopo, YopoParts};
use burn::tensor::Device;
use std::process::Command;
use toy::models::{Net, labels};

/// Tells a child process what to run: a method and its number of passes.
const TASK: &str = "ADV_MEMORY_TASK";

/// One activation of the convolution is 26 MB: what is kept of a single pass too many is seen.
const SHAPE: [usize; 4] = [256, 1, 28, 28];
const CHANNELS: usize = 32;

fn method(name: &str, passes: usize) -> Box<dyn TrainingMethod<4, Net>> {
    let (radius, step) = (0.3, 0.05);
    match name {
        "pgd" => Box::new(Adversarial::new(Perturbation::pgd(radius, step, passes).unwrap())),
        "freelb" => Box::new(FreeLb::new(Perturbation::pgd_l2(radius, step, passes).unwrap())),
        "yopo" => {
            let parts = YopoParts {
                passes,
                inner_steps: 2,
                radius,
                step,
                range: None,
            };
            Box::new(Yopo::new(parts).unwrap())
        }
        other => panic!("no method {other}"),
    }
}

/// Runs in a child process only: one update, then a line with the peak.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (name, passes) = task.split_once(' ').unwrap();
    let device = Device::flex();
    let model = Net::new(1, SHAPE[2], CHANNELS, &device);
    let clean = toy::uniform(&mut toy::stream(1, 1), SHAPE, [0.0, 1.0], &device);
    let labels = labels(SHAPE[0], &device);
    let batch = Batch::new(clean, &labels);
    let (carried, rng, ledger) = (
        &mut Carried::default(),
        &mut toy::stream(1, 2),
        &mut Ledger::new(),
    );
    let method = method(name, passes.parse().unwrap());
    method.gradients(&model, &batch, carried, rng, ledger).unwrap();
    println!("\npeak {}", peak());
}

/// The peak resident memory of this process in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn measure(task: &str) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env(TASK, task);
    // One arena, and every large buffer back to the system when it is freed: the peak is then what was in use.
    child
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536");
    let output = child.env("RAYON_NUM_THREADS", "2").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let line = stdout.lines().find_map(|line| line.strip_prefix("peak "));
    line.unwrap_or_else(|| panic!("{task}: {stdout}"))
        .parse()
        .unwrap()
}

fn check(name: &str, few: usize, many: usize) {
    if !cfg!(target_os = "linux") {
        println!("skipped: needs /proc/self/status");
        return;
    }
    let [few, many] = [few, many].map(|passes| measure(&format!("{name} {passes}")));
    let growth = many as f64 / few as f64;
    println!("{name}: {few} KiB, {many} KiB, {growth:.3}");
    assert!(
        few > 80_000,
        "{name}: one pass takes {few} KiB only, too little to see growth"
    );
    assert!(
        (0.95..1.05).contains(&growth),
        "{name}: {few} KiB, then {many} KiB"
    );
}

#[test]
fn pgd_needs_the_same_memory_for_1_step_and_40() {
    check("pgd", 1, 40);
}

#[test]
fn freelb_needs_the_same_memory_for_1_pass_and_40() {
    check("freelb", 1, 40);
}

#[test]
fn yopo_needs_the_same_memory_for_1_pass_and_10() {
    check("yopo", 1, 10);
}
