//! Peers in Rust, on the threads of the case.

use super::Peer;
use crate::case::Case;
use crate::measure::Stopwatch;
use std::time::Duration;

/// One call of the loss, which gives its value.
pub(super) type Run = Box<dyn FnMut() -> Result<f64, String> + Send>;

pub(super) struct InProcess {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The package whose version counts.
    pub(super) package: &'static str,
    /// Makes the inputs, or says what the library lacks.
    pub(super) build: fn(&Case) -> Result<Run, String>,
    pub(super) running: Option<(Run, Stopwatch)>,
}

impl Peer for InProcess {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn version(&self) -> &str {
        let lock = include_str!("../../../../Cargo.lock");
        let package = format!("name = \"{}\"\nversion = \"", self.package);
        let rest = lock.split_once(&package).map_or("", |(_, rest)| rest);
        rest.split('"').next().unwrap_or_default()
    }

    fn prepare(&mut self, case: &Case, _threads: usize, sample: Duration) -> Result<f64, String> {
        self.running = None;
        let mut run = (self.build)(case)?;
        let value = run()?;
        let stopwatch = Stopwatch::new(sample, &mut run);
        self.running = Some((run, stopwatch));
        Ok(value)
    }

    fn seconds(&mut self) -> Result<f64, String> {
        let (run, stopwatch) = self.running.as_mut().ok_or("no case is prepared")?;
        Ok(stopwatch.seconds(run))
    }
}
