use crate::catalogue::{Catalogued, Range, catalogued};
use crate::family::pointwise::Pointwise;
use crate::number::Real;

catalogued! {
    /// Smooth L1 loss: the absolute error with its corner rounded off.
    ///
    /// # Formula
    /// ```text
    /// if abs(e) < beta then e^2 / (2 * beta) else abs(e) - beta / 2
    /// where e = prediction - target
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// e = prediction − target
    /// 1. |e| < beta  value e²/(2 beta), gradient e/beta, curvature 1/beta
    /// 2. |e| ≥ beta  value |e| − beta/2, gradient sign(e), curvature 0
    /// 3. |e| = beta  both say beta/2 and ±1: value and gradient are continuous
    /// ```
    ///
    /// # When to use
    /// Box regression in object detection, and wherever an absolute error with a smooth minimum
    /// is wanted. It is the [`Huber`](crate::Huber) loss with delta = `beta`, divided by `beta`:
    /// the slope of the tails stays 1 whatever `beta` is.
    ///
    /// # Pitfalls
    /// A small `beta` makes the curvature 1/`beta` near 0 large; 0 gives the absolute error.
    ///
    /// # Elsewhere
    /// - PyTorch `SmoothL1Loss`: the same, beta 1; beta 0 is the absolute error there too.
    /// - Keras, optax, LightGBM: only Huber, which is `beta` times this with delta = `beta`; at 1
    ///   they are equal.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, SmoothL1};
    /// let loss = SmoothL1 { beta: 2.0 };
    /// assert_eq!(loss.on(&[3.0, 1.0], &[0.0, 0.0]).values()?, [2.0, 0.25]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// R. Girshick, *Fast R-CNN* (2015), arXiv:1504.08083.
    pub struct SmoothL1 = "smooth_l1",
        aliases: ["smooth_l1_loss"],
        tags: ["regression", "robust"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// The residual where the loss turns linear, in units of the target.
        beta: 1.0 in Range::NonNegative,
    }
}

impl Pointwise for SmoothL1 {
    #[inline(always)]
    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        let (distance, beta) = ((prediction - target).abs(), R::constant(self.beta));
        let quadratic = distance * (distance / beta) * 0.5;
        distance.if_less(beta, quadratic, distance - beta * 0.5)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        let (e, beta) = (prediction - target, R::constant(self.beta));
        e.abs().if_less(beta, e / beta, e.signum())
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        let beta = R::constant(self.beta);
        (prediction - target).abs().if_less(beta, R::ONE / beta, R::ZERO)
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
