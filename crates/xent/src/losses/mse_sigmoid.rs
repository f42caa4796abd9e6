use crate::catalogue::{Catalogued, catalogued};
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Mean squared error of the sigmoid: the squared difference between probability and target,
    /// which is the Brier score.
    ///
    /// # Formula
    /// ```text
    /// (sigmoid(prediction) - target)^2
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = sigmoid(z), d = p − target
    /// 1. value      d²
    /// 2. dp/dz = p (1 − p), and its derivative is p (1 − p) (1 − 2p)
    /// 3. gradient   2 d p (1 − p): 0 for a sure answer, right or wrong
    /// 4. curvature  2 p (1 − p) (p (1 − p) + d (1 − 2p)), below 0 where a sure
    ///               answer is wrong: not convex
    /// ```
    ///
    /// # When to use
    /// To score yes-or-no probabilities, or to see why cross-entropy trains a classifier and
    /// this does not.
    ///
    /// # Pitfalls
    /// The gradient carries the factor p (1 − p): a row that is confidently wrong hardly moves.
    /// It is not convex in the logit.
    ///
    /// # Elsewhere
    /// - scikit-learn `brier_score_loss`: the same of probabilities and two classes; its labels are
    ///   classes, not shares.
    /// - PyTorch, Keras, optax: the squared error after a sigmoid of your own. Rounding 1 − p to 0
    ///   there ends the gradient at logits of about 17 in single precision; here it stays exact.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, MseSigmoid};
    /// let loss = MseSigmoid::default();
    /// assert_eq!(loss.on(&[0.0], &[1.0]).values()?, [0.25]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// G. W. Brier, *Verification of forecasts expressed in terms of probability* (1950),
    /// doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    pub struct MseSigmoid = "mse_sigmoid",
        aliases: ["sigmoid_mse", "brier_sigmoid", "binary_brier"],
        tags: ["binary", "bounded"],
        ulp: [0.51, 0.51, 0.51]
    {}
}

/// The probability, its complement, and probability − target, which keeps its digits where the
/// target is 1.
#[inline(always)]
fn parts<R: Real>(prediction: R, target: R) -> (R, R, R) {
    let [p, not_p] = prediction.sigmoids();
    (p, not_p, p * (R::ONE - target) - not_p * target)
}

impl Pointwise for MseSigmoid {
    const PREDICTION: Domain = Domain::Logit;
    const TARGET: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let (.., difference) = parts(prediction, target);
        difference.square()
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (p, not_p, difference) = parts(prediction, target);
        difference * p * not_p * 2.0
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        let (p, not_p, difference) = parts(prediction, target);
        p * not_p * (p * not_p + difference * (not_p - p)) * 2.0
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
