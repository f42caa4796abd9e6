//! Where a computation runs: in the thread of the caller if it is small, else on a pool of threads
//! while the caller looks out for Ctrl-C.

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::failure;

/// How long Ctrl-C may go unnoticed.
const LOOKOUT: Duration = Duration::from_millis(50);

/// A pool of `threads` threads, or as many as the machine has: made when first asked for, and anew
/// in a process that was forked, since threads do not go along.
fn pool(py: Python<'_>, threads: Option<NonZero<usize>>) -> PyResult<Arc<ThreadPool>> {
    type Pools = HashMap<(u32, usize), Arc<ThreadPool>>;
    static POOLS: OnceLock<Mutex<Pools>> = OnceLock::new();
    let key = (std::process::id(), threads.map_or(0, NonZero::get));
    let mut pools =
        POOLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&key) {
        return Ok(Arc::clone(pool));
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(key.1)
        .thread_name(|thread| format!("xent-{thread}"))
        .build()
        .map_err(|error| failure::unsupported(py, format!("threads: {error}")))?;
    let pool = Arc::new(pool);
    pools.insert(key, Arc::clone(&pool));
    Ok(pool)
}

/// Runs `compute` on a pool of threads, without the interpreter. `compute` has to end soon after
/// the flag it is given is set, which Ctrl-C does.
pub(crate) fn run_on_pool<R: Send>(
    py: Python<'_>,
    threads: Option<NonZero<usize>>,
    compute: impl FnOnce(&AtomicBool) -> R + Send,
) -> PyResult<R> {
    let (pool, interrupt) = (pool(py, threads)?, AtomicBool::new(false));
    py.detach(|| {
        let (sender, receiver) = channel();
        pool.in_place_scope(|scope| {
            let interrupt = &interrupt;
            scope.spawn(move |_| {
                // The receiver waits until this is sent.
                let _ = sender.send(compute(interrupt));
            });
            let mut caught = Ok(());
            loop {
                match receiver.recv_timeout(LOOKOUT) {
                    Ok(result) => return caught.map(|()| result),
                    Err(RecvTimeoutError::Timeout) if caught.is_ok() => {
                        caught = Python::attach(|py| py.check_signals());
                        interrupt.store(caught.is_err(), Ordering::Relaxed);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(pyo3::exceptions::PyRuntimeError::new_err(
                            "the computation ended without a result",
                        ));
                    }
                }
            }
        })
    })
}
