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
    pub(super) fn with(mut self, exponential: R) -> Self {
        let Self { largest, others } = &mut self;
        *others = others.plus_like(largest.if_less(exponential, *largest, exponential));
        *largest = largest.if_less(exponential, exponential, *largest);
        self
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        let both = self.with(other.largest);
        Self { others: both.others.plus_like(other.others), ..both }
    }

    /// Of a row, in stripes as sums are.
    #[inline(always)]
    pub(super) fn of(exponentials: &[R]) -> Self {
        let mut lanes = [Self::NONE; STRIPES];
        let (chunks, tail) = exponentials.as_chunks::<STRIPES>();
        let (mut largest, mut others) = (lanes.map(|l| l.largest), lanes.map(|l| l.others));
        for chunk in chunks {
            for ((others, largest), &e) in others.iter_mut().zip(&mut largest).zip(chunk) {
                let with = Self { largest: *largest, others: *others }.with(e);
                (*largest, *others) = (with.largest, with.others);
            }
        }
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = Self { largest: largest[i], others: others[i] };
        }
        for (lane, &exponential) in lanes.iter_mut().zip(tail) {
            *lane = lane.with(exponential);
        }
        lanes.into_iter().reduce(Self::merge).unwrap_or(Self::NONE)
    }

    /// The sum of all but one of the exponentials.
    #[inline(always)]
    pub(super) fn without(self, exponential: R) -> R {
        let rest = (self.others - exponential) + self.largest;
        exponential.if_less(self.largest, rest, self.others)
    }
}

/// The exponentials of logits as they are.
#[inline(always)]
pub(super) fn exponentials_of<T: Element>(
    logits: &[T],
    coarse: bool,
    exponentials: &mut [T::Wide],
) {
    if coarse {
        T::exps_coarse(logits, exponentials);
    } else {
        for (e, &logit) in exponentials.iter_mut().zip(logits) {
            *e = logit.widen().exp();
        }
    }
}

/// The exponentials of differences to the largest logit.
#[inline(always)]
pub(super) fn shifted_exponentials<T: Element>(
    logits: &[T],
    max: T::Wide,
    exponentials: &mut [T::Wide],
) {
    for (e, &logit) in exponentials.iter_mut().zip(logits) {
        *e = (logit.widen() - max).exp();
    }
}

/// The sum of the exponentials of a long row, but for the label's; keeps them all if there is a
/// place for them.
#[inline(always)]
pub(super) fn others_of_long_row<T: Element>(
    logits: &[T],
    label: usize,
    coarse: bool,
    exponentials: &mut [T::Wide],
) -> T::Wide {
    let mut others = Stripes::EMPTY;
    let mut tile = [T::Wide::ZERO; TILE];
    for (index, logits) in logits.chunks(TILE).enumerate() {
        let start = index * TILE;
        let place = exponentials.get_mut(start..start + logits.len());
        let place = place.unwrap_or(&mut tile[..logits.len()]);
        prefetch(logits);
        exponentials_of(logits, coarse, place);
        others.add_without(place, label.wrapping_sub(start), T::Wide::plus_like);
    }
    others.in_turn(T::Wide::plus_like)
}

/// The same for rows that lie as planes, each as if it was by itself.
#[inline(always)]
pub(super) fn others_of_planes<T: Element>(
    logits: &[T],
    labels: &[usize],
    coarse: bool,
    exponentials: &mut [T::Wide],
    others: &mut [T::Wide],
) {
    let rows = labels.len();
    let classes = logits.len() / rows;
    let stripes = if classes < LONG { 1 } else { STRIPES };
    let mut elsewhere = [T::Wide::ZERO; TILE];
    let tiles = others.chunks_mut(TILE).zip(labels.chunks(TILE)).enumerate();
    for (index, (others, labels)) in tiles {
        for stripe in 0..stripes {
            let mut sums = [T::Wide::ZERO; TILE];
            for class in (stripe..classes).step_by(stripes) {
                let start = class * rows + index * TILE;
                let tile = start..start + labels.len();
                let place = exponentials.get_mut(tile.clone());
                let place = place.unwrap_or(&mut elsewhere[..labels.len()]);
                exponentials_of(&logits[tile], coarse, place);
                add_other(class, labels, place, &mut sums);
            }
            for (others, &sum) in others.iter_mut().zip(&sums) {
                *others = if stripe == 0 { sum } else { others.plus_like(sum) };
            }
        }
    }
}

