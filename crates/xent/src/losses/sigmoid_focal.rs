use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Focal loss of yes-or-no logits: binary cross-entropy that fades as the answer gets likely.
    ///
    /// # Formula
    /// ```text
    /// side * (p * (1 - target) + sigmoid(-prediction) * target)^gamma * bce
    /// where p = sigmoid(prediction),
    /// bce = target * softplus(-prediction) + (1 - target) * softplus(prediction),
    /// side = if alpha < 0 then 1 else alpha * target + (1 - alpha) * (1 - target)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = sigmoid(z), y = target, u = p (1 − y) + (1 − p) y, b = bce
    /// 1. value      side u^γ b
    /// 2. b′ = p − y, b″ = p (1 − p)
    ///    r = u′/u = p (1 − p) (1 − 2y) / u, u″/u = r (1 − 2p)
    /// 3. gradient   side u^γ (γ r b + b′)
    /// 4. curvature  side u^γ (γ ((γ − 1) r² b + u″/u b + 2 r b′) + b″)
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
    /// # Elsewhere
    /// - torchvision `sigmoid_focal_loss`: the same parameters and defaults, `alpha` 0.25 and −1
    ///   for none, but unreduced by default. PyTorch itself has none.
    /// - optax `sigmoid_focal_loss`: the same, but without `alpha` by default.
    /// - Keras `BinaryFocalCrossentropy`: probabilities, unless `from_logits=True`, and `alpha`
    ///   only with `apply_class_balancing=True`.
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
        ulp: [0.51, 0.51, 0.51]
    {
        /// How fast easy rows fade; 0 is binary cross-entropy.
        gamma: 2.0 in Range::NonNegative,
        /// How much a positive target counts; a negative one counts 1 − `alpha`. With −1 both
        /// count 1.
        alpha: 0.25 in Range::ClosedOr(0.0, 1.0, -1.0),
    }
}

/// The loss is side · wrongᵞ · entropy; these are the last two factors and what their derivatives
/// are made of.
struct Parts<R> {
    side: R,
    /// wrongᵞ, where wrong is the probability of the other answer.
    faded: R,
    /// wrong′ / wrong and wrong″ / wrong.
    wrong_slope: R,
    wrong_bend: R,
    entropy: R,
    entropy_slope: R,
    entropy_bend: R,
}

impl SigmoidFocal {
    #[inline(always)]
    fn parts<R: Real>(&self, prediction: R, target: R) -> Parts<R> {
        let no = R::ONE - target;
        let [p, not_p] = prediction.sigmoids();
        let wrong = p * no + not_p * target;
        let alpha = R::constant(self.alpha);
        let wrong_slope = p * not_p * (no - target) / wrong;
        Parts {
            side: alpha.if_less(R::ZERO, R::ONE, alpha * target + (R::ONE - alpha) * no),
            faded: wrong.powf(self.gamma),
            wrong_slope,
            wrong_bend: wrong_slope * (not_p - p),
            entropy: prediction.weighed_softpluses(target, no),
            entropy_slope: p * no - not_p * target,
            entropy_bend: p * not_p,
        }
    }
}

impl Pointwise for SigmoidFocal {
    const PREDICTION: Domain = Domain::Logit;
    const TARGET: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let parts = self.parts(prediction, target);
        parts.side * parts.faded.weigh(parts.entropy)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (parts, gamma) = (self.parts(prediction, target), R::constant(self.gamma));
        let fading = gamma.weigh(parts.wrong_slope * parts.entropy);
        parts.side * parts.faded.weigh(fading + parts.entropy_slope)
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        let (parts, gamma) = (self.parts(prediction, target), R::constant(self.gamma));
        let bend = (gamma - 1.0) * parts.wrong_slope.square() + parts.wrong_bend;
        let fading = gamma.weigh(bend * parts.entropy + parts.wrong_slope * parts.entropy_slope * 2.0);
        parts.side * parts.faded.weigh(fading + parts.entropy_bend)
    }

    /// Any other power is a logarithm and an exponential.
    #[inline(always)]
    fn with_usual_parameters(&self, run: impl FnOnce(&Self)) {
        if self.gamma == 2.0 { run(&Self { gamma: 2.0, ..*self }) } else { run(self) }
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
