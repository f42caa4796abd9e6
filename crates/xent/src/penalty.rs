//! Penalties on the parameters of a model, to be added to its loss.

use crate::call::Evaluate;
use crate::error::{Error, Result};
use crate::family::pointwise::Pointwise;
use crate::number::{Element, Real};
use crate::reduce::Reduction;
use crate::targets::Targets;

/// L1, the lasso: `strength` · Σ|w|, and its gradient.
///
/// ```
/// let (value, gradient) = xent::penalty::l1(&[3.0, -1.0, 0.0], 0.5)?;
/// assert_eq!((value, gradient), (2.0, vec![0.5, -0.5, 0.0]));
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] if `strength` is negative or not finite.
pub fn l1<T: Element>(parameters: &[T], strength: f64) -> Result<(f64, Vec<T>)> {
    penalise("l1", Absolute { strength }, parameters, strength)
}

/// L2, ridge or weight decay: `strength`/2 · Σw², and its gradient `strength` · w.
///
/// ```
/// let (value, gradient) = xent::penalty::l2(&[3.0, -1.0], 0.5)?;
/// assert_eq!((value, gradient), (2.5, vec![1.5, -0.5]));
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] if `strength` is negative or not finite.
pub fn l2<T: Element>(parameters: &[T], strength: f64) -> Result<(f64, Vec<T>)> {
    penalise("l2", HalfSquare { strength }, parameters, strength)
}

fn penalise<T: Element>(
    name: &'static str,
    penalty: impl Pointwise,
    parameters: &[T],
    strength: f64,
) -> Result<(f64, Vec<T>)> {
    let range = crate::catalogue::Range::NonNegative;
    if !range.contains(strength) {
        let range = range.to_string();
        return Err(Error::Parameter { loss: name, parameter: "strength", value: strength, range });
    }
    let unused = Targets::Values(parameters.into());
    penalty.on(parameters, unused).reduction(Reduction::Sum).value_and_gradient()
}

struct Absolute {
    strength: f64,
}

impl Pointwise for Absolute {
    #[inline(always)]
    fn value<R: Real>(&self, parameter: R, _: R) -> R {
        parameter.abs() * self.strength
    }
}

struct HalfSquare {
    strength: f64,
}

impl Pointwise for HalfSquare {
    #[inline(always)]
    fn value<R: Real>(&self, parameter: R, _: R) -> R {
        parameter.square() * self.strength * 0.5
    }
}
