//! Double-double arithmetic: the number that losses of `f64` data are computed with.
//!
//! A [`Double`] is the unevaluated sum of two `f64`, about 31 decimal digits. Sums and products
//! follow Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks
//! of double-word arithmetic" (2017), doi:10.1145/3121432.

use super::{Real, constants_on_the_right, polynomial};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The sum `high + low` of two `f64` that do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

/// ln 2 in three parts; the first has 42 bits, so that its product with an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_559_890_3;
const LN_2_REST: Double = Double { high: 5.497_923_018_708_371e-14, low: 1.947_045_092_380_75e-31 };
const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };
/// Below this, exp(x) − 1 and ln(1 + x) are x.
const LINEAR: f64 = 1e-200;
/// Beyond this, exp overflows or is less than half of the smallest subnormal.
const EXP_LIMIT: f64 = 746.0;

/// 1/2!, 1/3!, 1/4!.
const INVERSE_FACTORIALS: [Double; 3] = [
    Double { high: 0.5, low: 0.0 },
    Double { high: 1.0 / 6.0, low: 9.251_858_538_542_97e-18 },
    Double { high: 1.0 / 24.0, low: 2.312_964_634_635_742_7e-18 },
];
/// 5!, … 12!: their terms are so small that one `f64` holds them well enough.
const LARGE_FACTORIALS: [f64; 8] =
    [120.0, 720.0, 5_040.0, 40_320.0, 362_880.0, 3_628_800.0, 39_916_800.0, 479_001_600.0];

/// (exp(s) − 1 − s − s²/2) / s³ on |s| ≤ ln 2 / 2, minimax, so that exp(s) is good to 2⁻⁶³; the
/// coefficient of the highest power last.
const EXP_COARSE: [f64; 10] = [
    0.166_666_666_666_666_88,
    0.041_666_666_666_666_845,
    0.008_333_333_333_312_968,
    0.001_388_888_888_875_712_4,
    0.000_198_412_699_062_271_83,
    2.480_158_762_986_885e-5,
    2.755_722_527_274_440_6e-6,
    2.755_697_884_618_864e-7,
    2.511_529_089_123_443_2e-8,
    2.101_427_118_579_082e-9,
];

/// a + b exactly.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// a + b exactly, given that a is 0 or not smaller than b.
#[inline(always)]
fn larger_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// a · b exactly.
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// 2ⁿ for −1022 ≤ n ≤ 1023.
#[inline(always)]
fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

impl Double {
    /// `high + low`, given that `low` is the smaller. An infinite or NaN `high` stands alone.
    #[inline(always)]
    fn normalised(high: f64, low: f64) -> Self {
        let sum = high + low;
        let finite = (high * 0.0 == 0.0) & (sum * 0.0 == 0.0);
        Self {
            high: if high * 0.0 == 0.0 { sum } else { high },
            low: if finite { low - (sum - high) } else { 0.0 },
        }
    }

