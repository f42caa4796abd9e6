use crate::catalogue::{Catalogued, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Hinge loss: how far a score falls short of the margin on its side.
    ///
    /// # Formula
    /// ```text
    /// max(1 - target * prediction, 0)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// m = target · prediction, where target is −1 or 1
    /// 1. m < 1      value 1 − m, gradient −target, curvature 0
    /// 2. m ≥ 1      value, gradient and curvature are 0; at m = 1 any slope
    ///               between the two fits, and 0 is taken
    /// ```
    ///
    /// # When to use
    /// Support vector machines: rows that are right by more than the margin cost nothing and
    /// stop pulling. Targets are −1 and 1.
    ///
    /// # Pitfalls
    /// Scores are not log-odds, so there are no probabilities to read. Targets of 0 and 1 are an
    /// error here; Keras turns them into −1 and 1. At the margin the gradient is 0.
    ///
    /// # Elsewhere
    /// - Keras `Hinge`, optax `hinge_loss`: the same; Keras turns targets of 0 and 1 into −1 and 1.
    /// - scikit-learn `hinge_loss`: the mean of it; two classes of any name stand for −1 and 1.
    ///   `SGDClassifier` trains with it by default.
    /// - PyTorch: none; its `HingeEmbeddingLoss` is about distances. XGBoost `binary:hinge`
    ///   predicts 0 or 1.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, Hinge};
    /// let loss = Hinge::default();
    /// assert_eq!(loss.on(&[0.25, 3.0], &[-1.0, 1.0]).values()?, [1.25, 0.0]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// C. Cortes and V. Vapnik, *Support-vector networks* (1995), doi:10.1007/BF00994018.
    pub struct Hinge = "hinge",
        aliases: ["hinge_loss"],
        tags: ["binary", "margin"],
        ulp: [0.51, 0.0, 0.0]
    {}
}

impl Pointwise for Hinge {
    const TARGET: Domain = Domain::Sign;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        (R::ONE - target * prediction).relu()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        -target * (R::ONE - target * prediction).relu().signum()
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _prediction: R, _target: R) -> R {
        R::ZERO
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
