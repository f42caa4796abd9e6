//! `f16` and `bf16` to and from `f64`: exact one way, rounded once the other.
//!
//! Written with no branch on the data, so that loops over them vectorise.

/// A format of sixteen bits.
pub(super) trait Format {
    /// How many bits of the significand are stored.
    const FRACTION: u32;
    /// The exponent of the smallest normal number.
    const LEAST: i32;

    /// 2 to the power that the bits, read as the upper bits of an `f32`, are too small by.
    const SCALE: f32;
    /// How far the bits are from the upper end of an `f32`.
    const SHIFT: u32 = 23 - Self::FRACTION;
    const INFINITY: u32 = f32::INFINITY.to_bits() >> 23 << Self::FRACTION & 0x7fff;
}

/// IEEE 754 binary16.
pub(super) struct Binary16;

impl Format for Binary16 {
    const FRACTION: u32 = 10;
    const LEAST: i32 = -14;
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
}

/// The upper half of an `f32`.
pub(super) struct Brain16;

impl Format for Brain16 {
    const FRACTION: u32 = 7;
    const LEAST: i32 = -126;
    const SCALE: f32 = 1.0;
}

#[inline(always)]
pub(super) fn widen<F: Format>(bits: u16) -> f64 {
    let bits = u32::from(bits);
    let magnitude = bits & 0x7fff;
    let finite = f32::from_bits(magnitude << F::SHIFT) * F::SCALE;
    let special = f32::from_bits((magnitude << F::SHIFT) | f32::INFINITY.to_bits());
    let value = if magnitude < F::INFINITY { finite } else { special };
    f64::from(f32::from_bits(value.to_bits() | (bits & 0x8000) << 16))
}

#[inline(always)]
pub(super) fn narrow<F: Format>(value: f64) -> u16 {
    let magnitude = value.abs();
    // Adding 1½ units of a grid 2⁵² as coarse rounds to that grid: the one of the format at this
    // exponent.
    let least = f64::from_bits(((1023 + F::LEAST) as u64) << 52);
    let binade = f64::from_bits(magnitude.to_bits() & f64::INFINITY.to_bits());
    let binade = if binade < least { least } else { binade };
    let grid = binade * (1.5 * (1u64 << (52 - F::FRACTION)) as f64);
    let rounded = ((magnitude + grid) - grid) as f32;
    let bits = (rounded / F::SCALE).to_bits() >> F::SHIFT;
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