    /// The sum of finite numbers of like sign, or of a larger and a smaller one.
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let (high, error) = two_sum(self.high, other.high);
        let low = error + (self.low + other.low);
        let sum = high + low;
        Self { high: sum, low: low - (sum - high) }
    }

    /// The product of finite numbers.
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let (high, error) = two_product(self.high, other.high);
        let low = error + self.high.mul_add(other.low, self.low * other.high);
        let sum = high + low;
        Self { high: sum, low: low - (sum - high) }
    }

    /// The nearest `f64`.
    #[inline(always)]
    pub fn to_f64(self) -> f64 {
        self.high + self.low
    }

    /// The nearest `f64` to `self · weight`; 0 where `weight` is 0.
    #[inline(always)]
    pub(super) fn rounded_product(self, weight: Self) -> f64 {
        let cross = self.high.mul_add(weight.low, self.low * weight.high);
        let product = self.high * weight.high;
        let finite = product * 0.0 == 0.0;
        let nearest = if finite { self.high.mul_add(weight.high, cross) } else { product };
        if weight.high == 0.0 { 0.0 } else { nearest }
    }

    /// `self · 2ⁿ` in two steps, so that the result may be subnormal.
    #[inline(always)]
    fn scaled(self, n: i64) -> Self {
        let half = n >> 1;
        let (a, b) = (power_of_two(half), power_of_two(n - half));
        Self::normalised(self.high * a * b, self.low * a * b)
    }

    /// Splits `self = n ln 2 + r` with |r| ≤ ln 2 / 2: gives exp(r) − 1, and n.
    #[inline(always)]
    fn reduced_exp_m1(self) -> (Self, i64) {
        let inside = if self.high.abs() < EXP_LIMIT { self.high } else { 0.0 };
        let n = (inside * std::f64::consts::LOG2_E).round_ties_even();
        let (high, low) = two_sum(self.high, -n * LN_2_HIGH);
        let r = Self { high, low: low + self.low }.plus(LN_2_REST.times(Self::constant(-n)));
        // exp(r) = exp(r/64)⁶⁴: the small argument needs few terms, each squaring doubles it.
        let x = Self { high: r.high / 64.0, low: r.low / 64.0 };
        let mut tail = 0.0;
        for factorial in LARGE_FACTORIALS.into_iter().rev() {
            tail = x.high.mul_add(tail, 1.0 / factorial);
        }
        let mut sum = Self::constant(tail);
        for coefficient in INVERSE_FACTORIALS.into_iter().rev() {
            sum = sum.times(x).plus(coefficient);
        }
        let mut p = x.times(x).times(sum).plus(x);
        for _ in 0..6 {
            p = Self { high: 2.0 * p.high, low: 2.0 * p.low }.plus(p.times(p));
        }
        (if self.high.abs() < LINEAR { self } else { p }, n as i64)
    }
}

impl Double {
    /// ln(1 + self) for |self| ≤ ½: one Newton step on exp from the `f64` logarithm, with the
    /// second-order term.
    #[inline(always)]
    fn ln_1p_near_0(self) -> Self {
        let guess = Real::ln_1p(self.high);
        let e = Self::constant(-guess).exp_m1();
        let d = e + self + self * e;
        let logarithm = Self::constant(guess) + (d - d.square() * Self::constant(0.5));
        if self.high.abs() < LINEAR { self } else { logarithm }
    }

    /// n ln 2 for an integer n.
    #[inline(always)]
    fn times_ln_2(n: f64) -> Self {
        Self::constant(n * LN_2_HIGH) + LN_2_REST * Self::constant(n)
    }

    /// `self = 2ᵏ m` with ¾ ≤ m < 1½, for positive finite numbers.
    #[inline(always)]
    fn split_exponent(self) -> (f64, Self) {
        let subnormal = self.high < f64::MIN_POSITIVE;
        let lift = if subnormal { (1u64 << 54) as f64 } else { 1.0 };
        let lifted = Self { high: self.high * lift, low: self.low * lift };
        // The exponent of 4/3 of a number moves on where the number passes 1½ times a power.
        let biased = ((lifted.high * (4.0 / 3.0)).to_bits() >> 52) as i64;
        let k = (biased - 1023).clamp(-1022, 1023);
        let m = lifted.scaled(-k);
        (k as f64 - if subnormal { 54.0 } else { 0.0 }, m)
    }
}

impl Neg for Double {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Add for Double {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (high, high_error) = two_sum(self.high, other.high);
        let (low, low_error) = two_sum(self.low, other.low);
        let first = Self::normalised(high, high_error + low);
        Self::normalised(first.high, low_error + first.low)
    }
}

impl Sub for Double {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (high, error) = two_product(self.high, other.high);
        let cross = self.high.mul_add(other.low, self.low * other.high);
        Self::normalised(high, error + cross)
    }
}

impl Div for Double {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let (product, error) = two_product(first, other.high);
        let rest = (self.high - product) - error + (self.low - first * other.low);
        let second = rest / other.high;
        // No correction where the quotient is exact by nature: 0, ±∞, or a divisor of ±∞.
        let second = if second * 0.0 == 0.0 { second } else { 0.0 };
        Self::normalised(first, second)
    }
}

