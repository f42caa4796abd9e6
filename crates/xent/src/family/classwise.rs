//! Losses ℓ(row of C predictions, class index or distribution).
//!
//! Each is a sum over the classes of a *term* in one number, the score of the class. The
//! [`Link`] says how a row of predictions becomes scores; the chain rule through it, and the
//! numerics of the softmax, are written here once.

use super::softmax::{LONG, Softmax};
use super::{Block, BlockTargets, Domain, Order, Outputs, labelled, linear};
use crate::catalogue::Catalogued;
use crate::dispatch::{TILE, Task, prefetch, vectorised};
use crate::number::{Dual, Element, Real};
use crate::reduce::Stripes;
use std::ops::Add;

/// How a row of predictions becomes the scores of its classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// score = log softmax(predictions): predictions are logits, scores log-probabilities.
    Softmax,
    /// score = prediction.
    Identity,
    /// score = prediction − prediction of the target class, for each *other* class.
    Margin,
}

/// One class of a row, as a term sees it.
#[derive(Clone, Copy, Debug)]
pub struct Class<R> {
    /// The score, which derivatives are taken by; see [`Link`].
    pub score: R,
    /// exp(score) under [`Link::Softmax`]; else 0.
    pub probability: R,
    /// 1 − probability, accurate near 0, under [`Link::Softmax`]; else 1.
    pub complement: R,
    /// The share of this class in the target: for a class index 1 or 0.
    pub target: R,
    /// How many classes there are.
    pub classes: R,
}

impl<R: Real> Class<R> {
    /// probability − target; with a target of 1 it keeps the digits of 1 − probability.
    #[inline(always)]
    pub fn difference(self) -> R {
        self.probability * (R::ONE - self.target) - self.complement * self.target
    }

    /// The same class with the score as the variable of differentiation.
    #[inline(always)]
    fn differentiable(self) -> Class<Dual<R>> {
        let p = self.probability;
        Class {
            score: Dual::variable(self.score),
            probability: Dual { value: p, first: p, second: p },
            complement: Dual { value: self.complement, first: -p, second: -p },
            target: Dual::fixed(self.target),
            classes: Dual::fixed(self.classes),
        }
    }
}

/// A loss of a row of predictions that is a sum of terms over its classes.
///
/// As for pointwise losses, `value` is all that a loss needs. A loss of your own becomes a
/// [`Loss`](super::Loss) by one line, [`classwise_loss!`](crate::classwise_loss).
///
/// ```
/// use xent::{Class, Classwise, Evaluate, Link, Real, classwise_loss};
///
/// /// Cross-entropy that also punishes overconfidence: −log p (1 + p²) of the target.
/// struct Humble;
///
/// impl Classwise for Humble {
///     const LINK: Link = Link::Softmax;
///
///     #[inline(always)]
///     fn value<R: Real>(&self, class: Class<R>) -> R {
///         -(class.target * class.score) * (class.probability.square() + 1.0)
///     }
/// }
/// classwise_loss!(Humble);
///
/// let (value, gradient) = Humble.on((&[0.0, 0.0], 2), &[0]).value_and_gradient()?;
/// assert_eq!(value, 1.25 * 2f64.ln());
/// assert!(gradient[0] < 0.0 && gradient[1] > 0.0);
/// # Ok::<(), xent::Error>(())
/// ```
pub trait Classwise: Send + Sync {
    /// How predictions become scores.
    const LINK: Link;
    /// What the predictions mean.
    const PREDICTION: Domain = Domain::Logit;
    /// Whether a class with a target share of 0 contributes nothing, whatever its prediction:
    /// the rule 0·log 0 = 0. Class weights then weigh the classes of a target separately.
    const PROPORTIONAL: bool = true;
    /// Whether the term is −target · score. The sum over the classes is then short work.
    const LINEAR: bool = false;
    /// Whether a distribution over the classes can be the target.
    const DISTRIBUTIONS: bool = true;

    /// The term of one class; the loss of a row is their sum.
    fn value<R: Real>(&self, class: Class<R>) -> R;

    /// ∂term/∂score.
    #[inline(always)]
    fn gradient<R: Real>(&self, class: Class<R>) -> R {
        self.value(class.differentiable()).first
    }

