//! Evaluating a loss: `loss.on(predictions, targets)`, options, and what to compute.

use crate::engine::{Buffers, Options, Problem, Source};
use crate::error::{Error, Result};
use crate::family::classwise::Step;
use crate::family::{Block, BlockTargets, Family, Loss};
use crate::number::Element;
use crate::predictions::{Layout, Predictions, PredictionsMut};
use crate::reduce::{Reduction, Sums, WhenEmpty};
use crate::targets::Targets;
use std::sync::atomic::AtomicBool;

/// `on`, for every loss.
pub trait Evaluate {
    /// Sets a loss on predictions and targets; nothing is computed yet.
    ///
    /// ```
    /// use xent::{CrossEntropy, Evaluate};
    /// let loss = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    /// // Two rows of three logits, and their classes.
    /// let logits = [2.0, 1.0, 0.1, 0.0, 3.0, 0.0];
    /// let (value, gradient) = loss.on((&logits, 3), &[0, 1]).value_and_gradient()?;
    /// # assert!(value > 0.0 && gradient.len() == 6);
    /// # Ok::<(), xent::Error>(())
    /// ```
    fn on<'a, P: Predictions>(
        &'a self,
        predictions: P,
        targets: impl Into<Targets<'a, P::Element>>,
    ) -> Call<'a, P>;
}

impl<L: Loss> Evaluate for L {
    fn on<'a, P: Predictions>(
        &'a self,
        predictions: P,
        targets: impl Into<Targets<'a, P::Element>>,
    ) -> Call<'a, P> {
        Call::new(self, predictions, targets.into())
    }
}

impl Evaluate for dyn Loss + '_ {
    fn on<'a, P: Predictions>(
        &'a self,
        predictions: P,
        targets: impl Into<Targets<'a, P::Element>>,
    ) -> Call<'a, P> {
        Call::new(self, predictions, targets.into())
    }
}

/// The class index that PyTorch skips unless told otherwise, and so does xent.
pub const IGNORE_INDEX: i64 = -100;

/// A loss set on its arguments. Options first, then one of the methods that compute.
///
/// Every computing method checks all arguments before it writes anything; errors name the
/// argument, the index, the value and the fix. NaN is outside every range, so an argument with a
/// range refuses it; an unrestricted prediction passes it on to the values and gradients of its
/// row.
#[must_use = "a call computes nothing until asked for a value or a gradient"]
pub struct Call<'a, P: Predictions> {
    loss: &'a dyn Loss,
    predictions: P,
    targets: Targets<'a, P::Element>,
    axis: Option<isize>,
    options: Options<'a, P::Element>,
}

impl<'a, P: Predictions> Call<'a, P> {
    fn new(loss: &'a dyn Loss, predictions: P, targets: Targets<'a, P::Element>) -> Self {
        Self {
            loss,
            predictions,
            targets,
            axis: None,
            options: Options {
                weights: None,
                mask: None,
                class_weights: None,
                ignore_index: IGNORE_INDEX,
                reduction: Reduction::default(),
                when_empty: WhenEmpty::default(),
                interrupt: None,
            },
        }
    }

    /// A weight ≥ 0 for each row (classwise) or element (pointwise). Weight 0 is as good as absent.
    pub fn weights(mut self, weights: &'a [P::Element]) -> Self {
        self.options.weights = Some(weights);
        self
    }

    /// Which rows (classwise) or elements (pointwise) count. The others may hold anything.
    pub fn mask(mut self, mask: &'a [bool]) -> Self {
        self.options.mask = Some(mask);
        self
    }

    /// A weight ≥ 0 for each class. As in PyTorch, a mean divides by the weight of the classes of
    /// the rows if targets are class indices, and not if they are distributions.
    pub fn class_weights(mut self, weights: &'a [P::Element]) -> Self {
        self.options.class_weights = Some(weights);
        self
    }

    /// The class index of rows to skip; [`IGNORE_INDEX`] unless set.
    pub fn ignore_index(mut self, index: i64) -> Self {
        self.options.ignore_index = index;
        self
    }

