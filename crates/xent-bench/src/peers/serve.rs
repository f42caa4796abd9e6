//! The process of a peer in Rust: what `peers.py` is for those in Python.

use super::{burn, candle};
use crate::case::Case;
use crate::measure::Stopwatch;
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

/// One call of the loss, which gives its value.
pub(super) type Run = Box<dyn FnMut() -> Result<f64, String>>;

/// Makes the inputs of a case, or says what the library lacks.
type Prepare = fn(&Case) -> Result<Run, String>;

#[derive(Deserialize)]
struct Request {
    case: Case,
    sample: f64,
}

/// Says a version, takes a case, and times it until there are no more lines.
pub(crate) fn serve(peer: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (package, prepare): (_, Prepare) = match peer {
        "burn" => ("burn", burn::prepare),
        "candle" => ("candle-nn", candle::prepare),
        other => return Err(format!("no peer is called `{other}`").into()),
    };
    reply(&json!({ "version": version(package) }))?;
    let mut lines = io::stdin().lines();
    let Some(line) = lines.next() else { return Ok(()) };
    let request: Request = serde_json::from_str(&line?)?;
    let (stopwatch, mut run) = match timed(prepare, &request) {
        Ok((value, stopwatch, run)) => {
            reply(&json!({ "value": value }))?;
            (stopwatch, run)
        }
        Err(reason) => return Ok(reply(&json!({ "error": reason }))?),
    };
    for line in lines {
        line?;
        reply(&json!({ "seconds": stopwatch.seconds(&mut run) }))?;
    }
    Ok(())
}

fn timed(prepare: Prepare, request: &Request) -> Result<(f64, Stopwatch, Run), String> {
    let mut run = prepare(&request.case)?;
    let value = run()?;
    Ok((value, Stopwatch::new(Duration::from_secs_f64(request.sample), &mut run), run))
}

fn reply(reply: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{reply}")
}

/// The version of a package that this program was built with.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let package = format!("name = \"{package}\"\nversion = \"");
    let rest = lock.split_once(&package).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}
