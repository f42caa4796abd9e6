//! `f64` as the number that losses of `f32` data are computed with.
//!
//! The elementary functions are written here, from adds, multiplies and bit moves, so that loops
//! over them vectorise and give the same bits on every machine. Each is good to about 1 ulp of
//! `f64`, nine decimal digits more than `f32` holds.

use super::Real;
use std::f64::consts::{LN_2, LOG2_E};

/// Adding 1.5·2⁵² leaves the nearest integer in the low bits of the sum.
const INTEGER: f64 = 6_755_399_441_055_744.0;
/// ln 2 to 33 bits, so that its product with an exponent is exact, and the rest.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Below this, exp would be subnormal: far below anything an `f32` can show.
const EXP_UNDERFLOW: f64 = -708.0;
const EXP_OVERFLOW: f64 = 709.7;

/// Splits `x = n ln 2 + r` with |r| ≤ ln 2 / 2: gives exp(r) − 1, and n as the low bits.
#[inline(always)]
fn reduced_exp_m1(x: f64) -> (f64, u64) {
    let shifted = x.mul_add(LOG2_E, INTEGER);
    let n = shifted - INTEGER;
    let high = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, high);
    let mut tail = 1.0 / 6_227_020_800.0;
    for factorial in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
    ] {
        tail = r.mul_add(tail, 1.0 / factorial);
    }
    let lost = n.mul_add(-LN_2_LOW, high - r);
    ((r * r).mul_add(tail, lost) + r, shifted.to_bits())
}

/// 2ⁿ for the n in the low bits, −1022 ≤ n ≤ 1023.
#[inline(always)]
fn power_of_two(n: u64) -> f64 {
    f64::from_bits((n << 52).wrapping_add(1.0f64.to_bits()))
}

/// `x = 2ᵏ m` with √½ ≤ m < √2, for positive finite x.
#[inline(always)]
fn split_exponent(x: f64) -> (f64, f64) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let subnormal = x < f64::MIN_POSITIVE;
    let x = if subnormal { x * (1u64 << 54) as f64 } else { x };
    let bits = x.to_bits();
    let biased = bits.wrapping_add(1.0f64.to_bits() - SQRT_HALF) >> 52;
    let mantissa = f64::from_bits(bits.wrapping_sub(biased.wrapping_sub(1023) << 52));
    let exponent = f64::from_bits(biased + INTEGER.to_bits()) - (INTEGER + 1023.0);
    (if subnormal { exponent - 54.0 } else { exponent }, mantissa)
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline(always)]
    fn constant(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn if_less(self, other: Self, then: Self, otherwise: Self) -> Self {
        if self < other { then } else { otherwise }
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let (p, n) = reduced_exp_m1(self);
        let inside = f64::from_bits((1.0 + p).to_bits().wrapping_add(n << 52));
        let above = if self < EXP_OVERFLOW { inside } else { self * f64::INFINITY };
        if self < EXP_UNDERFLOW { 0.0 } else { above }
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        let (p, n) = reduced_exp_m1(self);
        let scale = power_of_two(n);
        let inside = scale.mul_add(p, scale - 1.0);
        let above = if self < EXP_OVERFLOW { inside } else { self * f64::INFINITY };
        if self < EXP_UNDERFLOW { -1.0 } else { above }
    }

    #[inline(always)]
    fn ln(self) -> Self {
        let (k, m) = split_exponent(self);
        let f = m - 1.0;
        let s = f / (2.0 + f);
        let z = s * s;
        // 2 atanh(s) = 2s (1 + z/3 + z²/5 + …): the minimax coefficients of FreeBSD's e_log.c.
        let mut tail: f64 = 1.479_819_860_511_658_6e-1;
        for coefficient in [
            1.531_383_769_920_937_3e-1,
            1.818_357_216_161_805e-1,
            2.222_219_843_214_978_4e-1,
            2.857_142_874_366_239e-1,
            3.999_999_999_940_942e-1,
            6.666_666_666_666_735e-1,
        ] {
            tail = tail.mul_add(z, coefficient);
        }
        let half_square = 0.5 * f * f;
        let low = s.mul_add(tail.mul_add(z, half_square), k * LN_2_LOW);
        let inside = k.mul_add(LN_2_HIGH, f - (half_square - low));
        let positive = if self < f64::INFINITY { inside } else { self };
        let zero_or_less = if self == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
        if self > 0.0 { positive } else { zero_or_less }
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        let u = 1.0 + self;
        let rounding = if self < 1.0 { self - (u - 1.0) } else { 1.0 - (u - self) };
        let logarithm = Real::ln(u);
        let corrected = logarithm + rounding / u;
        if u > 0.0 && u < f64::INFINITY { corrected } else { logarithm }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        if exponent == 0.0 { 1.0 } else { Real::exp(Real::ln(self) * exponent) }
    }

    #[inline(always)]
    fn ln_2() -> Self {
        LN_2
    }
}
