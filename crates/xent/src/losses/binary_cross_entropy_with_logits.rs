use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Binary cross-entropy of logits: minus the log-probability that the sigmoid gives to a yes
    /// or a no.
    ///
    /// # Formula
    /// ```text
    /// pos_weight * target * softplus(-prediction) + (1 - target) * softplus(prediction)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = sigmoid(z), y = target, w = pos_weight
    /// 1. log p = −softplus(−z), log(1 − p) = −softplus(z), softplus′ = sigmoid
    /// 2. value      w y softplus(−z) + (1 − y) softplus(z)
    /// 3. gradient   (1 − y) p − w y (1 − p), which is p − y where w = 1
    /// 4. curvature  (w y + 1 − y) p (1 − p), above 0: convex
    /// ```
    ///
    /// # When to use
    /// Yes-or-no classification, and several labels at once, each by itself. Targets are 0, 1 or
    /// a probability in between.
    ///
    /// # Pitfalls
    /// It takes logits: a sigmoid before it is applied twice. `pos_weight` above 1 trades
    /// precision for recall and shifts the probabilities; undo the shift before reading them.
    ///
    /// # Elsewhere
    /// - PyTorch `BCEWithLogitsLoss`: the same, `pos_weight` too. TensorFlow splits it in two:
    ///   `tf.nn.sigmoid_cross_entropy_with_logits`, `tf.nn.weighted_cross_entropy_with_logits`.
    /// - Keras `BinaryCrossentropy`: only with `from_logits=True`. optax
    ///   `sigmoid_binary_cross_entropy`: unreduced, no `pos_weight`.
    /// - XGBoost `binary:logistic`, LightGBM `binary`: the same gradient and curvature;
    ///   `pos_weight` is `scale_pos_weight`.
    ///
    /// # Example
    /// ```
    /// use xent::{BinaryCrossEntropyWithLogits, Evaluate};
    /// let loss = BinaryCrossEntropyWithLogits::default();
    /// assert_eq!(loss.on(&[0.0f32, 30.0], &[1.0, 1.0]).values()?, [0.6931472, 9.357623e-14]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// D. R. Cox, *The regression analysis of binary sequences* (1958),
    /// doi:10.1111/j.2517-6161.1958.tb00292.x.
    pub struct BinaryCrossEntropyWithLogits = "binary_cross_entropy_with_logits",
        aliases: ["bce_with_logits", "sigmoid_cross_entropy", "logistic_loss"],
        tags: ["binary"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// How many times a positive target counts.
        pos_weight: 1.0 in Range::NonNegative,
    }
}

impl BinaryCrossEntropyWithLogits {
    /// What the target says for yes and for no.
    #[inline(always)]
    fn sides<R: Real>(&self, target: R) -> (R, R) {
        (target * self.pos_weight, R::ONE - target)
    }
}

impl Pointwise for BinaryCrossEntropyWithLogits {
    const PREDICTION: Domain = Domain::Logit;
    const TARGET: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let (yes, no) = self.sides(target);
        prediction.weighed_softpluses(yes, no)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (yes, no) = self.sides(target);
        let [p, not_p] = prediction.sigmoids();
        no * p - yes * not_p
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        let (yes, no) = self.sides(target);
        let [p, not_p] = prediction.sigmoids();
        (yes + no) * p * not_p
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
