//! Rounds of a case: the bandwidth of the machine, xent, and a peer, one after the other.

use crate::case::{Case, Number, Output};
use crate::inputs::{Inputs, Sample, TargetKind};
use crate::peers::Peer;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};
use xent::{Loss, bf16, f16};

/// How thoroughly to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// A sample is as many calls as take about this long, and at least one.
    pub(crate) sample: Duration,
    /// A peer has fewer rounds if it has spent this, but not fewer than three.
    pub(crate) per_peer: Duration,
}

impl Effort {
    pub(crate) const FULL: Self =
        Self { rounds: 21, sample: Duration::from_millis(10), per_peer: Duration::from_secs(5) };
    pub(crate) const QUICK: Self =
        Self { rounds: 3, sample: Duration::ZERO, per_peer: Duration::ZERO };
}

/// What was found about a case. Times are medians per call.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) case: String,
    pub(crate) threads: usize,
    /// Read and written, at least.
    pub(crate) bytes: usize,
    /// Of a copy if the case writes a gradient, of reading if not.
    pub(crate) bandwidth_gb_s: f64,
    /// `bytes` at that bandwidth.
    pub(crate) limit_ms: f64,
    pub(crate) median_ms: f64,
    /// A quarter of the samples is below the first, a quarter above the second.
    pub(crate) quartiles_ms: [f64; 2],
    /// `limit_ms / median_ms`.
    pub(crate) fraction: f64,
    /// What `fraction` should be.
    pub(crate) goal: Option<f64>,
    /// What the arithmetic takes: all rows at the pace of a few that stay in the caches of a core.
    pub(crate) in_cache_ms: f64,
    /// Memory at its peak on top of inputs and gradient; only Linux tells.
    pub(crate) peak_extra_mib: Option<f64>,
    /// The median of each peer in milliseconds.
    pub(crate) peers: BTreeMap<&'static str, f64>,
}

impl Measurement {
    /// Whether the time goes into moving memory at all; small cases are about the cost of a call.
    pub(crate) fn has_limit(&self) -> bool {
        self.bytes >= 1 << 20
    }

    /// What most of the time goes into.
    pub(crate) fn limited_by(&self) -> &'static str {
        const MOST: f64 = 0.85;
        match (self.in_cache_ms >= MOST * self.median_ms, self.fraction >= MOST) {
            (true, false) => "arithmetic",
            (false, true) => "memory",
            _ => "both",
        }
    }

    /// How many times as long as xent a peer takes.
    pub(crate) fn ratio(&self, peer: &str) -> Option<f64> {
        self.peers.get(peer).map(|peer_ms| peer_ms / self.median_ms)
    }

    /// The distance of the quartiles, as a fraction of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.quartiles_ms[1] - self.quartiles_ms[0]) / self.median_ms
    }
}

/// Measures one case on threads of its own.
pub(crate) fn measure(
    case: &Case,
    threads: usize,
    effort: Effort,
    peers: &[Peer],
) -> Result<Measurement, Box<dyn Error + Send + Sync>> {
    let threads = case.threads.unwrap_or(threads);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| match case.number {
        Number::F16 => rounds::<f16>(case, effort, peers),
        Number::Bf16 => rounds::<bf16>(case, effort, peers),
        Number::F32 => rounds::<f32>(case, effort, peers),
        Number::F64 => rounds::<f64>(case, effort, peers),
    })
}

/// One way to compute a case.
fn compute<T: Sample>(
    case: &Case,
    loss: &dyn Loss,
    inputs: &Inputs<T>,
    buffer: &mut [T],
) -> xent::Result<f64> {
    match case.output {
        Output::Value => inputs.call(loss, &inputs.predictions[..]).value(),
        Output::Gradient => {
            inputs.call(loss, &inputs.predictions[..]).value_and_gradient_into(buffer)
        }
        Output::InPlace => inputs.call(loss, buffer).value_and_gradient_in_place(),
    }
}

