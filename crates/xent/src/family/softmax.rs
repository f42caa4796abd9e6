//! The numerics of the softmax.
//!
//! Everywhere the largest exponential of a row is kept apart from the sum of the others, so that a
//! confident row keeps the digits of what the *other* classes have.

use super::classwise::Class;
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};
use crate::reduce::{STRIPES, Stripes};

/// Rows at least this long fill whole vectors by themselves.
pub(crate) const LONG: usize = 32;

/// The largest of some exponentials, and the sum of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Totals<R> {
    pub(super) largest: R,
    pub(super) others: R,
}

impl<R: Real> Totals<R> {
    const NONE: Self = Self { largest: R::ZERO, others: R::ZERO };

    /// With another one. A NaN ends up among the others.
    #[inline(always)]
    fn with(mut self, exponential: R) -> Self {
        add(&mut self.largest, &mut self.others, exponential);
        self
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        let both = self.with(other.largest);
        Self { others: both.others.plus_like(other.others), ..both }
    }

    #[inline(always)]
    pub(super) fn of(exponentials: &[R]) -> Self {
        let mut totals = Self::NONE;
        for &e in exponentials {
            totals = totals.with(e);
        }
        totals
    }

    /// Whether the exponentials of the row have to be taken of differences to its largest logit.
    #[inline(always)]
    pub(super) fn is_out_of_range<T: Element<Wide = R>>(
        self,
        own: R,
        [low, high]: [f64; 2],
    ) -> bool {
        let (own, largest) = (T::wide_to_f64(own), T::wide_to_f64(self.largest));
        !((low < own) & (low < largest) & (largest < high))
    }

    /// The sum of all but one of the exponentials.
    #[inline(always)]
    pub(super) fn without(self, exponential: R) -> R {
        let rest = (self.others - exponential) + self.largest;
        exponential.if_less(self.largest, rest, self.others)
    }
}

/// One more exponential for totals that are kept in two places.
#[inline(always)]
fn add<R: Real>(largest: &mut R, others: &mut R, exponential: R) {
    *others = others.plus_like(largest.if_less(exponential, *largest, exponential));
    *largest = largest.if_less(exponential, exponential, *largest);
}

