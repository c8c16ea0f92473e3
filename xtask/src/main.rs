//! The commands of the workspace: `cargo xtask WORD [ARGS...]`. Thin on purpose: every word starts processes, holds no
//! logic of the library, and builds in seconds.

mod adv;
mod bench;
mod commands;
mod peers;
mod process;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let word = args.next().unwrap_or_else(|| "help".into());
    let args: Vec<OsString> = args.collect();
    commands::run(&word.to_string_lossy(), &args).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
