//! Losses of labelled rows under the softmax link: one term f(log p_y) for each row.
//!
//! ∂f/∂z_j = f′ (1[j=y] − p_j): in numbers −f′ / Σe times e_j, and for y times −Σ_{c≠y} e_c. So all
//! that a block needs is its exponentials, and a few numbers for each row, which are computed with
//! the lanes across the rows.
//!
//! Smoothing of a term −target · score, by ε over C classes, adds ε/C Σ (ln Σe − z_c) to 1 − ε times
//! the value, and takes ε/C from every p_j of the gradient. It leaves the curvature as it is.

use super::classwise::{Class, Classwise, weighted};
use super::softmax::{
    LONG, Softmax, Totals, exponentials_of, others_of_long_row, others_of_planes, subtract,
};
use super::{Block, Order, Outputs};
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};
use crate::reduce::Stripes;
use std::ops::Add;

/// Where the logit of the label and ln Σe of the others have to be, either side of 0, for
/// exponentials without a shift: 170 decimal digits are then left below them.
const UNSHIFTED: f64 = 300.0;

/// Up to how many classes rows are worth turning into planes: as many as a transposition moves as
/// vectors.
pub(super) const FEW: usize = 8;

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
    let elsewhere = order == Order::Value && block.classes < LONG && !block.planes;
    let elsewhere = if elsewhere { block.predictions.len() } else { 0 };
    scratch.resize(Columns::<T::Wide>::COUNT * rows + elsewhere, T::Wide::ZERO);
    let (columns, elsewhere) = scratch.split_at_mut(Columns::<T::Wide>::COUNT * rows);
    let mut columns = Columns::of(columns, rows);
    let exponentials = if order == Order::Value { elsewhere } else { &mut *gradient };
    let smoothing = loss.label_smoothing();
    // Where ε/C is taken away, digits cancel.
    columns.fill(block, labels, smoothing == 0.0, exponentials);
    columns.weigh(block.class_weights, labels);
    columns.terms(loss, block.classes, order, values, factors);
    let smoothing = (smoothing > 0.0).then(|| Smoothing::new(smoothing, block.classes));
    if let Some(smoothing) = smoothing {
        columns.smooth_values(block, labels, smoothing, values);
    }
    if order == Order::Value {
        return;
    }
    if order == Order::Curvature {
        columns.curvature(block, labels, gradient, curvature);
    }
    if let Some(smoothing) = smoothing {
        columns.smooth_gradient(block, smoothing, gradient);
    }
    let place = block.place();
    for ((row, &label), &others) in labels.iter().enumerate().zip(&*columns.others) {
        gradient[place(row, label)] = -others;
    }
}

/// How much of a target is spread.
#[derive(Clone, Copy)]
struct Smoothing<R> {
    kept: R,
    everywhere: R,
    elsewhere: R,
    classes: R,
}

impl<R: Real> Smoothing<R> {
    #[inline(always)]
    fn new(smoothing: f64, classes: usize) -> Self {
        let (spread, classes) = (R::constant(smoothing), R::constant(classes as f64));
        let everywhere = spread / classes;
        Self { kept: R::ONE - spread, everywhere, elsewhere: spread - everywhere, classes }
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
    /// For the curvature: the largest exponential of the row, and the sum of all but this one.
    largest: &'a mut [R],
    rest: &'a mut [R],
    /// 1 / the sum of all exponentials of the row.
    inverses: &'a mut [R],
    /// The class weight of the label.
    weights: &'a mut [R],
    /// The weighted derivatives of the term.
    firsts: &'a mut [R],
    seconds: &'a mut [R],
    /// What was taken from the logits of the row before their exponentials.
    shifts: &'a mut [R],
    /// The sum of the logits of the row, shifted; later what smoothing takes from each entry.
    spreads: &'a mut [R],
}

impl<'a, R: Real> Columns<'a, R> {
    const COUNT: usize = 11;

    #[inline(always)]
    fn of(memory: &'a mut [R], rows: usize) -> Self {
        let mut columns = memory.chunks_exact_mut(rows);
        let mut column = || columns.next().unwrap_or_default();
        Self {
            own: column(),
            others: column(),
            scores: column(),
            largest: column(),
            rest: column(),
            inverses: column(),
            weights: column(),
            firsts: column(),
            seconds: column(),
            shifts: column(),
            spreads: column(),
        }
    }

