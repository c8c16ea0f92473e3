//! Starting other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The cargo that started us, so that a chosen toolchain is kept.
pub fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Shows the command, runs it, and fails when it fails.
pub fn run_step(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns what it wrote to stdout. Its stderr goes to ours.
pub fn read_stdout(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` wrote something that is not UTF-8"))
}

/// Builds one binary in release and returns its path. The whole workspace is selected, so that every word shares one
/// build of the dependencies; only the binary and what it needs are compiled.
pub fn build_binary(name: &str, features: &[&str]) -> Result<PathBuf> {
    let mut command = cargo([
        "build",
        "--release",
        "--workspace",
        "--message-format",
        "json-render-diagnostics",
        "--bin",
        name,
    ]);
    for feature in features {
        command.args(["--features", feature]);
    }
    let messages = read_stdout(&mut command)?;
    executable(&messages, name).with_context(|| format!("cargo built no binary called `{name}`"))
}

/// The path of a binary among cargo's JSON messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|message| message["target"]["name"] == name && message["executable"].is_string())
        .and_then(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Is there such a program in one of the folders of `PATH`?
pub fn is_installed(program: &str) -> bool {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(&file).is_file()))
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_shows_it() {
        let error = run_step(&mut cargo(["no-such-subcommand"])).expect_err("cargo refuses it");
        assert!(error.to_string().contains("cargo no-such-subcommand"), "{error}");
    }

    #[test]
    fn the_executable_is_found_among_the_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"adv","kind":["lib"]},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"adv","kind":["bin"]},"executable":"/t/release/adv"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "adv"), Some(PathBuf::from("/t/release/adv")));
        assert_eq!(executable(messages, "xtask"), None);
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("Cargo.toml").is_file() && root().join("xtask").is_dir());
    }
}
