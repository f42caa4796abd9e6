//! The process of a peer in Rust: what `peers.py` is for those in Python.

use super::{burn, candle};
use crate::case::Case;
use crate::measure::Stopwatch;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// One call of the loss, which gives its value.
pub(super) type Run = Box<dyn FnMut() -> Result<f64, String> + Send>;

/// Makes the inputs of a case, or says what the library lacks.
type Prepare = fn(&Case) -> Result<Run, String>;

#[derive(Deserialize)]
struct Request {
    case: Case,
    threads: usize,
    sample: f64,
}

/// A case, and the threads it runs on.
struct Timed {
    run: Run,
    stopwatch: Stopwatch,
    pool: ThreadPool,
}

/// Answers requests until there are no more.
pub(crate) fn serve(peer: &str) -> io::Result<()> {
    let (package, prepare): (_, Prepare) = match peer {
        "burn" => ("burn", burn::prepare),
        "candle" => ("candle-nn", candle::prepare),
        other => return Err(io::Error::other(format!("no peer is called `{other}`"))),
    };
    let mut replies = io::stdout().lock();
    writeln!(replies, "{}", json!({ "version": version(package) }))?;
    let mut timed = None;
    for line in io::stdin().lines() {
        let reply = answer(&line?, &mut timed, prepare);
        writeln!(replies, "{}", reply.unwrap_or_else(|error| json!({ "error": error })))?;
    }
    Ok(())
}

fn answer(line: &str, timed: &mut Option<Timed>, prepare: Prepare) -> Result<Value, String> {
    if line == "{}" {
        let timed = timed.as_mut().ok_or("no case is prepared")?;
        let seconds = timed.pool.install(|| timed.stopwatch.seconds(&mut timed.run));
        return Ok(json!({ "seconds": seconds }));
    }
    // The memory of the last case, before that of the next.
    *timed = None;
    let request: Request = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let pool = ThreadPoolBuilder::new().num_threads(request.threads).build();
    let pool = pool.map_err(|error| error.to_string())?;
    let sample = Duration::from_secs_f64(request.sample);
    let (value, stopwatch, run) = pool.install(|| {
        let mut run = prepare(&request.case)?;
        Ok::<_, String>((run()?, Stopwatch::new(sample, &mut run), run))
    })?;
    *timed = Some(Timed { run, stopwatch, pool });
    Ok(json!({ "value": value }))
}

/// The version of a package that this program was built with.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../../../../Cargo.lock");
    let package = format!("name = \"{package}\"\nversion = \"");
    let rest = lock.split_once(&package).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}