    /// The sums of each row; leaves the exponentials in `exponentials` unless that is empty.
    ///
    /// They are taken of the logits as they are, in one pass; a row beyond [`UNSHIFTED`] is done
    /// anew with the differences to its largest logit.
    #[inline(always)]
    fn fill<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        coarse: bool,
        exponentials: &mut [R],
    ) {
        let (logits, classes) = (block.predictions, block.classes);
        self.shifts.fill(R::ZERO);
        if block.planes {
            others_of_planes(logits, labels, coarse, exponentials, self.others);
        } else if classes < LONG {
            for (logits, tile) in logits.chunks(TILE).zip(exponentials.chunks_mut(TILE)) {
                prefetch(logits);
                exponentials_of(logits, coarse, tile);
            }
            for (row, &label) in exponentials.chunks_exact_mut(classes).zip(labels) {
                row[label] = R::ZERO;
            }
            sum_rows(exponentials, classes, self.others);
        } else {
            for (row, logits) in logits.chunks_exact(classes).enumerate() {
                let kept = exponentials.get_mut(row * classes..(row + 1) * classes);
                let kept = kept.unwrap_or_default();
                self.others[row] = others_of_long_row(logits, labels[row], coarse, kept);
            }
        }
        let place = block.place();
        for ((row, &label), own) in labels.iter().enumerate().zip(&mut *self.own) {
            *own = logits[place(row, label)].widen();
        }
        for own in &mut *self.own {
            *own = if coarse { own.exp_coarse() } else { own.exp() };
        }
        score_each(self.own, self.others, self.scores);
        let range = [-UNSHIFTED, UNSHIFTED].map(|end| T::wide_to_f64(R::constant(end).exp()));
        let within = |sum| {
            let sum = T::wide_to_f64(sum);
            (range[0] < sum) & (sum < range[1])
        };
        let mut all_within = true;
        for (&own, &others) in self.own.iter().zip(&*self.others) {
            all_within &= within(own) & within(others);
        }
        if !all_within {
            self.shift_where_needed(block, labels, exponentials, within);
        }
    }

