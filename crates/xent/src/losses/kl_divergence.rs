use crate::catalogue::{Catalogued, catalogued};
use crate::classwise_loss;
use crate::family::Domain;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Kullback-Leibler divergence of predicted log-probabilities from a target distribution.
    ///
    /// # Formula
    /// ```text
    /// sum(weight * target * (log(target) - prediction))
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// s = prediction, the log-probabilities; y = target, w = weight of each class
    /// 1. value      Σⱼ wⱼ yⱼ (log yⱼ − sⱼ): cross-entropy less the entropy of y
    /// 2. gradient   −wᵢ yᵢ: the entropy of y does not depend on s
    /// 3. curvature  0
    /// 4. behind s = log_softmax(z), without weights, the gradient in the logits
    ///    is pᵢ − yᵢ, and the value is 0 only where p = y
    /// ```
    ///
    /// # When to use
    /// To bring a distribution close to another: distillation, variational models, policies. The
    /// gradient is that of the cross-entropy; the value is 0 when the two agree.
    ///
    /// # Pitfalls
    /// Predictions are log-probabilities, targets probabilities, as in PyTorch. The value is per
    /// row, so the mean divides by rows (`batchmean` of PyTorch, not its `mean`). It is not
    /// symmetric: swapping the arguments gives another divergence.
    ///
    /// # Elsewhere
    /// - PyTorch `KLDivLoss`: the same with `reduction="batchmean"`; its default mean divides by
    ///   the number of classes as well. `log_target=True` takes logarithms of targets.
    /// - optax `kl_divergence`: the same, per row; a target of 0 at a log-probability of −∞ gives
    ///   NaN there and in PyTorch, here 0.
    /// - Keras `KLDivergence`: probabilities on both sides, clipped to [10⁻⁷, 1]. SciPy
    ///   `entropy(target, prediction)`: probabilities, each divided by its sum.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, KlDivergence};
    /// let loss = KlDivergence::default();
    /// let predictions = [0.25f64.ln(), 0.75f64.ln()];
    /// assert_eq!(loss.on(&predictions, &[0.5, 0.5]).values()?, [0.14384103622589042]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// S. Kullback and R. A. Leibler, *On information and sufficiency* (1951),
    /// doi:10.1214/aoms/1177729694.
    pub struct KlDivergence = "kl_divergence",
        aliases: ["kl", "kl_div", "kullback_leibler"],
        tags: ["multiclass"],
        ulp: [0.51, 0.51, 0.0]
    {}
}

impl Classwise for KlDivergence {
    const LINK: Link = Link::Identity;
    const PREDICTION: Domain = Domain::LogProbability;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        class.target * (class.target.ln() - class.score)
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
classwise_loss!(KlDivergence);
