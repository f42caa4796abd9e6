use crate::catalogue::{Catalogued, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Mean squared error: the square of the residual.
    ///
    /// # Formula
    /// ```text
    /// (prediction - target)^2
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// e = prediction − target
    /// 1. value      e²
    /// 2. gradient   2 e
    /// 3. curvature  2: convex, and one Newton step lands on the target
    /// 4. minimum    over rows of one prediction, Σ e = 0: the mean of the targets
    /// ```
    ///
    /// # When to use
    /// Regression where large errors are as unlikely as a normal distribution says: its minimum
    /// is the conditional mean, and it is the negative log-likelihood of a normal distribution
    /// of fixed variance, up to scale.
    ///
    /// # Pitfalls
    /// One outlier outweighs a hundred good rows; then [`Huber`](crate::Huber) or
    /// [`LogCosh`](crate::LogCosh) is calmer. Some libraries carry a factor ½ (`l2_loss` of
    /// optax, the half losses of scikit-learn); this is the plain square, as in PyTorch.
    ///
    /// # Elsewhere
    /// - PyTorch `MSELoss`, Keras `MeanSquaredError`, optax `squared_error`, scikit-learn
    ///   `mean_squared_error`: the same; optax is unreduced.
    /// - optax `l2_loss`, XGBoost `reg:squarederror`, LightGBM `regression`: half of it, with
    ///   gradient e and curvature 1.
    /// - With sample weights Keras divides by the number of rows, xent and scikit-learn by the sum
    ///   of the weights.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, MeanSquaredError};
    /// let loss = MeanSquaredError::default();
    /// let (value, gradient) = loss.on(&[3.0, 1.0], &[1.0, 1.0]).value_and_gradient()?;
    /// assert_eq!((value, gradient), (2.0, vec![2.0, 0.0]));
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// C. F. Gauss, *Theoria combinationis observationum erroribus minimis obnoxiae* (1823).
    pub struct MeanSquaredError = "mean_squared_error",
        aliases: ["mse", "l2", "squared_error"],
        tags: ["regression"],
        ulp: [0.51, 0.51, 0.0]
    {}
}

impl Pointwise for MeanSquaredError {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).square()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target) * 2.0
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _prediction: R, _target: R) -> R {
        R::constant(2.0)
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