/// One more exponential for the totals of each row.
#[inline(always)]
fn add_each<R: Real>(largest: &mut [R], others: &mut [R], exponentials: &[R]) {
    for ((largest, others), &e) in largest.iter_mut().zip(others).zip(exponentials) {
        add(largest, others, e);
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
                add(largest, others, e);
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
pub(super) fn exponentials_of<T: Element>(
    logits: &[T],
    coarse: bool,
    exponentials: &mut [T::Wide],
) {
    if coarse {
        for (e, logit) in exponentials.iter_mut().zip(logits) {
            *e = logit.widen().exp_coarse();
        }
    } else {
        for (e, logit) in exponentials.iter_mut().zip(logits) {
            *e = logit.widen().exp();
        }
    }
}

/// The totals of a long row, tile by tile; keeps the exponentials if there is a place for them.
#[inline(always)]
pub(super) fn long_row<T: Element>(
    logits: &[T],
    coarse: bool,
    exponentials: &mut [T::Wide],
) -> Totals<T::Wide> {
    let mut lanes = Lanes([Totals::NONE; STRIPES]);
    let mut tile = [T::Wide::ZERO; TILE];
    for (index, logits) in logits.chunks(TILE).enumerate() {
        let start = index * TILE;
        let place = exponentials.get_mut(start..start + logits.len());
        let place = place.unwrap_or(&mut tile[..logits.len()]);
        prefetch(logits);
        exponentials_of(logits, coarse, place);
        lanes.add(place);
    }
    lanes.total()
}

/// The totals of rows that lie as planes, the same as if each was computed by itself; keeps the
/// exponentials if there is a place for them.
#[inline(always)]
pub(super) fn totals_of_planes<T: Element>(
    logits: &[T],
    coarse: bool,
    exponentials: &mut [T::Wide],
    largest: &mut [T::Wide],
    others: &mut [T::Wide],
) {
    let rows = largest.len();
    let classes = logits.len() / rows;
    let stripes = if classes < LONG { 1 } else { STRIPES };
    let mut elsewhere = [T::Wide::ZERO; TILE];
    let tiles = largest.chunks_mut(TILE).zip(others.chunks_mut(TILE)).enumerate();
    for (index, (largest, others)) in tiles {
        for stripe in 0..stripes {
            let mut totals = [[T::Wide::ZERO; TILE]; 2];
            let [stripe_largest, stripe_others] = &mut totals;
            for class in (stripe..classes).step_by(stripes) {
                let start = class * rows + index * TILE;
                let tile = start..start + largest.len();
                let place = exponentials.get_mut(tile.clone());
                let place = place.unwrap_or(&mut elsewhere[..largest.len()]);
                exponentials_of(&logits[tile], coarse, place);
                add_each(stripe_largest, stripe_others, place);
            }
            let totals = stripe_largest.iter().zip(&*stripe_others);
            let results = largest.iter_mut().zip(others.iter_mut()).zip(totals);
            for ((largest, others), (&stripe_largest, &stripe_others)) in results {
                let this = Totals { largest: stripe_largest, others: stripe_others };
                let before = Totals { largest: *largest, others: *others };
                let both = if stripe == 0 { this } else { before.merge(this) };
                (*largest, *others) = (both.largest, both.others);
            }
        }
    }
}

/// The softmax of a row, with the largest logit apart: its probability is 1 / (1 + rest), so that
/// a confident row keeps the digits of what the *other* classes have.
pub(crate) struct Softmax<R> {
    pub(super) argmax: usize,
    pub(super) max: R,
    /// Σ exp(logit − max) over the classes other than `argmax`.
    pub(super) rest: R,
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
    pub(super) fn of_rows<T: Element<Wide = R>>(
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
                subtract(row, max, tile);
                if classes >= LONG {
                    exponentiate(tile, coarse);
                    let left_out = argmax.wrapping_sub(index * TILE);
                    rest.add_without(tile, left_out, R::plus_like);
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
                rest.add_without(row, softmax.argmax, R::plus_like);
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
    pub(super) fn class(&self, logit: R, exponential: R, target: R, classes: R) -> Class<R> {
        Class {
            score: self.score(logit),
            probability: exponential * self.top,
            complement: ((self.rest - exponential) + 1.0) * self.top,
            target,
            classes,
        }
    }

    #[inline(always)]
    pub(super) fn class_at<T: Element<Wide = R>>(
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
pub(super) fn subtract<T: Element>(logits: &[T], max: T::Wide, differences: &mut [T::Wide]) {
    for (difference, logit) in differences.iter_mut().zip(logits) {
        *difference = logit.widen() - max;
    }
}

#[inline(always)]
pub(super) fn exponentiate<R: Real>(numbers: &mut [R], coarse: bool) {
    if coarse {
        for e in numbers {
            *e = e.exp_coarse();
        }
    } else {
        for e in numbers {
            *e = e.exp();
        }
    }
}

#[inline(always)]
fn larger<R: Real>(max: R, entry: R) -> R {
    max.if_less(entry, entry, max)
}

/// The first largest entry and its place; NaN is never the largest.
#[inline(always)]
fn largest<T: Element>(row: &[T]) -> (usize, T::Wide) {
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
        for entry in tail {
            max = larger(max, entry.widen());
        }
    }
    for lane in lanes {
        max = larger(max, lane);
    }
    let wanted = T::wide_to_f64(max);
    let is_max = |entry: &T| entry.to_f64() == wanted;
    // No early exit within a tile, so that the search vectorises.
    let there = |tile: &[T]| tile.iter().fold(false, |found, entry| found | is_max(entry));
    let start = row.chunks(TILE).position(there).unwrap_or(0) * TILE;
    (start + row[start..].iter().position(is_max).unwrap_or(0), max)
}
