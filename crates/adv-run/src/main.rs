//! The program `adv`.

use adv_run::cli::Cli;
use adv_run::commands::{Done, run};
use adv_run::device::DeviceError;
use adv_run::usage::UsageError;
use clap::Parser;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    adv_run::memory::keep_freed_memory();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                // What the thread of a device says of its panic comes with our error.
                .unwrap_or_else(|_| "warn,cubecl_common::device::handle=off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    adv_run::memory::work_in_the_pool();
    let line = std::env::args().collect::<Vec<_>>().join(" ");
    let cli = Cli::parse();
    // The first Ctrl-C asks to stop, a second one stops at once.
    let handler = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(FAILED.into());
        }
        eprintln!("stopping after the batch at hand; press Ctrl-C again to stop at once");
    });
    if let Err(error) = handler {
        tracing::warn!("Ctrl-C will not save the run: {error}");
    }
    // A shape bug in a tensor library panics; no panic text alone should reach a user.
    match catch_unwind(AssertUnwindSafe(|| run(cli.command, &line, &STOP))) {
        Ok(Ok(Done::Complete)) => ExitCode::SUCCESS,
        Ok(Ok(Done::Interrupted)) => ExitCode::from(FAILED),
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            let usage = error
                .chain()
                .any(|cause| cause.is::<UsageError>() || cause.is::<DeviceError>());
            ExitCode::from(if usage { WRONG_USAGE } else { FAILED })
        }
        Err(_) => {
            eprintln!(
                "error: this is a bug in adv (the message above says where); please report it with the command line: {line}"
            );
            ExitCode::from(FAILED)
        }
    }
}
