//! The numerics of the softmax.
//!
//! Everywhere the largest exponential of a row is kept apart from the sum of the others, so that a
//! confident row keeps the digits of what the *other* classes have.

use super::classwise::Class;
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};
use crate::reduce::{STRIPES, stripes};

/// Rows at least this long fill whole vectors by themselves.
const LONG: usize = 32;
/// Where the largest logit of a row and that of its label have to be, either side of 0, for
/// exponentials without a shift: 170 decimal digits are then left below the largest.
const UNSHIFTED: f64 = 300.0;

/// The largest of some exponentials, and the sum of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Totals<R> {
    pub(crate) largest: R,
    pub(crate) others: R,
}

impl<R: Real> Totals<R> {
    const NONE: Self = Self { largest: R::ZERO, others: R::ZERO };

    /// With another one. A NaN ends up among the others.
    #[inline(always)]
    fn with(self, exponential: R) -> Self {
        let smaller = self.largest.if_less(exponential, self.largest, exponential);
        let largest = self.largest.if_less(exponential, exponential, self.largest);
        Self { largest, others: self.others + smaller }
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        let both = self.with(other.largest);
        Self { others: both.others + other.others, ..both }
    }

    #[inline(always)]
    fn of(exponentials: &[R]) -> Self {
        exponentials.iter().fold(Self::NONE, |totals, &e| totals.with(e))
    }

    /// 0, or 1 if the exponentials of the row have to be taken of differences to its largest logit.
    #[inline(always)]
    fn out_of_range(self, own: R, low: R, high: R) -> R {
        let above = own.if_less(high, R::ZERO, R::ONE);
        let above = self.largest.if_less(high, above, R::ONE);
        let below = low.if_less(own, above, R::ONE);
        low.if_less(self.largest, below, R::ONE)
    }

    /// The sum of all but one of the exponentials.
    #[inline(always)]
    pub(crate) fn without(self, exponential: R) -> R {
        let rest = (self.others - exponential) + self.largest;
        exponential.if_less(self.largest, rest, self.others)
    }
}

/// Totals in stripes, as sums are.
struct Lanes<R>([Totals<R>; STRIPES]);

impl<R: Real> Lanes<R> {
    #[inline(always)]
    fn add(&mut self, exponentials: &[R]) {
        let mut largest = self.0.map(|lane| lane.largest);
        let mut others = self.0.map(|lane| lane.others);
        let (chunks, tail) = exponentials.as_chunks::<STRIPES>();
        for chunk in chunks {
            for ((others, largest), &e) in others.iter_mut().zip(&mut largest).zip(chunk) {
                *others = *others + largest.if_less(e, *largest, e);
                *largest = largest.if_less(e, e, *largest);
            }
        }
        for (i, lane) in self.0.iter_mut().enumerate() {
            *lane = Totals { largest: largest[i], others: others[i] };
        }
        for (lane, &exponential) in self.0.iter_mut().zip(tail) {
            *lane = lane.with(exponential);
        }
    }

    #[inline(always)]
    fn total(self) -> Totals<R> {
        self.0.into_iter().reduce(Totals::merge).unwrap_or(Totals::NONE)
    }
}

#[inline(always)]
fn fill<T: Element>(logits: &[T], exponentials: &mut [T::Wide]) {
    prefetch(logits);
    for (e, logit) in exponentials.iter_mut().zip(logits) {
        *e = logit.widen().exp_coarse();
    }
}

/// The totals of a long row, tile by tile; keeps the exponentials if there is a place for them.
#[inline(always)]
fn long_row<T: Element>(logits: &[T], exponentials: &mut [T::Wide]) -> Totals<T::Wide> {
    let mut lanes = Lanes([Totals::NONE; STRIPES]);
    let mut tile = [T::Wide::ZERO; TILE];
    for (index, logits) in logits.chunks(TILE).enumerate() {
        let start = index * TILE;
        let place = exponentials.get_mut(start..start + logits.len());
        let place = place.unwrap_or(&mut tile[..logits.len()]);
        fill(logits, place);
        lanes.add(place);
    }
    lanes.total()
}

/// What losses of labelled rows are made of: an entry for each row.
pub(crate) struct Labelled<'a, R> {
    /// The exponential of the logit of the label, in the scale of the row.
    pub(crate) own: &'a mut [R],
    /// The sum of all other exponentials of the row.
    pub(crate) others: &'a mut [R],
    /// The log-probability of the label.
    pub(crate) scores: &'a mut [R],
    /// The largest exponential of the row, and the sum of those but this one.
    pub(crate) largest: &'a mut [R],
    pub(crate) rest: &'a mut [R],
}

