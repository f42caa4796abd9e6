//! From a loss and its arguments to buffers and sums: written once, for every loss.
//!
//! Rows are cut into blocks of a fixed size. A block goes through the loss's kernel into wide
//! scratch, and from there, weighted and rounded once, to the caller's buffers. Blocks are
//! grouped into jobs for threads; neither changes a bit of the result.

mod check;
mod finish;
mod memory;
mod planes;
mod run;

use crate::error::{Error, Result};
use crate::family::{Loss, Order};
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::{Reduction, Sums, WhenEmpty};
use crate::targets::Targets;
use run::Run;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many predictions a block holds, if rows are not longer than that.
const BLOCK: usize = 1024;
/// How many predictions are worth a thread.
const JOB: usize = 64 * BLOCK;

/// All of a call but its predictions.
pub(crate) struct Problem<'a, T: Element> {
    pub(crate) loss: &'a dyn Loss,
    pub(crate) layout: Layout,
    pub(crate) targets: &'a Targets<'a, T>,
    pub(crate) options: Options<'a, T>,
}

/// What a caller may leave out.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a, T> {
    pub(crate) weights: Option<&'a [T]>,
    pub(crate) mask: Option<&'a [bool]>,
    pub(crate) class_weights: Option<&'a [T]>,
    pub(crate) ignore_index: i64,
    pub(crate) reduction: Reduction,
    pub(crate) when_empty: WhenEmpty,
    pub(crate) interrupt: Option<&'a AtomicBool>,
}

/// Where predictions are, and whether the gradient takes their place.
pub(crate) enum Source<'a, T> {
    Shared(&'a [T]),
    /// Rows that do not follow each other.
    Apart(&'a [&'a [T]]),
    Replaced(&'a mut [T]),
}

/// Where results go; what is `None` is not computed.
#[derive(Debug)]
pub struct Buffers<'a, T> {
    /// The weighted value of each row (classwise) or element (pointwise), not reduced.
    pub values: Option<&'a mut [T]>,
    /// The gradient of the reduced loss, as the predictions.
    pub gradient: Option<&'a mut [T]>,
    /// The diagonal of the Hessian of the reduced loss, as the predictions.
    pub curvature: Option<&'a mut [T]>,
}

impl<T> Default for Buffers<'_, T> {
    fn default() -> Self {
        Self { values: None, gradient: None, curvature: None }
    }
}

impl<T: Element> Problem<'_, T> {
    /// Fills `buffers`, and gives (Σwℓ, Σw).
    pub(crate) fn sums(&self, source: Source<'_, T>, buffers: Buffers<'_, T>) -> Result<Sums> {
        let (loss, weight) = self.evaluate(source, buffers, false)?;
        Ok(Sums { loss: T::wide_to_f64(loss), weight: T::wide_to_f64(weight) })
    }

    /// Fills `buffers`, and gives the reduced loss.
    pub(crate) fn reduced(&self, source: Source<'_, T>, buffers: Buffers<'_, T>) -> Result<f64> {
        let mean = self.options.reduction == Reduction::Mean;
        let averaged = mean && !T::WIDE_HAS_RANGE;
        let (loss, weight) = self.evaluate(source, buffers, averaged)?;
        let divide = mean && !averaged && T::wide_to_f64(weight) != 0.0;
        Ok(T::wide_to_f64(if divide { loss / weight } else { loss }))
    }

    /// Checks everything, fills `buffers` and sums up wℓ and w. On an error buffers may hold
    /// anything; predictions to be replaced are as they were, but for an interruption. If
    /// `averaged`, wℓ is divided by Σw before and not after the sum.
    fn evaluate(
        &self,
        source: Source<'_, T>,
        buffers: Buffers<'_, T>,
        averaged: bool,
    ) -> Result<(T::Wide, T::Wide)> {
        self.validate(&source, &buffers)?;
        let class_weights: Option<Vec<T::Wide>> =
            self.options.class_weights.map(|weights| weights.iter().map(|w| w.widen()).collect());
        let weight = self.total_weight(class_weights.as_deref())?;
        let nothing_counts = T::wide_to_f64(weight) == 0.0;
        if nothing_counts
            && self.options.reduction == Reduction::Mean
            && self.options.when_empty == WhenEmpty::Error
        {
            return Err(Error::Empty { rows: self.layout.rows });
        }
        let scale = match self.options.reduction {
            Reduction::Mean if !nothing_counts => T::Wide::ONE / weight,
            _ => T::Wide::ONE,
        };
        let order = match (&source, &buffers) {
            (_, Buffers { curvature: Some(_), .. }) => Order::Curvature,
            (Source::Replaced(_), _) | (_, Buffers { gradient: Some(_), .. }) => Order::Gradient,
            _ => Order::Value,
        };
        let class_weights = class_weights.as_deref();
        let labelled = matches!(self.targets, Targets::Labels(_));
        let planes = T::kernel(self.loss)
            .planes(labelled, self.options.class_weights.is_some())
            .is_some_and(|few| self.layout.inner != 1 || self.layout.classes <= few);
        let legal = AtomicBool::new(true);
        let given = match source {
            Source::Shared(predictions) => vec![predictions],
            Source::Apart(rows) => rows.to_vec(),
            Source::Replaced(_) => Vec::new(),
        };
        let run = Run { problem: self, class_weights, scale, averaged, order, planes, legal };
        let loss = run.all(source, buffers);
        if self.is_interrupted() {
            return Err(Error::Interrupted);
        }
        if !run.legal.into_inner() {
            self.check_ranges(&given)?;
        }
        Ok((loss, weight))
    }

    /// The factor of a row, 0 where it does not count.
    fn row_weight(&self, row: usize) -> T::Wide {
        if self.options.mask.is_some_and(|mask| !mask[row]) || self.is_ignored(row) {
            return T::Wide::ZERO;
        }
        self.options.weights.map_or(T::Wide::ONE, |weights| weights[row].widen())
    }

    fn is_ignored(&self, row: usize) -> bool {
        matches!(self.targets, Targets::Labels(labels) if labels.get(row) == self.options.ignore_index)
    }

    fn counts(&self, row: usize) -> bool {
        T::wide_to_f64(self.row_weight(row)) != 0.0
    }

    fn is_interrupted(&self) -> bool {
        self.options.interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed))
    }

    /// Whether every row has the factor 1.
    fn is_plain(&self) -> bool {
        let labels = matches!(self.targets, Targets::Labels(_));
        self.options.weights.is_none() && self.options.mask.is_none() && !labels
    }
}
