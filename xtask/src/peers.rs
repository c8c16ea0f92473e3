//! `bench --peers`: one table of training steps, ours against PyTorch, measured in turns on the same machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::Options;
use crate::process::{build_binary, read_stdout, root, run_step};

/// Milliseconds of one training step by its name, such as `wong_cnn/pgd7/b50`, one value a round.
type Times = BTreeMap<String, Vec<f64>>;

/// Load of the machine up to which a comparison of times is worth something. Waiting threads of PyTorch spin: a busy
/// machine slows it many times over.
const IDLE: f64 = 0.5;

/// Measures both sides and prints the table.
pub fn run(options: &Options) -> Result<()> {
    let folder = root().join("benches/peers");
    let python = environment(&folder)?;
    let ours = build_binary("step_time", &[])?;
    let on_text = build_binary("text_step_time", &[])?;
    let encoder = std::env::var_os("ADV_MODEL_DIR").map(|root| PathBuf::from(root).join("all-MiniLM-L6-v2"));
    if encoder.is_none() {
        eprintln!("text: skipped, set ADV_MODEL_DIR to a folder with all-MiniLM-L6-v2");
    }
    let threads = options.threads.to_string();
    let load = load_average();
    if load.is_some_and(|load| load > IDLE) {
        eprintln!("warning: other programs are running, so the ratios below mean little");
    }

    let (mut our_times, mut peer_times, mut facts) = (Times::new(), Times::new(), BTreeMap::new());
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let mut peer = Command::new(&python);
        peer.arg(folder.join("step_time.py"))
            .args(["--threads", &threads]);
        collect(&read_stdout(&mut peer)?, &mut peer_times, &mut facts).context("the peer's step times")?;
        let mut own = Command::new(&ours);
        own.env("RAYON_NUM_THREADS", &threads);
        collect(&read_stdout(&mut own)?, &mut our_times, &mut facts).context("our step times")?;
        let Some(encoder) = &encoder else { continue };
        let mut peer = Command::new(&python);
        peer.arg(folder.join("text_step_time.py"))
            .args(["--threads", &threads, "--model-dir"])
            .arg(encoder);
        collect(&read_stdout(&mut peer)?, &mut peer_times, &mut facts).context("the peer's text steps")?;
        let mut own = Command::new(&on_text);
        own.arg(encoder).env("RAYON_NUM_THREADS", &threads);
        collect(&read_stdout(&mut own)?, &mut our_times, &mut facts).context("our text steps")?;
    }

    let mut report = format!("{}\n\n", heading(options, &facts, load));
    report.push_str(&table(&our_times, &peer_times));
    print!("{report}");
    if let Some(out) = &options.out {
        fs::write(out, &report).with_context(|| format!("cannot write {}", out.display()))?;
        eprintln!("written to {}", out.display());
    }
    Ok(())
}

/// The Python of `benches/peers/.venv`, made or renewed when the requirements changed.
fn environment(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join(".venv");
    let python = venv.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let requirements = folder.join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let stamp = venv.join("installed.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!(
        "making {} (large wheels; PIP_INDEX_URL may name an index with CPU-only ones)",
        venv.display()
    );
    run_step(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run_step(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(&requirements),
    )?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

/// Adds one side's JSON object: numbers are times, texts are facts about the side.
fn collect(text: &str, times: &mut Times, facts: &mut BTreeMap<String, String>) -> Result<()> {
    let last = text
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .context("it printed nothing")?;
    let Value::Object(object) = serde_json::from_str(last).context("its last line is not JSON")? else {
        bail!("its last line is not a JSON object");
    };
    for (name, value) in object {
        match value {
            Value::Number(number) => times.entry(name).or_default().extend(number.as_f64()),
            Value::String(fact) => drop(facts.insert(name, fact)),
            other => bail!("`{name}` is neither a time in milliseconds nor a text: {other}"),
        }
    }
    Ok(())
}

fn heading(options: &Options, facts: &BTreeMap<String, String>, load: Option<f64>) -> String {
    let load = load.map_or_else(|| "unknown".into(), |load| format!("{load:.1}"));
    let facts: Vec<_> = facts
        .iter()
        .map(|(name, fact)| format!("{name} {fact}"))
        .collect();
    let cpu = cpu_name().unwrap_or_else(|| "unknown CPU".to_owned());
    format!(
        "Milliseconds per training step, median of {} rounds in turns, {} threads, {cpu}, load before {load}, {}.",
        options.rounds,
        options.threads,
        facts.join(", ")
    )
}

/// The load of the last minute, where the system tells it.
fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

fn cpu_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn table(ours: &Times, peers: &Times) -> String {
    let mut text = String::from("| step | PyTorch ms | adv ms | adv / PyTorch |\n|---|---:|---:|---:|\n");
    let names: BTreeSet<_> = ours.keys().chain(peers.keys()).collect();
    for name in names {
        let (our, peer) = (time(ours, name), time(peers, name));
        let ratio = our.zip(peer).map(|(our, peer)| our / peer);
        let show =
            |value: Option<f64>| value.map_or("not measured".to_owned(), |value| format!("{value:.2}"));
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} |",
            show(peer),
            show(our),
            show(ratio)
        );
    }
    text
}

fn time(times: &Times, name: &str) -> Option<f64> {
    times.get(name).and_then(|rounds| median(rounds))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_medians_and_their_ratio() {
        let (mut ours, mut peers, mut facts) = (Times::new(), Times::new(), BTreeMap::new());
        for ms in [30, 10, 20] {
            collect(&format!("{{\"a\": {ms}}}"), &mut ours, &mut facts).expect("numbers");
        }
        collect(
            "noise\n{\"a\": 40.0, \"b\": 2, \"torch\": \"2.15\"}\n",
            &mut peers,
            &mut facts,
        )
        .expect("numbers");
        let table = table(&ours, &peers);
        assert!(table.contains("| a | 40.00 | 20.00 | 0.50 |"), "{table}");
        assert!(
            table.contains("| b | 2.00 | not measured | not measured |"),
            "{table}"
        );
        assert_eq!(facts["torch"], "2.15");
    }

    #[test]
    fn output_that_is_not_times_is_refused() {
        for text in ["", "[1]", "{\"a\": null}", "oops"] {
            assert!(
                collect(text, &mut Times::new(), &mut BTreeMap::new()).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn medians() {
        let table: [(&[f64], Option<f64>); 3] = [
            (&[], None),
            (&[3.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0], Some(2.5)),
        ];
        for (values, expected) in table {
            assert_eq!(median(values), expected);
        }
    }
}
