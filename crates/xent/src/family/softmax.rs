//! The numerics of the softmax.
//!
//! Everywhere the largest exponential of a row is kept apart from the sum of the others, so that a
//! confident row keeps the digits of what the *other* classes have.

use super::classwise::Class;
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};
use crate::reduce::{STRIPES, Stripes};

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
        Self { largest, others: self.others.plus_like(smaller) }
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        let both = self.with(other.largest);
        Self { others: both.others.plus_like(other.others), ..both }
    }

    #[inline(always)]
    fn of(exponentials: &[R]) -> Self {
        exponentials.iter().fold(Self::NONE, |totals, &e| totals.with(e))
    }

    /// Whether the exponentials of the row have to be taken of differences to its largest logit.
    #[inline(always)]
    fn is_out_of_range<T: Element<Wide = R>>(self, own: R, [low, high]: [f64; 2]) -> bool {
        let (own, largest) = (T::wide_to_f64(own), T::wide_to_f64(self.largest));
        !((low < own) & (low < largest) & (largest < high))
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
                *others = others.plus_like(largest.if_less(e, *largest, e));
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
            let softmaxes = Softmax::of_rows(logits, classes, true, exponentials);
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
        let range = [-UNSHIFTED, UNSHIFTED].map(|end| T::wide_to_f64(R::constant(end).exp()));
        let totals = self.largest.iter().zip(&*self.rest);
        let results = self.others.iter_mut().zip(self.scores.iter_mut());
        let mut shifted = false;
        for (((&largest, &rest), &own), (others, score)) in totals.zip(&*self.own).zip(results) {
            let totals = Totals { largest, others: rest };
            *others = totals.without(own);
            *score = -(*others / own).ln_1p();
            shifted |= totals.is_out_of_range::<T>(own, range);
        }
        if shifted {
            self.shift_where_needed(logits, labels, exponentials, range);
        }
    }

    /// Does the rows anew that do not keep within the range.
    fn shift_where_needed<T: Element<Wide = R>>(
        &mut self,
        logits: &[T],
        labels: &[usize],
        exponentials: &mut [R],
        range: [f64; 2],
    ) {
        let classes = logits.len() / labels.len();
        let mut elsewhere = Vec::new();
        for (row, &label) in labels.iter().enumerate() {
            let totals = Totals { largest: self.largest[row], others: self.rest[row] };
            if !totals.is_out_of_range::<T>(self.own[row], range) {
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
        Self::of_rows(logits, logits.len(), false, exponentials).swap_remove(0)
    }

    /// Of rows, all at once, so that the exponentials of short rows fill whole vectors.
    #[inline(always)]
    pub(crate) fn of_rows<T: Element<Wide = R>>(
        logits: &[T],
        classes: usize,
        coarse: bool,
        exponentials: &mut [R],
    ) -> Vec<Self> {
        let rows = logits.chunks_exact(classes).zip(exponentials.chunks_exact_mut(classes));
        let mut softmaxes = Vec::with_capacity(logits.len() / classes);
        for (row, exponentials) in rows {
            let (argmax, max) = largest(row);
            let mut rest = Stripes::EMPTY;
            let tiles = row.chunks(TILE).zip(exponentials.chunks_mut(TILE)).enumerate();
            for (index, (row, tile)) in tiles {
                for (e, logit) in tile.iter_mut().zip(row) {
                    *e = logit.widen() - max;
                }
                if classes >= LONG {
                    exponentiate(tile, coarse);
                    let left_out = argmax.wrapping_sub(index * TILE);
                    without(tile, left_out, |others| rest.add_like(others));
                }
            }
            let rest = rest.total();
            softmaxes.push(Self { argmax, max, rest, top: R::ONE, log_total: R::ZERO });
        }
        if classes < LONG {
            exponentiate(exponentials, coarse);
            let rows = softmaxes.iter_mut().zip(exponentials.chunks_exact_mut(classes));
            for (softmax, row) in rows {
                let mut rest = Stripes::EMPTY;
                without(row, softmax.argmax, |others| rest.add_like(others));
                softmax.rest = rest.total();
            }
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

#[inline(always)]
fn exponentiate<R: Real>(numbers: &mut [R], coarse: bool) {
    if coarse {
        numbers.iter_mut().for_each(|e| *e = e.exp_coarse());
    } else {
        numbers.iter_mut().for_each(|e| *e = e.exp());
    }
}

/// The first largest entry and its place; NaN is never the largest.
#[inline(always)]
fn largest<T: Element>(row: &[T]) -> (usize, T::Wide) {
    let larger = |max: T::Wide, entry: T::Wide| max.if_less(entry, entry, max);
    let mut max = T::LOWEST.widen();
    let mut lanes = [max; STRIPES];
    for tile in row.chunks(TILE) {
        prefetch(tile);
        let (chunks, tail) = tile.as_chunks::<STRIPES>();
        for chunk in chunks {
            for (lane, &entry) in lanes.iter_mut().zip(chunk) {
                *lane = larger(*lane, entry.widen());
            }
        }
        max = tail.iter().map(|entry| entry.widen()).fold(max, larger);
    }
    max = lanes.into_iter().fold(max, larger);
    let wanted = T::wide_to_f64(max);
    let is_max = |entry: &T| entry.to_f64() == wanted;
    // No early exit within a tile, so that the search vectorises.
    let there = |tile: &[T]| tile.iter().fold(false, |found, entry| found | is_max(entry));
    let start = row.chunks(TILE).position(there).unwrap_or(0) * TILE;
    (start + row[start..].iter().position(is_max).unwrap_or(0), max)
}

/// The sum of all entries but one.
#[inline(always)]
pub(crate) fn sum_without<R: Real>(entries: &mut [R], left_out: usize) -> R {
    let mut sum = Stripes::EMPTY;
    without(entries, left_out, |entries| sum.add(entries));
    sum.total()
}

/// Does something with 0 in place of one of the entries, if there is such a one.
#[inline(always)]
pub(crate) fn without<R: Real>(entries: &mut [R], left_out: usize, mut run: impl FnMut(&[R])) {
    let kept = entries.get_mut(left_out).map(|entry| std::mem::replace(entry, R::ZERO));
    run(entries);
    if let Some(kept) = kept {
        entries[left_out] = kept;
    }
}
