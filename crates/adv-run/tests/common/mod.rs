//! Running the built program `adv`, for the tests of its behaviour from outside.
#![allow(dead_code)] // every test binary uses its own part

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program with arguments separated by spaces, in a folder where it may leave files.
pub fn adv(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adv"));
    command.current_dir(folder).args(line.split_whitespace());
    command
}

/// Runs the program, which must exit with `code`; gives stdout and stderr.
pub fn expect(code: i32, folder: &Path, line: &str) -> (String, String) {
    let out = adv(folder, line).output().expect("adv starts");
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert_eq!(
        out.status.code(),
        Some(code),
        "adv {line}\nstdout: {stdout}\nstderr: {stderr}"
    );
    (stdout, stderr)
}

/// Runs the program with `--json`; its stdout must be one JSON object on one line.
pub fn json(folder: &Path, line: &str) -> Value {
    let (stdout, _) = expect(0, folder, &format!("{line} --json"));
    assert_eq!(stdout.lines().count(), 1, "adv {line}: {stdout}");
    let value: Value = serde_json::from_str(&stdout).expect("JSON");
    assert!(value.is_object(), "{stdout}");
    value
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The bytes of a file.
pub fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `result.json` of a run folder without what differs from run to run: the folder and the time.
pub fn result(folder: &Path) -> Value {
    let mut value: Value = serde_json::from_slice(&bytes(folder.join("result.json"))).expect("JSON");
    let object = value.as_object_mut().expect("an object");
    assert!(object.remove("run").is_some() && object.remove("seconds").is_some());
    value
}

/// Two run folders must hold the same weights, curves and result.
pub fn same_run(expected: &Path, got: &Path, what: &str) {
    let weights = ["best.safetensors", "last.safetensors"];
    let models = ["best/model.safetensors", "last/model.safetensors"];
    let on_text = expected.join(models[0]).exists();
    for name in ["metrics.csv"]
        .iter()
        .chain(if on_text { &models } else { &weights })
    {
        assert!(
            bytes(expected.join(name)) == bytes(got.join(name)),
            "{what}: {name} differs"
        );
    }
    assert_eq!(result(expected), result(got), "{what}");
}

/// The names of the files of a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The folder of real data sets, if the environment names one.
pub fn data_dir() -> Option<PathBuf> {
    named("ADV_DATA_DIR")
}

/// A real pretrained encoder, if the environment names its folder.
pub fn encoder() -> Option<PathBuf> {
    model_dir().map(|folder| folder.join("all-MiniLM-L6-v2"))
}

/// The folder of model folders, if the environment names one.
pub fn model_dir() -> Option<PathBuf> {
    named("ADV_MODEL_DIR")
}

fn named(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: set {variable}");
    }
    folder
}
