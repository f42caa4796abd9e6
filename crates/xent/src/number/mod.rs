//! The numbers a loss is written over.
//!
//! A loss is a formula over [`Real`]; the type it is evaluated with decides what the formula
//! means. [`f64`] (for `f32` data, and `f16` and `bf16`) and [`Double`] (for `f64` data) carry about
//! twice the digits of the data, so that the one rounding at the end is nearly all the error there
//! is. [`Dual`] carries exact first and second derivatives along.

mod double;
mod dual;
mod element;
mod half;
mod wide;

pub use double::Double;
pub use dual::Dual;
pub use element::Element;

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that a loss can be computed with; `f64` on the right is an exact constant.
///
/// No operation branches on the data, so that loops over `Real` vectorise: where a formula has
/// cases, it computes them all and picks with [`if_less`](Real::if_less).
pub trait Real:
    Copy
    + Send
    + Sync
    + 'static
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The exact value of an `f64`, such as a parameter of a loss.
    fn constant(value: f64) -> Self;

    /// `then` where `self < other`; `otherwise` elsewhere, also where either is NaN.
    fn if_less(self, other: Self, then: Self, otherwise: Self) -> Self;

    /// e to the power of `self`.
    fn exp(self) -> Self;

    /// `exp(self)` where the result is only rounded to the data: to 2⁻³³ for `f32` data, 2⁻⁵⁷ for
    /// `f64` data. Arguments below −708 may count as −708, those above 709 as 709.
    #[inline(always)]
    fn exp_coarse(self) -> Self {
        let limited = self.if_less(Self::constant(-708.0), Self::constant(-708.0), self);
        Self::constant(709.0).if_less(limited, Self::constant(709.0), limited).exp()
    }

    /// `exp(self) - 1`, accurate near 0.
    fn exp_m1(self) -> Self;

    /// The natural logarithm: −∞ at 0, NaN below.
    fn ln(self) -> Self;

    /// `ln(1 + self)`, accurate near 0.
    fn ln_1p(self) -> Self;

    /// The absolute value; its derivative at 0 is 0.
    fn abs(self) -> Self;

    /// `self` to a constant power, for `self ≥ 0`; x⁰ is 1.
    fn powf(self, exponent: f64) -> Self;

    /// The sum of finite numbers of like sign, or NaN.
    #[inline(always)]
    fn plus_like(self, other: Self) -> Self {
        self + other
    }

    /// `self · self`.
    #[inline(always)]
    fn square(self) -> Self {
        self * self
    }

    /// `self` where positive, else 0; its derivative at 0 is 0. NaN stays NaN.
    #[inline(always)]
    fn relu(self) -> Self {
        let zero_or_nan = self.if_less(Self::ZERO, Self::ZERO, self * Self::ZERO);
        Self::ZERO.if_less(self, self, zero_or_nan)
    }

    /// −1, 0 or 1 by sign; differentiation takes it for a constant. NaN stays NaN.
    #[inline(always)]
    fn signum(self) -> Self {
        let not_positive = self.if_less(Self::ZERO, -Self::ONE, self * Self::ZERO);
        Self::ZERO.if_less(self, Self::ONE, not_positive)
    }

    /// `self · other`, but 0 where `self` is 0 even if `other` is infinite: the rule 0·log 0 = 0.
    #[inline(always)]
    fn weigh(self, other: Self) -> Self {
        Self::ZERO.if_less(self.abs(), self * other, self * Self::ZERO)
    }

    /// `self / divisor`, but 0 where `self` is 0 even if `divisor` is 0.
    #[inline(always)]
    fn over(self, divisor: Self) -> Self {
        Self::ZERO.if_less(self.abs(), self / divisor, self * Self::ZERO)
    }

    /// The logistic function `1 / (1 + exp(-self))`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        self.if_less(Self::ZERO, e, Self::ONE) / (e + 1.0)
    }

    /// The logistic function of `self` and of `-self`: two shares of 1, each accurate near 0.
    #[inline(always)]
    fn sigmoids(self) -> [Self; 2] {
        [self.sigmoid(), (-self).sigmoid()]
    }

    /// `ln(1 + exp(self))`.
    #[inline(always)]
    fn softplus(self) -> Self {
        self.relu() + (-self.abs()).exp().ln_1p()
    }

    /// `yes · ln(1 + exp(-self)) + no · ln(1 + exp(self))` for `yes` and `no` of 0 or more; 0 counts
    /// for nothing even if the logarithm is infinite.
    #[inline(always)]
    fn weighed_softpluses(self, yes: Self, no: Self) -> Self {
        yes.weigh((-self).softplus()) + no.weigh(self.softplus())
    }

    /// The hyperbolic tangent.
    #[inline(always)]
    fn tanh(self) -> Self {
        let e = (self.abs() * -2.0).exp_m1();
        let magnitude = -e / (e + 2.0);
        self.if_less(Self::ZERO, -magnitude, magnitude)
    }

    /// `1 / cosh²(self)`, the derivative of tanh.
    #[inline(always)]
    fn sech_squared(self) -> Self {
        let e = (self.abs() * -2.0).exp();
        e * 4.0 / (e + 1.0).square()
    }

    /// `ln(cosh(self))`.
    #[inline(always)]
    fn ln_cosh(self) -> Self {
        let x = self.abs();
        let e = x.exp_m1();
        let sinh = (e + e / (e + 1.0)) * 0.5;
        let near = sinh.square().ln_1p() * 0.5;
        let far = x + (x * -2.0).exp().ln_1p() - Self::ln_2();
        x.if_less(Self::ONE, near, far)
    }

    /// ln 2 to the precision of the type.
    fn ln_2() -> Self;
}

/// Adding 1.5·2⁵² leaves the nearest integer in the low bits of the sum.
const INTEGER: f64 = 6_755_399_441_055_744.0;
/// The bits of √½.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;

/// 2ⁿ for the n in the low bits, −1022 ≤ n ≤ 1023.
#[inline(always)]
fn power_of_two(n: u64) -> f64 {
    f64::from_bits((n << 52).wrapping_add(1.0f64.to_bits()))
}

/// A polynomial from its coefficients, that of the highest power last.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let mut sum = coefficients[N - 1];
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = x.mul_add(sum, coefficient);
    }
    sum
}

/// `number op f64` through the exact constant, for a type that has `number op number`.
macro_rules! constants_on_the_right {
    ($type:ty $(, $generic:ident)?) => {
        constants_on_the_right!(@ $type, [$($generic)?], Add add, Sub sub, Mul mul, Div div);
    };
    (@ $type:ty, $generic:tt, $($trait:ident $method:ident),*) => {
        $(constants_on_the_right!(# $type, $generic, $trait $method);)*
    };
    (# $type:ty, [$($generic:ident)?], $trait:ident $method:ident) => {
        impl$(<$generic: Real>)? std::ops::$trait<f64> for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, constant: f64) -> Self {
                std::ops::$trait::$method(self, Self::constant(constant))
            }
        }
    };
}
use constants_on_the_right;
