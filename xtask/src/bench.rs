//! `bench`: the criterion benches, or with `--peers` the same training steps beside PyTorch.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::commands::wrong_usage;
use crate::peers;
use crate::process::{cargo, run_step};

/// Runs the benches.
pub fn run(args: &[OsString]) -> Result<ExitCode> {
    if !args.iter().any(|arg| arg == "--peers") {
        run_step(cargo(["bench", "--workspace", "--bench", "*"]).args(args))?;
        return Ok(ExitCode::SUCCESS);
    }
    match parse(args) {
        Ok(options) => peers::run(&options).map(|()| ExitCode::SUCCESS),
        Err(what) => Ok(wrong_usage(&what)),
    }
}

/// What `bench --peers` was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads of both sides.
    pub threads: usize,
    /// How often the two sides take turns. The table shows medians over the rounds.
    pub rounds: usize,
    /// Where the table goes beside stdout.
    pub out: Option<PathBuf>,
}

fn parse(args: &[OsString]) -> Result<Options, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        threads: cores,
        rounds: 3,
        out: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let name = arg.to_string_lossy();
        if name == "--peers" {
            continue;
        }
        let value = args
            .next()
            .ok_or_else(|| format!("`bench --peers`: no value after `{name}`"));
        match name.as_ref() {
            "--threads" => options.threads = positive(&name, value?)?,
            "--rounds" => options.rounds = positive(&name, value?)?,
            "--out" => options.out = Some(PathBuf::from(value?)),
            _ => return Err(format!("`bench --peers` knows no `{name}`")),
        }
    }
    Ok(options)
}

fn positive(name: &str, value: &OsString) -> Result<usize, String> {
    let number = value
        .to_str()
        .and_then(|text| text.parse().ok())
        .filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{name}` takes a whole number from 1 on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, String> {
        parse(&args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_in_any_order() {
        let options = parsed(&["--threads", "2", "--peers", "--out", "table.md", "--rounds", "5"]);
        assert_eq!(
            options,
            Ok(Options {
                threads: 2,
                rounds: 5,
                out: Some("table.md".into())
            })
        );
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for args in [
            ["--peers", "--rounds", "0"],
            ["--peers", "--threads", "two"],
            ["--peers", "--fast", "1"],
        ] {
            let error = parsed(&args).expect_err("wrong usage");
            assert!(error.contains(args[1]), "{error}");
        }
        assert!(parsed(&["--peers", "--out"]).is_err());
    }
}
