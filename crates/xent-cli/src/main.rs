//! The `xent` command. It holds no mathematics and no list of losses: those are the catalogue's.

mod compare;
mod example;
mod failure;
mod interrupt;
mod list;
mod numbers;
mod page;
mod progress;
mod recipe;
mod saved;
mod terminal;
mod train;

use clap::{Parser, Subcommand};
use failure::{Failure, Result};
use std::process::ExitCode;
use terminal::Output;

/// Loss functions, exact and fast: look them up, train with them, compare them.
#[derive(Debug, Parser)]
#[command(name = "xent", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Explain(page::Explain),
    Train(train::Train),
    Compare(compare::Compare),
    Evaluate(saved::Evaluate),
    Predict(saved::Predict),
}

fn main() -> ExitCode {
    let mut output = terminal::output();
    match run(&Arguments::parse().command, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as in `xent list | head -1`.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            terminal::complain(&failure);
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, output: &mut Output) -> Result {
    match command {
        Command::List(list) => list.run(output),
        Command::Explain(explain) => explain.run(output),
        Command::Train(train) => train.run(output),
        Command::Compare(compare) => compare.run(output),
        Command::Evaluate(evaluate) => evaluate.run(output),
        Command::Predict(predict) => predict.run(output),
    }
}
