use crate::catalogue::{Catalogued, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Log-cosh loss: half the square for small residuals, the absolute value less log 2 for
    /// large ones, smooth in between.
    ///
    /// # Formula
    /// ```text
    /// logcosh(prediction - target)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// e = prediction − target
    /// 1. value      log cosh e: about e²/2 for small e, |e| − log 2 for large
    /// 2. gradient   sinh e / cosh e = tanh e, within −1 and 1
    /// 3. curvature  1 − tanh² e = 1/cosh² e, above 0: convex
    /// ```
    ///
    /// # When to use
    /// As [`Huber`](crate::Huber), where second derivatives matter: it has all of them, and no
    /// parameter to tune.
    ///
    /// # Pitfalls
    /// It turns linear at a residual of about 1 in units of the target, so scale targets first.
    ///
    /// # Elsewhere
    /// - Keras `LogCosh`, optax `log_cosh`: the same, but both subtract log 2 at the end, which
    ///   costs small residuals their digits: in single precision optax has 0 for 5·10⁻⁹ at e =
    ///   10⁻⁴.
    /// - PyTorch, scikit-learn, XGBoost, LightGBM: none. The `reg:pseudohubererror` of XGBoost has
    ///   the same shape.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, LogCosh};
    /// let loss = LogCosh::default();
    /// let (value, gradient) = loss.on(&[1.0], &[0.0]).value_and_gradient()?;
    /// assert_eq!((value, gradient), (0.4337808304830272, vec![0.7615941559557649]));
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// R. A. Saleh and A. K. Md. E. Saleh, *Statistical properties of the log-cosh loss function
    /// used in machine learning* (2022), arXiv:2208.04564.
    pub struct LogCosh = "log_cosh",
        aliases: ["logcosh"],
        tags: ["regression", "robust"],
        ulp: [0.51, 0.51, 0.51]
    {}
}

impl Pointwise for LogCosh {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).ln_cosh()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).tanh()
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        (prediction - target).sech_squared()
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
