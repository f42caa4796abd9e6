use crate::catalogue::{Catalogued, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Squared hinge loss: the square of what a score lacks to the margin on its side.
    ///
    /// # Formula
    /// ```text
    /// max(1 - target * prediction, 0)^2
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// m = target · prediction, where target is −1 or 1
    /// 1. m < 1      value (1 − m)², gradient −2 target (1 − m), curvature 2
    /// 2. m ≥ 1      value, gradient and curvature are 0
    /// 3. at m = 1 the gradient is continuous, and the curvature steps to 0
    /// ```
    ///
    /// # When to use
    /// As [`Hinge`](crate::Hinge), with a gradient that is continuous and grows with the error.
    /// Targets are −1 and 1.
    ///
    /// # Pitfalls
    /// As for the squared error, an outlier on the wrong side outweighs everything else.
    ///
    /// # Elsewhere
    /// - Keras `SquaredHinge`: the same; it turns targets of 0 and 1 into −1 and 1.
    /// - scikit-learn: the default of `LinearSVC`, and `loss="squared_hinge"` of `SGDClassifier`;
    ///   no metric.
    /// - PyTorch, optax: none.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, SquaredHinge};
    /// let loss = SquaredHinge::default();
    /// assert_eq!(loss.on(&[0.5, 3.0], &[-1.0, 1.0]).values()?, [2.25, 0.0]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// Y. Tang, *Deep learning using linear support vector machines* (2013), arXiv:1306.0239.
    pub struct SquaredHinge = "squared_hinge",
        aliases: ["squared_hinge_loss", "l2_svm"],
        tags: ["binary", "margin"],
        ulp: [0.51, 0.51, 0.0]
    {}
}

impl Pointwise for SquaredHinge {
    const TARGET: Domain = Domain::Sign;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        (R::ONE - target * prediction).relu().square()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        target * (R::ONE - target * prediction).relu() * -2.0
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        (R::ONE - target * prediction).relu().signum() * 2.0
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