    /// The axis of the classes; the last unless set. Negative ones count from the end. Labels,
    /// weights and masks then go by the other axes in their order, distributions by all.
    ///
    /// ```
    /// use xent::{CrossEntropy, Evaluate};
    /// // One image of two pixels, with a plane of logits for each of three classes.
    /// let logits = [2.0, 0.0, 1.0, 0.0, 0.1, 5.0];
    /// let loss = CrossEntropy::default();
    /// let planes = loss.on((&logits, [1, 3, 2]), &[0, 2]).axis(1).value()?;
    /// let rows = loss.on((&[2.0, 1.0, 0.1, 0.0, 0.0, 5.0], 3), &[0, 2]).value()?;
    /// assert_eq!(planes, rows);
    /// # Ok::<(), xent::Error>(())
    /// ```
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = Some(axis);
        self
    }

    /// What becomes of the rows; the mean unless set. Gradients are those of the reduced loss.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.options.reduction = reduction;
        self
    }

    /// What a mean over no rows is; an error unless set.
    pub fn when_empty(mut self, when_empty: WhenEmpty) -> Self {
        self.options.when_empty = when_empty;
        self
    }

    /// A flag that stops the call once it is set, from another thread or a handler of signals: soon
    /// after, the call ends with [`Error::Interrupted`].
    pub fn interrupt(mut self, interrupt: &'a AtomicBool) -> Self {
        self.options.interrupt = Some(interrupt);
        self
    }

    /// The reduced loss.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments, and [`Reduction::None`], which has no one value.
    pub fn value(&self) -> Result<f64> {
        self.value_into(Buffers::default())
    }

    /// The weighted loss of each row (classwise) or element (pointwise), not reduced.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments.
    pub fn values(&self) -> Result<Vec<P::Element>> {
        let mut values = vec![P::Element::default(); self.layout()?.rows];
        let buffers = Buffers { values: Some(&mut values), ..Buffers::default() };
        self.sums_into(Reduction::None, buffers)?;
        Ok(values)
    }

    /// (Σwℓ, Σw), which merge with those of other rows.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments.
    pub fn sums(&self) -> Result<Sums> {
        self.sums_into(Reduction::Sum, Buffers::default())
    }

    /// The reduced loss and its gradient.
    ///
    /// # Errors
    /// As [`value`](Call::value).
    pub fn value_and_gradient(&self) -> Result<(f64, P::Gradient)> {
        let mut gradient = self.zeros();
        let value = self.value_and_gradient_into(&mut gradient)?;
        Ok((value, self.predictions.shaped(gradient)))
    }

    /// The reduced loss, with its gradient in a row-major buffer as long as the predictions.
    ///
    /// # Errors
    /// As [`value`](Call::value), and a buffer of another length. What the buffer then holds has no
    /// meaning.
    pub fn value_and_gradient_into(&self, gradient: &mut [P::Element]) -> Result<f64> {
        self.value_into(Buffers { gradient: Some(gradient), ..Buffers::default() })
    }

    /// The reduced loss, its gradient and its curvature, the diagonal of its Hessian.
    ///
    /// # Errors
    /// As [`value`](Call::value).
    pub fn value_gradient_curvature(&self) -> Result<(f64, P::Gradient, P::Gradient)> {
        let (mut gradient, mut curvature) = (self.zeros(), self.zeros());
        let value = self.value_into(Buffers {
            values: None,
            gradient: Some(&mut gradient),
            curvature: Some(&mut curvature),
        })?;
        Ok((value, self.predictions.shaped(gradient), self.predictions.shaped(curvature)))
    }

    /// Fills any of the buffers, and sums up.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments, and buffers of the wrong length. What the buffers then
    /// hold has no meaning.
    pub fn evaluate_into(&self, buffers: Buffers<'_, P::Element>) -> Result<Sums> {
        self.sums_into(self.options.reduction, buffers)
    }

    /// Fills any of the buffers, and gives the reduced loss.
    ///
    /// # Errors
    /// As [`value`](Call::value), and buffers of the wrong length.
    pub fn value_into(&self, buffers: Buffers<'_, P::Element>) -> Result<f64> {
        self.check_reduction()?;
        let problem = self.problem(self.options.reduction)?;
        self.with_source(problem.layout, |source| problem.reduced(source, buffers))
    }

    fn zeros(&self) -> Vec<P::Element> {
        vec![P::Element::default(); self.predictions.len()]
    }

    fn layout(&self) -> Result<Layout> {
        let shape = self.predictions.shape();
        Layout::new(&shape, self.predictions.len(), self.loss.family(), self.axis)
    }

    fn problem(&self, reduction: Reduction) -> Result<Problem<'_, P::Element>> {
        let options = Options { reduction, ..self.options };
        Ok(Problem { loss: self.loss, layout: self.layout()?, targets: &self.targets, options })
    }

    fn sums_into(&self, reduction: Reduction, buffers: Buffers<'_, P::Element>) -> Result<Sums> {
        let problem = self.problem(reduction)?;
        self.with_source(problem.layout, |source| problem.sums(source, buffers))
    }

    /// Rows that can be read where they are are not copied.
    fn with_source<R>(
        &self,
        layout: Layout,
        compute: impl FnOnce(Source<'_, P::Element>) -> R,
    ) -> R {
        let by_rows = self.loss.family() == Family::Classwise && layout.inner == 1;
        match self.predictions.rows_apart().filter(|_| by_rows) {
            Some(rows) => compute(Source::Apart(&rows)),
            None => compute(Source::Shared(&self.predictions.entries())),
        }
    }

    fn check_reduction(&self) -> Result<()> {
        match self.options.reduction {
            Reduction::None => {
                Err(Error::Reduction("none leaves one value per row; ask for values() instead"))
            }
            Reduction::Sum | Reduction::Mean => Ok(()),
        }
    }
}