    /// ∂²term/∂score².
    #[inline(always)]
    fn curvature<R: Real>(&self, class: Class<R>) -> R {
        self.value(class.differentiable()).second
    }

    /// The share of each class that is spread evenly over all, taken from the target.
    #[inline(always)]
    fn label_smoothing(&self) -> f64 {
        0.0
    }

    /// The page in the catalogue; a loss of your own has none.
    fn page(&self) -> Option<&dyn Catalogued> {
        None
    }
}

/// Makes a [`Classwise`](crate::Classwise) type a [`Loss`](crate::Loss).
#[macro_export]
macro_rules! classwise_loss {
    ($type:ty) => {
        impl $crate::Loss for $type {
            fn family(&self) -> $crate::Family {
                $crate::Family::Classwise
            }
            fn prediction_domain(&self) -> $crate::Domain {
                <Self as $crate::Classwise>::PREDICTION
            }
            fn target_domain(&self) -> $crate::Domain {
                $crate::Domain::Probability
            }
            fn page(&self) -> ::std::option::Option<&dyn $crate::Catalogued> {
                $crate::Classwise::page(self)
            }
            fn steps(
                &self,
                row: &$crate::Block<'_, f64>,
            ) -> ::std::option::Option<::std::vec::Vec<$crate::Step>> {
                ::std::option::Option::Some($crate::row_steps(self, row))
            }
            fn accepts(&self) -> $crate::Targeting {
                if <Self as $crate::Classwise>::DISTRIBUTIONS {
                    $crate::Targeting::LabelsOrDistributions
                } else {
                    $crate::Targeting::Labels
                }
            }
        }

        impl<T: $crate::Element> $crate::Kernel<T> for $type {
            fn run(
                &self,
                block: &$crate::Block<'_, T>,
                order: $crate::Order,
                outputs: $crate::Outputs<'_, T::Wide>,
            ) {
                $crate::run_rows(self, block, order, outputs);
            }

            fn planes(&self, labelled: bool, weighted: bool) -> ::std::option::Option<usize> {
                $crate::rows_as_planes(self, labelled, weighted)
            }
        }
    };
}

/// The kernel of every classwise loss.
#[doc(hidden)]
pub fn run_rows<L: Classwise, T: Element>(
    loss: &L,
    block: &Block<'_, T>,
    order: Order,
    outputs: Outputs<'_, T::Wide>,
) {
    vectorised(Rows { loss, block, order, outputs });
}

/// See [`Kernel::planes`](crate::Kernel::planes).
#[doc(hidden)]
pub fn rows_as_planes<L: Classwise>(loss: &L, labelled: bool, weighted: bool) -> Option<usize> {
    if labelled && is_labelled_softmax(loss, weighted) {
        Some(labelled::FEW)
    } else {
        is_linear_softmax::<L>().then_some(linear::FEW)
    }
}

/// How one class of a row comes to its share of the loss, for explanations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The score that the term is taken of; see [`Link`].
    pub score: f64,
    /// exp(score), under [`Link::Softmax`].
    pub probability: Option<f64>,
    /// The share of the class in the target, smoothed.
    pub target: f64,
    /// What the class adds to the loss of the row.
    pub term: f64,
}

