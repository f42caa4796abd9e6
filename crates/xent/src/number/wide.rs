//! `f64` as the number that losses of `f32` data are computed with.
//!
//! The elementary functions are written here, from adds, multiplies and bit moves, so that loops
//! over them vectorise and give the same bits on every machine. Each is good to about 2 ulp of
//! `f64`, except where it says otherwise: twenty-nine binary digits more than `f32` holds.

use super::{INTEGER, Real, SQRT_HALF, polynomial, power_of_two};
use std::f64::consts::{LN_2, LOG2_E};

/// ln 2 to 33 bits, so that its product with an exponent is exact, and the rest.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Below this, exp would be subnormal: far below anything an `f32` can show.
pub(super) const EXP_UNDERFLOW: f64 = -708.0;
pub(super) const EXP_OVERFLOW: f64 = 709.0;

// Minimax polynomials, the coefficient of the highest power last.

/// (exp(r) − 1 − r) / r² on |r| ≤ ln 2 / 2, so that exp(r) − 1 is good to 2⁻⁵⁵.
const EXP: [f64; 10] = [
    0.500_000_000_000_000_7,
    0.166_666_666_666_666_96,
    0.041_666_666_666_562_41,
    0.008_333_333_333_293_166,
    0.001_388_888_893_618_178,
    0.000_198_412_699_870_621_3,
    2.480_149_974_998_361_2e-5,
    2.755_711_675_796_074e-6,
    2.762_823_157_427_483_3e-7,
    2.516_141_277_121_796e-8,
];
/// The same, so that exp(r) is good to 2⁻³⁴.
pub(super) const EXP_COARSE: [f64; 6] = [
    0.500_000_006_768_387,
    0.166_666_658_688_974_57,
    0.041_666_294_943_162_18,
    0.008_333_497_083_607_923,
    0.001_394_465_986_525_389_7,
    0.000_197_903_370_230_448_03,
];
/// The same, so that exp(r) is good to 2⁻²³.
pub(super) const EXP_ROUGH: [f64; 4] = [
    0.499_992_317_937_256_85,
    0.166_671_143_109_544_3,
    0.041_890_113_468_443_16,
    0.008_312_538_197_231_618,
];
/// ln(1 + x) / x on [0, 1], to 2⁻³⁵.
const LN_1P: [f64; 13] = [
    0.999_999_999_981_173_6,
    -0.499_999_993_457_607_26,
    0.333_332_954_350_207_77,
    -0.249_991_303_630_433_84,
    0.199_895_190_098_533_88,
    -0.165_903_628_256_542_87,
    0.139_214_690_489_214_06,
    -0.112_973_180_099_191_95,
    0.082_553_801_263_527_9,
    -0.049_542_930_519_358_42,
    0.021_912_198_546_542_33,
    -0.006_163_715_482_804_965_4,
    0.000_813_097_289_734_590_4,
];
/// ln(cosh(√y)) / y on [0, 1], to 2⁻³⁴.
const LN_COSH: [f64; 9] = [
    0.499_999_999_980_416_5,
    -0.083_333_330_093_085_37,
    0.022_222_133_531_885_065,
    -0.006_745_090_133_595_317,
    0.002_181_882_818_182_21,
    -0.000_722_998_897_768_863_6,
    0.000_227_379_511_949_032_96,
    -5.693_951_647_921_45e-5,
    7.793_298_513_024_912e-6,
];

/// Splits `x = n ln 2 + r` with |r| ≤ ln 2 / 2: gives exp(r) − 1, and n as the low bits.
#[inline(always)]
fn reduced_exp_m1(x: f64) -> (f64, u64) {
    let shifted = x.mul_add(LOG2_E, INTEGER);
    let n = shifted - INTEGER;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    (r.mul_add(r * polynomial(&EXP, r), r), shifted.to_bits())
}

/// exp(x) for x ≤ 709.
#[inline(always)]
fn exp_below_overflow(x: f64) -> f64 {
    let (p, n) = reduced_exp_m1(x);
    let inside = f64::from_bits((1.0 + p).to_bits().wrapping_add(n << 52));
    if x < EXP_UNDERFLOW { 0.0 } else { inside }
}

