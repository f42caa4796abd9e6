use crate::catalogue::{Catalogued, Range, catalogued};
use crate::classwise_loss;
use crate::family::Domain;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Multi-margin loss: a hinge for each class that comes too close to the target's.
    ///
    /// # Formula
    /// ```text
    /// sum(weight * target) * sum((1 - target) * gap^p) / classes
    /// where gap = max(margin + prediction - sum(target * prediction), 0)
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// y = target class, w = its weight, C classes
    /// 1. gapⱼ = max(margin + zⱼ − z_y, 0) for each j ≠ y; value w/C Σⱼ gapⱼ^p
    /// 2. gradient   j ≠ y: w/C for p = 1, 2w/C gapⱼ for p = 2, where gapⱼ > 0
    ///               y: minus the sum of these
    /// 3. curvature  j ≠ y: 0 for p = 1, 2w/C for p = 2, where gapⱼ > 0
    ///               y: the sum of these
    /// ```
    ///
    /// # When to use
    /// Support vector machines of several classes: rows that are right by more than the margin
    /// cost nothing and stop pulling.
    ///
    /// # Pitfalls
    /// Scores are not log-odds, so there are no probabilities to read. The sum is divided by the
    /// number of classes, as in PyTorch. Targets are class indices only.
    ///
    /// # Elsewhere
    /// - PyTorch `MultiMarginLoss`: the same, down to the gradient of 0 where a gap just closes.
    /// - Keras `CategoricalHinge`, optax `multiclass_hinge_loss`, scikit-learn `hinge_loss`:
    ///   another loss, of Crammer and Singer, with the largest gap in place of their sum, and not
    ///   divided by the number of classes. The rival's score is at least 0 in Keras.
    /// - scikit-learn `LinearSVC(multi_class="crammer_singer")` trains that one as well.
    ///
    /// # Example
    /// ```
    /// use xent::{Evaluate, MultiMargin};
    /// let loss = MultiMargin::default();
    /// assert_eq!(loss.on(&[0.5, 1.0, 0.0, -3.0], &[0]).values()?, [0.5]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// J. Weston and C. Watkins, *Support vector machines for multi-class pattern recognition*,
    /// ESANN (1999).
    pub struct MultiMargin = "multi_margin",
        aliases: ["multi_margin_loss", "weston_watkins", "multiclass_hinge"],
        tags: ["multiclass", "margin"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// The power of each gap.
        p: 1.0 in Range::OneOf(&[1.0, 2.0]),
        /// How far ahead of every other class the target has to be.
        margin: 1.0 in Range::NonNegative,
    }
}

impl Classwise for MultiMargin {
    const LINK: Link = Link::Margin;
    const PREDICTION: Domain = Domain::Real;
    const PROPORTIONAL: bool = false;
    const DISTRIBUTIONS: bool = false;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        let gap = (class.score + self.margin).relu();
        (if self.p == 1.0 { gap } else { gap.square() }) / class.classes
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        let gap = (class.score + self.margin).relu();
        (if self.p == 1.0 { gap.signum() } else { gap * 2.0 }) / class.classes
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        let gap = (class.score + self.margin).relu();
        gap.signum() * (if self.p == 1.0 { 0.0 } else { 2.0 }) / class.classes
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(MultiMargin);