/// The steps of one row of `f64`, a class each.
#[doc(hidden)]
pub fn row_steps<L: Classwise>(loss: &L, block: &Block<'_, f64>) -> Vec<Step> {
    let classes = block.classes;
    let mut shares = vec![Real::ZERO; classes];
    let mut exponentials = shares.clone();
    let row = Row {
        loss,
        predictions: block.predictions,
        target: match block.targets {
            BlockTargets::Labels(labels) => Target::Label(labels[0]),
            BlockTargets::Values(values) => Target::Distribution(values),
        },
        class_weights: block.class_weights,
        order: Order::Value,
        gradient: &mut [],
        curvature: &mut [],
    };
    row.fill_shares(&mut shares);
    let row_weight = row.row_weight(&shares);
    let softmax = Softmax::of(row.predictions, &mut exponentials);
    let step = |c: usize| {
        let share = shares[c];
        let prediction = row.predictions[c].widen();
        let plain =
            |origin| Differences(origin).class(prediction, Real::ZERO, share, row.classes());
        let (class, counts) = match (L::LINK, row.target) {
            (Link::Softmax, _) => {
                (softmax.class_at(c, row.predictions, &exponentials, share), true)
            }
            (Link::Margin, Target::Label(label)) => {
                (plain(row.predictions[label].widen()), c != label)
            }
            _ => (plain(Real::ZERO), true),
        };
        let weight = if L::PROPORTIONAL { row.class_weight(c) } else { row_weight };
        let [term, ..] = row.term(class, weight);
        Step {
            score: class.score.to_f64(),
            probability: (L::LINK == Link::Softmax).then(|| class.probability.to_f64()),
            target: share.to_f64(),
            term: if counts { term.to_f64() } else { 0.0 },
        }
    };
    (0..classes).map(step).collect()
}

struct Rows<'a, L, T: Element> {
    loss: &'a L,
    block: &'a Block<'a, T>,
    order: Order,
    outputs: Outputs<'a, T::Wide>,
}

impl<L: Classwise, T: Element> Task for Rows<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.block.targets {
            BlockTargets::Labels(labels)
                if is_labelled_softmax(self.loss, self.block.class_weights.is_some()) =>
            {
                labelled::run(self.loss, self.block, labels, self.order, self.outputs);
            }
            _ if is_linear_softmax::<L>() => {
                linear::run(self.loss, self.block, self.order, self.outputs);
            }
            _ => self.one_by_one(),
        }
    }
}

/// Whether rows with a share in every class have a kernel of their own.
#[inline(always)]
fn is_linear_softmax<L: Classwise>() -> bool {
    L::LINK == Link::Softmax && L::LINEAR
}

/// Whether labelled rows have a kernel of their own.
#[inline(always)]
fn is_labelled_softmax<L: Classwise>(loss: &L, weighted: bool) -> bool {
    L::LINK == Link::Softmax && (has_sole_term(loss) || L::LINEAR && !weighted)
}

/// Whether a class index leaves just one term that is not 0.
#[inline(always)]
fn has_sole_term<L: Classwise>(loss: &L) -> bool {
    L::PROPORTIONAL && loss.label_smoothing() == 0.0
}

impl<L: Classwise, T: Element> Rows<'_, L, T> {
    #[inline(always)]
    fn one_by_one(self) {
        let Rows { loss, block, order, outputs } = self;
        let classes = block.classes;
        let short = L::LINK == Link::Softmax && classes < LONG;
        let exponentials = if short { block.predictions.len() } else { classes };
        outputs.scratch.resize(exponentials + classes, T::Wide::ZERO);
        let (exponentials, shares) = outputs.scratch.split_at_mut(exponentials);
        let softmaxes = match short {
            true => Softmax::of_rows(block.predictions, classes, exponentials),
            false => Vec::new(),
        };
        let rows = block.predictions.chunks_exact(classes).zip(outputs.values);
        for (index, (predictions, value)) in rows.enumerate() {
            let at = index * classes..(index + 1) * classes;
            let gradient = if order >= Order::Gradient { at.clone() } else { 0..0 };
            let curvature = if order >= Order::Curvature { at.clone() } else { 0..0 };
            let mut row = Row {
                loss,
                predictions,
                target: match block.targets {
                    BlockTargets::Labels(labels) => Target::Label(labels[index]),
                    BlockTargets::Values(values) => Target::Distribution(&values[at.clone()]),
                },
                class_weights: block.class_weights,
                order,
                gradient: &mut outputs.gradient[gradient],
                curvature: &mut outputs.curvature[curvature],
            };
            *value = match (L::LINK, row.sole_class()) {
                (Link::Softmax, _) if short => {
                    row.softmax(&softmaxes[index], &exponentials[at], shares)
                }
                (Link::Softmax, _) => {
                    row.softmax(&Softmax::of(predictions, exponentials), exponentials, shares)
                }
                (Link::Identity, Some(label)) => row.identity_of_one(label),
                (Link::Identity, None) => row.identity(shares),
                (Link::Margin, _) => row.margin(shares),
            };
        }
    }
}

