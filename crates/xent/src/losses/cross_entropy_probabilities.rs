use crate::catalogue::{Catalogued, catalogued};
use crate::classwise_loss;
use crate::family::Domain;
use crate::family::classwise::{Class, Classwise, Link};
use crate::number::Real;

catalogued! {
    /// Cross-entropy of probabilities: minus the logarithm of the probability of the target.
    ///
    /// # Formula
    /// ```text
    /// -sum(weight * target * log(prediction))
    /// ```
    ///
    /// # Derivation
    /// ```text
    /// p = prediction, y = target, w = weight of each class
    /// 1. value      −Σⱼ wⱼ yⱼ log pⱼ
    /// 2. gradient   −wᵢ yᵢ / pᵢ: nothing for classes that are not the target
    /// 3. curvature  wᵢ yᵢ / pᵢ²
    /// 4. behind a softmax, ∂pⱼ/∂zᵢ = pⱼ ([i = j] − pᵢ), and without weights the
    ///    gradient in the logits is −Σⱼ yⱼ ([i = j] − pᵢ) = pᵢ − yᵢ
    /// ```
    ///
    /// # When to use
    /// To score predictions that are probabilities already. Targets are class indices or
    /// distributions.
    ///
    /// # Pitfalls
    /// To train, give logits to [`CrossEntropy`](crate::CrossEntropy): a probability that has
    /// been rounded to 0 or 1 has lost the gradient. Rows are taken as they are: not clipped and
    /// not divided by their sum, as Keras does. A target of probability 0 costs +∞.
    ///
    /// # Elsewhere
    /// - scikit-learn `log_loss`: clips to the machine epsilon of the type, so that a sure mistake
    ///   costs 36 in double precision, and warns of rows that do not sum to 1.
    /// - Keras `CategoricalCrossentropy`, as it is by default: divides each row by its sum and
    ///   clips at 10⁻⁷, so that no row costs more than 16.
    /// - PyTorch: `NLLLoss` of the logarithm. optax: only from logits.
    ///
    /// # Example
    /// ```
    /// use xent::{CrossEntropyProbabilities, Evaluate};
    /// let loss = CrossEntropyProbabilities::default();
    /// let values = loss.on((&[0.5f32, 0.4, 0.1, 0.8, 0.1, 0.1], 3), &[0, 0]).values()?;
    /// assert_eq!(values, [0.6931472, 0.22314353]);
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Reference
    /// I. J. Good, *Rational decisions* (1952), doi:10.1111/j.2517-6161.1952.tb00104.x.
    pub struct CrossEntropyProbabilities = "cross_entropy_probabilities",
        aliases: ["cross_entropy_from_probabilities", "log_loss"],
        tags: ["multiclass"],
        ulp: [0.51, 0.51, 0.51]
    {}
}

impl Classwise for CrossEntropyProbabilities {
    const LINK: Link = Link::Identity;
    const PREDICTION: Domain = Domain::Probability;

    #[inline(always)]
    fn value<R: Real>(&self, class: Class<R>) -> R {
        -(class.target * class.score.ln())
    }

    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        -(class.target / class.score)
    }

    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        class.target / class.score / class.score
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Some(self)
    }
}
classwise_loss!(CrossEntropyProbabilities);
