//! `f16` and `bf16` to and from `f64`: exact one way, rounded once the other.
//!
//! Written with no branch on the data, so that loops over them vectorise.

/// A format of sixteen bits.
pub(super) trait Format {
    /// The exact value.
    fn widen(bits: u16) -> f64;
    /// The nearest number; of two as near the even one.
    fn narrow(value: f64) -> u16;
}

/// IEEE 754 binary16.
pub(super) struct Binary16;

/// The upper half of an `f32`.
pub(super) struct Brain16;

const SIGN: u16 = 0x8000;

/// The nearest number of `fraction` stored bits to a magnitude well below infinity; numbers below
/// `normal`, a power of two, have the same distances as those above.
///
/// Adding 1½ units of a grid 2⁵² as coarse rounds to that grid.
#[inline(always)]
fn round_to_grid(magnitude: f64, fraction: u32, normal: f64) -> f64 {
    let binade = f64::from_bits(magnitude.to_bits() & f64::INFINITY.to_bits());
    let binade = if binade < normal { normal } else { binade };
    let grid = binade * (1.5 * (1u64 << (52 - fraction)) as f64);
    (magnitude + grid) - grid
}

#[inline(always)]
fn with_sign_of(value: f64, bits: u32) -> u16 {
    bits as u16 | (value.to_bits() >> 48) as u16 & SIGN
}

impl Format for Brain16 {
    #[inline(always)]
    fn widen(bits: u16) -> f64 {
        f64::from(f32::from_bits(u32::from(bits) << 16))
    }

    #[inline(always)]
    fn narrow(value: f64) -> u16 {
        const ABOVE_ALL: f64 = 2.0 * f32::MAX as f64;
        let magnitude = value.abs();
        let rounded = round_to_grid(magnitude, 7, f64::from(f32::MIN_POSITIVE));
        let rounded = if magnitude < ABOVE_ALL { rounded } else { magnitude };
        with_sign_of(value, (rounded as f32).to_bits() >> 16)
    }
}

impl Binary16 {
    const INFINITY: u32 = 0x7c00;
    /// The smallest normal number, 2⁻¹⁴, and the smallest number above 0.
    const NORMAL: f64 = 1.0 / 16_384.0;
    const QUANTUM: f64 = Self::NORMAL / 1024.0;
    /// What the exponent in an `f32` is larger by, in place.
    const BIAS: u32 = (127 - 15) << 23;
}

// Subnormal numbers go through integers: floating-point units take a hundred cycles for one.
impl Format for Binary16 {
    #[inline(always)]
    fn widen(bits: u16) -> f64 {
        let magnitude = u32::from(bits & !SIGN);
        let shifted = magnitude << 13;
        let special = magnitude >= Self::INFINITY;
        let normal = if special { shifted | f32::INFINITY.to_bits() } else { shifted + Self::BIAS };
        let subnormal = f64::from(magnitude as i32) * Self::QUANTUM;
        let below = magnitude < 0x400;
        let value = if below { subnormal } else { f64::from(f32::from_bits(normal)) };
        f64::from_bits(value.to_bits() | u64::from(bits & SIGN) << 48)
    }

    #[inline(always)]
    fn narrow(value: f64) -> u16 {
        const ABOVE_ALL: f64 = 131_072.0;
        let magnitude = value.abs();
        let limited = if magnitude > ABOVE_ALL { ABOVE_ALL } else { magnitude };
        let rounded = round_to_grid(limited, 10, Self::NORMAL);
        let below = rounded < Self::NORMAL;
        let single = (if below { 1.0 } else { rounded }) as f32;
        let normal = single.to_bits().wrapping_sub(Self::BIAS) >> 13;
        let subnormal = (rounded / Self::QUANTUM + (1u64 << 52) as f64).to_bits() as u32;
        let bits = if below { subnormal } else { normal };
        let bits = if bits < Self::INFINITY { bits } else { Self::INFINITY };
        with_sign_of(value, if value.is_nan() { Self::INFINITY | 0x200 } else { bits })
    }
}

#[cfg(test)]
mod tests {
    use super::{Binary16, Brain16, Format};
    use half::{bf16, f16};

    #[test]
    fn every_number_survives_the_round_trip() {
        for bits in 0..=u16::MAX {
            let (f, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            if f.is_nan() {
                assert!(Binary16::widen(bits).is_nan());
            } else {
                assert_eq!(Binary16::widen(bits).to_bits(), f.to_f64().to_bits(), "{f}");
                assert_eq!(Binary16::narrow(f.to_f64()), bits, "{f}");
            }
            if b.is_nan() {
                assert!(Brain16::widen(bits).is_nan());
            } else {
                assert_eq!(Brain16::widen(bits).to_bits(), b.to_f64().to_bits(), "{b}");
                assert_eq!(Brain16::narrow(b.to_f64()), bits, "{b}");
            }
        }
        assert!(f16::from_bits(Binary16::narrow(f64::NAN)).is_nan());
        assert!(bf16::from_bits(Brain16::narrow(f64::NAN)).is_nan());
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

    fn between<F: Format>(bits: u16, beyond: f64) {
        let low = F::widen(bits);
        let high = F::widen(bits + 1).min(beyond);
        let middle = f64::midpoint(low, high);
        assert_eq!(F::narrow(middle), bits + bits % 2, "{middle:e}");
        assert_eq!(F::narrow(middle.next_down()), bits, "{middle:e}");
        assert_eq!(F::narrow(middle.next_up()), bits + 1, "{middle:e}");
        assert_eq!(F::narrow(-middle.next_up()), (bits + 1) | 0x8000, "{middle:e}");
    }
}
