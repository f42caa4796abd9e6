//! Memory for threads: aligned, and lasting from job to job.

use crate::dispatch::LINE;
use std::ops::{Deref, DerefMut};

/// Memory that starts where a line of the cache does, so that no vector is split between two.
pub(super) struct Aligned<V> {
    memory: Vec<V>,
    start: usize,
}

impl<V: Copy> Aligned<V> {
    pub(super) fn new(value: V, count: usize) -> Self {
        let memory = vec![value; count + LINE / size_of::<V>()];
        let start = memory.as_ptr().align_offset(LINE).min(memory.len() - count);
        Self { memory, start }
    }
}

impl<V> Deref for Aligned<V> {
    type Target = [V];

    #[inline(always)]
    fn deref(&self) -> &[V] {
        &self.memory[self.start..]
    }
}

impl<V> DerefMut for Aligned<V> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [V] {
        &mut self.memory[self.start..]
    }
}

/// Runs the jobs, on threads if there are several, with scratch that lasts from job to job.
pub(super) fn in_parallel<J: Send, S>(
    jobs: Vec<J>,
    scratch: impl Fn() -> S + Send + Sync,
    run: impl Fn(&mut S, J) + Send + Sync,
) {
    #[cfg(feature = "rayon")]
    if jobs.len() > 1 {
        use rayon::prelude::*;
        // Scratch is made for each piece that is split off: few, yet enough to share out evenly.
        let pieces = 4 * rayon::current_num_threads();
        let shortest = jobs.len().div_ceil(pieces);
        return jobs.into_par_iter().with_min_len(shortest).for_each_init(scratch, run);
    }
    let mut scratch = scratch();
    jobs.into_iter().for_each(|job| run(&mut scratch, job));
}