constants_on_the_right!(Double);

impl Real for Double {
    const ZERO: Self = Self { high: 0.0, low: 0.0 };
    const ONE: Self = Self { high: 1.0, low: 0.0 };

    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self { high: value, low: 0.0 }
    }

    #[inline(always)]
    fn if_less(self, other: Self, then: Self, otherwise: Self) -> Self {
        let less = (self.high < other.high) | ((self.high == other.high) & (self.low < other.low));
        Self {
            high: if less { then.high } else { otherwise.high },
            low: if less { then.low } else { otherwise.low },
        }
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let (p, n) = self.reduced_exp_m1();
        let inside = (p + Self::ONE).scaled(n);
        let above =
            if self.high < EXP_LIMIT { inside } else { Self::constant(self.high * f64::INFINITY) };
        if self.high < -EXP_LIMIT { Self::ZERO } else { above }
    }

    /// To 2⁻⁵⁷: the first three terms in two numbers each, the others in one.
    #[inline(always)]
    fn exp_coarse(self) -> Self {
        let inside = if self.high.abs() < EXP_LIMIT { self.high } else { self.high * 0.0 };
        let n = (inside * std::f64::consts::LOG2_E).round_ties_even();
        let whole = (-n).mul_add(LN_2_HIGH, inside);
        let s = (-n).mul_add(LN_2_REST.high, whole);
        let s_error = (-n).mul_add(LN_2_REST.high, whole - s) + self.low;
        let (square, square_error) = two_product(s, s);
        let tail = polynomial(&EXP_COARSE, s) * (square * s);
        let rest = square_error.mul_add(0.5, tail);
        let (sum, sum_error) = larger_sum(s, 0.5 * square);
        let (high, high_error) = larger_sum(1.0, sum);
        let low = s_error.mul_add(high + rest, high_error + (sum_error + rest));
        let (high, low) = larger_sum(high, low);
        let n = n as i64;
        let (a, b) = (power_of_two(n >> 1), power_of_two(n - (n >> 1)));
        let above = if self.high < -EXP_LIMIT { 0.0 } else { f64::INFINITY };
        let outside = self.high.abs() >= EXP_LIMIT;
        Self {
            high: if outside { above } else { high * a * b },
            low: if outside { 0.0 } else { low * a * b },
        }
    }

    #[inline(always)]
    fn plus_like(self, other: Self) -> Self {
        self.plus(other)
    }

    #[inline(always)]
    fn weigh(self, other: Self) -> Self {
        let product = self * other;
        let zero = self.high == 0.0;
        Self {
            high: if zero { self.high } else { product.high },
            low: if zero { 0.0 } else { product.low },
        }
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        let (p, n) = self.reduced_exp_m1();
        let whole = (p + Self::ONE).scaled(n) - Self::ONE;
        let inside = if n == 0 { p } else { whole };
        let above =
            if self.high < EXP_LIMIT { inside } else { Self::constant(self.high * f64::INFINITY) };
        if self.high < -EXP_LIMIT { -Self::ONE } else { above }
    }

    #[inline(always)]
    fn ln(self) -> Self {
        let (k, m) = self.split_exponent();
        let ordinary = (self.high > 0.0) & (self.high < f64::INFINITY);
        let usual = (m - Self::ONE).ln_1p_near_0() + Self::times_ln_2(k);
        if ordinary { usual } else { Self::constant(Real::ln(self.high)) }
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        let near = self.high.abs() < 0.5;
        let sum = self + Self::ONE;
        let (k, m) = sum.split_exponent();
        let x = if near { self } else { m - Self::ONE };
        let usual = x.ln_1p_near_0() + Self::times_ln_2(if near { 0.0 } else { k });
        let ordinary = (sum.high > 0.0) & (sum.high < f64::INFINITY);
        if ordinary { usual } else { Self::constant(Real::ln(sum.high)) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.if_less(Self::ZERO, -self, self)
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        if exponent == 0.0 { Self::ONE } else { (self.ln() * exponent).exp() }
    }

    #[inline(always)]
    fn ln_2() -> Self {
        LN_2
    }
}
