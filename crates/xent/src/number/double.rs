//! Double-double arithmetic: the number that losses of `f64` data are computed with.
//!
//! A [`Double`] is the unevaluated sum of two `f64`, about 31 decimal digits. Sums and products
//! follow Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks
//! of double-word arithmetic" (2017), doi:10.1145/3121432.

use super::{INTEGER, Real, SQRT_HALF, constants_on_the_right, polynomial, power_of_two};
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

/// Below this, the parts of a number are lifted before its exponent is taken.
const SMALL: f64 = 9.332_636_185_032_189e-302;
/// 4!, 3!, 2!: the terms of exp(x) − 1 that need two numbers.
const SMALL_FACTORIALS: [f64; 3] = [24.0, 6.0, 2.0];
/// 5!, … 12!: their terms are so small that one `f64` holds them well enough.
const LARGE_FACTORIALS: [f64; 8] =
    [120.0, 720.0, 5_040.0, 40_320.0, 362_880.0, 3_628_800.0, 39_916_800.0, 479_001_600.0];
/// How many terms of artanh(s) / s − 1 = s²/3 + s⁴/5 + … need two numbers, and how many are enough.
const LONG_TERMS: i32 = 8;
const TERMS: i32 = 20;

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

/// 2ⁿ for an integer |n| < 2000, as a product of two.
#[inline(always)]
fn halves_of_power(n: f64) -> [f64; 2] {
    let half = n.mul_add(0.5, INTEGER);
    let other = n - (half - INTEGER) + INTEGER;
    [power_of_two(half.to_bits()), power_of_two(other.to_bits())]
}

impl Double {
    /// `high + low`, given that `low` is the smaller. Where the sum is not finite, `high` stands
    /// alone.
    #[inline(always)]
    fn normalised(high: f64, low: f64) -> Self {
        let sum = high + low;
        let finite = sum * 0.0 == 0.0;
        Self {
            high: if finite { sum } else { high },
            low: if finite { low - (sum - high) } else { 0.0 },
        }
    }

