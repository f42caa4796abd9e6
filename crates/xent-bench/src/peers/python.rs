//! Peers in Python: `peers.py` as a child process for each, one line of JSON per request and reply.

use super::Peer;
use crate::case::Case;
use crate::inputs::TargetKind;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What `peers.py` can be started as, and the title of each.
pub(super) const NAMES: [(&str, &str); 3] =
    [("torch", "PyTorch"), ("torch_compile", "torch.compile"), ("jax", "JAX, optax")];

pub(super) struct Python {
    name: &'static str,
    title: &'static str,
    version: String,
    child: Child,
    /// Taken when the child is to end.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Python {
    pub(super) fn start(
        interpreter: &Path,
        name: &'static str,
        title: &'static str,
        threads: usize,
    ) -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
        let threads = threads.to_string();
        let mut child = Command::new(interpreter)
            .args([script, name])
            .envs(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"].map(|key| (key, &threads)))
            // The allocator of the GNU C library returns large buffers to the system and gets them
            // back one page fault at a time, which costs more than most losses. Keep them.
            .env("MALLOC_MMAP_MAX_", "0")
            .env("MALLOC_TRIM_THRESHOLD_", "1000000000000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", interpreter.display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, replies) = pipes.ok_or("no pipes to its process")?;
        let (requests, replies) = (Some(requests), BufReader::new(replies));
        let mut peer = Self { name, title, version: String::new(), child, requests, replies };
        let reply = peer.reply()?;
        peer.version = reply["version"].as_str().unwrap_or_default().to_owned();
        Ok(peer)
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
        reply["error"].as_str().map_or(Ok(reply.clone()), |reason| Err(reason.to_owned()))
    }
}

impl Peer for Python {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn prepare(&mut self, case: &Case, threads: usize, sample: Duration) -> Result<f64, String> {
        let loss = xent::loss(case.loss).map_err(|error| error.to_string())?;
        let request = json!({
            "case": case,
            "targets": TargetKind::of(case, &*loss),
            "threads": threads,
            "sample": sample.as_secs_f64(),
        });
        self.ask(&request, "value")
    }

    fn seconds(&mut self) -> Result<f64, String> {
        self.ask(&json!({}), "seconds")
    }
}

impl Drop for Python {
    /// The child ends when there is nothing more to read.
    fn drop(&mut self) {
        self.requests = None;
        // Whether it ended well says nothing about what was measured.
        let _ = self.child.wait();
    }
}
