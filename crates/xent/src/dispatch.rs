//! The one place that knows the processor, and the one home of `unsafe` in the core.
//!
//! Kernels are plain Rust. Compiled for a wider instruction set they run faster and give the same
//! bits, because they fuse multiply and add only where they say `mul_add`. What Rust cannot say is
//! said here: which memory will be read next, and which need not stay in the cache.

#![allow(unsafe_code)]

use crate::number::Element;

/// A computation to compile once for each instruction set.
pub(crate) trait Task {
    type Output;

    /// Must be `#[inline(always)]`, and all that it calls in its loops too.
    fn run(self) -> Self::Output;
}

/// Runs `task` with the widest vectors that the processor has.
#[inline]
pub(crate) fn vectorised<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    {
        let best = x86::instruction_set();
        if best == x86::InstructionSet::Avx512 {
            // SAFETY: instruction_set() saw these features on this processor.
            return unsafe { x86::avx512(task) };
        }
        if best != x86::InstructionSet::Portable {
            // SAFETY: as above; a processor with AVX-512 has these too.
            return unsafe { x86::avx2(task) };
        }
    }
    task.run()
}

/// How many numbers are worked on between looks at memory: few enough for the prefetches to spread
/// evenly, and for what is made of the numbers to stay in the first cache.
pub(crate) const TILE: usize = 128;
/// How far ahead memory is asked for, in bytes: the work of some microseconds.
const AHEAD: usize = 16 << 10;
/// The length of a line of the cache, in bytes.
pub(crate) const LINE: usize = 64;

/// Asks for the memory that follows `data`, [`AHEAD`] bytes on.
///
/// The prefetcher of the processor does not keep up with a kernel that reads two streams at the
/// pace of arithmetic; reading what comes next while it computes is worth a factor of 4.
#[inline(always)]
pub(crate) fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in 0..size_of_val(data).div_ceil(LINE) {
            let address = data.as_ptr().cast::<i8>().wrapping_add(AHEAD + line * LINE);
            // SAFETY: a prefetch is a hint, to any address: it does not fault.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
        }
    }
}

/// Writes past the cache, for results too large to stay in it: no line has to be read before it
/// is overwritten. All are visible to other threads once this is dropped.
pub(crate) struct Streams(());

impl Streams {
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// As `to.copy_from_slice(from)`.
    #[inline(always)]
    pub(crate) fn copy<T: Element>(&self, to: &mut [T], from: &[T]) {
        assert_eq!(to.len(), from.len());
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
            const PARTS: usize = LINE / size_of::<__m128i>();
            let head = to.as_ptr().align_offset(LINE).min(to.len());
            let lines = size_of_val(&to[head..]) / LINE;
            let tail = head + lines * LINE / size_of::<T>();
            to[..head].copy_from_slice(&from[..head]);
            to[tail..].copy_from_slice(&from[tail..]);
            let target = to[head..tail].as_mut_ptr().cast::<__m128i>();
            let source = from[head..tail].as_ptr().cast::<__m128i>();
            for part in 0..lines * PARTS {
                // SAFETY: both slices are whole lines long, and the target starts at a line. An
                // `Element` is plain bits.
                unsafe { _mm_stream_si128(target.add(part), _mm_loadu_si128(source.add(part))) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        to.copy_from_slice(from);
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every processor of this architecture has SSE.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Task;
    use std::sync::OnceLock;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum InstructionSet {
        Portable,
        Avx2,
        Avx512,
    }

    /// The widest instruction set, or the one that `XENT_ISA` names if the processor has it.
    pub(super) fn instruction_set() -> InstructionSet {
        static CHOICE: OnceLock<InstructionSet> = OnceLock::new();
        *CHOICE.get_or_init(|| {
            let wanted = std::env::var("XENT_ISA").unwrap_or_default();
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            match wanted.as_str() {
                "portable" => InstructionSet::Portable,
                "avx2" if avx2 => InstructionSet::Avx2,
                _ if avx512 => InstructionSet::Avx512,
                _ if avx2 => InstructionSet::Avx2,
                _ => InstructionSet::Portable,
            }
        })
    }

    /// # Safety
    /// The processor must have the features named.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) unsafe fn avx512<T: Task>(task: T) -> T::Output {
        task.run()
    }

    /// # Safety
    /// The processor must have the features named.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2<T: Task>(task: T) -> T::Output {
        task.run()
    }
}