    /// Does the rows anew that do not keep within the range.
    fn shift_where_needed<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        exponentials: &mut [R],
        within: impl Fn(R) -> bool,
    ) {
        let (place, mut shifted) = (block.place(), vec![R::ZERO; block.classes]);
        for (row, &label) in labels.iter().enumerate() {
            if within(self.own[row]) && within(self.others[row]) {
                continue;
            }
            let places = (0..block.classes).map(|class| place(row, class));
            let logits: Vec<T> = places.clone().map(|at| block.predictions[at]).collect();
            let softmax = Softmax::of(&logits, &mut shifted);
            self.own[row] = shifted[label];
            let all = Totals { largest: R::ONE, others: softmax.rest };
            self.others[row] = all.without(self.own[row]);
            self.shifts[row] = softmax.max;
            self.scores[row] = softmax.score(logits[label].widen());
            if !exponentials.is_empty() {
                places.zip(&shifted).for_each(|(at, &e)| exponentials[at] = e);
            }
        }
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
        invert_sums(self.own, self.others, self.inverses);
        self.each::<L>(
            classes,
            #[inline(always)]
            |class| loss.value(class),
            values,
        );
        if order == Order::Value {
            return;
        }
        let firsts = std::mem::take(&mut self.firsts);
        self.each::<L>(
            classes,
            #[inline(always)]
            |class| loss.gradient(class),
            firsts,
        );
        for ((factor, &first), &inverse) in factors.iter_mut().zip(&*firsts).zip(&*self.inverses) {
            *factor = -first * inverse;
        }
        self.firsts = firsts;
        if order == Order::Curvature {
            let seconds = std::mem::take(&mut self.seconds);
            self.each::<L>(
                classes,
                #[inline(always)]
                |class| loss.curvature(class),
                seconds,
            );
            self.seconds = seconds;
        }
    }

    /// The weighted term of each row.
    #[inline(always)]
    fn each<L: Classwise>(&self, classes: R, term: impl Fn(Class<R>) -> R, out: &mut [R]) {
        let inputs = self.own.iter().zip(&*self.others).zip(&*self.scores);
        let inputs = inputs.zip(&*self.inverses).zip(&*self.weights);
        for (out, ((((&own, &others), &score), &inverse), &weight)) in out.iter_mut().zip(inputs) {
            let class = Class {
                score,
                probability: own * inverse,
                complement: others * inverse,
                target: R::ONE,
                classes,
            };
            *out = weighted::<L, R>(term(class), R::ONE, weight);
        }
    }

    /// Spreads a share of each target over all classes.
    #[inline(always)]
    fn smooth_values<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        smoothing: Smoothing<R>,
        values: &mut [R],
    ) {
        let logits = block.predictions;
        if block.planes {
            self.spreads.fill(R::ZERO);
            for logits in logits.chunks_exact(labels.len()) {
                add_logits(logits, self.shifts, self.spreads);
            }
        } else {
            let rows = logits.chunks_exact(block.classes).zip(&*self.shifts);
            for (sum, (logits, &shift)) in self.spreads.iter_mut().zip(rows) {
                *sum = sum_of_logits(logits, shift);
            }
        }
        let Smoothing { kept, everywhere, classes, .. } = smoothing;
        let place = block.place();
        let rows = values.iter_mut().zip(labels.iter().enumerate());
        for (value, (row, &label)) in rows {
            let own = logits[place(row, label)].widen() - self.shifts[row];
            let spread = classes * (own - self.scores[row]) - self.spreads[row];
            *value = *value * kept + spread * everywhere;
        }
    }

    /// Takes what is spread from the gradient of all classes, before that of the label is set.
    #[inline(always)]
    fn smooth_gradient<T: Element<Wide = R>>(
        &mut self,
        block: &Block<'_, T>,
        smoothing: Smoothing<R>,
        gradient: &mut [R],
    ) {
        let columns = self.others.iter_mut().zip(&*self.own);
        for (spread, (others, &own)) in self.spreads.iter_mut().zip(columns) {
            let total = *others + own;
            *spread = total * smoothing.everywhere;
            *others = *others - total * smoothing.elsewhere;
        }
        if block.planes {
            for gradient in gradient.chunks_exact_mut(self.spreads.len()) {
                take_each(gradient, self.spreads);
            }
        } else {
            let rows = gradient.chunks_exact_mut(block.classes).zip(&*self.spreads);
            for (gradient, &spread) in rows {
                take(gradient, spread);
            }
        }
    }

    /// ∂²f/∂z_j² = f″ (1[j=y] − p_j)² − f′ p_j (1 − p_j), from the exponentials.
    #[inline(always)]
    fn curvature<T: Element>(
        &mut self,
        block: &Block<'_, T>,
        labels: &[usize],
        exponentials: &mut [R],
        curvature: &mut [R],
    ) {
        let place = block.place();
        for ((row, &label), &own) in labels.iter().enumerate().zip(&*self.own) {
            exponentials[place(row, label)] = own;
        }
        if block.planes {
            self.largest.fill(R::ZERO);
            self.rest.fill(R::ZERO);
            for e in exponentials.chunks_exact(labels.len()) {
                add_each(self.largest, self.rest, e);
            }
            let planes = exponentials.chunks_exact(labels.len());
            for (e, curvature) in planes.zip(curvature.chunks_exact_mut(labels.len())) {
                self.bend_plane(e, curvature);
            }
        } else {
            let rows = exponentials.chunks_exact(block.classes);
            let rows = rows.zip(curvature.chunks_exact_mut(block.classes)).enumerate();
            for (row, (e, curvature)) in rows {
                let totals = Totals::of(e);
                (self.largest[row], self.rest[row]) = (totals.largest, totals.others);
                bend_row(self.bend(row), e, curvature);
            }
        }
        for (row, &label) in labels.iter().enumerate() {
            let Bend { inverse, first, second, .. } = self.bend(row);
            let (p, not_p) = (self.own[row] * inverse, self.others[row] * inverse);
            curvature[place(row, label)] = second * not_p * not_p - first * p * not_p;
        }
    }

    #[inline(always)]
    fn bend(&self, row: usize) -> Bend<R> {
        Bend {
            totals: Totals { largest: self.largest[row], others: self.rest[row] },
            inverse: self.inverses[row],
            first: self.firsts[row],
            second: self.seconds[row],
        }
    }

    /// The curvature by a class of each row, but for its label.
    #[inline(always)]
    fn bend_plane(&self, exponentials: &[R], curvature: &mut [R]) {
        let totals = self.largest.iter().zip(&*self.rest).zip(&*self.inverses);
        let columns = totals.zip(&*self.firsts).zip(&*self.seconds);
        let entries = curvature.iter_mut().zip(exponentials);
        for ((curvature, &e), ((((&largest, &others), &inverse), &first), &second)) in
            entries.zip(columns)
        {
            let totals = Totals { largest, others };
            *curvature = Bend { totals, inverse, first, second }.by_another(e);
        }
    }
}

