use crate::catalogue::{Catalogued, Range, catalogued};
use crate::classwise_loss;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Cross-entropy of logits: minus the log-probability that the softmax gives to the target.
    ///
    /// # Formula
    /// ```text
    /// -sum(weight * q * log_softmax(prediction))
    /// where q = (1 - label_smoothing) * target + label_smoothing / classes
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = softmax(z), w = weights, W = Σ w q
    /// 1. log pⱼ = zⱼ − log Σₖ exp zₖ, so ∂log pⱼ/∂zᵢ = [i = j] − pᵢ
    /// 2. gradient   −Σⱼ wⱼ qⱼ ([i = j] − pᵢ) = W pᵢ − wᵢ qᵢ
    ///               which is pᵢ − qᵢ without weights
    /// 3. curvature  W pᵢ (1 − pᵢ), from ∂pᵢ/∂zᵢ = pᵢ (1 − pᵢ)
    /// 4. the Hessian W (diag p − p pᵀ) has no negative eigenvalue: convex
    /// ```
    ///
    /// # When to use
    /// Classification into one of several classes. Targets are class indices, or distributions
    /// over the classes (soft labels, mixup, distillation). The gradient in each logit is
    /// probability minus target: a confident mistake pulls with full force, which is why this
    /// and not the squared error of the softmax ([`MseSoftmax`](crate::MseSoftmax)) trains a
    /// classifier.
    ///
    /// # Pitfalls
    /// It takes logits: a softmax before it is applied twice and flattens the gradient. For
    /// probabilities use [`CrossEntropyProbabilities`](crate::CrossEntropyProbabilities).
    /// The loss of a mislabelled row has no bound; `label_smoothing` bounds the logits
    /// that it pays to give.
    ///
    /// # Elsewhere
    /// - PyTorch `CrossEntropyLoss`: the same, and with class weights its mean divides by the sum
    ///   of the targets' weights too; given distributions, by the number of rows. A mean over
    ///   nothing is NaN there, and so is a logit of −∞ in a distribution's row, where its target is
    ///   0.
    /// - Keras `CategoricalCrossentropy`, `SparseCategoricalCrossentropy`: probabilities, unless
    ///   `from_logits=True`. optax `softmax_cross_entropy` and
    ///   `softmax_cross_entropy_with_integer_labels`: unreduced.
    /// - For its curvature XGBoost `multi:softprob` has 2 p (1 − p), and LightGBM `multiclass`, with
    ///   C classes, C p (1 − p) / (C − 1).
    ///
    /// # Example
    /// ```
    /// use xent::{CrossEntropy, Evaluate};
    /// let loss = CrossEntropy::default();
    /// let (value, gradient) = loss.on(&[20.0f32, 0.0, 0.0], &[0]).value_and_gradient()?;
    /// assert_eq!(value as f32, 4.1223074e-9);
    /// assert_eq!(gradient[0], -4.1223074e-9);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// D. R. Cox, *The regression analysis of binary sequences* (1958),
    /// doi:10.1111/j.2517-6161.1958.tb00292.x; label smoothing: C. Szegedy et al., *Rethinking
    /// the Inception architecture for computer vision* (2015), arXiv:1512.00567.
    pub struct CrossEntropy = "cross_entropy",
        aliases: ["ce", "softmax_cross_entropy", "categorical_cross_entropy"],
        tags: ["multiclass"],
        ulp: [0.51, 0.51, 0.51]
    {
        /// The share of each target that is spread evenly over all classes.
        label_smoothing: 0.0 in Range::Closed(0.0, 1.0),
    }
}

impl Classwise for CrossEntropy {
    const LINK: Link = Link::Softmax;
    const LINEAR: bool = true;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        -(class.target * class.score)
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        -class.target
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, _class: Class<R>) -> R {
        R::ZERO
    }

    #[inline(always)]
    fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(CrossEntropy);
