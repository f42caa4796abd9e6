//! Real numbers of any precision that know how wrong they may be.
//!
//! A [`Big`] is a midpoint and a bound on its error. Every operation adds its own rounding to the
//! bound, so cancellation shows up as a wide bound instead of passing as a precise result, and the
//! caller can ask for more bits until the bound is narrow enough.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;

use dashu_base::{Approximation, Sign};
use dashu_float::round::mode::HalfEven;
use dashu_float::{ConstCache, Context, FBig, FpResult, Repr};

thread_local! {
    /// Digits of ln 2 and the like, computed once per thread.
    static CONSTANTS: RefCell<ConstCache> = const { RefCell::new(ConstCache::new()) };
}

/// Base-2 logarithm of the largest magnitude `exp` takes literally.
///
/// e^(2^40) is far outside every format and still well inside the exponents of the backend.
const EXP_LIMIT: f64 = 40.0;

/// A binary floating-point format that a result is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Format {
    const fn significand_bits(self) -> f64 {
        match self {
            Self::F16 => 11.0,
            Self::BF16 => 8.0,
            Self::F32 => 24.0,
            Self::F64 => 53.0,
        }
    }

    /// Exponent of the smallest subnormal, the quantum that no unit of the last place goes below.
    const fn quantum_exponent(self) -> f64 {
        match self {
            Self::F16 => -24.0,
            Self::BF16 => -133.0,
            Self::F32 => -149.0,
            Self::F64 => -1074.0,
        }
    }

    /// The exponent `e` such that every finite number of the format is below 2^e.
    const fn overflow_exponent(self) -> f64 {
        match self {
            Self::F16 => 16.0,
            Self::BF16 | Self::F32 => 128.0,
            Self::F64 => 1024.0,
        }
    }
}

/// A real number with an error bound, an infinity, or not a number.
#[derive(Clone, Debug)]
pub struct Big {
    number: Number,
    /// Working precision: significand bits kept by operations on this number.
    bits: usize,
}

#[derive(Clone, Debug)]
enum Number {
    Nan,
    Infinite(Sign),
    Finite {
        midpoint: Repr<2>,
        /// Base-2 logarithm of the error bound: −∞ when exact, +∞ when nothing is known.
        radius: f64,
    },
}

use Number::{Finite, Infinite, Nan};

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The error bounds do not overlap, or both numbers are exact.
    Certain(Ordering),
    /// The error bounds overlap.
    Uncertain,
    /// At least one of them is not a number.
    Unordered,
}

impl Big {
    /// The number `x`, exactly, to be worked on with `bits` significand bits.
    pub(super) fn exact(x: f64, bits: usize) -> Self {
        let number = match FBig::<HalfEven, 2>::try_from(x) {
            Ok(value) if x.is_finite() => {
                Finite { midpoint: value.into_repr(), radius: f64::NEG_INFINITY }
            }
            _ if x.is_nan() => Nan,
            _ => Infinite(sign_of(x < 0.0)),
        };
        Self { number, bits }
    }

    /// The number `x`, exactly, at the precision of `self`.
    pub(super) fn constant(&self, x: f64) -> Self {
        Self::exact(x, self.bits)
    }

    fn with(&self, number: Number) -> Self {
        Self { number, bits: self.bits }
    }

    /// A number nothing is known about: more bits are needed.
    fn unknown(&self) -> Self {
        self.with(Finite { midpoint: Repr::zero(), radius: f64::INFINITY })
    }

    fn context(&self) -> Context<HalfEven> {
        Context::new(self.bits)
    }

    /// A result of the backend whose inputs contribute an error of 2^`error`.
    fn rounded(&self, result: FpResult<FBig<HalfEven, 2>>, error: f64) -> Self {
        match result {
            Ok(Approximation::Exact(value)) => {
                self.with(Finite { midpoint: value.into_repr(), radius: error })
            }
            Ok(Approximation::Inexact(value, _)) => self.inexact(value.into_repr(), error),
            Err(_) => self.unknown(),
        }
    }