/// exp(x) of an x within `EXP_UNDERFLOW` and `EXP_OVERFLOW`, as good as the polynomial.
#[inline(always)]
pub(super) fn exp_within<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let shifted = x.mul_add(LOG2_E, INTEGER);
    let r = (shifted - INTEGER).mul_add(-LN_2, x);
    let p = r.mul_add(r.mul_add(polynomial(coefficients, r), 1.0), 1.0);
    f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// exp(x) − 1 for x ≤ 709.
#[inline(always)]
fn exp_m1_below_overflow(x: f64) -> f64 {
    let (p, n) = reduced_exp_m1(x);
    let scale = power_of_two(n);
    let inside = scale.mul_add(p, scale - 1.0);
    if x < EXP_UNDERFLOW { -1.0 } else { inside }
}

/// ln(1 + x) for 0 ≤ x ≤ 1, to 2⁻³⁵.
#[inline(always)]
fn ln_1p_of_share(x: f64) -> f64 {
    x * polynomial(&LN_1P, x)
}

/// `x = 2ᵏ m` with √½ ≤ m < √2, for positive finite x.
#[inline(always)]
fn split_exponent(x: f64) -> (f64, f64) {
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
        let below = exp_below_overflow(self);
        if self > EXP_OVERFLOW { f64::INFINITY } else { below }
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        let below = exp_m1_below_overflow(self);
        if self > EXP_OVERFLOW { f64::INFINITY } else { below }
    }

    #[inline(always)]
    fn exp_coarse(self) -> Self {
        let x = if self < EXP_UNDERFLOW { EXP_UNDERFLOW } else { self };
        let x = if x > EXP_OVERFLOW { EXP_OVERFLOW } else { x };
        exp_within(x, &EXP_COARSE)
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
        // What 1 + x lost shows only near 0, where 1 / u is nearly 1.5 - 0.5 u.
        let lost = (self - (u - 1.0)) * 0.5f64.mul_add(-u, 1.5);
        let logarithm = Real::ln(u);
        if f64::abs(self) < 1.0 { logarithm + lost } else { logarithm }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        match exponent {
            0.0 => 1.0,
            1.0 => self,
            2.0 => self * self,
            _ => Real::exp(Real::ln(self) * exponent),
        }
    }

    #[inline(always)]
    fn relu(self) -> Self {
        if self < 0.0 { 0.0 } else { self }
    }

    #[inline(always)]
    fn weigh(self, other: Self) -> Self {
        if self == 0.0 { self } else { self * other }
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = exp_below_overflow(-f64::abs(self));
        let share = 1.0 / (1.0 + e);
        if self < 0.0 { e * share } else { share }
    }

    /// To 2⁻³⁵.
    #[inline(always)]
    fn softplus(self) -> Self {
        self.relu() + ln_1p_of_share(exp_below_overflow(-f64::abs(self)))
    }

    /// To 2⁻³⁵.
    #[inline(always)]
    fn weighed_softpluses(self, yes: Self, no: Self) -> Self {
        let nearer = ln_1p_of_share(exp_below_overflow(-f64::abs(self)));
        let against = if self < 0.0 { yes } else { no };
        (yes + no).mul_add(nearer, against.weigh(f64::abs(self)))
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let e = exp_m1_below_overflow(-2.0 * f64::abs(self));
        (-e / (e + 2.0)).copysign(self)
    }

    /// To 2⁻⁵⁰.
    #[inline(always)]
    fn sech_squared(self) -> Self {
        let e = exp_below_overflow(-2.0 * f64::abs(self));
        let share = 1.0 / (1.0 + e);
        4.0 * e * (share * share)
    }

    /// To 2⁻³⁴.
    #[inline(always)]
    fn ln_cosh(self) -> Self {
        let (x, square) = (f64::abs(self), self * self);
        let near = square * polynomial(&LN_COSH, square);
        let far = x + (ln_1p_of_share(exp_below_overflow(-2.0 * x)) - LN_2);
        if x < 1.0 { near } else { far }
    }

    #[inline(always)]
    fn ln_2() -> Self {
        LN_2
    }
}
