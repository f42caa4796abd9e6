//! The one place that picks an instruction set, and the one home of `unsafe`.
//!
//! Kernels are plain Rust. Compiled for a wider instruction set they run faster and give the same
//! bits, because they fuse multiply and add only where they say `mul_add`.

#![allow(unsafe_code)]

/// A computation to compile once for each instruction set.
pub(crate) trait Task {
    type Output;

    /// Whether vectors of 512 bits are worth compiling for.
    const WIDEST: bool;

    /// Must be `#[inline(always)]`, and all that it calls in its loops too.
    fn run(self) -> Self::Output;
}

/// Runs `task` with the widest vectors that the processor has.
#[inline]
pub(crate) fn vectorised<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    {
        let best = x86::instruction_set();
        if T::WIDEST && best == x86::InstructionSet::Avx512 {
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