/// A term and its derivatives by score, as many as asked for, weighted.
#[inline(always)]
fn term<L: Classwise, R: Real>(loss: &L, class: Class<R>, weight: R, order: Order) -> [R; 3] {
    let weighted = |term: R| weighted::<L, R>(term, class.target, weight);
    [
        weighted(loss.value(class)),
        if order >= Order::Gradient { weighted(loss.gradient(class)) } else { R::ZERO },
        if order >= Order::Curvature { weighted(loss.curvature(class)) } else { R::ZERO },
    ]
}

/// `term · weight`, and 0, whatever the term, where the class does not count.
#[inline(always)]
pub(super) fn weighted<L: Classwise, R: Real>(term: R, share: R, weight: R) -> R {
    let counts = if L::PROPORTIONAL { share * weight } else { weight };
    R::ZERO.if_less(counts, term * weight, R::ZERO)
}

/// The shares of classes in a target that is spread in part.
#[inline(always)]
pub(super) fn smooth<T: Element>(
    target: &[T],
    kept: T::Wide,
    everywhere: T::Wide,
    shares: &mut [T::Wide],
) {
    for (share, target) in shares.iter_mut().zip(target) {
        *share = kept * target.widen() + everywhere;
    }
}

#[derive(Clone, Copy)]
enum Target<'a, T> {
    Label(usize),
    Distribution(&'a [T]),
}

/// How the classes of a row come to what a term sees of them.
trait Scores<R> {
    /// The class with this prediction and exponential; only the softmax link has those.
    fn class(&self, prediction: R, exponential: R, target: R, classes: R) -> Class<R>;
}

impl<R: Real> Scores<R> for Softmax<R> {
    #[inline(always)]
    fn class(&self, logit: R, exponential: R, target: R, classes: R) -> Class<R> {
        Softmax::class(self, logit, exponential, target, classes)
    }
}

/// Scores that are differences to a prediction, or to 0.
struct Differences<R>(R);

impl<R: Real> Scores<R> for Differences<R> {
    #[inline(always)]
    fn class(&self, prediction: R, _: R, target: R, classes: R) -> Class<R> {
        let score = prediction - self.0;
        Class { score, probability: R::ZERO, complement: R::ONE, target, classes }
    }
}

/// Some classes of a row, as the terms see them.
struct Tile<'a, S, T: Element> {
    scores: &'a S,
    predictions: &'a [T],
    exponentials: &'a [T::Wide],
    shares: &'a [T::Wide],
    by_class: Option<&'a [T::Wide]>,
    row_weight: T::Wide,
    classes: T::Wide,
}

impl<S: Scores<T::Wide>, T: Element> Tile<'_, S, T> {
    /// The weighted term of each class.
    #[inline(always)]
    fn each<L: Classwise>(&self, term: impl Fn(Class<T::Wide>) -> T::Wide, out: &mut [T::Wide]) {
        let inputs = self.predictions.iter().zip(self.exponentials).zip(self.shares);
        match self.by_class {
            None => {
                for (out, ((prediction, &e), &share)) in out.iter_mut().zip(inputs) {
                    let class = self.scores.class(prediction.widen(), e, share, self.classes);
                    *out = weighted::<L, T::Wide>(term(class), share, self.row_weight);
                }
            }
            Some(weights) => {
                let inputs = inputs.zip(weights);
                for (out, (((prediction, &e), &share), &weight)) in out.iter_mut().zip(inputs) {
                    let class = self.scores.class(prediction.widen(), e, share, self.classes);
                    *out = weighted::<L, T::Wide>(term(class), share, weight);
                }
            }
        }
    }
}

struct Row<'a, L, T: Element> {
    loss: &'a L,
    predictions: &'a [T],
    target: Target<'a, T>,
    class_weights: Option<&'a [T::Wide]>,
    order: Order,
    /// Empty where not asked for, as is `curvature`.
    gradient: &'a mut [T::Wide],
    curvature: &'a mut [T::Wide],
}

