//! Every device that this build holds is put to the laws of the core, to a training step of each kind of method, and
//! to the golden values. With `--features adv-run/ndarray,adv-run/wgpu` there are more than the CPU.
//!
//! Small shapes throughout: a software Vulkan driver is slow.

#[path = "../../adv-models/tests/golden/mod.rs"]
#[allow(dead_code)] // the golden tests of adv-models use all of it
mod golden;
#[path = "../../adv-core/tests/laws/mod.rs"]
mod laws;

use adv_core::{Batch, Carried, Ledger};
use adv_data::{Download, ImageSet, Source};
use adv_models::{Architecture, ImageClassifier, Labels, build, cross_entropy};
use adv_run::device::DeviceKind;
use adv_run::methods;
use adv_run::run::{Outcome, create_folder, execute};
use adv_run::spec::{MethodName, RunSpec, Settings};
use adv_run::streams::{Purpose, stream};
use burn::module::Module;
use burn::tensor::Device;
use clap::ValueEnum;
use golden::set::{Array, Set};
use golden::table::Table;
use laws::toy::{self, Agree};
use std::sync::atomic::AtomicBool;

/// The devices of this build.
fn devices() -> Vec<(DeviceKind, Device)> {
    let kinds = DeviceKind::value_variants().iter();
    let devices: Vec<_> = kinds
        .filter_map(|kind| Some((*kind, kind.open().ok()?)))
        .collect();
    let names: Vec<String> = devices.iter().map(|(kind, _)| kind.to_string()).collect();
    println!("devices of this build: {}", names.join(", "));
    devices
}

/// The bundled digits.
fn digits() -> ImageSet {
    let source = Source {
        folder: None,
        root: None,
        cache: None,
        download: Download::Never,
    };
    let splits = adv_data::load(adv_data::DatasetId::Digits, &source, &mut |_| {});
    splits.expect("bundled").train
}

#[test]
fn the_laws_of_the_core_hold() {
    for (kind, device) in devices() {
        println!("{kind}");
        let agree = match kind {
            DeviceKind::Flex => Agree::Bits,
            _ => Agree::Closely,
        };
        laws::all(&device, agree);
    }
}

/// The gradients that a method makes of one mini-batch of digits, all replays of it, and the losses.
fn training_step(settings: Settings, device: &Device, images: &ImageSet) -> (Vec<Vec<f32>>, Vec<f64>) {
    let spec = RunSpec::resolve(settings).expect("a valid spec");
    let method = methods::build::<4, ImageClassifier>(&spec.training().method).expect("a valid method");
    let autodiff = device.clone().autodiff();
    let model = build(Architecture::WongCnn, images.shape(), 10, 1, &autodiff).expect("a model");
    let indices: Vec<usize> = (0..6).collect();
    let labels = Labels::new(images.labels(&indices), 10, device).expect("labels");
    let (clean, _) = images.batch(indices).into_tensors(device);
    let batch = Batch::new(clean, &labels);
    let (mut carried, mut ledger) = (Carried::default(), Ledger::new());
    let (mut sets, mut losses) = (Vec::new(), Vec::new());
    for replay in 0..method.replays() {
        let mut noise = stream(0, Purpose::Noise, replay as u64);
        let update = method
            .gradients(&model, &batch, &mut carried, &mut noise, &mut ledger)
            .expect("a finite loss");
        losses.push(update.mean_loss());
        sets.extend(toy::gradients(&model, &update.gradients));
    }
    sets.extend(carried.delta.map(|delta| toy::values(&delta)));
    (sets, losses)
}

/// The size of a difference beside the size of what is expected.
fn relative_error(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let size =
        |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let difference = size(&mut got.iter().zip(expected).map(|(g, e)| g - e));
    difference / size(&mut expected.iter().copied()).max(1e-12)
}

#[test]
fn a_training_step_agrees_with_the_cpu() {
    let images = digits();
    let method = |name| Settings {
        method: Some(name),
        ..Settings::default()
    };
    let steps = [
        method(MethodName::Standard),
        Settings {
            steps: Some(2),
            ..method(MethodName::Pgd)
        },
        Settings {
            m: Some(2),
            ..method(MethodName::FreeAt)
        },
        Settings {
            m: Some(2),
            n_inner: Some(2),
            ..method(MethodName::Yopo)
        },
        Settings {
            steps: Some(2),
            ..method(MethodName::FreeLb)
        },
    ];
    for settings in steps {
        let (expected, cpu_losses) = training_step(settings.clone(), &Device::flex(), &images);
        assert!(expected.iter().flatten().any(|value| *value != 0.0));
        for (kind, device) in devices() {
            let (got, losses) = training_step(settings.clone(), &device, &images);
            assert_eq!(got.len(), expected.len());
            let errors = got
                .iter()
                .zip(&expected)
                .map(|(got, expected)| relative_error(got, expected));
            let worst = errors.fold(0.0, f64::max);
            println!("{kind}, {:?}: relative error {worst:.1e}", settings.method);
            assert!(worst < 1e-3, "{kind}, {settings:?}: {worst}");
            for (got, expected) in losses.iter().zip(&cpu_losses) {
                assert!(
                    (got - expected).abs() < 1e-4 * expected,
                    "{kind}: {got}, {expected}"
                );
            }
        }
    }
}

