use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Huber loss: quadratic for small residuals, linear for large ones.
    ///
    /// # Formula
    /// ```text
    /// if abs(e) <= delta then e^2 / 2 else delta * (abs(e) - delta / 2)
    /// where e = prediction - target
    /// ```
    ///
    /// # When to use
    /// Regression with some outliers: near the minimum it learns as fast as the squared error,
    /// and no row pulls harder than `delta`.
    ///
    /// # Pitfalls
    /// `delta` is in units of the target: on targets that are not standardised the default of 1
    /// means almost always linear (prices in dollars) or almost always quadratic (fractions).
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, Huber};
    /// let loss = Huber { delta: 1.0 };
    /// assert_eq!(loss.on(&[3.0, 0.5], &[0.0, 0.0]).values()?, [2.5, 0.125]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// P. J. Huber, *Robust estimation of a location parameter* (1964),
    /// doi:10.1214/aoms/1177703732.
    pub struct Huber = "huber",
        aliases: ["huber_loss"],
        tags: ["regression", "robust"],
        ulp: [0.51, 0.51, 0.0]
    {
        /// The residual where the loss turns linear, in units of the target.
        delta: 1.0 in Range::Positive,
    }
}

impl Pointwise for Huber {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let (distance, delta) = ((prediction - target).abs(), R::constant(self.delta));
        let linear = (distance - delta * 0.5) * delta;
        delta.if_less(distance, linear, distance.square() * 0.5)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (e, delta) = (prediction - target, R::constant(self.delta));
        delta.if_less(e.abs(), e.signum() * delta, e)
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        R::constant(self.delta).if_less((prediction - target).abs(), R::ZERO, R::ONE)
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
