use crate::catalogue::{Catalogued, Range, catalogued};
use crate::classwise_loss;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Dice loss of each row: for each class, 1 − its soft Dice coefficient, the overlap of
    /// probability and target.
    ///
    /// # Formula
    /// ```text
    /// sum(weight * y) * sum(1 - (2 * p * y + smooth) / (p^2 + y^2 + smooth))
    /// where p = softmax(prediction), y = target
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = softmax(z), y = target, d = p − y, s = smooth, W = Σ weight target,
    /// D = p² + y² + s, N = y² + p y + s
    /// 1. D − (2p y + s) = d², so a class adds d²/D: nothing cancels near the goal
    /// 2. ∂(d²/D)/∂p = 2d (D − d p)/D² = 2d N/D²
    /// 3. by score log p, where ∂p/∂score = p:
    ///    T = 2 (p d/D) (N/D)
    ///    U = T (1 − 4p²/D) + 2 (p²/D) (2p y + s)/D
    /// 4. ∂scoreⱼ/∂zᵢ = [i = j] − pᵢ
    /// 5. gradient   W (Tᵢ − pᵢ Σⱼ Tⱼ)
    /// 6. curvature  W (Σⱼ Uⱼ ([i = j] − pᵢ)² − pᵢ (1 − pᵢ) Σⱼ Tⱼ), which may be
    ///               below 0: not convex
    /// ```
    ///
    /// # When to use
    /// Next to cross-entropy, as `cross_entropy+0.5*dice`, where F1 counts for more than
    /// probabilities: rows that are nearly right fade faster than those of cross-entropy, and
    /// with the default a row costs 1 at most, so that neither many easy rows nor a few hopeless
    /// ones decide. A class that is not the target costs p²/(p² + smooth).
    ///
    /// # Pitfalls
    /// Alone it starves: the gradient carries the probability of the target, so that a row that
    /// is confidently wrong hardly moves. Its probabilities are too extreme: where a class of two
    /// has 30% of the rows, 23% costs least, and with `smooth` of 0.1 it is 4%. A large `smooth`
    /// makes it the Brier score, divided by `smooth`. A rare class weighs no more than its rows do;
    /// class weights change that.
    ///
    /// # Elsewhere
    /// - Li et al. write it for the positive class of two; here it is the sum over all classes, as
    ///   in their code with `square_denominator=True`. There `smooth` is 10⁻⁴, and a factor
    ///   (1 − p)^alpha comes before p; here there is none.
    /// - MONAI `DiceLoss`, segmentation_models_pytorch `DiceLoss`, Keras `Dice`: one coefficient
    ///   for all pixels of an image or a batch, from the sums of p y, of p and of y; in MONAI, with
    ///   `squared_pred=True`, of p² and of y². That is no sum over rows: it depends on how the rows
    ///   are batched. This has a coefficient for each row and class, so that it is a sum like any
    ///   other loss, and batches, weights and masks mean what they always do.
    ///
    /// # Example
    /// ```
    /// use xent::{Dice, Evaluate};
    /// let loss = Dice { smooth: 1.0 };
    /// // (½ − 1)² / (¼ + 1 + 1) for the target, (½)² / (¼ + 1) for the other class.
    /// assert_eq!(loss.on(&[0.0, 0.0], &[0]).values()?, [1.0 / 9.0 + 1.0 / 5.0]);
    /// let both = xent::loss("cross_entropy+0.5*dice")?;
    /// let (value, _) = both.on(&[0.0, 0.0], &[0]).value_and_gradient()?;
    /// assert!((value - 2f64.ln() - 7.0 / 45.0).abs() < 1e-15);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// X. Li et al., *Dice loss for data-imbalanced NLP tasks* (2020), arXiv:1911.02855; the
    /// squares in the denominator come from F. Milletari et al., *V-Net* (2016), arXiv:1606.04797.
    pub struct Dice = "dice",
        aliases: ["dice_loss", "soft_dice"],
        tags: ["multiclass", "imbalance", "bounded"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// What keeps the quotient smooth where probability and target are both near 0.
        smooth: 1.0 in Range::Positive,
    }
}

impl Dice {
    /// p² + y² + smooth.
    #[inline(always)]
    fn total<R: Real>(&self, class: Class<R>) -> R {
        class.probability.square() + class.target.square() + self.smooth
    }
}

impl Classwise for Dice {
    const LINK: Link = Link::Softmax;
    const PROPORTIONAL: bool = false;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        class.difference().square() / self.total(class)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        let (p, y, total) = (class.probability, class.target, self.total(class));
        let kept = (y * (p + y) + self.smooth) / total;
        p * class.difference() / total * kept * 2.0
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        let (p, y, total) = (class.probability, class.target, self.total(class));
        let share = p.square() / total;
        let overlap = (p * y * 2.0 + self.smooth) / total;
        self.gradient(class) * (R::ONE - share * 4.0) + share * overlap * 2.0
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(Dice);
