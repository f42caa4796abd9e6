//! `f16` and `bf16` to and from `f32`: exact one way, rounded once the other.
//!
//! Written with no branch on the data, so that loops over them vectorise. On the way from an `f64`
//! the `f32` between costs at most 2⁻¹³ units in the last place.

/// A format of sixteen bits.
pub(super) trait Format {
    /// The exact value.
    fn widen(bits: u16) -> f32;
    /// The nearest number; of two as near the even one.
    fn narrow(value: f32) -> u16;
}

/// IEEE 754 binary16.
pub(super) struct Binary16;

/// The upper half of an `f32`.
pub(super) struct Brain16;

const SIGN: u16 = 0x8000;

/// A number without its last bits, of which there are `count`; carries go into the exponent.
#[inline(always)]
fn without_last(bits: u32, count: u32) -> u32 {
    let half_less_one = (1 << (count - 1)) - 1;
    bits.wrapping_add(half_less_one + (bits >> count & 1)) >> count
}

#[inline(always)]
fn split_sign(value: f32) -> (u16, u32) {
    let bits = value.to_bits();
    ((bits >> 16) as u16 & SIGN, bits & !(u32::from(SIGN) << 16))
}

impl Format for Brain16 {
    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }

    #[inline(always)]
    fn narrow(value: f32) -> u16 {
        const INFINITY: u32 = f32::INFINITY.to_bits();
        const NAN: u32 = f32::NAN.to_bits() >> 16;
        let (sign, magnitude) = split_sign(value);
        let rounded = without_last(magnitude, 16);
        sign | if magnitude > INFINITY { NAN } else { rounded } as u16
    }
}

impl Binary16 {
    const INFINITY: u32 = 0x7c00;
    const NAN: u32 = 0x7e00;
    /// The smallest normal number, 2⁻¹⁴, and the smallest number above 0.
    const NORMAL: f32 = 1.0 / 16_384.0;
    const QUANTUM: f32 = Self::NORMAL / 1024.0;
    /// What the exponent in an `f32` is larger by, in place.
    const BIAS: u32 = (127 - 15) << 23;
}

// Subnormal numbers go through integers: floating-point units take a hundred cycles for one.
impl Format for Binary16 {
    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        let magnitude = u32::from(bits & !SIGN);
        let shifted = magnitude << 13;
        let special = magnitude >= Self::INFINITY;
        let normal = if special { shifted | f32::INFINITY.to_bits() } else { shifted + Self::BIAS };
        let subnormal = magnitude as i32 as f32 * Self::QUANTUM;
        let magnitude = if magnitude < 0x400 { subnormal.to_bits() } else { normal };
        f32::from_bits(magnitude | u32::from(bits & SIGN) << 16)
    }

    #[inline(always)]
    fn narrow(value: f32) -> u16 {
        let (sign, magnitude) = split_sign(value);
        let normal = without_last(magnitude.wrapping_sub(Self::BIAS), 13);
        let normal = if normal < Self::INFINITY { normal } else { Self::INFINITY };
        // Adding what has the same distances as subnormal numbers rounds to one.
        const GRID: f32 = Binary16::QUANTUM * (1 << 23) as f32;
        let subnormal = (f32::from_bits(magnitude) + GRID).to_bits().wrapping_sub(GRID.to_bits());
        let bits = if magnitude < Self::NORMAL.to_bits() { subnormal } else { normal };
        sign | if magnitude > f32::INFINITY.to_bits() { Self::NAN } else { bits } as u16
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
                assert_eq!(Binary16::widen(bits).to_bits(), f.to_f32().to_bits(), "{f}");
                assert_eq!(Binary16::narrow(f.to_f32()), bits, "{f}");
            }
            if b.is_nan() {
                assert!(Brain16::widen(bits).is_nan());
            } else {
                assert_eq!(Brain16::widen(bits).to_bits(), b.to_f32().to_bits(), "{b}");
                assert_eq!(Brain16::narrow(b.to_f32()), bits, "{b}");
            }
        }
        assert!(f16::from_bits(Binary16::narrow(f32::NAN)).is_nan());
        assert!(bf16::from_bits(Brain16::narrow(f32::NAN)).is_nan());
    }

    /// Between neighbours the nearer one is taken, and of two as near the even one.
    #[test]
    fn numbers_between_are_rounded_once() {
        for bits in 0..0x7c00u16 {
            between::<Binary16>(bits, 65536.0);
        }
        for bits in 0..0x7f7fu16 {
            between::<Brain16>(bits, f64::INFINITY);
        }
        assert_eq!(Brain16::narrow(f32::MAX), 0x7f80);
    }

    fn between<F: Format>(bits: u16, beyond: f64) {
        let low = f64::from(F::widen(bits));
        let high = f64::from(F::widen(bits + 1)).min(beyond);
        let middle = f64::midpoint(low, high) as f32;
        assert_eq!(F::narrow(middle), bits + bits % 2, "{middle:e}");
        assert_eq!(F::narrow(middle.next_down()), bits, "{middle:e}");
        assert_eq!(F::narrow(middle.next_up()), bits + 1, "{middle:e}");
        assert_eq!(F::narrow(-middle.next_up()), (bits + 1) | 0x8000, "{middle:e}");
    }
}
