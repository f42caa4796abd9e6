//! The command: its arguments, and what it prints.

use crate::CANNOT;
use crate::case::{Case, SIZES, TargetKind, cases};
use crate::decode::{Counts, Kind, Work};
use crate::trace::{Traced, allow, mark};
use clap::Parser;
use serde::Serialize;
use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use xent::catalogue::{entries, find};

/// As many scalar instructions for eight numbers as one for each of them makes.
const SINGLE: f64 = 8.0;

/// Counts the instructions that each loss runs for eight numbers.
///
/// `vector` is arithmetic on vectors, moves left out; `scalar` is floating-point arithmetic on
/// single numbers; `div` the divisions and square roots of both. Classwise losses have long rows.
/// A gradient comes with the value, a curvature with both.
///
/// Ends with 1 if a loop runs on single numbers, with 2 on an error, and with 3 where a process
/// cannot be stepped through. XENT_ISA chooses the instruction set: portable, avx2 or avx512.
#[derive(Parser)]
#[command(name = "cargo xtask instructions")]
struct Arguments {
    /// Losses, as `xent list` names them; all unless given
    #[arg(value_name = "LOSS")]
    losses: Vec<String>,
    /// Only this type of numbers: f16, bf16, f32 or f64
    #[arg(long = "type", value_name = "TYPE")]
    element: Option<String>,
    /// Only what computes, without weighing, rounding and writing
    #[arg(long)]
    kernel: bool,
    /// For machines: an array of objects
    #[arg(long)]
    json: bool,
    /// Be the process that is stepped through
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
    packed_512: f64,
    packed_256: f64,
    packed_128: f64,
    scalar: f64,
    scalar_names: Vec<String>,
    divisions: f64,
    other: f64,
    runs_on_single_numbers: bool,
}

impl Row {
    fn new(case: &Case, counts: &Counts) -> Self {
        let of = |work| counts.of(|kind| kind.work == work);
        let scalar = of(Work::Scalar);
        Self {
            loss: case.entry.name,
            r#type: case.element,
            targets: case.targets,
            order: format!("{:?}", case.order).to_lowercase(),
            packed_512: of(Work::Packed(512)),
            packed_256: of(Work::Packed(256)),
            packed_128: of(Work::Packed(128)),
            scalar,
            scalar_names: counts.scalar_names(),
            divisions: counts.of(Kind::divides),
            other: of(Work::Other),
            runs_on_single_numbers: scalar >= SINGLE,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { loss, r#type, targets, order, scalar, divisions, .. } = self;
        let (targets, packed) =
            (targets.name(), self.packed_512 + self.packed_256 + self.packed_128);
        write!(
            f,
            "{loss:32} {type:4} {targets:13} {order:9} {packed:6.0} {scalar:7.0} {divisions:3.0}"
        )
    }
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cases = match chosen(&arguments) {
        Ok(cases) => cases,
        Err(error) => return fail(2, error.as_ref()),
    };
    if arguments.traced {
        return run(&cases, arguments.kernel);
    }
    match print(&cases, arguments.json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fail(CANNOT, &error),
        Err(error) => fail(2, &error),
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
            return Err(format!("no type '{element}'; there are f16, bf16, f32 and f64").into());
        }
    }
    Ok(cases)
}

/// What the process does that is stepped through.
fn run(cases: &[Case], kernel: bool) -> ExitCode {
    if let Err(error) = allow() {
        return fail(CANNOT, &error);
    }
    for case in cases {
        SIZES.iter().for_each(|&numbers| (case.evaluate)(case, numbers, kernel, mark));
    }
    ExitCode::SUCCESS
}

/// Counts and prints, and says whether all loops run on vectors.
fn print(cases: &[Case], json: bool) -> io::Result<bool> {
    let mut command = Command::new(env::current_exe()?);
    let mut traced = Traced::start(command.args(env::args_os().skip(1)).arg("--traced"))?;
    let mut out = io::stdout().lock();
    let mut rows = Vec::new();
    if !json {
        let header = ["loss", "type", "targets", "order", "vector", "scalar", "div"];
        let [loss, element, targets, order, vector, scalar, division] = header;
        writeln!(
            out,
            "{loss:32} {element:4} {targets:13} {order:9} {vector:>6} {scalar:>7} {division}"
        )?;
    }
    for case in cases {
        let [few, many] = [traced.count()?, traced.count()?];
        let row = Row::new(case, &many.for_eight(few, SIZES[1] - SIZES[0]));
        if !json {
            writeln!(out, "{row}")?;
        }
        rows.push(row);
    }
    if json {
        serde_json::to_writer_pretty(&mut out, &rows)?;
        writeln!(out)?;
    }
    let single: Vec<&Row> = rows.iter().filter(|row| row.runs_on_single_numbers).collect();
    if !single.is_empty() {
        eprintln!("\n{} of {} run on single numbers, most often with", single.len(), rows.len());
    }
    for Row { loss, r#type, targets, order, scalar_names, .. } in &single {
        let targets = targets.name();
        let names = scalar_names[..scalar_names.len().min(3)].join(", ");
        eprintln!("  {order} of {loss}, {type} {targets}: {names}");
    }
    Ok(single.is_empty())
}
