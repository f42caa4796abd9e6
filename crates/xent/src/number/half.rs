//! `f16` and `bf16` to and from `f64`: exact one way, rounded once the other.
//!
//! Written with no branch on the data, so that loops over them vectorise.

/// A format of sixteen bits.
pub(super) trait Format {
    /// How many bits of the significand are stored.
    const FRACTION: u32;
    /// The exponent of the smallest normal number.
    const LEAST: i32;

    /// How far the bits are from the upper end of an `f32`.
    const SHIFT: u32 = 23 - Self::FRACTION;
    /// What the bits of an `f32` are larger by.
    const BIAS: u32 = ((126 + Self::LEAST) as u32) << 23;
    const INFINITY: u32 = 0x7fff >> Self::FRACTION << Self::FRACTION;
    /// The smallest normal number.
    const NORMAL: f64 = power_of_two(Self::LEAST);
    /// The smallest number above 0.
    const QUANTUM: f64 = power_of_two(Self::LEAST - Self::FRACTION as i32);
}

const fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// IEEE 754 binary16.
pub(super) struct Binary16;

impl Format for Binary16 {
    const FRACTION: u32 = 10;
    const LEAST: i32 = -14;
}

/// The upper half of an `f32`.
pub(super) struct Brain16;

impl Format for Brain16 {
    const FRACTION: u32 = 7;
    const LEAST: i32 = -126;
}

// Subnormal numbers go through integers: floating-point units take a hundred cycles for one.

#[inline(always)]
pub(super) fn widen<F: Format>(bits: u16) -> f64 {
    let magnitude = u32::from(bits) & 0x7fff;
    let shifted = magnitude << F::SHIFT;
    let special = magnitude >= F::INFINITY;
    let normal = if special { shifted | f32::INFINITY.to_bits() } else { shifted + F::BIAS };
    let subnormal = f64::from(magnitude as i32) * F::QUANTUM;
    let below = magnitude < 1 << F::FRACTION;
    let value = if below { subnormal } else { f64::from(f32::from_bits(normal)) };
    f64::from_bits(value.to_bits() | (u64::from(bits) & 0x8000) << 48)
}

#[inline(always)]
pub(super) fn narrow<F: Format>(value: f64) -> u16 {
    let magnitude = value.abs();
    // Adding 1½ units of a grid 2⁵² as coarse rounds to that grid: the one of the format at this
    // exponent.
    let binade = f64::from_bits(magnitude.to_bits() & f64::INFINITY.to_bits());
    let binade = if binade < F::NORMAL { F::NORMAL } else { binade };
    let grid = binade * (1.5 * (1u64 << (52 - F::FRACTION)) as f64);
    let rounded = (magnitude + grid) - grid;
    let below = rounded < F::NORMAL;
    let single = (if below { 1.0 } else { rounded }) as f32;
    let normal = single.to_bits().wrapping_sub(F::BIAS) >> F::SHIFT;
    let subnormal = (rounded / F::QUANTUM + (1u64 << 52) as f64).to_bits() as u32;
    let bits = if below { subnormal } else { normal };
    let bits = if bits < F::INFINITY { bits } else { F::INFINITY };
    let bits = if magnitude < f64::INFINITY { bits } else { F::INFINITY };
    let bits = if value.is_nan() { F::INFINITY | 1 << (F::FRACTION - 1) } else { bits };
    (bits | (value.to_bits() >> 48) as u32 & 0x8000) as u16
}

#[cfg(test)]
mod tests {
    use super::{Binary16, Brain16, narrow, widen};
    use half::{bf16, f16};

    #[test]
    fn every_number_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let (f, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            if f.is_nan() {
                assert!(widen::<Binary16>(bits).is_nan());
            } else {
                assert_eq!(widen::<Binary16>(bits).to_bits(), f.to_f64().to_bits(), "{f}");
                assert_eq!(narrow::<Binary16>(f.to_f64()), bits, "{f}");
            }
            if b.is_nan() {
                assert!(widen::<Brain16>(bits).is_nan());
            } else {
                assert_eq!(widen::<Brain16>(bits).to_bits(), b.to_f64().to_bits(), "{b}");
                assert_eq!(narrow::<Brain16>(b.to_f64()), bits, "{b}");
            }
        }
        assert!(f16::from_bits(narrow::<Binary16>(f64::NAN)).is_nan());
        assert!(bf16::from_bits(narrow::<Brain16>(f64::NAN)).is_nan());
    }

    /// Between neighbours the nearer one is taken, and of two as near the even one.
    #[test]
    fn numbers_between_are_rounded_once() {
        for bits in 0..0x7c00u16 {
            between::<Binary16>(bits, 65536.0);
        }
        for bits in 0..0x7f80u16 {
            between::<Brain16>(bits, 2f64.powi(128));
        }
    }

    fn between<F: super::Format>(bits: u16, beyond: f64) {
        let low = widen::<F>(bits);
        let high = widen::<F>(bits + 1).min(beyond);
        let middle = f64::midpoint(low, high);
        assert_eq!(narrow::<F>(middle), bits + bits % 2, "{middle:e}");
        assert_eq!(narrow::<F>(middle.next_down()), bits, "{middle:e}");
        assert_eq!(narrow::<F>(middle.next_up()), bits + 1, "{middle:e}");
        assert_eq!(narrow::<F>(-middle.next_up()), (bits + 1) | 0x8000, "{middle:e}");
    }
}
