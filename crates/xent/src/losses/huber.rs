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
    /// # Derivation
    /// ```text
    /// e = prediction − target
    /// 1. |e| ≤ delta  value e²/2, gradient e, curvature 1
    /// 2. |e| > delta  value delta (|e| − delta/2), gradient delta sign(e),
    ///                 curvature 0
    /// 3. |e| = delta  both say delta²/2 and ±delta: value and gradient are
    ///                 continuous, and the curvature steps from 1 to 0
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
    /// # Elsewhere
    /// - PyTorch `HuberLoss`, Keras `Huber`, optax `huber_loss`: the same, delta 1.
    /// - LightGBM `huber` calls it `alpha`, 0.9. XGBoost has only the smooth
    ///   `reg:pseudohubererror`, delta² (√(1 + (e/delta)²) − 1) with `huber_slope` 1.
    /// - scikit-learn: `GradientBoostingRegressor` sets delta at the 0.9 quantile of |e|, anew in
    ///   each round; `HuberRegressor` fits the scale of e as well, with `epsilon` 1.35.
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
