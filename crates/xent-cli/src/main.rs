//! The `xent` command. It holds no mathematics and no list of losses: those are the catalogue's.

mod advise;
mod article;
mod compare;
mod curve;
mod example;
mod failure;
mod interrupt;
mod list;
mod markdown;
mod numbers;
mod page;
mod plane;
mod plot;
mod progress;
mod recipe;
mod run_directory;
mod saved;
mod score;
mod terminal;
mod train;

use clap::error::ErrorKind;
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
    Plot(plot::Plot),
    Advise(advise::Advise),
    Train(train::Train),
    Compare(compare::Compare),
    Evaluate(saved::Evaluate),
    Predict(saved::Predict),
    Score(score::Score),
}

const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain_usage(&error),
    };
    let mut output = terminal::output();
    match run(&arguments.command, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as in `xent list | head -1`.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Interrupted(text)) => {
            terminal::note(&text);
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(failure) => {
            terminal::complain(&failure.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// Shows what was asked for, or in one line what is wrong with the arguments.
fn explain_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return match error.print() {
            Ok(()) if error.use_stderr() => ExitCode::from(FAILED),
            _ => ExitCode::SUCCESS,
        };
    }
    let text = error.render().to_string();
    let known = ["Usage:", "For more information"];
    let paragraphs = text.trim_start_matches("error: ").split("\n\n").map(str::trim);
    let told = paragraphs.filter(|text| !known.iter().any(|start| text.starts_with(start)));
    terminal::complain(&told.collect::<Vec<_>>().join("; "));
    ExitCode::from(FAILED)
}

fn run(command: &Command, output: &mut Output) -> Result {
    match command {
        Command::List(list) => list.run(output),
        Command::Explain(explain) => explain.run(output),
        Command::Plot(plot) => plot.run(output),
        Command::Advise(advise) => advise.run(output),
        Command::Train(train) => train.run(output),
        Command::Compare(compare) => compare.run(output),
        Command::Evaluate(evaluate) => evaluate.run(output),
        Command::Predict(predict) => predict.run(output),
        Command::Score(score) => score.run(output),
    }
}
