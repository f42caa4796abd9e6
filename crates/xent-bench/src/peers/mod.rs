//! The libraries that xent is measured against, and xent itself from Python.
//!
//! A peer is started for each case anew, as a process of its own: what it kept of the case before
//! is gone, one that fails takes nothing else with it, and all of them run under the same settings.
//! It says its version, is given the case, says the loss, and then times a sample for each further
//! line. Lines are JSON.

#[cfg(feature = "peers")]
mod burn;
#[cfg(feature = "peers")]
mod candle;
#[cfg(feature = "peers")]
pub(crate) mod serve;

use crate::case::Case;
use crate::inputs::TargetKind;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Names in the JSON and titles in the tables, of those that `peers.py` has …
const PYTHON: [(&str, &str); 5] = [
    ("xent_numpy", "xent, NumPy"),
    ("xent_torch", "xent.torch"),
    ("torch", "PyTorch"),
    ("torch_compile", "torch.compile"),
    ("jax", "JAX, optax"),
];
/// … and of those that this program has, if it is built with them.
const RUST: [(&str, &str); 2] = [("burn", "Burn"), ("candle", "Candle")];

/// A library that computes the same losses.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) version: String,
    program: PathBuf,
    argument: &'static str,
}

/// The peers that this machine has; those that do not start are reported.
pub(crate) fn find(python: &Path) -> io::Result<Vec<Peer>> {
    let this = std::env::current_exe()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
    let in_python = PYTHON.map(|peer| (peer, python, script));
    let in_rust = RUST.map(|peer| (peer, this.as_path(), "--serve"));
    let mut peers = Vec::new();
    for ((name, title), program, argument) in in_python.into_iter().chain(in_rust) {
        if argument == "--serve" && !cfg!(feature = "peers") {
            eprintln!("note: {title} is left out: it needs a build with `--features peers`");
            continue;
        }
        let mut peer =
            Peer { name, title, version: String::new(), program: program.to_owned(), argument };
        match Session::start(&peer, 1) {
            Ok((_, version)) => {
                peer.version = version;
                peers.push(peer);
            }
            Err(reason) => eprintln!("note: {title} is left out: {reason}"),
        }
    }
    Ok(peers)
}

impl Peer {
    /// Starts it, makes the inputs of a case and warms up. Gives the loss too, or says why it
    /// cannot compute it.
    pub(crate) fn prepare(
        &self,
        case: &Case,
        targets: TargetKind,
        threads: usize,
        sample: Duration,
    ) -> Result<(Session, f64), String> {
        let (mut session, _) = Session::start(self, threads)?;
        let request = json!({ "case": case, "targets": targets, "sample": sample.as_secs_f64() });
        let value = session.ask(&request, "value")?;
        Ok((session, value))
    }
}

/// A peer at work on a case.
pub(crate) struct Session {
    child: Child,
    /// Taken when the child is to end.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Session {
    /// A process, and the version that it says it is.
    fn start(peer: &Peer, threads: usize) -> Result<(Self, String), String> {
        let threads = threads.to_string();
        let mut child = Command::new(&peer.program)
            .args([peer.argument, peer.name])
            // What OpenMP, MKL, XLA and Rayon read.
            .envs(
                ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC", "RAYON_NUM_THREADS"]
                    .map(|variable| (variable, &threads)),
            )
            // The allocator of the GNU C library returns large buffers to the system and gets them
            // back one page fault at a time, which costs more than most losses. Keep them.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_MAX_", "0")
            .env("MALLOC_TRIM_THRESHOLD_", "1000000000000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", peer.program.display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, replies) = pipes.ok_or("no pipes to its process")?;
        let (requests, replies) = (Some(requests), BufReader::new(replies));
        let mut session = Self { child, requests, replies };
        let version = session.reply()?["version"].as_str().unwrap_or_default().to_owned();
        Ok((session, version))
    }

    /// Seconds per call in one sample.
    pub(crate) fn seconds(&mut self) -> Result<f64, String> {
        self.ask(&json!({}), "seconds")
    }

    fn ask(&mut self, request: &Value, answer: &str) -> Result<f64, String> {
        let requests = self.requests.as_mut().ok_or("its process has ended")?;
        writeln!(requests, "{request}").map_err(|error| error.to_string())?;
        let reply = self.reply()?;
        reply[answer].as_f64().ok_or_else(|| format!("its reply has no {answer}: {reply}"))
    }

    fn reply(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.replies.read_line(&mut line).map_err(|error| error.to_string())?;
        if line.is_empty() {
            return Err("its process has ended".to_owned());
        }
        let reply: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        match reply["error"].as_str() {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(reply),
        }
    }
}

impl Drop for Session {
    /// The child ends when there is nothing more to read.
    fn drop(&mut self) {
        self.requests = None;
        // Whether it ended well says nothing about what was measured.
        let _ = self.child.wait();
    }
}