/// Adds the exponentials of a class to the sums of the rows with other labels.
#[inline(always)]
fn add_other<R: Real>(class: usize, labels: &[usize], exponentials: &[R], sums: &mut [R]) {
    for ((sum, &label), &e) in sums.iter_mut().zip(labels).zip(exponentials) {
        *sum = sum.plus_like(if label == class { R::ZERO } else { e });
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
    #[inline(always)]
    pub(crate) fn of<T: Element<Wide = R>>(logits: &[T], exponentials: &mut [R]) -> Self {
        let argmax = largest(logits);
        let max = logits[argmax].widen();
        let mut rest = Stripes::EMPTY;
        let tiles = logits.chunks(TILE).zip(exponentials.chunks_mut(TILE)).enumerate();
        for (index, (logits, tile)) in tiles {
            shifted_exponentials(logits, max, tile);
            rest.add_without(tile, argmax.wrapping_sub(index * TILE), R::plus_like);
        }
        Self::with(argmax, max, rest.total())
    }

    /// Of short rows, all at once, so that their exponentials fill whole vectors.
    #[inline(always)]
    pub(super) fn of_rows<T: Element<Wide = R>>(
        logits: &[T],
        classes: usize,
        exponentials: &mut [R],
    ) -> Vec<Self> {
        let rows = || logits.chunks_exact(classes);
        let tops: Vec<usize> = rows().map(largest).collect();
        for ((row, &top), e) in rows().zip(&tops).zip(exponentials.chunks_exact_mut(classes)) {
            subtract(row, row[top].widen(), e);
        }
        for e in exponentials.iter_mut() {
            *e = e.exp();
        }
        let softmax = |((row, top), e): ((&[T], usize), &mut [R])| {
            let mut rest = Stripes::EMPTY;
            rest.add_without(e, top, R::plus_like);
            Self::with(top, row[top].widen(), rest.total())
        };
        rows().zip(tops).zip(exponentials.chunks_exact_mut(classes)).map(softmax).collect()
    }

    #[inline(always)]
    fn with(argmax: usize, max: R, rest: R) -> Self {
        Self { argmax, max, rest, top: R::ONE / (rest + 1.0), log_total: rest.ln_1p() }
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
fn larger<T: Element>(max: T, entry: T) -> T {
    if max.to_f64() < entry.to_f64() { entry } else { max }
}

/// The place of the first largest entry; NaN is never the largest.
#[inline(always)]
pub(super) fn largest<T: Element>(row: &[T]) -> usize {
    let mut max = T::LOWEST;
    let mut lanes = [max; STRIPES];
    for tile in row.chunks(TILE) {
        prefetch(tile);
        let (chunks, tail) = tile.as_chunks::<STRIPES>();
        for chunk in chunks {
            for (lane, &entry) in lanes.iter_mut().zip(chunk) {
                *lane = larger(*lane, entry);
            }
        }
        for &entry in tail {
            max = larger(max, entry);
        }
    }
    for lane in lanes {
        max = larger(max, lane);
    }
    let is_max = |entry: &T| entry.to_f64() == max.to_f64();
    // No early exit within a tile, so that the search vectorises.
    let there = |tile: &[T]| tile.iter().fold(false, |found, entry| found | is_max(entry));
    let start = row.chunks(TILE).position(there).unwrap_or(0) * TILE;
    start + row[start..].iter().position(is_max).unwrap_or(0)
}