impl<L: Classwise, T: Element> Row<'_, L, T> {
    /// The class of the only term that is not 0, if there is just one.
    #[inline(always)]
    fn sole_class(&self) -> Option<usize> {
        match self.target {
            Target::Label(label) if has_sole_term(self.loss) => Some(label),
            _ => None,
        }
    }

    #[inline(always)]
    fn classes(&self) -> T::Wide {
        Real::constant(self.predictions.len() as f64)
    }

    #[inline(always)]
    fn class_weight(&self, class: usize) -> T::Wide {
        self.class_weights.map_or(T::Wide::ONE, |weights| weights[class])
    }

    /// The smoothed target.
    #[inline(always)]
    fn fill_shares(&self, shares: &mut [T::Wide]) {
        let smoothing = T::Wide::constant(self.loss.label_smoothing());
        let everywhere = smoothing / self.classes();
        let kept = T::Wide::ONE - smoothing;
        match self.target {
            Target::Label(label) => {
                shares.fill(everywhere);
                shares[label] = kept + everywhere;
            }
            Target::Distribution(target) => {
                for (shares, target) in shares.chunks_mut(TILE).zip(target.chunks(TILE)) {
                    prefetch(target);
                    smooth(target, kept, everywhere, shares);
                }
            }
        }
    }

    /// What the whole row counts for, where classes are not weighed term by term.
    #[inline(always)]
    fn row_weight(&self, shares: &[T::Wide]) -> T::Wide {
        let Some(weights) = self.class_weights else { return T::Wide::ONE };
        match self.target {
            _ if L::PROPORTIONAL => T::Wide::ONE,
            Target::Label(label) => weights[label],
            Target::Distribution(_) => {
                let mut sum = T::Wide::ZERO;
                for (&weight, &share) in weights.iter().zip(shares) {
                    sum = sum + weight * share;
                }
                sum
            }
        }
    }

    #[inline(always)]
    fn term(&self, class: Class<T::Wide>, weight: T::Wide) -> [T::Wide; 3] {
        term(self.loss, class, weight, self.order)
    }

    /// Puts the terms of all classes and their derivatives by score in their places; gives the
    /// sums of each over the classes other than `left_out`.
    #[inline(always)]
    fn terms(
        &mut self,
        scores: &impl Scores<T::Wide>,
        exponentials: &[T::Wide],
        shares: &[T::Wide],
        row_weight: T::Wide,
        left_out: usize,
    ) -> [T::Wide; 3] {
        let loss = self.loss;
        let by_class = self.class_weights.filter(|_| L::PROPORTIONAL);
        let mut rest = [Stripes::EMPTY; 3];
        let mut values = [T::Wide::ZERO; TILE];
        for start in (0..shares.len()).step_by(TILE) {
            let tile = start..shares.len().min(start + TILE);
            let inputs = Tile {
                scores,
                predictions: &self.predictions[tile.clone()],
                exponentials: &exponentials[tile.clone()],
                shares: &shares[tile.clone()],
                by_class: by_class.map(|weights| &weights[tile.clone()]),
                row_weight,
                classes: self.classes(),
            };
            let left_out = left_out.wrapping_sub(start);
            let values = &mut values[..tile.len()];
            inputs.each::<L>(
                #[inline(always)]
                |class| loss.value(class),
                values,
            );
            rest[0].add_without(values, left_out, Add::add);
            if let Some(firsts) = self.gradient.get_mut(tile.clone()) {
                inputs.each::<L>(
                    #[inline(always)]
                    |class| loss.gradient(class),
                    firsts,
                );
                rest[1].add_without(firsts, left_out, Add::add);
            }
            if let Some(seconds) = self.curvature.get_mut(tile) {
                inputs.each::<L>(
                    #[inline(always)]
                    |class| loss.curvature(class),
                    seconds,
                );
                rest[2].add_without(seconds, left_out, Add::add);
            }
        }
        rest.map(Stripes::total)
    }

    /// Softmax link, a term f_c(log p_c) for each class: ∂/∂z_j = f_j′ − p_j Σ f_c′, which for the
    /// largest p_j is f_j′ (1 − p_j) − p_j Σ_{c≠j} f_c′.
    #[inline(always)]
    fn softmax(
        &mut self,
        softmax: &Softmax<T::Wide>,
        exponentials: &[T::Wide],
        shares: &mut [T::Wide],
    ) -> T::Wide {
        self.fill_shares(shares);
        let (top, row_weight) = (softmax.argmax, self.row_weight(shares));
        let [rest_value, rest_first, rest_second] =
            self.terms(softmax, exponentials, shares, row_weight, top);
        let class = softmax.class_at(top, self.predictions, exponentials, shares[top]);
        let weight = if L::PROPORTIONAL { self.class_weight(top) } else { row_weight };
        let [top_value, top_first, top_second] = self.term(class, weight);
        let value = rest_value + top_value;
        if self.gradient.is_empty() {
            return value;
        }
        let all_first = rest_first + top_first;
        let (p, not_p) = (class.probability, class.complement);
        if !self.curvature.is_empty() {
            let all = [all_first, rest_second + top_second];
            bend_by_softmax(softmax, exponentials, all, self.curvature);
            self.curvature[top] =
                top_second * not_p * not_p + rest_second * p * p - p * not_p * all_first;
        }
        turn_by_softmax(softmax, exponentials, all_first, self.gradient);
        self.gradient[top] = top_first * not_p - p * rest_first;
        value
    }

    /// Identity link, one term.
    #[inline(always)]
    fn identity_of_one(&mut self, label: usize) -> T::Wide {
        let prediction = self.predictions[label].widen();
        let scores = Differences(T::Wide::ZERO);
        let class = scores.class(prediction, T::Wide::ZERO, T::Wide::ONE, self.classes());
        let [value, first, second] = self.term(class, self.class_weight(label));
        self.gradient.fill(T::Wide::ZERO);
        self.curvature.fill(T::Wide::ZERO);
        if let Some(gradient) = self.gradient.get_mut(label) {
            *gradient = first;
        }
        if let Some(curvature) = self.curvature.get_mut(label) {
            *curvature = second;
        }
        value
    }

    /// Identity link, a term for each class.
    #[inline(always)]
    fn identity(&mut self, shares: &mut [T::Wide]) -> T::Wide {
        self.fill_shares(shares);
        let (scores, row_weight) = (Differences(T::Wide::ZERO), self.row_weight(shares));
        let [value, ..] = self.terms(&scores, shares, shares, row_weight, usize::MAX);
        value
    }

    /// Margin link: a term f(x_c − x_y) for each class but the target's.
    #[inline(always)]
    fn margin(&mut self, shares: &mut [T::Wide]) -> T::Wide {
        let Target::Label(label) = self.target else {
            unreachable!("the engine gives margin losses labels");
        };
        shares.fill(T::Wide::ZERO);
        let own = Differences(self.predictions[label].widen());
        let row_weight = self.row_weight(shares);
        let [value, first, second] = self.terms(&own, shares, shares, row_weight, label);
        if let Some(gradient) = self.gradient.get_mut(label) {
            *gradient = -first;
        }
        if let Some(curvature) = self.curvature.get_mut(label) {
            *curvature = second;
        }
        value
    }
}

/// From derivatives by score to those by logit, but for the largest logit.
#[inline(always)]
fn turn_by_softmax<R: Real>(
    softmax: &Softmax<R>,
    exponentials: &[R],
    all_first: R,
    gradient: &mut [R],
) {
    let all_first = softmax.top * all_first;
    for (gradient, &e) in gradient.iter_mut().zip(exponentials) {
        *gradient = *gradient - e * all_first;
    }
}

/// From second derivatives by score to those by logit, but for the largest logit.
#[inline(always)]
fn bend_by_softmax<R: Real>(
    softmax: &Softmax<R>,
    exponentials: &[R],
    [all_first, all_second]: [R; 2],
    curvature: &mut [R],
) {
    for (curvature, &e) in curvature.iter_mut().zip(exponentials) {
        let other = softmax.class(R::ZERO, e, R::ZERO, R::ONE);
        let (p, not_p) = (other.probability, other.complement);
        *curvature =
            *curvature * not_p * not_p + (all_second - *curvature) * p * p - p * not_p * all_first;
    }
}
