//! What an instruction does, as far as vectors are concerned.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use std::collections::HashMap;

/// What is counted of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) work: Work,
    mnemonic: Mnemonic,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Arithmetic on all lanes of a vector of so many bits.
    Packed(usize),
    /// Floating-point arithmetic on one number.
    Scalar,
    /// Moves, addresses, integers, branches.
    Other,
}

impl Kind {
    /// The kind of the instruction that `code` starts with.
    pub(crate) fn of(code: &[u8]) -> Self {
        let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
        let mut kind = Self { work: Work::Other, mnemonic: instruction.mnemonic() };
        let name = kind.name();
        let name = name.strip_prefix('v').unwrap_or(&name);
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        kind.work = match widest(&instruction) {
            _ if starts(&["mov", "broadcast", "pbroadcast"]) => Work::Other,
            Some(register) if register.is_st() => Work::Scalar,
            // Integers have the suffixes too, as pmaxsd, but are always packed.
            Some(_) if ends(&["ss", "sd", "ss2si", "sd2si"]) && !starts(&["p"]) => Work::Scalar,
            Some(register) => Work::Packed(8 * register.size()),
            None => Work::Other,
        };
        kind
    }

    fn name(&self) -> String {
        format!("{:?}", self.mnemonic).to_lowercase()
    }

    pub(crate) fn divides(&self) -> bool {
        let name = self.name();
        self.work != Work::Other && (name.contains("div") || name.contains("sqrt"))
    }
}

/// The widest register that holds floating-point numbers, or could.
fn widest(instruction: &Instruction) -> Option<Register> {
    (0..instruction.op_count())
        .map(|operand| instruction.op_register(operand))
        .filter(|register| register.is_vector_register() || register.is_st())
        .max_by_key(|register| register.size())
}

/// How many instructions there were of each kind.
#[derive(Default)]
pub(crate) struct Counts(HashMap<Kind, f64>);

impl Counts {
    pub(crate) fn add(&mut self, kind: Kind, count: f64) {
        *self.0.entry(kind).or_default() += count;
    }

    /// For eight numbers, if these are for `numbers` more than `fewer` are.
    pub(crate) fn for_eight(mut self, fewer: Self, numbers: usize) -> Self {
        fewer.0.into_iter().for_each(|(kind, count)| self.add(kind, -count));
        self.0.values_mut().for_each(|count| *count *= 8.0 / numbers as f64);
        self
    }

    /// How many there are of some kinds.
    pub(crate) fn of(&self, counted: impl Fn(&Kind) -> bool) -> f64 {
        // A sum of no numbers is −0.
        0.0 + self.0.iter().filter(|(kind, _)| counted(kind)).map(|(_, count)| count).sum::<f64>()
    }

    /// The names of the scalar instructions, the most frequent first.
    pub(crate) fn scalar_names(&self) -> Vec<String> {
        let mut scalar: Vec<_> =
            self.0.iter().filter(|(kind, _)| kind.work == Work::Scalar).collect();
        scalar.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.name().cmp(&b.0.name())));
        scalar.iter().map(|(kind, _)| kind.name()).collect()
    }
}
