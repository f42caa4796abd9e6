//! Losses of labelled rows under the softmax link: one term f(log p_y) for each row.
//!
//! ∂f/∂z_j = f′ (1[j=y] − p_j): in numbers −f′ / Σe times e_j, and for y times −Σ_{c≠y} e_c. So all
//! that a block needs is its exponentials, and a few numbers for each row, which are computed with
//! the lanes across the rows.

use super::classwise::{Class, Classwise, term};
use super::softmax::{LONG, Softmax, Totals, exponentials_of, long_row, totals_of_planes};
use super::{Block, Order, Outputs};
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};

/// Where the largest logit of a row and that of its label have to be, either side of 0, for
/// exponentials without a shift: 170 decimal digits are then left below the largest.
const UNSHIFTED: f64 = 300.0;

/// Fills `outputs` for a block of labelled rows.
#[inline(always)]
pub(super) fn run<L: Classwise, T: Element>(
    loss: &L,
    block: &Block<'_, T>,
    labels: &[usize],
    order: Order,
    outputs: Outputs<'_, T::Wide>,
) {
    let Outputs { values, gradient, curvature, factors, scratch } = outputs;
    let rows = labels.len();
    let needs_exponentials = !T::WIDE_HAS_RANGE || (block.classes < LONG && !block.planes);
    let elsewhere = order == Order::Value && needs_exponentials;
    let elsewhere = if elsewhere { block.predictions.len() } else { 0 };
    scratch.resize(Columns::<T::Wide>::COUNT * rows + elsewhere, T::Wide::ZERO);
    let (columns, elsewhere) = scratch.split_at_mut(Columns::<T::Wide>::COUNT * rows);
    let mut columns = Columns::of(columns, rows);
    let exponentials = if order == Order::Value { elsewhere } else { &mut *gradient };
    columns.fill(block, labels, exponentials);
    columns.weigh(block.class_weights, labels);
    columns.terms(loss, block.classes, order, values, factors);
    if order == Order::Value {
        return;
    }
    if order == Order::Curvature {
        columns.curvature(block, labels, gradient, curvature);
    }
    let place = block.place();
    for ((row, &label), &others) in labels.iter().enumerate().zip(&*columns.others) {
        gradient[place(row, label)] = -others;
    }
}

/// What the losses of labelled rows are made of: an entry for each row.
struct Columns<'a, R> {
    /// The exponential of the logit of the label, in the scale of the row.
    own: &'a mut [R],
    /// The sum of all other exponentials of the row.
    others: &'a mut [R],
    /// The log-probability of the label.
    scores: &'a mut [R],
    /// The largest exponential of the row, and the sum of those but this one.
    largest: &'a mut [R],
    rest: &'a mut [R],
    /// 1 / the sum of all exponentials of the row.
    inverses: &'a mut [R],
    /// The class weight of the label.
    weights: &'a mut [R],
    /// The weighted derivatives of the term.
    firsts: &'a mut [R],
    seconds: &'a mut [R],
}

impl<'a, R: Real> Columns<'a, R> {
    const COUNT: usize = 9;

    #[inline(always)]
    fn of(memory: &'a mut [R], rows: usize) -> Self {
        let mut columns = memory.chunks_exact_mut(rows);
        let [own, others, scores, largest, rest, inverses, weights, firsts, seconds] =
            std::array::from_fn(|_| columns.next().unwrap_or_default());
        Self { own, others, scores, largest, rest, inverses, weights, firsts, seconds }
    }

