//! Killed at any moment and resumed, a run ends in the very bytes of one that was left alone.
#![cfg(unix)]

mod common;

use common::{adv, bytes, data_dir, encoder, expect, names, result, same_run, text};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A checkpoint after every mini-batch: most moments lie in the writing of one, or next to it.
const SHORT: &str = "--take 300 --hold-out 60 --epochs 3 --checkpoint-seconds 0";

/// The same on text, whose models are larger.
const SHORT_TEXT: &str = "--dataset synth-sentiment --take 160 --batch 16 --epochs 3 --checkpoint-seconds 0";

const PGD: &str = "--method pgd --steps 3 --optimiser adamw --weight-decay 0.01 --clip-norm 1";

/// FreeAT carries its delta from batch to batch; three replays a batch; the radius grows.
const FREEAT: &str = "--method freeat --m 3 --optimiser sgd --lr 0.05 --clip-norm 0.5 --eps-warmup 0.7";

/// 120 mini-batches, so that a signal after the first still finds it at work on a busy machine.
const FREEAT_LONG: &str = "--method freeat --m 3 --batch 6";

/// Dropout, whose masks must not depend on how often the program was started.
const DROPOUT: &str = "--dataset mnist --model two_conv --method pgd --steps 2 --optimiser adamw --batch 20 \
                       --clip-norm 1 --n 20";

/// Replayed dropout, sentences sorted by length, two mini-batches an update, validations between epochs, layers that learn at rates of
/// their own, and a radius that grows.
const FREELB: &str = "--method freelb --accumulate 2 --validate-every 3 --layer-decay 0.9 --eps 0.5 --eps-warmup 0.5 --begin-step 4 \
                      --n 20 --eval-eps 1";

/// Replays on text, with new masks in each pass.
const FREEAT_TEXT: &str =
    "--method freeat --m 2 --begin-step 0 --freeze 1 --patience 2 --keep last --n 20 --eval-eps 1";

/// Hidden tokens come from the number of the mini-batch.
const MLM: &str = "--method mlm";

/// An undisturbed run and folders beside it for disturbed ones.
struct Lab {
    root: TempDir,
    /// What the runs are on, and how long they are.
    short: &'static str,
    settings: &'static str,
    undisturbed: PathBuf,
    /// How long the undisturbed run took, start of the program included.
    wall: Duration,
    rng: ChaCha8Rng,
}

impl Lab {
    fn new(settings: &'static str) -> Self {
        Self::of(SHORT, settings)
    }