    /// The same for a transcendental function, which the backend may call exact when it is not.
    fn transcendental(&self, result: FpResult<FBig<HalfEven, 2>>, error: f64) -> Self {
        match result {
            Ok(value) => self.inexact(value.value().into_repr(), error),
            Err(_) => self.unknown(),
        }
    }

    fn inexact(&self, midpoint: Repr<2>, error: f64) -> Self {
        let rounding = magnitude(&midpoint) - self.bits as f64;
        self.with(Finite { midpoint, radius: log2_sum(error, rounding) })
    }

    /// Whether this is zero without any error.
    pub(super) fn is_exact_zero(&self) -> bool {
        matches!(&self.number, Finite { midpoint, radius }
            if midpoint.significand().is_zero() && *radius == f64::NEG_INFINITY)
    }

    /// Whether this is not a number.
    pub fn is_nan(&self) -> bool {
        matches!(self.number, Nan)
    }

    /// Whether this is exactly −∞ or +∞.
    pub fn is_infinite(&self) -> bool {
        matches!(self.number, Infinite(_))
    }

    fn is_finite_exact(&self) -> bool {
        matches!(self.number, Finite { radius: f64::NEG_INFINITY, .. })
    }

    /// The sign of the midpoint: −1, 0 or 1 as an ordering against zero, `None` for NaN.
    fn side(&self) -> Option<Ordering> {
        match &self.number {
            Nan => None,
            Infinite(sign) => Some(side_of(*sign)),
            Finite { midpoint, .. } if midpoint.significand().is_zero() => Some(Ordering::Equal),
            Finite { midpoint, .. } => Some(side_of(midpoint.sign())),
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        self.side() == Some(Ordering::Less)
    }

    pub(super) fn negate(&self) -> Self {
        match &self.number {
            Nan => self.with(Nan),
            Infinite(sign) => self.with(Infinite(-*sign)),
            Finite { midpoint, radius } => {
                self.with(Finite { midpoint: -midpoint.clone(), radius: *radius })
            }
        }
    }

    pub(super) fn abs(&self) -> Self {
        if self.is_negative() { self.negate() } else { self.clone() }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        match (&self.number, &other.number) {
            (Nan, _) | (_, Nan) => self.with(Nan),
            (Infinite(a), Infinite(b)) if a != b => self.with(Nan),
            (Infinite(sign), _) | (_, Infinite(sign)) => self.with(Infinite(*sign)),
            _ if self.is_exact_zero() => other.clone(),
            _ if other.is_exact_zero() => self.clone(),
            (Finite { midpoint: a, radius: ra }, Finite { midpoint: b, radius: rb }) => {
                self.rounded(self.context().add(a, b), log2_sum(*ra, *rb))
            }
        }
    }

    pub(super) fn subtract(&self, other: &Self) -> Self {
        self.add(&other.negate())
    }

    /// The product, where an exact zero wins over an infinity.
    pub(super) fn multiply(&self, other: &Self) -> Self {
        match (&self.number, &other.number) {
            (Nan, _) | (_, Nan) => self.with(Nan),
            _ if self.is_exact_zero() || other.is_exact_zero() => self.constant(0.0),
            (Finite { midpoint: a, radius: ra }, Finite { midpoint: b, radius: rb }) => {
                let error = log2_sum(
                    log2_product(*ra, *rb),
                    log2_sum(log2_product(magnitude(a), *rb), log2_product(magnitude(b), *ra)),
                );
                self.rounded(self.context().mul(a, b), error)
            }
            _ if self.contains_zero() || other.contains_zero() => self.unknown(),
            _ => self.with(Infinite(sign_of(self.is_negative() != other.is_negative()))),
        }
    }

    /// The quotient, where 0/0 is 0 and x/0 is the infinity of the sign of x.
    pub(super) fn divide(&self, other: &Self) -> Self {
        match (&self.number, &other.number) {
            (Nan, _) | (_, Nan) | (Infinite(_), Infinite(_)) => self.with(Nan),
            _ if self.is_exact_zero() => self.constant(0.0),
            (_, Infinite(_)) => self.constant(0.0),
            _ if other.is_exact_zero() && !self.contains_zero() => {
                self.with(Infinite(sign_of(self.is_negative())))
            }
            _ if other.contains_zero() => self.unknown(),
            (Infinite(_), _) => {
                self.with(Infinite(sign_of(self.is_negative() != other.is_negative())))
            }
            (Finite { midpoint: a, radius: ra }, Finite { midpoint: b, radius: rb }) => {
                // With |b| ≥ 2^floor: |a|·rb/(|b|·(|b|−rb)) + ra/(|b|−rb), and |b|−rb ≥ |b|/2.
                let floor = magnitude(b) - 1.0;
                let relative = log2_product(magnitude(a), *rb) - floor;
                let error = log2_sum(*ra, relative) - floor + 1.0;
                self.rounded(self.context().div(a, b), error)
            }
        }
    }

    /// Whether the error is not known to be below half of the number.
    pub(super) fn contains_zero(&self) -> bool {
        matches!(&self.number, Finite { midpoint, radius } if *radius >= magnitude(midpoint) - 2.0)
    }

    /// e^x; arguments beyond ±2^40 give +∞ or e^(−2^40), which no format can tell from 0.
    pub(super) fn exp(&self) -> Self {
        let Finite { midpoint, radius } = &self.number else {
            return match self.number {
                Infinite(Sign::Negative) => self.constant(0.0),
                _ => self.clone(),
            };
        };
        if self.is_exact_zero() {
            return self.constant(1.0);
        }
        if magnitude(midpoint) > EXP_LIMIT + 1.0 && *radius < magnitude(midpoint) - 2.0 {
            return match midpoint.sign() {
                Sign::Positive => self.with(Infinite(Sign::Positive)),
                Sign::Negative => self.constant(-EXP_LIMIT.exp2()).exp(),
            };
        }
        if *radius > 0.0 {
            return self.unknown();
        }
        let result = CONSTANTS
            .with_borrow_mut(|constants| self.context().exp::<2>(midpoint, Some(constants)))
            .map(Approximation::value);
        match result {
            Ok(value) => {
                let error = magnitude(value.repr()) + *radius + 1.0;
                self.inexact(value.into_repr(), error)
            }
            Err(_) => self.unknown(),
        }
    }

    /// e^x − 1 without cancellation near 0.
    pub(super) fn exp_m1(&self) -> Self {
        match &self.number {
            Finite { midpoint, radius } if magnitude(midpoint) < 0.0 && *radius < 0.0 => {
                if self.is_exact_zero() {
                    return self.clone();
                }
                let result = CONSTANTS.with_borrow_mut(|constants| {
                    self.context().exp_m1::<2>(midpoint, Some(constants))
                });
                self.transcendental(result, *radius + 3.0)
            }
            _ => self.exp().subtract(&self.constant(1.0)),
        }
    }

    /// The natural logarithm: −∞ at an exact 0, NaN below it.
    pub(super) fn ln(&self) -> Self {
        match &self.number {
            // Only a clamped exponential is this small, and its logarithm is not known.
            Finite { midpoint, .. } if magnitude(midpoint) < -EXP_LIMIT.exp2() => {
                if self.is_exact_zero() { self.ln_unclamped() } else { self.unknown() }
            }
            _ => self.ln_unclamped(),
        }
    }

    fn ln_unclamped(&self) -> Self {
        match &self.number {
            Nan | Infinite(Sign::Negative) => self.with(Nan),
            Infinite(Sign::Positive) => self.clone(),
            _ if self.is_exact_zero() => self.with(Infinite(Sign::Negative)),
            _ if self.contains_zero() => self.unknown(),
            _ if self.is_negative() => self.with(Nan),
            _ if self.is_one() => self.constant(0.0),
            Finite { midpoint, radius } => {
                let result = CONSTANTS
                    .with_borrow_mut(|constants| self.context().ln::<2>(midpoint, Some(constants)));
                self.transcendental(result, relative_error(midpoint, *radius))
            }
        }
    }

    fn is_one(&self) -> bool {
        self.is_finite_exact()
            && matches!(&self.number, Finite { midpoint, .. } if midpoint.is_one())
    }

    /// ln(1 + x) without cancellation near 0.
    pub(super) fn ln_1p(&self) -> Self {
        match &self.number {
            Finite { midpoint, radius } if magnitude(midpoint) < 0.0 && *radius < -2.0 => {
                if self.is_exact_zero() {
                    return self.clone();
                }
                let result = CONSTANTS.with_borrow_mut(|constants| {
                    self.context().ln_1p::<2>(midpoint, Some(constants))
                });
                self.transcendental(result, *radius + 2.0)
            }
            _ => self.add(&self.constant(1.0)).ln_unclamped(),
        }
    }

    /// The square root: NaN below 0.
    pub(super) fn sqrt(&self) -> Self {
        match &self.number {
            Nan | Infinite(Sign::Negative) => self.with(Nan),
            Infinite(Sign::Positive) => self.clone(),
            _ if self.is_exact_zero() => self.clone(),
            _ if self.contains_zero() => self.unknown(),
            _ if self.is_negative() => self.with(Nan),
            Finite { midpoint, radius } => {
                let result = self.context().sqrt::<2>(midpoint);
                self.rounded(result, relative_error(midpoint, *radius) + magnitude(midpoint) / 2.0)
            }
        }
    }

    /// x^p with x^0 = 1, 0^p = 0 for p > 0 and +∞ for p < 0; NaN for x < 0 and fractional p.
    pub(super) fn power(&self, exponent: &Self) -> Self {
        if let Some(n) = exponent.small_integer() {
            let power = self.power_of(n.unsigned_abs());
            return if n < 0 { self.constant(1.0).divide(&power) } else { power };
        }
        if exponent.is_nan() || self.is_nan() {
            return self.with(Nan);
        }
        if self.is_exact_zero() {
            let infinite = exponent.is_negative();
            return self.constant(if infinite { f64::INFINITY } else { 0.0 });
        }
        exponent.multiply(&self.ln_unclamped()).exp()
    }

    /// The exact integer of magnitude at most 1024 this number is, if it is one.
    fn small_integer(&self) -> Option<i32> {
        if !self.is_finite_exact() {
            return None;
        }
        let x = self.to_f64();
        (x.fract() == 0.0 && x.abs() <= 1024.0).then_some(x as i32)
    }

    fn power_of(&self, exponent: u32) -> Self {
        match exponent {
            0 if self.is_nan() => self.clone(),
            0 => self.constant(1.0),
            1 => self.clone(),
            n => {
                let half = self.power_of(n / 2);
                let square = half.multiply(&half);
                if n % 2 == 0 { square } else { square.multiply(self) }
            }
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Comparison {
        let difference = match (&self.number, &other.number) {
            (Infinite(a), Infinite(b)) if a == b => return Comparison::Certain(Ordering::Equal),
            _ => self.subtract(other),
        };
        let Some(order) = difference.side() else { return Comparison::Unordered };
        if difference.contains_zero() && !difference.is_exact_zero() {
            Comparison::Uncertain
        } else {
            Comparison::Certain(order)
        }
    }

    /// The nearest `f64`, with ±∞ beyond the largest and NaN for NaN.
    pub fn to_f64(&self) -> f64 {
        self.round(Format::F64)
    }

    /// The nearest `f32`, with ±∞ beyond the largest and NaN for NaN.
    pub fn to_f32(&self) -> f32 {
        self.round(Format::F32) as f32
    }

    /// The number rounded once to `format`, ties to even, as an `f64`, which holds every value of
    /// every format.
    pub fn round(&self, format: Format) -> f64 {
        let sign = if self.is_negative() { -1.0 } else { 1.0 };
        let midpoint = match &self.number {
            Nan => return f64::NAN,
            Infinite(_) => return sign * f64::INFINITY,
            Finite { midpoint, .. } => midpoint,
        };
        let unit = Self::ulp_exponent(midpoint, format);
        if magnitude(midpoint) > format.overflow_exponent() {
            return sign * f64::INFINITY;
        }
        if magnitude(midpoint) < unit {
            return sign * 0.0;
        }
        let (significand, exponent) = midpoint.clone().into_parts();
        let in_units = Repr::new(significand, exponent - unit as isize);
        let units = FBig::<HalfEven, 2>::from_repr(in_units, self.context()).to_int().value();
        let rounded = units.to_f64().value() * unit.exp2();
        let overflows = rounded.abs() >= format.overflow_exponent().exp2();
        if overflows { sign * f64::INFINITY } else { rounded }
    }

    /// Base-2 logarithm of the unit of the last place of `format` at this number's magnitude.
    fn ulp_exponent(midpoint: &Repr<2>, format: Format) -> f64 {
        let top = magnitude(midpoint).min(format.overflow_exponent());
        (top - format.significand_bits()).max(format.quantum_exponent())
    }

    /// Whether the error is at most 2^−20 of a unit of the last place of `format`.
    pub(super) fn is_resolved(&self, format: Format) -> bool {
        match &self.number {
            Nan | Infinite(_) => true,
            Finite { midpoint, radius } => {
                let overflows = magnitude(midpoint) > format.overflow_exponent() + 1.0
                    && *radius < magnitude(midpoint) - 2.0;
                overflows || *radius <= Self::ulp_exponent(midpoint, format) - 20.0
            }
        }
    }
}

impl fmt::Display for Big {
    /// Significant decimal digits in scientific notation; `{:.30}` asks for 30 of them (default 20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finite { midpoint, .. } = &self.number else { return self.to_f64().fmt(f) };
        if magnitude(midpoint).abs() > 100_000.0 && !midpoint.significand().is_zero() {
            let sign = if self.is_negative() { "-" } else { "" };
            return write!(f, "{sign}2^{}", magnitude(midpoint));
        }
        let digits = f.precision().unwrap_or(20).max(1);
        let decimal = FBig::<HalfEven, 2>::from_repr(midpoint.clone(), self.context())
            .with_base_and_precision::<10>(digits)
            .value();
        write!(f, "{decimal:e}")
    }
}

/// The distance between `got` and `exact` in units of the last place of `format` at the magnitude
/// of `exact`, with the smallest subnormal as the least unit.
///
/// Zero when both are NaN, and when both are the same infinity or `exact` rounds to the infinity
/// `got`; infinite when only one of them is NaN or infinite.
pub fn ulps(got: f64, exact: &Big, format: Format) -> f64 {
    if got.is_nan() || exact.is_nan() {
        return if got.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_infinite() || exact.is_infinite() {
        return if got == exact.round(format) { 0.0 } else { f64::INFINITY };
    }
    let Finite { midpoint, .. } = &exact.number else { return f64::INFINITY };
    let difference = exact.constant(got).subtract(exact).abs();
    let unit = Repr::new(1.into(), Big::ulp_exponent(midpoint, format) as isize);
    let unit = exact.with(Finite { midpoint: unit, radius: f64::NEG_INFINITY });
    difference.divide(&unit).to_f64()
}

const fn sign_of(negative: bool) -> Sign {
    if negative { Sign::Negative } else { Sign::Positive }
}

const fn side_of(sign: Sign) -> Ordering {
    match sign {
        Sign::Negative => Ordering::Less,
        Sign::Positive => Ordering::Greater,
    }
}

/// The integer m with 2^(m−1) ≤ |x| < 2^m; −∞ for zero.
fn magnitude(x: &Repr<2>) -> f64 {
    if x.significand().is_zero() {
        f64::NEG_INFINITY
    } else {
        x.digits() as f64 + x.exponent() as f64
    }
}

/// Base-2 logarithm of an error of 2^`radius` relative to x, doubled to cover the far end of the
/// interval; x must be known to lie away from zero.
fn relative_error(x: &Repr<2>, radius: f64) -> f64 {
    radius - (magnitude(x) - 1.0) + 1.0
}

/// An upper bound of log₂(2^a + 2^b), from log₂(1 + t) ≤ t·log₂ e.
fn log2_sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY || high == f64::INFINITY {
        high
    } else {
        high + (std::f64::consts::LOG2_E * (low - high).exp2()).min(1.0)
    }
}

/// log₂(2^a · 2^b), where a zero wins over an infinity.
fn log2_product(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY { f64::NEG_INFINITY } else { a + b }
}
