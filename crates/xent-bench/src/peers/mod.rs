//! The libraries that xent is measured against.
//!
//! Each is a process of its own: one line of JSON per request, and one per reply. So a peer that
//! fails takes nothing else with it, and all of them run under the same settings.

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
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Names in the JSON and titles in the tables, of those that `peers.py` has …
const PYTHON: [(&str, &str); 3] =
    [("torch", "PyTorch"), ("torch_compile", "torch.compile"), ("jax", "JAX, optax")];
/// … and of those that this program has, if it is built with them.
const RUST: [(&str, &str); 2] = [("burn", "Burn"), ("candle", "Candle")];

/// A library that computes the same losses.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) version: String,
    child: Child,
    /// Taken when the child is to end.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

/// The peers that this machine has; those that do not start are reported.
pub(crate) fn start(python: &Path, threads: usize) -> io::Result<Vec<Peer>> {
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
        let mut command = Command::new(program);
        match Peer::start(name, title, command.args([argument, name]), threads) {
            Ok(peer) => peers.push(peer),
            Err(reason) => eprintln!("note: {title} is left out: {reason}"),
        }
    }
    Ok(peers)
}

impl Peer {
    fn start(
        name: &'static str,
        title: &'static str,
        command: &mut Command,
        threads: usize,
    ) -> Result<Self, String> {
        let threads = threads.to_string();
        let thread_variables = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC", "RAYON_NUM_THREADS"];
        let mut child = command
            .envs(thread_variables.map(|variable| (variable, &threads)))
            // The allocator of the GNU C library returns large buffers to the system and gets them
            // back one page fault at a time, which costs more than most losses. Keep them.
            .env("MALLOC_MMAP_MAX_", "0")
            .env("MALLOC_TRIM_THRESHOLD_", "1000000000000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, replies) = pipes.ok_or("no pipes to its process")?;
        let (requests, replies) = (Some(requests), BufReader::new(replies));
        let mut peer = Self { name, title, version: String::new(), child, requests, replies };
        let reply = peer.reply()?;
        peer.version = reply["version"].as_str().unwrap_or_default().to_owned();
        Ok(peer)
    }

    /// Makes the inputs of a case, drops those of the case before, and warms up. Gives the loss,
    /// or says why it cannot compute it.
    pub(crate) fn prepare(
        &mut self,
        case: &Case,
        targets: TargetKind,
        threads: usize,
        sample: Duration,
    ) -> Result<f64, String> {
        let sample = sample.as_secs_f64();
        let request =
            json!({ "case": case, "targets": targets, "threads": threads, "sample": sample });
        self.ask(&request, "value")
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

impl Drop for Peer {
    /// The child ends when there is nothing more to read.
    fn drop(&mut self) {
        self.requests = None;
        // Whether it ended well says nothing about what was measured.
        let _ = self.child.wait();
    }
}
