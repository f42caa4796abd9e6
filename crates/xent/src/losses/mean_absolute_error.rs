use crate::catalogue::{Catalogued, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Mean absolute error: the size of the residual.
    ///
    /// # Formula
    /// ```text
    /// abs(prediction - target)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// e = prediction − target
    /// 1. value      |e| = sign(e) e
    /// 2. gradient   sign(e); at e = 0 any slope from −1 to 1 fits, and 0 is taken
    /// 3. curvature  0, but for the corner
    /// 4. minimum    over rows of one prediction, as many targets above as below:
    ///               their median
    /// ```
    ///
    /// # When to use
    /// Regression with outliers, or where the error is judged in the units of the target: its
    /// minimum is the conditional median.
    ///
    /// # Pitfalls
    /// The gradient has the same size however small the error is, so a constant learning rate
    /// ends in a jitter around the minimum. The curvature is 0, so second-order methods such as
    /// gradient boosting need another loss or a surrogate. At a residual of 0 the gradient is 0.
    ///
    /// # Elsewhere
    /// - PyTorch `L1Loss`, Keras `MeanAbsoluteError`, scikit-learn `mean_absolute_error`: the same,
    ///   and the gradient of PyTorch at 0 is 0 too. optax has none.
    /// - XGBoost `reg:absoluteerror`, LightGBM `regression_l1`: trees are grown with curvature 1,
    ///   and then each leaf is set to the median of its residuals.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, MeanAbsoluteError};
    /// let loss = MeanAbsoluteError::default();
    /// let (value, gradient) = loss.on(&[3.0, 1.0], &[1.0, 1.0]).value_and_gradient()?;
    /// assert_eq!((value, gradient), (1.0, vec![0.5, 0.0]));
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// P. S. Laplace, *Mémoire sur la probabilité des causes par les évènements* (1774).
    pub struct MeanAbsoluteError = "mean_absolute_error",
        aliases: ["mae", "l1", "absolute_error"],
        tags: ["regression", "robust"],
        ulp: [0.51, 0.0, 0.0]
    {}
}

impl Pointwise for MeanAbsoluteError {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).abs()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).signum()
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _prediction: R, _target: R) -> R {
        R::ZERO
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