    fn of(short: &'static str, settings: &'static str) -> Self {
        let root = TempDir::new().expect("a folder");
        let begin = Instant::now();
        expect(
            0,
            root.path(),
            &format!("train {short} {settings} --out undisturbed"),
        );
        Self {
            undisturbed: root.path().join("undisturbed"),
            wall: begin.elapsed(),
            short,
            settings,
            root,
            rng: ChaCha8Rng::seed_from_u64(20),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Begins the run `name`, or goes on with what is there.
    fn go_on(&self, name: &str) -> Child {
        // Killed before it wrote its spec, a run has not begun.
        let line = match self.folder(name).join("spec.toml").exists() {
            true => format!("train --resume {name}"),
            false => format!("train {} {} --out {name}", self.short, self.settings),
        };
        adv(self.root.path(), &line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("adv starts")
    }

    /// Goes on to the end, and compares.
    fn finish(&self, name: &str, what: &str) {
        let out = self.go_on(name).wait_with_output().expect("adv ends");
        assert!(out.status.success(), "{what}: {}", text(&out.stderr));
        let folder = self.folder(name);
        same_run(&self.undisturbed, &folder, what);
        // The event files, one a session, are the only files that a run leaves beside those of an undisturbed one.
        let lasting = |folder: &Path| {
            let mut names = names(folder);
            names.retain(|name| !name.starts_with("events.out.tfevents"));
            names
        };
        assert_eq!(
            lasting(&self.undisturbed),
            lasting(&folder),
            "{what}: files left over"
        );
    }

    /// Kills runs at random moments, `kills` times in all, each time going on with what the kill left.
    fn kill_at_random(&mut self, kills: usize) {
        let mut done = 0;
        for run in 0.. {
            let name = format!("random-{run}");
            while done < kills {
                let mut child = self.go_on(&name);
                let share = self.rng.next_u32() as f64 / u32::MAX as f64;
                std::thread::sleep(self.wall.mul_f64(0.6 * share));
                if child.try_wait().expect("a state").is_some() {
                    break;
                }
                kill(&mut child);
                done += 1;
            }
            self.finish(&name, &format!("{}, run {run}, {done} kills", self.settings));
            if done == kills {
                return;
            }
        }
    }

    /// Kills one run again and again while it writes a checkpoint: its scratch file is there before the kill and,
    /// not renamed, after it.
    fn kill_in_writes(&mut self, kills: usize) {
        let folder = self.folder("in-writes");
        let mut done = 0;
        for attempt in 0..100 {
            if done == kills {
                break;
            }
            let skip = self.rng.next_u32() % 3;
            let mut child = self.go_on("in-writes");
            let own = format!("checkpoint.bpk.{}-", child.id());
            let scratch = || {
                let mut names = names(&folder).into_iter();
                names.find(|name| name.starts_with(&own) && name.ends_with(".tmp"))
            };
            let mut seen = Vec::new();
            let ended = loop {
                if let Some(name) = scratch()
                    && !seen.contains(&name)
                {
                    seen.push(name);
                }
                if seen.len() > skip as usize {
                    kill(&mut child);
                    break false;
                }
                if child.try_wait().expect("a state").is_some() {
                    break true;
                }
            };
            if ended {
                assert!(folder.join("result.json").exists(), "attempt {attempt}");
                same_run(
                    &self.undisturbed,
                    &folder,
                    &format!("after {done} kills in writes"),
                );
                std::fs::remove_dir_all(&folder).expect("removed");
            } else if scratch().is_some() {
                done += 1;
            }
        }
        assert_eq!(done, kills, "kills in writes");
        self.finish("in-writes", "killed in writes");
    }
}

/// SIGKILL: nothing of the program runs after it.
fn kill(child: &mut Child) {
    child.kill().expect("killed");
    child.wait().expect("ended");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

fn wait_for(file: &Path) {
    let begin = Instant::now();
    while !file.exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no {}", file.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn pgd_killed_at_any_moment_ends_the_same() {
    let mut lab = Lab::new(PGD);
    lab.kill_at_random(10);
    lab.kill_in_writes(5);
}

#[test]
fn freeat_killed_at_any_moment_ends_the_same() {
    let mut lab = Lab::new(FREEAT);
    lab.kill_at_random(10);
    lab.kill_in_writes(5);
}

#[test]
fn dropout_killed_at_any_moment_ends_the_same() {
    if data_dir().is_some() {
        Lab::new(DROPOUT).kill_at_random(4);
    }
}

#[test]
fn text_killed_at_any_moment_ends_the_same() {
    for settings in [FREELB, FREEAT_TEXT, MLM] {
        let mut lab = Lab::of(SHORT_TEXT, settings);
        lab.kill_at_random(5);
        lab.kill_in_writes(2);
    }
}

/// An LSTM with labelled and unlabelled sentences, each in an order of their own, and its language model.
#[test]
fn an_lstm_killed_at_any_moment_ends_the_same() {
    let root = TempDir::new().expect("a folder");
    let file = root.path().join("more.txt");
    let lines: String = (0..70)
        .map(|i| format!("the plot {} is here .\n", i % 9))
        .collect();
    std::fs::write(&file, lines).expect("written");
    let vat = format!(
        "--model lstm --method vat --eps-warmup 0.5 --unlabelled {}",
        file.display()
    );
    for settings in [vat.leak(), "--method lm"] {
        // Its models are large: fewer kills.
        let mut lab = Lab::of(SHORT_TEXT, settings);
        lab.kill_at_random(2);
        lab.kill_in_writes(1);
    }
}

/// Vectors of sentences: an adversarial view, a head, a queue, validations between epochs; triplets in chunks; and two prompts, denoised.
#[test]
fn contrastive_learning_killed_at_any_moment_ends_the_same() {
    let root = TempDir::new().expect("a folder");
    let lines: String = (0..70)
        .map(|i| format!("the plot {} is {} here .\n", i % 9, i % 7))
        .collect();
    let dev: String = (0..30)
        .map(|i| {
            format!(
                "the plot {} is here .\tthe plot {} is there .\t{}\n",
                i % 9,
                i % 4,
                i % 5
            )
        })
        .collect();
    let triplets: String = (0..60)
        .map(|i| format!("plot {}\tthe plot {}\tis {} here\n", i % 9, i % 9, i % 7))
        .collect();
    for (name, text) in [
        ("lines.txt", lines),
        ("dev.tsv", format!("sentence1\tsentence2\tscore\n{dev}")),
        ("triplets.tsv", triplets),
    ] {
        std::fs::write(root.path().join(name), text).expect("written");
    }
    expect(
        0,
        root.path(),
        "train --train-file lines.txt --method mlm --epochs 1 --out words",
    );
    let at = root.path().display();
    let short = format!(
        "--model-dir {at}/words/best --dev-file {at}/dev.tsv --data-dir {at} --batch 8 --epochs 3 --lr 1e-3 --validate-every 4 \
         --checkpoint-seconds 0"
    );
    let short: &str = short.leak();
    for settings in [
        format!(
            "--method uscal --train-file {at}/lines.txt --pooling cls --start random --eps-warmup 0.5 --accumulate 2 --queue 20"
        ),
        format!(
            "--method simcse --train-file {at}/triplets.tsv --columns 1,2,3 --chunk 3 --gaussian 7 --keep last"
        ),
        format!("--method promptbert --train-file {at}/lines.txt --accumulate 2"),
    ] {
        let mut lab = Lab::of(short, settings.leak());
        lab.kill_at_random(3);
        lab.kill_in_writes(1);
    }
}

#[test]
fn a_pretrained_encoder_killed_at_any_moment_ends_the_same() {
    let (Some(encoder), Some(_)) = (encoder(), data_dir()) else {
        return;
    };
    let short = format!(
        "--model-dir {} --task sst2-sentences --method freelb --take 64 --batch 8 --epochs 1 --n 8 --eval-eps 1 \
         --max-length 24 --checkpoint-seconds 2",
        encoder.display()
    );
    Lab::of(short.leak(), "").kill_at_random(3);
}

#[test]
fn killed_before_its_first_checkpoint_a_run_begins_anew_in_its_folder() {
    let lab = Lab::new(FREEAT);
    const NAME: &str = "early";
    let folder = lab.folder(NAME);
    let mut child = lab.go_on(NAME);
    wait_for(&folder.join("spec.toml"));
    kill(&mut child);
    // On a machine under load the first mini-batch may have come first.
    let _ = std::fs::remove_file(folder.join("checkpoint.bpk"));
    lab.finish(NAME, "killed before the first checkpoint");
}

/// Ctrl-C as soon as the run has written `file`; then it goes on to the end, and is compared.
fn interrupt_after(file: &str, lab: &Lab) {
    const NAME: &str = "interrupted";
    let folder = lab.folder(NAME);
    let child = lab.go_on(NAME);
    wait_for(&folder.join(file));
    signal(&child, "-INT");
    let out = child.wait_with_output().expect("adv ends");
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("adv train --resume interrupted"), "{stderr}");
    assert!(out.stdout.is_empty() && !folder.join("result.json").exists());
    lab.finish(NAME, "interrupted");
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    interrupt_after("checkpoint.bpk", &Lab::new(FREEAT_LONG));
}

#[test]
fn ctrl_c_in_the_final_evaluation_keeps_the_trained_network() {
    // Two batches of images: the first takes a second or so, and nothing of the second is begun.
    interrupt_after("last.safetensors", &Lab::new("--method fgsm --attack pgd-400-20"));
}

#[test]
fn a_finished_run_resumed_gives_its_result_again() {
    let lab = Lab::new(FREEAT);
    let before = bytes(lab.undisturbed.join("result.json"));
    let again = "train --resume undisturbed --json";
    let (stdout, stderr) = expect(0, lab.root.path(), again);
    assert!(stderr.contains("finished already"), "{stderr}");
    let printed: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        printed,
        serde_json::from_slice::<serde_json::Value>(&before).expect("JSON")
    );
    assert!(before == bytes(lab.undisturbed.join("result.json")));

    // Killed in the final evaluation: the training is not repeated, its result is.
    let expected = result(&lab.undisturbed);
    let weights = bytes(lab.undisturbed.join("last.safetensors"));
    for name in ["result.json", "report.html", "last.safetensors"] {
        std::fs::remove_file(lab.undisturbed.join(name)).expect("removed");
    }
    expect(0, lab.root.path(), again);
    assert_eq!(expected, result(&lab.undisturbed));
    assert!(weights == bytes(lab.undisturbed.join("last.safetensors")));
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let lab = Lab::new(FREEAT);
    std::fs::remove_file(lab.undisturbed.join("result.json")).expect("removed");
    let file = lab.undisturbed.join("checkpoint.bpk");
    let good = bytes(&file);
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let middle = good.len() / 2;
    for (what, damaged) in [
        ("empty", Vec::new()),
        ("cut in its head", good[..20].to_vec()),
        ("cut in half", good[..middle].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("another file", b"not a checkpoint".repeat(1000)),
        ("a byte of the head flipped", flipped(9)),
        ("a byte of the small values flipped", flipped(200)),
        ("a byte of the weights flipped", flipped(middle / 2)),
        (
            "a byte of the moments or the delta flipped",
            flipped(middle + middle / 2),
        ),
    ] {
        std::fs::write(&file, damaged).expect("written");
        let (stdout, stderr) = expect(1, lab.root.path(), "train --resume undisturbed");
        let named = stderr.contains("checkpoint.bpk") && stderr.contains("start the run anew");
        assert!(named && !stderr.contains("bug in adv"), "{what}: {stderr}");
        assert!(stdout.is_empty(), "{what}: {stdout}");
    }
    std::fs::write(&file, &good).expect("written");
    expect(0, lab.root.path(), "train --resume undisturbed");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let lab = Lab::new(PGD);
    for threads in ["1", "2", "5"] {
        let folder = lab.folder(threads);
        let line = format!("train {SHORT} {PGD} --out {threads}");
        let out = adv(lab.root.path(), &line)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .expect("adv ends");
        assert!(out.status.success(), "{}", text(&out.stderr));
        same_run(&lab.undisturbed, &folder, &format!("{threads} threads"));
    }
}

#[test]
fn a_killed_comparison_goes_on_with_the_same_command() {
    let root = TempDir::new().expect("a folder");
    let line = |out: &str| format!("compare --methods standard,free-2 {SHORT} --n 40 --out {out}");
    expect(0, root.path(), &line("undisturbed"));
    for (index, file) in ["standard/checkpoint.bpk", "free-2/checkpoint.bpk"]
        .into_iter()
        .enumerate()
    {
        let out = format!("killed-{index}");
        let mut child = adv(root.path(), &line(&out))
            .stderr(Stdio::null())
            .spawn()
            .expect("adv starts");
        wait_for(&root.path().join(&out).join(file));
        kill(&mut child);
        expect(0, root.path(), &line(&out));
        for method in ["standard", "free-2"] {
            let folder = |out: &str| root.path().join(out).join(method);
            same_run(
                &folder("undisturbed"),
                &folder(&out),
                &format!("{method}, killed at {file}"),
            );
        }
    }
}

#[test]
fn a_run_at_work_is_left_alone() {
    let lab = Lab::new(FREEAT_LONG);
    let mut child = lab.go_on("busy");
    wait_for(&lab.folder("busy").join("checkpoint.bpk"));
    // Asleep it holds the folder for as long as the second one needs.
    signal(&child, "-STOP");
    let (_, stderr) = expect(1, lab.root.path(), "train --resume busy");
    signal(&child, "-CONT");
    assert!(stderr.contains("another adv is at work in busy"), "{stderr}");
    assert!(child.wait().expect("ended").success());
    same_run(&lab.undisturbed, &lab.folder("busy"), "disturbed by a second adv");
}
