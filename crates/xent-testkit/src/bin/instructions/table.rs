//! The command: its arguments, and what it prints.

use crate::CANNOT;
use crate::case::{Case, SIZES, TargetKind, cases};
use crate::decode::Counts;
use crate::trace::{Traced, allow, mark};
use clap::Parser;
use serde::Serialize;
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use xent::catalogue::{entries, find};

/// From how many scalar instructions for eight numbers on a loop runs on single numbers.
const SINGLE: f64 = 4.0;

/// Counts the instructions that each loss runs for eight numbers.
///
/// Ends with 1 if a loop runs on single numbers instead of vectors, with 2 on an error, and with 3
/// where stepping through a process is not permitted or not possible. XENT_ISA chooses the
/// instruction set: portable, avx2 or avx512.
#[derive(Parser)]
#[command(name = "cargo xtask instructions")]
struct Arguments {
    /// Losses, as `xent list` names them; all unless given
    #[arg(value_name = "LOSS")]
    losses: Vec<String>,
    /// Only this type of numbers: f16, bf16, f32 or f64
    #[arg(long = "type", value_name = "TYPE")]
    element: Option<String>,
    /// For machines: an array of objects
    #[arg(long)]
    json: bool,
    /// Be the process that is counted
    #[arg(long, hide = true)]
    traced: bool,
}

/// A line of the table: instructions for eight numbers.
#[derive(Serialize)]
struct Row {
    loss: &'static str,
    r#type: &'static str,
    targets: TargetKind,
    order: String,
    #[serde(flatten)]
    counts: Counts,
    single: bool,
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cases = match chosen(&arguments) {
        Ok(cases) => cases,
        Err(error) => return fail(2, error.as_ref()),
    };
    if arguments.traced {
        return run(&cases);
    }
    match print(&arguments, &cases) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(CANNOT, &error),
    }
}

fn fail(code: u8, error: &dyn Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

fn chosen(arguments: &Arguments) -> Result<Vec<Case>, Box<dyn Error>> {
    let found: xent::Result<Vec<_>> = arguments.losses.iter().map(|name| find(name)).collect();
    let mut found = found?;
    if found.is_empty() {
        found = entries().to_vec();
    }
    let mut cases: Vec<Case> = found.into_iter().flat_map(cases).collect();
    if let Some(element) = &arguments.element {
        cases.retain(|case| case.element == element);
        if cases.is_empty() {
            return Err(
                format!("unknown type '{element}'; there are f16, bf16, f32 and f64").into()
            );
        }
    }
    Ok(cases)
}

fn run(cases: &[Case]) -> ExitCode {
    if let Err(error) = allow() {
        return fail(CANNOT, &error);
    }
    for case in cases {
        SIZES.iter().for_each(|&numbers| (case.evaluate)(case, numbers, mark));
    }
    ExitCode::SUCCESS
}

fn print(arguments: &Arguments, cases: &[Case]) -> io::Result<bool> {
    let mut command = Command::new(env::current_exe()?);
    let mut traced = Traced::start(command.args(env::args_os().skip(1)).arg("--traced"))?;
    let mut rows = Vec::new();
    let mut out = io::stdout().lock();
    if !arguments.json {
        writeln!(
            out,
            "{:32} {:4} {:13} {:9} {:>6} {:>7} {:>3}",
            "loss", "type", "targets", "order", "vector", "scalar", "div"
        )?;
    }
    for case in cases {
        let [few, many] = [traced.count()?, traced.count()?];
        let counts = (many - few).times(8.0 / (SIZES[1] - SIZES[0]) as f64);
        let row = Row {
            loss: case.entry.name,
            r#type: case.element,
            targets: case.targets,
            order: format!("{:?}", case.order).to_lowercase(),
            counts,
            single: counts.scalar > SINGLE,
        };
        if !arguments.json {
            let targets = format!("{:?}", row.targets).to_lowercase();
            writeln!(
                out,
                "{:32} {:4} {targets:13} {:9} {:6.0} {:7.0} {:3.0}",
                row.loss,
                row.r#type,
                row.order,
                counts.packed(),
                counts.scalar,
                counts.divisions
            )?;
        }
        rows.push(row);
    }
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &rows)?;
        writeln!(out)?;
    }
    let single: Vec<&Row> = rows.iter().filter(|row| row.single).collect();
    if !single.is_empty() {
        eprintln!("\n{} of {} run on single numbers:", single.len(), rows.len());
    }
    for Row { loss, r#type, targets, order, counts, .. } in &single {
        let targets = format!("{targets:?}").to_lowercase();
        eprintln!("  {order} of {loss}, {type}, {targets}: {:.0} scalar", counts.scalar);
    }
    Ok(single.is_empty())
}
