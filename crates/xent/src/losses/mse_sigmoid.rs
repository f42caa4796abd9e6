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
    /// # When to use
    /// To score yes-or-no probabilities, or to see why cross-entropy trains a classifier and
    /// this does not.
    ///
    /// # Pitfalls
    /// The gradient carries the factor p (1 − p): a row that is confidently wrong hardly moves.
    /// It is not convex in the logit.
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
        tags: ["binary"],
        ulp: [0.51, 0.51, 0.51]
    {}
}

/// The probability, its complement, and probability − target, which keeps its digits where the
/// target is 1.
#[inline(always)]
fn parts<R: Real>(prediction: R, target: R) -> (R, R, R) {
    let (p, not_p) = (prediction.sigmoid(), (-prediction).sigmoid());
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