impl<P: Predictions<Element = f64>> Call<'_, P> {
    /// How each class of a row comes to its share of the loss, row after row: for explanations.
    /// Empty for a pointwise loss.
    ///
    /// ```
    /// use xent::{CrossEntropy, Evaluate};
    /// let steps = CrossEntropy::default().on(&[0.0, 0.0], &[1]).steps()?;
    /// assert_eq!(steps[1].probability, Some(0.5));
    /// assert_eq!(steps[1].term, 2f64.ln());
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever is wrong with the arguments.
    pub fn steps(&self) -> Result<Vec<Step>> {
        let values = self.values()?;
        let (layout, predictions) = (self.layout()?, self.predictions.entries());
        let class_weights: Option<Vec<_>> = self
            .options
            .class_weights
            .map(|weights| weights.iter().map(|weight| weight.widen()).collect());
        let mut steps = Vec::new();
        for row in 0..values.len() {
            let of_row = |entries: &[f64]| -> Vec<f64> {
                (0..layout.classes).map(|class| entries[layout.index(row, class)]).collect()
            };
            let (own, shares) = (
                of_row(&predictions),
                match &self.targets {
                    Targets::Labels(_) => Vec::new(),
                    Targets::Values(values) => of_row(values),
                },
            );
            let label = [match &self.targets {
                Targets::Labels(labels) => usize::try_from(labels.get(row)).unwrap_or(0),
                Targets::Values(_) => 0,
            }];
            let block = Block {
                predictions: &own,
                planes: false,
                targets: match &self.targets {
                    Targets::Labels(_) => BlockTargets::Labels(&label),
                    Targets::Values(_) => BlockTargets::Values(&shares),
                },
                classes: layout.classes,
                class_weights: class_weights.as_deref(),
            };
            steps.extend(self.loss.steps(&block).unwrap_or_default());
        }
        Ok(steps)
    }
}

impl<P: PredictionsMut> Call<'_, P> {
    /// The reduced loss; its gradient replaces the predictions, so that no second buffer is needed.
    ///
    /// # Errors
    /// As [`value`](Call::value); the predictions are then as they were.
    pub fn value_and_gradient_in_place(mut self) -> Result<f64> {
        self.check_reduction()?;
        let (layout, options) = (self.layout()?, self.options);
        let problem = Problem { loss: self.loss, layout, targets: &self.targets, options };
        self.predictions
            .replace(|entries| problem.reduced(Source::Replaced(entries), Buffers::default()))
    }
}