#[test]
fn golden_clean_gradient_on_every_device() {
    let Some(folder) = std::env::var_os("ADV_GOLDEN_DIR") else {
        println!("skipped: set ADV_GOLDEN_DIR");
        return;
    };
    let set = Set::read(folder.as_ref(), "vision");
    let classes = set.tensor("fc2.bias").values.len();
    let x = set.tensor("x");
    let shape = [x.shape[1], x.shape[2], x.shape[3]];
    let weights = tempfile::NamedTempFile::new().expect("a file");
    set.write_weights(weights.path());
    for (kind, device) in devices() {
        println!("{kind}");
        let mut table = Table::new(&set);
        let model = build(
            Architecture::WongCnn,
            shape,
            classes,
            0,
            &device.clone().autodiff(),
        );
        let model = model.and_then(|model| model.load_weights(weights.path()));
        let model = model.expect("the weights of the set").valid();
        let count = set.config("n_images") as usize;
        let images = set.tensor("x").tensor::<4>(&device).narrow(0, 0, count);
        let labels = set.integers("y")[..count].to_vec();
        let labels = Labels::new(labels, classes, &device).expect("labels");
        let logits = model.logits(images.clone());
        table.check("clean/logits", Array::of(logits.clone()));
        table.check("clean/ce_per_sample", Array::of(cross_entropy(logits, &labels)));
        let pass = Ledger::new().input_gradient(&model, images, &labels);
        table.check("clean/input_grad", Array::of(pass.expect("finite").gradient));
        table.finish();
    }
}

/// CPUs only: a software GPU takes too long.
#[test]
fn a_short_run_on_digits_learns_as_much_on_every_cpu_device() {
    let mut clean = Vec::new();
    for (kind, _) in devices() {
        if !matches!(kind, DeviceKind::Flex | DeviceKind::Ndarray) {
            continue;
        }
        let spec = RunSpec::resolve(Settings {
            device: Some(kind),
            method: Some(MethodName::FgsmRs),
            eps: Some(0.05),
            epochs: Some(3.0),
            take: Some(600),
            hold_out: Some(40),
            n: Some(100),
            ..Settings::default()
        })
        .expect("a valid spec");
        let folder = tempfile::tempdir().expect("a folder");
        let (files, spec) = create_folder(folder.path(), spec).expect("a run folder");
        let stop = AtomicBool::new(false);
        let Outcome::Finished(result) = execute(&spec, &files, "a test", &stop).expect("trained") else {
            panic!("nobody interrupted it");
        };
        let accuracy = result.clean_accuracy.expect("classes");
        println!("{kind}: clean {accuracy}");
        assert!(accuracy > 0.6, "{kind}: {result:?}");
        clean.push(accuracy);
    }
    assert!(
        clean.iter().all(|share| (share - clean[0]).abs() < 0.05),
        "{clean:?}"
    );
}

/// Drivers of Vulkan, in two spellings, and of OpenGL are looked for in an empty list.
#[cfg(feature = "wgpu")]
#[test]
fn a_machine_without_a_gpu_is_an_error_that_says_what_to_do() {
    const DRIVERS: [&str; 3] = [
        "VK_DRIVER_FILES",
        "VK_ICD_FILENAMES",
        "__EGL_VENDOR_LIBRARY_FILENAMES",
    ];
    let folder = tempfile::TempDir::new().expect("a folder");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_adv"))
        .args([
            "train",
            "--dataset",
            "digits",
            "--device",
            "wgpu",
            "--epochs",
            "1",
            "--out",
            "run",
        ])
        .envs(DRIVERS.map(|name| (name, "/dev/null")))
        .current_dir(folder.path())
        .output()
        .expect("adv starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--device flex") && said.contains("Vulkan"),
        "{said}"
    );
    assert!(
        !said.contains("panicked") && !said.contains("a bug in adv"),
        "{said}"
    );
}
