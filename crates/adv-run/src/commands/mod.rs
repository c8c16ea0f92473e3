//! One file a word of the command line.

mod compare;
mod compare_labels;
mod compare_page;
mod eval;
mod methods;
mod predict;
mod show;
mod train;

use crate::cli::Command;
use crate::usage::Stopped;
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// All that was asked for is done.
    Complete,
    /// It was interrupted; what is done is saved.
    Interrupted,
}

/// Runs a command. `line` is the command line as typed, for the records.
pub fn run(command: Command, line: &str, stop: &AtomicBool) -> Result<Done> {
    match command {
        Command::Train(args) => train::run(args, line, stop),
        Command::Eval(args) => match eval::run(args, stop) {
            Err(error) if error.is::<Stopped>() => {
                eprintln!("stopped; an evaluation keeps nothing");
                Ok(Done::Interrupted)
            }
            ended => ended.map(|()| Done::Complete),
        },
        Command::Predict(args) => predict::run(&args).map(|()| Done::Complete),
        Command::Compare(args) => compare::run(args, line, stop),
        Command::Methods(args) => methods::run(&args).map(|()| Done::Complete),
    }
}
