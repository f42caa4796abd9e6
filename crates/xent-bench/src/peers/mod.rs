//! The libraries that xent is measured against.

#[cfg(feature = "peers")]
mod burn;
#[cfg(feature = "peers")]
mod candle;
#[cfg(feature = "peers")]
mod in_process;
mod python;

use crate::case::Case;
use std::path::Path;
use std::time::Duration;

/// A library that computes the same loss.
pub(crate) trait Peer: Send {
    /// What it is called in the JSON.
    fn name(&self) -> &'static str;

    /// What it is called in tables.
    fn title(&self) -> &'static str;

    /// Its version.
    fn version(&self) -> &str;

    /// Makes the inputs of a case, drops those of the case before, and warms up. Gives the loss,
    /// or says why it cannot compute it.
    fn prepare(&mut self, case: &Case, threads: usize, sample: Duration) -> Result<f64, String>;

    /// Seconds per call in one sample.
    fn seconds(&mut self) -> Result<f64, String>;
}

/// The peers that this machine has; those that do not start are reported.
pub(crate) fn start(interpreter: &Path, threads: usize) -> Vec<Box<dyn Peer>> {
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    for (name, title) in python::NAMES {
        match python::Python::start(interpreter, name, title, threads) {
            Ok(peer) => peers.push(Box::new(peer)),
            Err(reason) => eprintln!("note: {title} is left out: {reason}"),
        }
    }
    #[cfg(feature = "peers")]
    peers.extend([burn::peer(), candle::peer()]);
    #[cfg(not(feature = "peers"))]
    eprintln!("note: Burn and Candle are left out: build with the feature `peers`");
    peers
}
