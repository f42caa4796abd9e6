use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Quantile loss (pinball loss): an absolute error that is steeper on one side.
    ///
    /// # Formula
    /// ```text
    /// if d > 0 then quantile * d else (quantile - 1) * d
    /// where d = target - prediction
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// d = target − prediction, so the derivative of d is −1
    /// 1. d > 0      value quantile d, gradient −quantile
    /// 2. d ≤ 0      value (quantile − 1) d, gradient 1 − quantile
    /// 3. curvature  0, but for the corner
    /// 4. minimum    quantile P(d > 0) = (1 − quantile) P(d ≤ 0), so that
    ///               P(target ≤ prediction) = quantile
    /// ```
    ///
    /// # When to use
    /// To predict a quantile instead of a mean: with `quantile` 0.9 the minimum is the value that
    /// nine targets in ten stay below. Two of them make a prediction interval.
    ///
    /// # Pitfalls
    /// Models of several quantiles can cross. The curvature is 0, as for the absolute error; at
    /// a residual of 0 the gradient is 1 − `quantile`.
    ///
    /// # Elsewhere
    /// - scikit-learn: the metric `mean_pinball_loss` and its parameter `alpha` (0.5), or
    ///   `loss="quantile"` of its boosting models.
    /// - LightGBM `quantile`: `alpha`, 0.9; trees are grown with curvature 1, and then each leaf is
    ///   set to the quantile of its residuals. XGBoost `reg:quantileerror`: `quantile_alpha`, which
    ///   has no default and may list several.
    /// - PyTorch, Keras, optax: none.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, Quantile};
    /// let loss = Quantile { quantile: 0.75 };
    /// assert_eq!(loss.on(&[1.0, 1.0], &[3.0, 0.0]).values()?, [1.5, 0.25]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// R. Koenker and G. Bassett, *Regression quantiles* (1978), doi:10.2307/1913643.
    pub struct Quantile = "quantile",
        aliases: ["pinball", "quantile_loss"],
        tags: ["regression", "robust"],
        ulp: [0.51, 0.51, 0.0]
    {
        /// The quantile to predict.
        quantile: 0.5 in Range::Closed(0.0, 1.0),
    }
}

impl Pointwise for Quantile {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let (d, quantile) = (target - prediction, R::constant(self.quantile));
        R::ZERO.if_less(d, d * quantile, d * (quantile - 1.0))
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (d, quantile) = (target - prediction, R::constant(self.quantile));
        // The last term is 0, or NaN where d is.
        R::ZERO.if_less(d, -quantile, R::ONE - quantile) + d.signum() * 0.0
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _prediction: R, _target: R) -> R {
        R::ZERO
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
