//! One file a word of the command line.

mod compare;
mod compare_labels;
mod compare_page;
mod encode;
mod eval;
mod methods;
mod predict;
mod prompt_analyse;
mod prompt_search;
mod search;
mod serve;
mod show;
mod similarity;
mod sts;
mod train;
mod transfer;

use crate::cli::Command;
use crate::sentences::PromptCommand;
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
        Command::Eval(args) => stoppable(eval::run(args, stop), "an evaluation"),
        Command::Sts(args) => stoppable(sts::run(&args, stop), "an evaluation"),
        Command::Transfer(args) => stoppable(transfer::run(&args, stop), "an evaluation"),
        Command::Encode(args) => stoppable(encode::run(&args, stop), "an encoding"),
        Command::Similarity(args) => stoppable(similarity::run(&args, stop), "a comparison"),
        Command::Search(args) => stoppable(search::run(&args, stop), "a search"),
        Command::Prompt(PromptCommand::Search(args)) => {
            stoppable(prompt_search::run(&args, stop), "a search")
        }
        Command::Prompt(PromptCommand::Analyse(args)) => {
            stoppable(prompt_analyse::run(&args, line, stop), "an analysis")
        }
        Command::Serve(args) => serve::run(&args, stop).map(|()| Done::Complete),
        Command::Predict(args) => predict::run(&args).map(|()| Done::Complete),
        Command::Compare(args) => compare::run(args, line, stop),
        Command::Methods(args) => methods::run(&args).map(|()| Done::Complete),
    }
}

/// What keeps nothing when it is stopped.
fn stoppable(ended: Result<()>, what: &str) -> Result<Done> {
    match ended {
        Err(error) if error.is::<Stopped>() => {
            eprintln!("stopped; {what} keeps nothing");
            Ok(Done::Interrupted)
        }
        ended => ended.map(|()| Done::Complete),
    }
}