impl<R: Real> Labelled<'_, R> {
    /// Whether the exponentials of such a block are needed in memory.
    pub(crate) fn keeps<T: Element<Wide = R>>(classes: usize) -> bool {
        !T::WIDE_HAS_RANGE || classes < LONG
    }

    /// Fills all, and `exponentials` unless it is empty.
    ///
    /// Wide numbers of more range than the data take the exponentials of the logits as they are,
    /// in one pass; rows beyond that, and data as wide as their wide numbers, take them of the
    /// differences to the largest logit.
    #[inline(always)]
    pub(crate) fn fill<T: Element<Wide = R>>(
        &mut self,
        logits: &[T],
        labels: &[usize],
        exponentials: &mut [R],
    ) {
        let classes = logits.len() / labels.len();
        if !T::WIDE_HAS_RANGE {
            let softmaxes = Softmax::of_rows(logits, classes, exponentials);
            for (row, softmax) in softmaxes.into_iter().enumerate() {
                let at = row * classes..(row + 1) * classes;
                self.shift(
                    row,
                    softmax,
                    logits[at.clone()][labels[row]],
                    exponentials[at][labels[row]],
                );
            }
            return;
        }
        if classes < LONG {
            for (logits, tile) in logits.chunks(TILE).zip(exponentials.chunks_mut(TILE)) {
                fill(logits, tile);
            }
            for (row, exponentials) in exponentials.chunks_exact(classes).enumerate() {
                let totals = Totals::of(exponentials);
                (self.largest[row], self.rest[row]) = (totals.largest, totals.others);
            }
        } else {
            for (row, logits) in logits.chunks_exact(classes).enumerate() {
                let kept = exponentials.get_mut(row * classes..(row + 1) * classes);
                let totals = long_row(logits, kept.unwrap_or_default());
                (self.largest[row], self.rest[row]) = (totals.largest, totals.others);
            }
        }
        for ((own, row), &label) in
            self.own.iter_mut().zip(logits.chunks_exact(classes)).zip(labels)
        {
            *own = row[label].widen();
        }
        for own in self.own.iter_mut() {
            *own = own.exp_coarse();
        }
        let (low, high) = (R::constant(-UNSHIFTED).exp(), R::constant(UNSHIFTED).exp());
        let mut shifted = R::ZERO;
        for row in 0..labels.len() {
            let totals = Totals { largest: self.largest[row], others: self.rest[row] };
            self.others[row] = totals.without(self.own[row]);
            self.scores[row] = -(self.others[row] / self.own[row]).ln_1p();
            shifted = shifted + totals.out_of_range(self.own[row], low, high);
        }
        if T::wide_to_f64(shifted) != 0.0 {
            self.shift_where_needed(logits, labels, exponentials, low, high);
        }
    }

    /// Does the rows anew that do not keep within the range.
    fn shift_where_needed<T: Element<Wide = R>>(
        &mut self,
        logits: &[T],
        labels: &[usize],
        exponentials: &mut [R],
        low: R,
        high: R,
    ) {
        let classes = logits.len() / labels.len();
        let mut elsewhere = Vec::new();
        for (row, &label) in labels.iter().enumerate() {
            let totals = Totals { largest: self.largest[row], others: self.rest[row] };
            if T::wide_to_f64(totals.out_of_range(self.own[row], low, high)) == 0.0 {
                continue;
            }
            let at = row * classes..(row + 1) * classes;
            let kept = exponentials.get_mut(at.clone()).unwrap_or_else(|| {
                elsewhere.resize(classes, R::ZERO);
                &mut elsewhere
            });
            let softmax = Softmax::of(&logits[at.clone()], kept);
            let own = kept[label];
            self.shift(row, softmax, logits[at][label], own);
        }
    }

    /// Sets a row whose exponentials are those of differences to the largest logit.
    #[inline(always)]
    fn shift<T: Element<Wide = R>>(&mut self, row: usize, softmax: Softmax<R>, logit: T, own: R) {
        let totals = Totals { largest: R::ONE, others: softmax.rest };
        self.own[row] = own;
        self.others[row] = totals.without(own);
        self.scores[row] = softmax.score(logit.widen());
        (self.largest[row], self.rest[row]) = (totals.largest, totals.others);
    }
}