/// Seconds of a thread for all rows of a case, at the pace of a few in the cache.
fn seconds_in_cache<T: Sample>(case: &Case, loss: &dyn Loss, effort: Effort) -> xent::Result<f64> {
    let few = case.cached();
    let inputs = Inputs::<T>::new(&few, loss);
    let mut buffer = inputs.predictions.clone();
    compute(&few, loss, &inputs, &mut buffer)?;
    let mut run = || compute(&few, loss, &inputs, &mut buffer);
    let stopwatch = Stopwatch::new(effort.sample, &mut run);
    let mut seconds: Vec<f64> = (0..effort.rounds).map(|_| stopwatch.seconds(&mut run)).collect();
    Ok(quantile(&mut seconds, 0.5) * case.entries() as f64 / few.entries() as f64)
}

fn rounds<T: Sample>(
    case: &Case,
    effort: Effort,
    peers: &[Peer],
) -> Result<Measurement, Box<dyn Error + Send + Sync>> {
    let loss = xent::loss(&case.loss)?;
    let inputs = Inputs::<T>::new(case, &*loss);
    // The gradient, or the predictions that it will replace.
    let mut buffer = match case.output {
        Output::Value => Vec::new(),
        Output::Gradient | Output::InPlace => inputs.predictions.clone(),
    };
    let bandwidth = |buffer: &mut [T]| match case.output {
        Output::Value => read(&inputs.predictions),
        Output::Gradient | Output::InPlace => copy(&inputs.predictions, buffer),
    };
    let xent = |buffer: &mut [T]| compute(case, &*loss, &inputs, buffer);

    let (value, peak_extra) = with_peak_memory(|| xent(&mut buffer));
    let value = value?;
    let stopwatch = Stopwatch::new(effort.sample, || bandwidth(&mut buffer));
    // In place, a second call would take the gradient of a gradient.
    let xent_stopwatch = match case.output {
        Output::InPlace => Stopwatch { calls: 1, warm: false },
        Output::Value | Output::Gradient => Stopwatch::new(effort.sample, || xent(&mut buffer)),
    };
    let (mut bandwidth_seconds, mut xent_seconds) = (Vec::new(), Vec::new());
    let mut round = || {
        bandwidth_seconds.push(stopwatch.seconds(|| bandwidth(&mut buffer)));
        xent_seconds.push(xent_stopwatch.seconds(|| xent(&mut buffer)));
    };
    (0..effort.rounds).for_each(|_| round());
    let in_cache = seconds_in_cache::<T>(case, &*loss, effort)?;
    let mut peers_ms = BTreeMap::new();
    // No other library puts a gradient in the place of the predictions.
    for peer in peers.iter().filter(|_| case.output != Output::InPlace) {
        match race(peer, case, TargetKind::of(case, &*loss), value, effort, &mut round) {
            Ok(mut seconds) => _ = peers_ms.insert(peer.name, quantile(&mut seconds, 0.5) * 1e3),
            Err(reason) => eprintln!("note: {} is left out: {reason}", peer.title),
        }
    }

    let moved = match case.output {
        Output::Value => size_of_val(&inputs.predictions[..]),
        Output::Gradient | Output::InPlace => 2 * size_of_val(&inputs.predictions[..]),
    };
    let bytes = inputs.bytes() + size_of_val(&buffer[..]);
    let bytes_per_second = moved as f64 / quantile(&mut bandwidth_seconds, 0.5);
    let limit_ms = bytes as f64 / bytes_per_second * 1e3;
    let [first, median_ms, third] =
        [0.25, 0.5, 0.75].map(|share| quantile(&mut xent_seconds, share) * 1e3);
    Ok(Measurement {
        case: case.name(),
        threads: rayon::current_num_threads(),
        bytes,
        bandwidth_gb_s: bytes_per_second / 1e9,
        limit_ms,
        median_ms,
        quartiles_ms: [first, third],
        fraction: limit_ms / median_ms,
        goal: case.goal,
        in_cache_ms: in_cache * 1e3 / rayon::current_num_threads() as f64,
        peak_extra_mib: peak_extra.map(|kib| kib as f64 / 1024.0),
        peers: peers_ms,
    })
}

