use crate::catalogue::{Catalogued, catalogued};
use crate::classwise_loss;
use crate::family::Domain;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Negative log-likelihood: minus the log-probability of the target, as the model gives it.
    ///
    /// # Formula
    /// ```text
    /// -sum(weight * target * prediction)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// s = prediction, the log-probabilities; y = target, w = weight of each class
    /// 1. value      −Σⱼ wⱼ yⱼ sⱼ, linear in s
    /// 2. gradient   −wᵢ yᵢ, whatever the prediction is
    /// 3. curvature  0
    /// 4. behind s = log_softmax(z), ∂sⱼ/∂zᵢ = [i = j] − pᵢ, and without weights
    ///    the gradient in the logits is that of cross-entropy, pᵢ − yᵢ
    /// ```
    ///
    /// # When to use
    /// After a layer that gives log-probabilities, such as an adaptive or hierarchical softmax.
    /// Targets are class indices or distributions.
    ///
    /// # Pitfalls
    /// It does not normalise: logits or probabilities in place of log-probabilities give a number
    /// that means nothing and falls without bound. For logits use
    /// [`CrossEntropy`](crate::CrossEntropy).
    ///
    /// # Elsewhere
    /// - PyTorch `NLLLoss`: the same for class indices, and its mean divides by the sum of the
    ///   targets' weights too; a mean over nothing is NaN there. It takes no distributions.
    /// - Keras, optax, scikit-learn: none for log-probabilities; they start from logits or
    ///   probabilities.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, NegativeLogLikelihood, information::log_softmax};
    /// let loss = NegativeLogLikelihood::default();
    /// let log_probabilities = log_softmax(&[2.0f32, 1.0, 0.1]);
    /// assert_eq!(loss.on(&log_probabilities, &[0]).values()?, [0.41703]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// R. A. Fisher, *On the mathematical foundations of theoretical statistics* (1922),
    /// doi:10.1098/rsta.1922.0009.
    pub struct NegativeLogLikelihood = "negative_log_likelihood",
        aliases: ["nll", "nll_loss"],
        tags: ["multiclass"],
        ulp: [0.51, 0.51, 0.0]
    {}
}

impl Classwise for NegativeLogLikelihood {
    const LINK: Link = Link::Identity;
    const PREDICTION: Domain = Domain::LogProbability;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        -(class.target * class.score)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        -class.target
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _class: Class<R>) -> R {
        R::ZERO
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(NegativeLogLikelihood);