/// The softmax of a row, with the largest logit apart: its probability is 1 / (1 + rest), so that
/// a confident row keeps the digits of what the *other* classes have.
pub(crate) struct Softmax<R> {
    pub(crate) argmax: usize,
    max: R,
    /// Σ exp(logit − max) over the classes other than `argmax`.
    rest: R,
    /// 1 / (1 + rest), the probability of `argmax`.
    pub(crate) top: R,
    /// ln(1 + rest).
    log_total: R,
}

impl<R: Real> Softmax<R> {
    /// Of one row that is not empty; leaves exp(logit − max) in `exponentials`.
    pub(crate) fn of<T: Element<Wide = R>>(logits: &[T], exponentials: &mut [R]) -> Self {
        Self::of_rows(logits, logits.len(), exponentials).swap_remove(0)
    }

    /// Of rows, all at once, so that the exponentials of short rows fill whole vectors.
    #[inline(always)]
    pub(crate) fn of_rows<T: Element<Wide = R>>(
        logits: &[T],
        classes: usize,
        exponentials: &mut [R],
    ) -> Vec<Self> {
        let rows = logits.chunks_exact(classes).zip(exponentials.chunks_exact_mut(classes));
        let mut softmaxes = Vec::with_capacity(logits.len() / classes);
        for (row, differences) in rows {
            let (argmax, max) = largest(row);
            for (difference, logit) in differences.iter_mut().zip(row) {
                *difference = logit.widen() - max;
            }
            softmaxes.push(Self { argmax, max, rest: R::ZERO, top: R::ONE, log_total: R::ZERO });
        }
        for difference in exponentials.iter_mut() {
            *difference = difference.exp();
        }
        for (softmax, row) in softmaxes.iter_mut().zip(exponentials.chunks_exact_mut(classes)) {
            softmax.rest = sum_without(row, softmax.argmax);
        }
        for softmax in &mut softmaxes {
            softmax.top = R::ONE / (softmax.rest + 1.0);
            softmax.log_total = softmax.rest.ln_1p();
        }
        softmaxes
    }

    /// The log-probability of a logit of the row.
    #[inline(always)]
    pub(crate) fn score(&self, logit: R) -> R {
        (logit - self.max) - self.log_total
    }

    /// ln Σ exp(logit).
    pub(crate) fn log_sum_exp(&self) -> R {
        self.max + self.log_total
    }

    /// The class with this exp(logit − max), unless it is the argmax.
    #[inline(always)]
    pub(crate) fn class(&self, logit: R, exponential: R, target: R, classes: R) -> Class<R> {
        Class {
            score: self.score(logit),
            probability: exponential * self.top,
            complement: ((self.rest - exponential) + 1.0) * self.top,
            target,
            classes,
        }
    }

    #[inline(always)]
    pub(crate) fn class_at<T: Element<Wide = R>>(
        &self,
        class: usize,
        logits: &[T],
        exponentials: &[R],
        target: R,
    ) -> Class<R> {
        let classes = R::constant(logits.len() as f64);
        let usual = self.class(logits[class].widen(), exponentials[class], target, classes);
        if class == self.argmax {
            Class { complement: self.rest * self.top, ..usual }
        } else {
            usual
        }
    }
}

/// The first largest entry and its place; NaN is never the largest.
#[inline(always)]
fn largest<T: Element>(row: &[T]) -> (usize, T::Wide) {
    let larger = |max: T::Wide, entry: T::Wide| max.if_less(entry, entry, max);
    let lowest = T::LOWEST.widen();
    let (chunks, tail) = row.as_chunks::<STRIPES>();
    let mut lanes = [lowest; STRIPES];
    for chunk in chunks {
        for (lane, &entry) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, entry.widen());
        }
    }
    let max = tail.iter().map(|entry| entry.widen()).chain(lanes).fold(lowest, larger);
    let place = T::wide_to_f64(max);
    (row.iter().position(|entry| entry.to_f64() == place).unwrap_or(0), max)
}

/// The sum of all entries but one.
#[inline(always)]
pub(crate) fn sum_without<R: Real>(entries: &mut [R], left_out: usize) -> R {
    let kept = std::mem::replace(&mut entries[left_out], R::ZERO);
    let sum = stripes(entries);
    entries[left_out] = kept;
    sum
}