    /// The sums of each row; leaves the exponentials in `exponentials` unless that is empty.
    ///
    /// Wide numbers of more range than the data take the exponentials of the logits as they are,
    /// in one pass; rows beyond that, and data as wide as their wide numbers, take them of the
    /// differences to the largest logit.
    #[inline(always)]
    fn fill<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        exponentials: &mut [R],
    ) {
        let (logits, classes) = (block.predictions, block.classes);
        if !T::WIDE_HAS_RANGE {
            let softmaxes = Softmax::of_rows(logits, classes, true, exponentials);
            let place = block.place();
            for (row, softmax) in softmaxes.into_iter().enumerate() {
                let own = place(row, labels[row]);
                self.shift(row, softmax, logits[own], exponentials[own]);
            }
            return;
        }
        if block.planes {
            totals_of_planes(logits, exponentials, self.largest, self.rest);
        } else if classes < LONG {
            for (logits, tile) in logits.chunks(TILE).zip(exponentials.chunks_mut(TILE)) {
                prefetch(logits);
                exponentials_of(logits, tile);
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
        let place = block.place();
        for ((row, &label), own) in labels.iter().enumerate().zip(&mut *self.own) {
            *own = logits[place(row, label)].widen();
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
            self.shift_where_needed(block, labels, exponentials, range);
        }
    }

    /// Does the rows anew that do not keep within the range.
    fn shift_where_needed<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        exponentials: &mut [R],
        range: [f64; 2],
    ) {
        let (place, mut shifted) = (block.place(), vec![R::ZERO; block.classes]);
        for (row, &label) in labels.iter().enumerate() {
            let totals = Totals { largest: self.largest[row], others: self.rest[row] };
            if !totals.is_out_of_range::<T>(self.own[row], range) {
                continue;
            }
            let places = (0..block.classes).map(|class| place(row, class));
            let logits: Vec<T> = places.clone().map(|at| block.predictions[at]).collect();
            let softmax = Softmax::of(&logits, &mut shifted);
            self.shift(row, softmax, logits[label], shifted[label]);
            if !exponentials.is_empty() {
                places.zip(&shifted).for_each(|(at, &e)| exponentials[at] = e);
            }
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

    #[inline(always)]
    fn weigh(&mut self, class_weights: Option<&[R]>, labels: &[usize]) {
        let Some(by_class) = class_weights else { return self.weights.fill(R::ONE) };
        for (weight, &label) in self.weights.iter_mut().zip(labels) {
            *weight = by_class[label];
        }
    }

    /// The term of each row, and the factor of its gradient.
    #[inline(always)]
    fn terms<L: Classwise>(
        &mut self,
        loss: &L,
        classes: usize,
        order: Order,
        values: &mut [R],
        factors: &mut [R],
    ) {
        let classes = R::constant(classes as f64);
        let inputs = self.own.iter().zip(&*self.others).zip(&*self.scores).zip(&*self.weights);
        let derivatives = self.firsts.iter_mut().zip(self.seconds.iter_mut());
        let results = values.iter_mut().zip(factors).zip(&mut *self.inverses).zip(derivatives);
        for (input, (((value, factor), inverse), (first, second))) in inputs.zip(results) {
            let (((&own, &others), &score), &weight) = input;
            *inverse = R::ONE / (own + others);
            let class = Class {
                score,
                probability: own * *inverse,
                complement: others * *inverse,
                target: R::ONE,
                classes,
            };
            [*value, *first, *second] = term(loss, class, weight, order);
            *factor = -*first * *inverse;
        }
    }

    /// ∂²f/∂z_j² = f″ (1[j=y] − p_j)² − f′ p_j (1 − p_j), from the exponentials.
    #[inline(always)]
    fn curvature<T: Element>(
        &self,
        block: &Block<'_, T>,
        labels: &[usize],
        exponentials: &[R],
        curvature: &mut [R],
    ) {
        let bent = |row: usize, p: R, not_p: R, side: R| {
            self.seconds[row] * side * side - self.firsts[row] * p * not_p
        };
        let other = |row: usize, e: R| {
            let totals = Totals { largest: self.largest[row], others: self.rest[row] };
            let (p, not_p) = (e * self.inverses[row], totals.without(e) * self.inverses[row]);
            bent(row, p, not_p, p)
        };
        let entries = curvature.iter_mut().zip(exponentials);
        if block.planes {
            let rows = (0..labels.len()).cycle();
            entries.zip(rows).for_each(|((curvature, &e), row)| *curvature = other(row, e));
        } else {
            let rows = (0..labels.len()).flat_map(|row| std::iter::repeat_n(row, block.classes));
            entries.zip(rows).for_each(|((curvature, &e), row)| *curvature = other(row, e));
        }
        let place = block.place();
        for (row, &label) in labels.iter().enumerate() {
            let not_p = self.others[row] * self.inverses[row];
            let p = self.own[row] * self.inverses[row];
            curvature[place(row, label)] = bent(row, p, not_p, not_p);
        }
    }
}