/// Rounds with a peer at their end; its samples.
fn race(
    peer: &Peer,
    case: &Case,
    targets: TargetKind,
    value: f64,
    effort: Effort,
    mut round: impl FnMut(),
) -> Result<Vec<f64>, String> {
    let threads = rayon::current_num_threads();
    let (mut session, theirs) = peer.prepare(case, targets, threads, effort.sample)?;
    // Some sum sixteen million `f32` one after the other, and lose digits by it.
    if (theirs - value).abs() > 0.05 * value.abs() {
        return Err(format!("its loss is {theirs}, not {value}"));
    }
    let (mut seconds, mut spent) = (Vec::new(), Duration::ZERO);
    while seconds.len() < 3 || seconds.len() < effort.rounds && spent < effort.per_peer {
        round();
        let start = Instant::now();
        seconds.push(session.seconds()?);
        spent += start.elapsed();
        // Threads of OpenMP wait for more work in a loop, for a while.
        thread::sleep(effort.sample);
    }
    Ok(seconds)
}

/// Times calls, as many at once as the clock needs.
pub(crate) struct Stopwatch {
    calls: usize,
    /// Whether a call that does not count comes first, so that the ones that do find the caches
    /// as they leave them, whoever ran before.
    warm: bool,
}

/// Calls that take longer than this have no use for warm caches.
const LONG: f64 = 0.5;

impl Stopwatch {
    /// Samples of about this length, of a computation that has run before.
    pub(crate) fn new<R>(sample: Duration, run: impl FnMut() -> R) -> Self {
        let once = Self { calls: 1, warm: false }.seconds(run);
        let calls = (sample.as_secs_f64() / once).clamp(1.0, 1e6);
        Self { calls: calls as usize, warm: once < LONG }
    }

    /// Seconds per call.
    pub(crate) fn seconds<R>(&self, mut run: impl FnMut() -> R) -> f64 {
        if self.warm {
            black_box(run());
        }
        let start = Instant::now();
        for _ in 0..self.calls {
            black_box(run());
        }
        start.elapsed().as_secs_f64() / self.calls as f64
    }
}

/// One stretch for each thread: the C library writes past the caches only if a stretch is long.
fn copy<T: Sample>(from: &[T], to: &mut [T]) {
    let stretch = from.len().div_ceil(rayon::current_num_threads());
    let pairs = to.par_chunks_mut(stretch).zip(from.par_chunks(stretch));
    pairs.for_each(|(to, from)| to.copy_from_slice(from));
}

fn read<T: Sample>(from: &[T]) {
    let stretch = from.len().div_ceil(rayon::current_num_threads());
    from.par_chunks(stretch).for_each(|entries| _ = black_box(T::checksum(entries)));
}

/// The numbers so that `share` of them are smaller; sorts them.
fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[((numbers.len() - 1) as f64 * share).round() as usize]
}

/// What `run` gives, and how many KiB of resident memory it needed at its peak on top of what the
/// process had.
fn with_peak_memory<R>(run: impl FnOnce() -> R) -> (R, Option<u64>) {
    // On Linux, this sets the peak to what is in use now.
    let peak_is_known = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = resident("VmHWM:");
    let result = run();
    let extra = resident("VmHWM:").zip(before).map(|(after, before)| after.saturating_sub(before));
    (result, extra.filter(|_| peak_is_known))
}

/// A line of the process's status, in KiB.
fn resident(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let rest = status.lines().find_map(|found| found.strip_prefix(line))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_unsorted_numbers() {
        let mut numbers = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([0.25, 0.5, 0.75].map(|share| quantile(&mut numbers, share)), [2.0, 3.0, 4.0]);
        assert_eq!(quantile(&mut [7.0], 0.75), 7.0);
    }

    #[test]
    fn copies_leave_nothing_out() {
        let from: Vec<f32> = (0..1001).map(|number| number as f32).collect();
        let mut to = vec![0.0; 1001];
        copy(&from, &mut to);
        assert_eq!(from, to);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn peak_memory_is_that_of_the_run() {
        let (_, extra) = with_peak_memory(|| black_box(vec![1u8; 64 << 20]));
        let mib = extra.expect("Linux tells") / 1024;
        assert!((60..128).contains(&mib), "{mib} MiB");
    }
}
