//! `cargo xtask bench`: how close each loss comes to the bandwidth of the machine.

mod case;
mod inputs;
mod machine;
mod measure;
mod peers;
mod report;

use case::{Case, cases};
use clap::Parser;
use measure::{Effort, measure};
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measures every case against the bandwidth of the machine, and against other libraries.
///
/// A run of all cases writes BENCHMARKS.md.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// Only the cases with one of these in their name
    #[arg(long, value_name = "SUBSTRING")]
    case: Vec<String>,
    /// The names of the cases, and nothing else
    #[arg(long)]
    list: bool,
    /// Small shapes and few rounds: shows that it runs, not how fast
    #[arg(long)]
    quick: bool,
    /// Threads for xent, the bandwidth and the peers
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Also xent from Python, PyTorch, torch.compile, JAX, Burn and Candle. `cargo xtask` sets up
    /// the Python ones in target/peers, a download of several GB, once
    #[arg(long)]
    peers: bool,
    /// The Python that has `xent`, `torch`, `jax` and `optax`
    #[arg(long, value_name = "FILE", default_value_os_t = default_python())]
    python: PathBuf,
    /// Write the measurements here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table here, as Markdown
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Be this peer, for another process
    #[cfg(feature = "peers")]
    #[arg(long, hide = true)]
    serve: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "peers")]
    if let Some(peer) = &arguments.serve {
        return peers::serve::serve(peer);
    }
    let cases = chosen(arguments)?;
    if arguments.list {
        cases.iter().for_each(|case| println!("{}", case.name()));
        return Ok(());
    }
    let threads = arguments.threads.get();
    let peers = match arguments.peers {
        true => peers::find(&arguments.python)?,
        false => Vec::new(),
    };
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let mut measurements = Vec::new();
    for (done, case) in cases.iter().enumerate() {
        eprintln!("{}/{} {}", done + 1, cases.len(), case.name());
        let found = measure(case, threads, effort, &peers);
        measurements.push(found.map_err(|error| format!("{}: {error}", case.name()))?);
    }
    print!("{}", report::terminal(&measurements, &peers));
    if let Some(file) = &arguments.json {
        write(file, &format!("{}\n", serde_json::to_string_pretty(&measurements)?))?;
    }
    let complete = arguments.case.is_empty() && !arguments.quick;
    let table = arguments.output.clone().or_else(|| complete.then(|| root("BENCHMARKS.md")));
    match table {
        Some(file) => write(&file, &report::markdown(&measurements, &peers, threads)),
        None => Ok(()),
    }
}

/// The cases that the arguments ask for, at their size.
fn chosen(arguments: &Arguments) -> Result<Vec<Case>, String> {
    let wanted = |name: &str| {
        arguments.case.is_empty() || arguments.case.iter().any(|part| name.contains(part))
    };
    let sized = |case: Case| if arguments.quick { case.quick() } else { case };
    let all: Vec<Case> = cases().into_iter().map(sized).collect();
    let names: Vec<String> = all.iter().map(Case::name).collect();
    if let Some(part) = arguments.case.iter().find(|part| !names.iter().any(|n| n.contains(*part)))
    {
        return Err(format!(
            "no case has `{part}` in its name; there are\n  {}",
            names.join("\n  ")
        ));
    }
    Ok(all.into_iter().filter(|case| wanted(&case.name())).collect())
}

fn write(file: &Path, content: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    fs::write(file, content)
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// A file of the repository.
fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn default_python() -> PathBuf {
    let (folder, file) = if cfg!(windows) { ("Scripts", "python.exe") } else { ("bin", "python") };
    root("target/peers").join(folder).join(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        for quick in [false, true] {
            let sized = |case: Case| if quick { case.quick() } else { case };
            let names: Vec<String> = cases().into_iter().map(|case| sized(case).name()).collect();
            let different: HashSet<&String> = names.iter().collect();
            assert_eq!(different.len(), names.len(), "{names:?}");
        }
    }
}
