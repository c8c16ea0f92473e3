//! `train`, `eval`, `predict`, `compare`, `methods`: builds the binary `adv` with the cargo features that the asked device needs, and
//! becomes it.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process::build_binary;

/// Builds and runs `adv WORD ARGS`. The arguments go through unchanged.
pub fn run(word: &str, args: &[OsString]) -> Result<ExitCode> {
    let features = device(args).and_then(|device| feature(&device));
    let binary = build_binary("adv", features.as_slice())?;
    let mut command = Command::new(binary);
    command.arg(word).args(args);
    become_process(command)
}

/// Replaces this process: signals (Ctrl-C) reach `adv` alone, and its exit code is ours.
#[cfg(unix)]
fn become_process(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(anyhow::Error::new(error).context("cannot start adv"))
}

#[cfg(not(unix))]
fn become_process(mut command: Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The cargo feature of a device. None for the default device, and for a name that only `adv` can judge.
fn feature(device: &str) -> Option<&'static str> {
    match device.split(':').next()? {
        "ndarray" => Some("adv-run/ndarray"),
        "wgpu" => Some("adv-run/wgpu"),
        "cuda" => Some("adv-run/cuda"),
        _ => None,
    }
}

/// The device asked for: by `--device`, else by the spec file, else by the spec of the run that is resumed or evaluated.
fn device(args: &[OsString]) -> Option<String> {
    let from_flag = || option(args, "--device").and_then(|value| value.to_str().map(str::to_owned));
    let from_spec = || option(args, "--spec").and_then(|file| device_in_file(Path::new(file)));
    let from_run = || {
        let dir = option(args, "--resume").or_else(|| option(args, "--run"))?;
        device_in_file(&Path::new(dir).join("spec.toml"))
    };
    from_flag().or_else(from_spec).or_else(from_run)
}

/// The value of `--name value` or `--name=value`.
fn option<'a>(args: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    let joined = |arg: &'a OsString| -> Option<&'a OsStr> {
        Some(OsStr::new(arg.to_str()?.strip_prefix(name)?.strip_prefix('=')?))
    };
    args.iter().enumerate().find_map(|(i, arg)| {
        if arg == name {
            args.get(i + 1).map(OsString::as_os_str)
        } else {
            joined(arg)
        }
    })
}

/// `device = "..."` in a spec file. A file that cannot be read is left to `adv`, which says so better.
fn device_in_file(path: &Path) -> Option<String> {
    device_in_spec(&std::fs::read_to_string(path).ok()?)
}

fn device_in_spec(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let quoted = value.trim().strip_prefix(['"', '\''])?;
        let end = quoted.find(['"', '\''])?;
        (key.trim() == "device").then(|| quoted[..end].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_follow_the_device() {
        let table: [(&[&str], Option<&str>); 9] = [
            (&[], None),
            (&["--device", "flex"], None),
            (&["--device", "ndarray"], Some("adv-run/ndarray")),
            (&["--epochs", "2", "--device=wgpu"], Some("adv-run/wgpu")),
            (&["--device", "cuda", "--json"], Some("adv-run/cuda")),
            (&["--device=cuda:1"], Some("adv-run/cuda")),
            (&["--device", "abacus"], None),
            (&["--device"], None),
            (&["--devices", "wgpu"], None),
        ];
        for (args, expected) in table {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            assert_eq!(
                device(&args).and_then(|device| feature(&device)),
                expected,
                "{args:?}"
            );
        }
    }

    #[test]
    fn the_spec_of_the_command_line_or_of_the_resumed_run_names_the_device() {
        let dir = std::env::temp_dir().join(format!("xtask-spec-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary folder");
        let file = dir.join("spec.toml");
        std::fs::write(&file, "seed = 1\ndevice = \"ndarray\"\n").expect("temporary file");
        let found = |args: &[&OsStr]| device(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            found(&["--spec".as_ref(), file.as_os_str()]).as_deref(),
            Some("ndarray")
        );
        for flag in ["--resume", "--run"] {
            assert_eq!(
                found(&[flag.as_ref(), dir.as_os_str()]).as_deref(),
                Some("ndarray"),
                "{flag}"
            );
        }
        let overridden = [
            "--device".as_ref(),
            "flex".as_ref(),
            "--spec".as_ref(),
            file.as_os_str(),
        ];
        assert_eq!(found(&overridden).as_deref(), Some("flex"));
        std::fs::remove_dir_all(&dir).expect("temporary folder");
    }

    #[test]
    fn a_spec_may_leave_the_device_out() {
        let table = [
            ("device = 'wgpu' # the GPU", Some("wgpu")),
            ("  device=\"cuda\"", Some("cuda")),
            ("seed = 1", None),
            ("# device = \"wgpu\"", None),
            ("device = 3", None),
        ];
        for (text, expected) in table {
            assert_eq!(device_in_spec(text).as_deref(), expected, "{text}");
        }
    }
}
