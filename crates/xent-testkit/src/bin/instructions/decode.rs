//! What an instruction does, as far as vectors are concerned.

use iced_x86::{Decoder, DecoderOptions, Instruction, Register};
use serde::Serialize;
use std::ops::Sub;

/// What is counted of an instruction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kind {
    work: Work,
    divides: bool,
}

#[derive(Clone, Copy, Default)]
enum Work {
    /// Arithmetic on all lanes of a vector of so many bits.
    Packed(usize),
    /// Floating-point arithmetic on one number.
    Scalar,
    /// Moves, addresses, integers, branches.
    #[default]
    Other,
}

impl Kind {
    /// The kind of the instruction that `code` starts with.
    pub(crate) fn of(code: &[u8]) -> Self {
        let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
        let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
        let name = name.strip_prefix('v').unwrap_or(&name);
        let moves = ["mov", "broadcast", "pbroadcast"].iter().any(|move_| name.starts_with(move_));
        let single = (name.ends_with("ss") || name.ends_with("sd") || name.ends_with("si"))
            && !name.starts_with('p');
        let work = match widest(&instruction) {
            _ if moves => Work::Other,
            Some(register) if register.is_st() => Work::Scalar,
            Some(_) if single => Work::Scalar,
            Some(register) => Work::Packed(8 * register.size()),
            None => Work::Other,
        };
        Self { work, divides: name.starts_with("div") || name.starts_with("sqrt") }
    }
}

/// The widest register that holds numbers of floating point.
fn widest(instruction: &Instruction) -> Option<Register> {
    (0..instruction.op_count())
        .map(|operand| instruction.op_register(operand))
        .filter(|register| register.is_vector_register() || register.is_st())
        .max_by_key(|register| register.size())
}

/// How many instructions there were of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) packed_512: f64,
    pub(crate) packed_256: f64,
    pub(crate) packed_128: f64,
    pub(crate) scalar: f64,
    pub(crate) divisions: f64,
    pub(crate) other: f64,
}

impl Counts {
    pub(crate) fn add(&mut self, kind: Kind) {
        let arithmetic = match kind.work {
            Work::Packed(512) => &mut self.packed_512,
            Work::Packed(256) => &mut self.packed_256,
            Work::Packed(_) => &mut self.packed_128,
            Work::Scalar => &mut self.scalar,
            Work::Other => return self.other += 1.0,
        };
        *arithmetic += 1.0;
        self.divisions += f64::from(u8::from(kind.divides));
    }

    pub(crate) fn packed(&self) -> f64 {
        self.packed_512 + self.packed_256 + self.packed_128
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            packed_512: self.packed_512 * factor,
            packed_256: self.packed_256 * factor,
            packed_128: self.packed_128 * factor,
            scalar: self.scalar * factor,
            divisions: self.divisions * factor,
            other: self.other * factor,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, fewer: Self) -> Self {
        Self {
            packed_512: self.packed_512 - fewer.packed_512,
            packed_256: self.packed_256 - fewer.packed_256,
            packed_128: self.packed_128 - fewer.packed_128,
            scalar: self.scalar - fewer.scalar,
            divisions: self.divisions - fewer.divisions,
            other: self.other - fewer.other,
        }
    }
}
