use crate::catalogue::{Catalogued, catalogued};
use crate::classwise_loss;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Mean squared error of the softmax: the mean over the classes of the squared difference
    /// between probability and target.
    ///
    /// # Formula
    /// ```text
    /// sum(weight * target) * sum((softmax(prediction) - target)^2) / classes
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = softmax(z), d = p − target, C classes, W = Σ weight target
    /// 1. value      W/C Σⱼ dⱼ²
    /// 2. ∂pⱼ/∂zᵢ = pⱼ ([i = j] − pᵢ)
    /// 3. gradient   2W/C pᵢ (dᵢ − m), where m = Σⱼ dⱼ pⱼ
    /// 4. curvature  2W/C pᵢ ((1 − 2pᵢ) (dᵢ − m) + pᵢ (1 − 2pᵢ + Σⱼ pⱼ²)), which
    ///               may be below 0: not convex
    /// ```
    ///
    /// # When to use
    /// To score probabilities, or to see why cross-entropy trains a classifier and this does
    /// not. Times the number of classes it is the Brier score.
    ///
    /// # Pitfalls
    /// The gradient carries the factor p (1 − p) of the softmax: a row that is confidently wrong
    /// hardly moves, so training starves where it has most to learn. It is not convex in the
    /// logits.
    ///
    /// # Elsewhere
    /// - scikit-learn `brier_score_loss`: of probabilities. It sums over the classes, so that it is
    ///   C times this, but for two classes takes half of the sum, which is this.
    /// - PyTorch, Keras, optax: their mean squared error, with a softmax of your own before it and
    ///   one-hot targets. Where p rounds to 1 there, its gradient is 0.
    ///
    /// # Example
    /// ```
    /// use xent::{CrossEntropy, Evaluate, MseSoftmax};
    /// // Sure of class 1, but the target is class 0.
    /// let logits = [0.0f32, 20.0];
    /// let (_, starved) = MseSoftmax::default().on(&logits, &[0]).value_and_gradient()?;
    /// let (_, healthy) = CrossEntropy::default().on(&logits, &[0]).value_and_gradient()?;
    /// assert!(starved[0].abs() < 1e-8 && healthy[0] < -0.99);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// G. W. Brier, *Verification of forecasts expressed in terms of probability* (1950),
    /// doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    pub struct MseSoftmax = "mse_softmax",
        aliases: ["softmax_mse", "brier_softmax", "brier"],
        tags: ["multiclass", "bounded"],
        ulp: [0.51, 0.8, 0.51]
    {}
}

impl Classwise for MseSoftmax {
    const LINK: Link = Link::Softmax;
    const PROPORTIONAL: bool = false;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        class.difference().square() / class.classes
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        class.difference() * class.probability * 2.0 / class.classes
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        let p = class.probability;
        (class.difference() + p) * p * 2.0 / class.classes
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(MseSoftmax);