/// What the curvature by all classes of a row but its label is made of.
#[derive(Clone, Copy)]
struct Bend<R> {
    totals: Totals<R>,
    inverse: R,
    first: R,
    second: R,
}

impl<R: Real> Bend<R> {
    #[inline(always)]
    fn by_another(self, exponential: R) -> R {
        let p = exponential * self.inverse;
        let not_p = self.totals.without(exponential) * self.inverse;
        self.second * p * p - self.first * p * not_p
    }
}

/// The sum of each row. Some rows go in step, for one by one the processor would guess the end of
/// each wrong, and wait for each sum.
#[inline(always)]
fn sum_rows<R: Real>(numbers: &[R], classes: usize, sums: &mut [R]) {
    const IN_STEP: usize = 8;
    for (rows, out) in numbers.chunks(IN_STEP * classes).zip(sums.chunks_mut(IN_STEP)) {
        let mut sums = [R::ZERO; IN_STEP];
        for class in 0..classes {
            for (sum, &number) in sums.iter_mut().zip(rows[class..].iter().step_by(classes)) {
                *sum = sum.plus_like(number);
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}

/// Adds an exponential to the totals of each row.
#[inline(always)]
fn add_each<R: Real>(largest: &mut [R], others: &mut [R], exponentials: &[R]) {
    for ((largest, others), &e) in largest.iter_mut().zip(others).zip(exponentials) {
        let totals = Totals { largest: *largest, others: *others }.with(e);
        (*largest, *others) = (totals.largest, totals.others);
    }
}

#[inline(always)]
fn bend_row<R: Real>(bend: Bend<R>, exponentials: &[R], curvature: &mut [R]) {
    for (curvature, &e) in curvature.iter_mut().zip(exponentials) {
        *curvature = bend.by_another(e);
    }
}

#[inline(always)]
fn invert_sums<R: Real>(own: &[R], others: &[R], inverses: &mut [R]) {
    for (inverse, (&own, &others)) in inverses.iter_mut().zip(own.iter().zip(others)) {
        *inverse = R::ONE / (own + others);
    }
}

/// The log-probability of the label of each row.
#[inline(always)]
fn score_each<R: Real>(own: &[R], others: &[R], scores: &mut [R]) {
    for (score, (&own, &others)) in scores.iter_mut().zip(own.iter().zip(others)) {
        *score = -(others / own).ln_1p();
    }
}

/// Adds the logits of a class to the sum of each row.
#[inline(always)]
fn add_logits<T: Element>(logits: &[T], shifts: &[T::Wide], sums: &mut [T::Wide]) {
    for (sum, (logit, &shift)) in sums.iter_mut().zip(logits.iter().zip(shifts)) {
        *sum = *sum + (logit.widen() - shift);
    }
}

/// The sum of the logits of a row.
#[inline(always)]
fn sum_of_logits<T: Element>(logits: &[T], shift: T::Wide) -> T::Wide {
    if logits.len() < LONG {
        let mut sum = T::Wide::ZERO;
        for logit in logits {
            sum = sum + (logit.widen() - shift);
        }
        return sum;
    }
    let mut sum = Stripes::EMPTY;
    let mut shifted = [T::Wide::ZERO; TILE];
    for logits in logits.chunks(TILE) {
        subtract(logits, shift, &mut shifted);
        sum.add(&shifted[..logits.len()], T::Wide::add);
    }
    sum.total()
}

#[inline(always)]
fn take<R: Real>(numbers: &mut [R], less: R) {
    for number in numbers {
        *number = *number - less;
    }
}

#[inline(always)]
fn take_each<R: Real>(numbers: &mut [R], less: &[R]) {
    for (number, &less) in numbers.iter_mut().zip(less) {
        *number = *number - less;
    }
}
