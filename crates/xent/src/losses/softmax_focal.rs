use crate::catalogue::{Catalogued, Range, catalogued};
use crate::classwise_loss;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Focal loss of several classes: cross-entropy that fades as the target gets likely.
    ///
    /// # Formula
    /// ```text
    /// -alpha * sum(weight * target * softmax_others(prediction)^gamma * log_softmax(prediction))
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = softmax(z), f(p) = −(1 − p)^γ log p, y = target, w = weights
    /// 1. by score s = log p, where dp/ds = p, with L = p log p / (1 − p):
    ///    f′ = (1 − p)^γ (γ L − 1)
    ///    f″ = γ (1 − p)^(γ−1) (2p + p log p − (γ − 1) p L)
    /// 2. Tⱼ = alpha wⱼ yⱼ f′(pⱼ), Uⱼ = alpha wⱼ yⱼ f″(pⱼ), ∂sⱼ/∂zᵢ = [i = j] − pᵢ
    /// 3. gradient   Tᵢ − pᵢ Σⱼ Tⱼ
    /// 4. curvature  Σⱼ Uⱼ ([i = j] − pᵢ)² − pᵢ (1 − pᵢ) Σⱼ Tⱼ
    /// ```
    ///
    /// # When to use
    /// Many easy rows drown a few hard ones: rare classes, dense detection. Class weights
    /// correct for how often a class comes; `gamma` for how easy a row is.
    ///
    /// # Pitfalls
    /// Probabilities come out underconfident, the more so the larger `gamma` is: recalibrate
    /// before reading them. Noisy labels look like hard rows and get the attention.
    ///
    /// # Elsewhere
    /// - Keras `CategoricalFocalCrossentropy`: probabilities, unless `from_logits=True`, clipped at
    ///   10⁻⁷; its `alpha` is 0.25, so its values are a quarter of these.
    /// - PyTorch, torchvision, optax: only the yes-or-no form,
    ///   [`SigmoidFocal`](crate::SigmoidFocal).
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, SoftmaxFocal};
    /// let loss = SoftmaxFocal { gamma: 2.0, alpha: 1.0 };
    /// assert_eq!(loss.on(&[0.0, 0.0], &[0]).values()?, [0.25 * 2f64.ln()]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// T.-Y. Lin et al., *Focal loss for dense object detection* (2017), arXiv:1708.02002.
    pub struct SoftmaxFocal = "softmax_focal",
        aliases: ["categorical_focal", "multiclass_focal", "focal_softmax"],
        tags: ["multiclass", "imbalance"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// How fast easy rows fade; 0 is cross-entropy.
        gamma: 2.0 in Range::NonNegative,
        /// A factor for the whole loss.
        alpha: 1.0 in Range::Positive,
    }
}

impl Classwise for SoftmaxFocal {
    const LINK: Link = Link::Softmax;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        let faded = class.complement.powf(self.gamma);
        -(class.target * faded.weigh(class.score)) * self.alpha
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        let faded = class.complement.powf(self.gamma);
        let entropy = class.probability.weigh(class.score);
        let fading = entropy * faded / class.complement * self.gamma;
        let fading = R::ZERO.if_less(class.complement, fading, R::ZERO);
        -(class.target * (faded - fading)) * self.alpha
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        let faded = class.complement.powf(self.gamma);
        let p = class.probability;
        let entropy = p.weigh(class.score);
        let bend = p * 2.0 + entropy - p * (entropy / class.complement) * (self.gamma - 1.0);
        let fading = bend * (faded / class.complement) * self.gamma;
        class.target * R::ZERO.if_less(class.complement, fading, R::ZERO) * self.alpha
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(SoftmaxFocal);
