use crate::catalogue::{Catalogued, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Binary cross-entropy of probabilities: minus the log-probability of a yes or a no.
    ///
    /// # Formula
    /// ```text
    /// -(target * log(prediction) + (1 - target) * log(1 - prediction))
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = prediction, y = target
    /// 1. value      −y log p − (1 − y) log(1 − p)
    /// 2. gradient   −y/p + (1 − y)/(1 − p) = (p − y) / (p (1 − p))
    /// 3. curvature  y/p² + (1 − y)/(1 − p)², above 0: convex
    /// 4. behind a sigmoid, where dp/dz = p (1 − p), the gradient is p − y
    /// ```
    ///
    /// # When to use
    /// To score yes-or-no predictions that are probabilities already. Targets are 0, 1 or a
    /// probability in between.
    ///
    /// # Pitfalls
    /// To train, give logits to
    /// [`BinaryCrossEntropyWithLogits`](crate::BinaryCrossEntropyWithLogits): a probability that
    /// has been rounded to 0 or 1 has lost the gradient. A sure mistake costs +∞ here; PyTorch
    /// stops at 100, Keras at 16.
    ///
    /// # Elsewhere
    /// - PyTorch `BCELoss`: the logarithms stop at −100, and the gradient at 10¹².
    /// - Keras `BinaryCrossentropy`, as it is by default: probabilities are clipped at 10⁻⁷.
    /// - scikit-learn `log_loss`: probabilities are clipped at the machine epsilon of the type.
    /// - optax: only from logits.
    ///
    /// # Example
    /// ```
    /// use xent::{BinaryCrossEntropy, Evaluate};
    /// let loss = BinaryCrossEntropy::default();
    /// assert_eq!(loss.on(&[0.5f32, 1.0], &[0.0, 1.0]).values()?, [0.6931472, 0.0]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// I. J. Good, *Rational decisions* (1952), doi:10.1111/j.2517-6161.1952.tb00104.x.
    pub struct BinaryCrossEntropy = "binary_cross_entropy",
        aliases: ["bce", "binary_cross_entropy_probabilities"],
        tags: ["binary"],
        ulp: [0.51, 0.51, 0.51]
    {}
}

impl Pointwise for BinaryCrossEntropy {
    const PREDICTION: Domain = Domain::Probability;
    const TARGET: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let no = R::ONE - target;
        -(target.weigh(prediction.ln()) + no.weigh((-prediction).ln_1p()))
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        (R::ONE - target).over(R::ONE - prediction) - target.over(prediction)
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        let (no, other) = (R::ONE - target, R::ONE - prediction);
        no.over(other).over(other) + target.over(prediction).over(prediction)
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
