//! Exact first and second derivatives by forward differentiation.

use super::{Real, constants_on_the_right};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value with its first and second derivative with respect to one variable.
///
/// ```
/// use xent::{Dual, Real};
/// let x = Dual::variable(3.0);
/// let cube = x * x * x;
/// assert_eq!((cube.value, cube.first, cube.second), (27.0, 27.0, 18.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<R> {
    /// The value.
    pub value: R,
    /// The first derivative.
    pub first: R,
    /// The second derivative.
    pub second: R,
}

impl<R: Real> Dual<R> {
    /// The variable that derivatives are taken by.
    #[inline(always)]
    pub fn variable(value: R) -> Self {
        Self { value, first: R::ONE, second: R::ZERO }
    }

    /// A number that does not depend on the variable.
    #[inline(always)]
    pub fn fixed(value: R) -> Self {
        Self { value, first: R::ZERO, second: R::ZERO }
    }

    /// The chain rule: `outer`, `first` and `second` are f, f′ and f″ at `self.value`.
    #[inline(always)]
    fn chain(self, outer: R, first: R, second: R) -> Self {
        Self {
            value: outer,
            first: times(first, self.first),
            second: times(second, self.first.square()) + times(first, self.second),
        }
    }
}

/// A product in which a variable that stands still outweighs an infinite slope.
#[inline(always)]
fn times<R: Real>(slope: R, change: R) -> R {
    let still = change.if_less(R::ZERO, R::ONE, R::ZERO) + R::ZERO.if_less(change, R::ONE, R::ZERO);
    R::ZERO.if_less(still, slope * change, change)
}

impl<R: Real> Neg for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { value: -self.value, first: -self.first, second: -self.second }
    }
}

impl<R: Real> Add for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            first: self.first + other.first,
            second: self.second + other.second,
        }
    }
}

impl<R: Real> Sub for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<R: Real> Mul for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            first: times(self.value, other.first) + times(other.value, self.first),
            second: times(self.value, other.second)
                + times(self.first, other.first) * 2.0
                + times(other.value, self.second),
        }
    }
}

impl<R: Real> Div for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let first = (self.first - times(value, other.first)) / other.value;
        let second = (self.second - times(first, other.first) * 2.0 - times(value, other.second))
            / other.value;
        Self { value, first, second }
    }
}

constants_on_the_right!(Dual<R>, R);

impl<R: Real> Real for Dual<R> {
    const ZERO: Self = Self { value: R::ZERO, first: R::ZERO, second: R::ZERO };
    const ONE: Self = Self { value: R::ONE, first: R::ZERO, second: R::ZERO };

    #[inline(always)]
    fn constant(value: f64) -> Self {
        Self::fixed(R::constant(value))
    }

    #[inline(always)]
    fn if_less(self, other: Self, then: Self, otherwise: Self) -> Self {
        let pick = |then, otherwise| self.value.if_less(other.value, then, otherwise);
        Self {
            value: pick(then.value, otherwise.value),
            first: pick(then.first, otherwise.first),
            second: pick(then.second, otherwise.second),
        }
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.chain(e, e, e)
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        let e = self.value.exp();
        self.chain(self.value.exp_m1(), e, e)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        let slope = R::ONE / self.value;
        self.chain(self.value.ln(), slope, -slope.square())
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        let slope = R::ONE / (self.value + 1.0);
        self.chain(self.value.ln_1p(), slope, -slope.square())
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.chain(self.value.abs(), self.value.signum(), R::ZERO)
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        let (n, n1) = (R::constant(exponent), R::constant(exponent) - 1.0);
        let falling = |factor: R, power: f64| {
            let zero = exponent == 0.0 || (exponent == 1.0 && power < 0.0);
            if zero { R::ZERO } else { factor * self.value.powf(power) }
        };
        self.chain(
            self.value.powf(exponent),
            falling(n, exponent - 1.0),
            falling(n * n1, exponent - 2.0),
        )
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        let [s, not_s] = self.value.sigmoids();
        let slope = s * not_s;
        self.chain(s, slope, slope * (not_s - s))
    }

    #[inline(always)]
    fn softplus(self) -> Self {
        let [s, not_s] = self.value.sigmoids();
        self.chain(self.value.softplus(), s, s * not_s)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let (t, slope) = (self.value.tanh(), self.value.sech_squared());
        self.chain(t, slope, t * slope * -2.0)
    }

    #[inline(always)]
    fn ln_cosh(self) -> Self {
        self.chain(self.value.ln_cosh(), self.value.tanh(), self.value.sech_squared())
    }

    #[inline(always)]
    fn ln_2() -> Self {
        Self::fixed(R::ln_2())
    }
}
