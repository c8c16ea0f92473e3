//! The words: what each one runs, and the listing shown by `cargo xtask help`.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::process::{cargo, is_installed, run_step};
use crate::{adv, bench, tidy};

const USAGE: &str = "\
usage: cargo xtask WORD [ARGS...]

  train    [ARGS]  build `adv` with the features its --device needs, then run `adv train ARGS`
  eval     [ARGS]  likewise, `adv eval ARGS`
  predict  [ARGS]  likewise, `adv predict ARGS`
  compare  [ARGS]  likewise, `adv compare ARGS`
  methods  [ARGS]  likewise, `adv methods ARGS`
  test     [ARGS]  every test and every documentation example, in the profile that `train` uses
  tidy             the rules of the house: arrows between crates, file form, forbidden calls
  validate         what must pass before a merge, cheapest first: fmt, tidy, clippy, doc, test, cargo deny
  doc      [ARGS]  the documentation, without that of the dependencies
  bench    [ARGS]  the criterion benches; ARGS are theirs (a filter, `-- --quick`)
  bench --peers [--threads N] [--rounds N] [--out FILE]
                   training steps against PyTorch, side by side, as a table of ratios
                   (makes benches/peers/.venv first: the wheels are large)
  help             this text

Exit codes: 0 done, 1 failed, 2 wrong usage.
";

/// Exit code of a wrong command line.
pub const WRONG_USAGE: u8 = 2;

/// Runs one word.
pub fn run(word: &str, args: &[OsString]) -> Result<ExitCode> {
    match word {
        "train" | "eval" | "predict" | "compare" | "methods" => adv::run(word, args),
        "test" => done(test(args)),
        "bench" => bench::run(args),
        "doc" => done(run_step(
            cargo(["doc", "--release", "--workspace", "--no-deps"]).args(args),
        )),
        "tidy" | "validate" | "help" | "--help" | "-h" if !args.is_empty() => {
            Ok(wrong_usage(&format!("`{word}` takes no arguments")))
        }
        "tidy" => tidy::run(),
        "validate" => validate(),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Ok(wrong_usage(&format!("no command `{word}`"))),
    }
}

/// Says what is wrong with the command line and how it should look.
pub fn wrong_usage(what: &str) -> ExitCode {
    eprintln!("error: {what}\n\n{USAGE}");
    ExitCode::from(WRONG_USAGE)
}

fn done(result: Result<()>) -> Result<ExitCode> {
    result.map(|()| ExitCode::SUCCESS)
}

/// The whole workspace at once: selecting one package would change the features of the dependencies and build them anew.
fn test(args: &[OsString]) -> Result<()> {
    run_step(cargo(["test", "--release", "--workspace"]).args(args))
}

fn validate() -> Result<ExitCode> {
    run_step(&mut cargo(["fmt", "--all", "--", "--check"]))?;
    if tidy::run()? != ExitCode::SUCCESS {
        bail!("tidy found something: see above");
    }
    run_step(&mut cargo([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--features",
        "adv-core/burn-train",
        "--",
        "-D",
        "warnings",
    ]))?;
    run_step(cargo(["doc", "--release", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    test(&[])?;
    if is_installed("cargo-deny") {
        run_step(&mut cargo(["deny", "check", "bans", "licenses", "sources"]))?;
    } else {
        eprintln!(
            "cargo-deny is not installed, so licences and sources were not checked: cargo install --locked cargo-deny"
        );
    }
    eprintln!("validate: everything passed");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_command_lines_exit_with_two() {
        let wrong = ExitCode::from(WRONG_USAGE);
        for (word, args) in [
            ("trian", vec![]),
            ("", vec![]),
            ("tidy", vec!["--fix".into()]),
            ("help", vec!["me".into()]),
        ] {
            let code = run(word, &args).expect("wrong usage is not an error");
            assert_eq!(code, wrong, "{word} {args:?}");
        }
    }

    #[test]
    fn the_listing_names_every_word() {
        for word in [
            "train", "eval", "predict", "compare", "methods", "test", "tidy", "validate", "doc", "bench",
        ] {
            assert!(USAGE.contains(&format!("\n  {word} ")), "{word}");
        }
    }
}
