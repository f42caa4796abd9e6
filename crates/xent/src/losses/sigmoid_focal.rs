use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Focal loss of yes-or-no logits: binary cross-entropy that fades as the answer gets likely.
    ///
    /// # Formula
    /// ```text
    /// side * (p * (1 - target) + (1 - p) * target)^gamma * bce
    /// where p = sigmoid(prediction),
    /// bce = target * softplus(-prediction) + (1 - target) * softplus(prediction),
    /// side = if alpha < 0 then 1 else alpha * target + (1 - alpha) * (1 - target)
    /// ```
    ///
    /// # When to use
    /// Dense detection and other yes-or-no tasks where easy negatives outnumber everything else.
    /// Targets are 0, 1 or a probability in between.
    ///
    /// # Pitfalls
    /// The default `alpha` of 0.25 makes positives count *less*, to balance what `gamma` does; it
    /// comes from one detector, as torchvision has it. Probabilities come out underconfident.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, SigmoidFocal};
    /// let loss = SigmoidFocal::default();
    /// assert_eq!(loss.on(&[0.0f32], &[1.0]).values()?, [0.0625 * 2f32.ln()]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// T.-Y. Lin et al., *Focal loss for dense object detection* (2017), arXiv:1708.02002.
    pub struct SigmoidFocal = "sigmoid_focal",
        aliases: ["focal", "binary_focal", "focal_sigmoid"],
        tags: ["binary", "imbalance"],
        ulp: [1.0, 1.0, 1.0]
    {
        /// How fast easy rows fade; 0 is binary cross-entropy.
        gamma: 2.0 in Range::NonNegative,
        /// How much a positive target counts; a negative one counts 1 − `alpha`. With −1 both
        /// count 1.
        alpha: 0.25 in Range::ClosedOr(0.0, 1.0, -1.0),
    }
}

impl SigmoidFocal {
    #[inline(always)]
    fn side<R: Real>(&self, target: R) -> R {
        let alpha = R::constant(self.alpha);
        let balanced = alpha * target + (R::ONE - alpha) * (R::ONE - target);
        alpha.if_less(R::ZERO, R::ONE, balanced)
    }
}

impl Pointwise for SigmoidFocal {
    const PREDICTION: Domain = Domain::Logit;
    const TARGET: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let no = R::ONE - target;
        let wrong = prediction.sigmoid() * no + (-prediction).sigmoid() * target;
        let entropy = target.weigh((-prediction).softplus()) + no.weigh(prediction.softplus());
        self.side(target) * wrong.powf(self.gamma).weigh(entropy)
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