    /// 1 / n.
    #[inline(always)]
    fn reciprocal(n: f64) -> Self {
        let high = 1.0 / n;
        Self { high, low: (-high).mul_add(n, 1.0) / n }
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

    /// `self · other + larger`, all finite. Its parts may overlap a little, which does no harm on
    /// the way to a number that is normalised.
    #[inline(always)]
    fn times_plus(self, other: Self, larger: Self) -> Self {
        let (product, error) = two_product(self.high, other.high);
        let low = self.high.mul_add(other.low, self.low.mul_add(other.high, error));
        let (high, error) = larger_sum(larger.high, product);
        Self { high, low: error + (larger.low + low) }
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

    /// `self · 2ⁿ` for an integer n, in two steps, so that the result may be subnormal.
    #[inline(always)]
    fn scaled(self, n: f64) -> Self {
        let [a, b] = halves_of_power(n);
        Self::normalised(self.high * a * b, self.low * a * b)
    }

    /// Splits `self = n ln 2 + r` with |r| ≤ ln 2 / 2: gives exp(r) − 1, and n.
    #[inline(always)]
    fn reduced_exp_m1(self) -> (Self, f64) {
        let inside = if self.high.abs() < EXP_LIMIT { self.high } else { 0.0 };
        let n = inside.mul_add(std::f64::consts::LOG2_E, INTEGER) - INTEGER;
        // The first difference is exact: what is left is small.
        let r = Self { high: (-n).mul_add(LN_2_HIGH, inside), low: self.low };
        let r = r.plus(LN_2_REST.times(Self::constant(-n)));
        // exp(r) = exp(r/64)⁶⁴: the small argument needs few terms, each squaring doubles it.
        let x = Self { high: r.high / 64.0, low: r.low / 64.0 };
        let mut tail = 0.0;
        for factorial in LARGE_FACTORIALS.into_iter().rev() {
            tail = x.high.mul_add(tail, 1.0 / factorial);
        }
        let mut sum = Self::constant(tail);
        for factorial in SMALL_FACTORIALS {
            sum = sum.times_plus(x, Self::reciprocal(factorial));
        }
        let mut p = x.times(x).times_plus(sum, x);
        for _ in 0..6 {
            p = p.times_plus(p, Self { high: 2.0 * p.high, low: 2.0 * p.low });
        }
        let (high, low) = larger_sum(p.high, p.low);
        (if self.high.abs() < LINEAR { self } else { Self { high, low } }, n)
    }

    /// `inside`, unless `self` is beyond what exp takes: then ∞, or `below`; NaN for NaN.
    #[inline(always)]
    fn within_exp_limit(self, inside: Self, below: f64) -> Self {
        let outside = if self.high < -EXP_LIMIT { below } else { self.high * f64::INFINITY };
        let usual = self.high.abs() < EXP_LIMIT;
        Self {
            high: if usual { inside.high } else { outside },
            low: if usual { inside.low } else { 0.0 },
        }
    }

    /// ln(1 + self) for 1 + self from √½ to √2, by 2 artanh(s) for s = self / (2 + self).
    #[inline(always)]
    fn ln_1p_near_0(self) -> Self {
        let s = self / self.plus(Self::constant(2.0));
        let z = s.times(s);
        let mut tail = 0.0;
        for n in (LONG_TERMS + 1..TERMS + 1).rev() {
            tail = z.high.mul_add(tail, 1.0 / f64::from(2 * n + 1));
        }
        let mut sum = Self::constant(tail);
        for n in (1..LONG_TERMS + 1).rev() {
            sum = sum.times_plus(z, Self::reciprocal(f64::from(2 * n + 1)));
        }
        let half = s.times(z).times_plus(sum, s);
        let (high, low) = larger_sum(2.0 * half.high, 2.0 * half.low);
        if self.high.abs() < LINEAR { self } else { Self { high, low } }
    }

    /// n ln 2 for an integer n.
    #[inline(always)]
    fn times_ln_2(n: f64) -> Self {
        Self::constant(n * LN_2_HIGH).plus(LN_2_REST.times(Self::constant(n)))
    }

    /// `self = 2ᵏ m` with √½ ≤ m < √2, for positive finite numbers.
    #[inline(always)]
    fn split_exponent(self) -> (f64, Self) {
        let small = self.high < SMALL;
        let (lift, lifted_by) = if small { ((1u64 << 54) as f64, 54.0) } else { (0.25, -2.0) };
        let (high, low) = (self.high * lift, self.low * lift);
        let biased = high.to_bits().wrapping_add(1.0f64.to_bits() - SQRT_HALF) >> 52;
        let down = f64::from_bits(2046u64.wrapping_sub(biased) << 52);
        let k = f64::from_bits(biased + INTEGER.to_bits()) - (INTEGER + 1023.0);
        (k - lifted_by, Self { high: high * down, low: low * down })
    }

    /// `logarithm` of `self`, unless `self` is 0, negative or not finite.
    #[inline(always)]
    fn unless_special(self, logarithm: Self) -> Self {
        let positive = if self.high < f64::INFINITY { logarithm } else { self };
        let zero_or_less = if self.high == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
        Self {
            high: if self.high > 0.0 { positive.high } else { zero_or_less },
            low: if self.high > 0.0 { positive.low } else { 0.0 },
        }
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
        self.within_exp_limit(p.plus(Self::ONE).scaled(n), 0.0)
    }

    /// To 2⁻⁵⁷: the first three terms in two numbers each, the others in one.
    #[inline(always)]
    fn exp_coarse(self) -> Self {
        let inside = if self.high.abs() < EXP_LIMIT { self.high } else { self.high * 0.0 };
        let n = inside.mul_add(std::f64::consts::LOG2_E, INTEGER) - INTEGER;
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
        let [a, b] = halves_of_power(n);
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
        let whole = p.plus(Self::ONE).scaled(n) - Self::ONE;
        self.within_exp_limit(if n == 0.0 { p } else { whole }, -1.0)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        let (k, m) = self.split_exponent();
        let logarithm = Self::times_ln_2(k).plus((m - Self::ONE).ln_1p_near_0());
        self.unless_special(logarithm)
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        let sum = self + Self::ONE;
        let (k, m) = sum.split_exponent();
        // What 1 + x would lose near 0 is still there in x.
        let x = if k == 0.0 { self } else { m - Self::ONE };
        let logarithm = Self::times_ln_2(k).plus(x.ln_1p_near_0());
        sum.unless_special(logarithm)
    }

    #[inline(always)]
    fn sigmoids(self) -> [Self; 2] {
        let e = (-self.abs()).exp();
        let larger = Self::ONE / (e + Self::ONE);
        let smaller = e * larger;
        [self.if_less(Self::ZERO, smaller, larger), self.if_less(Self::ZERO, larger, smaller)]
    }

    #[inline(always)]
    fn weighed_softpluses(self, yes: Self, no: Self) -> Self {
        let nearer = (-self.abs()).exp().ln_1p();
        let against = self.if_less(Self::ZERO, yes, no);
        (yes + no) * nearer + against.weigh(self.abs())
    }

    #[inline(always)]
    fn relu(self) -> Self {
        self.if_less(Self::ZERO, Self::ZERO, self)
    }

    #[inline(always)]
    fn signum(self) -> Self {
        let not_positive = if self.high < 0.0 { -1.0 } else { self.high };
        Self::constant(if self.high > 0.0 { 1.0 } else { not_positive })
    }

    #[inline(always)]
    fn abs(self) -> Self {
        let sign = self.high.to_bits() & (1 << 63);
        Self { high: self.high.abs(), low: f64::from_bits(self.low.to_bits() ^ sign) }
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        match exponent {
            0.0 => Self::ONE,
            1.0 => self,
            2.0 => self.square(),
            _ => (self.ln() * exponent).exp(),
        }
    }

    #[inline(always)]
    fn ln_2() -> Self {
        LN_2
    }
}
