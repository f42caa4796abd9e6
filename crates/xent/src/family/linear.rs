//! Losses −Σ a_c log p_c under the softmax link, of rows that have a share a_c in every class.
//!
//! Let m be the largest logit, Σ′ a sum over the other classes, r = Σ′ e^(z_c − m) and A = Σ a_c. The
//! value is A ln(1 + r) + Σ a_c (m − z_c), where nothing is negative, and so nothing cancels. The
//! gradient is A p_c − a_c, which for the largest logit is (Σ′ a_c − a r) / (1 + r), and the
//! curvature A p_c (1 − p_c).

use super::classwise::{Classwise, smooth};
use super::softmax::{LONG, largest, shifted_exponentials};
use super::{Block, BlockTargets, Order, Outputs};
use crate::dispatch::{TILE, prefetch};
use crate::number::{Element, Real};
use crate::reduce::Stripes;
use std::ops::{Add, Range};

/// Up to how many classes rows are worth turning into planes: longer ones fill whole vectors.
pub(super) const FEW: usize = LONG - 1;

/// Fills `outputs` for a block of rows.
#[inline(always)]
pub(super) fn run<L: Classwise, T: Element>(
    loss: &L,
    block: &Block<'_, T>,
    order: Order,
    outputs: Outputs<'_, T::Wide>,
) {
    let shares = Shares::new(block, loss.label_smoothing());
    if block.planes {
        for start in (0..outputs.values.len()).step_by(TILE) {
            let rows = start..outputs.values.len().min(start + TILE);
            let mut lanes = Lanes::new(block, &shares, rows.clone());
            lanes.fill(outputs.gradient);
            lanes.finish(&mut outputs.values[rows]);
            if order >= Order::Gradient {
                lanes.derive(outputs.gradient, outputs.curvature);
            }
        }
    } else {
        let classes = block.classes;
        for (index, value) in outputs.values.iter_mut().enumerate() {
            let at = index * classes..(index + 1) * classes;
            let gradient = outputs.gradient.get_mut(at.clone()).unwrap_or_default();
            let curvature = outputs.curvature.get_mut(at.clone()).unwrap_or_default();
            let row = Row { logits: &block.predictions[at], shares: &shares, index };
            *value = row.run(order, gradient, curvature);
        }
    }
}

/// Where the shares of the classes come from: the target, smoothed and times the class weights.
struct Shares<'a, T: Element> {
    targets: BlockTargets<'a, T>,
    class_weights: Option<&'a [T::Wide]>,
    classes: usize,
    kept: T::Wide,
    everywhere: T::Wide,
}

impl<'a, T: Element> Shares<'a, T> {
    #[inline(always)]
    fn new(block: &Block<'a, T>, smoothing: f64) -> Self {
        let smoothing = T::Wide::constant(smoothing);
        Self {
            targets: block.targets,
            class_weights: block.class_weights,
            classes: block.classes,
            kept: T::Wide::ONE - smoothing,
            everywhere: smoothing / T::Wide::constant(block.classes as f64),
        }
    }

    /// Of some classes of a row.
    #[inline(always)]
    fn of_classes(&self, row: usize, classes: Range<usize>, shares: &mut [T::Wide]) {
        match self.targets {
            BlockTargets::Labels(labels) => {
                shares.fill(self.everywhere);
                if let Some(own) = shares.get_mut(labels[row].wrapping_sub(classes.start)) {
                    *own = self.kept + self.everywhere;
                }
            }
            BlockTargets::Values(values) => {
                let start = row * self.classes;
                let targets = &values[start + classes.start..start + classes.end];
                smooth(targets, self.kept, self.everywhere, shares);
            }
        }
        if let Some(weights) = self.class_weights {
            for (share, &weight) in shares.iter_mut().zip(&weights[classes]) {
                *share = *share * weight;
            }
        }
    }

    /// Of a class in some rows that lie as planes.
    #[inline(always)]
    fn of_rows(&self, rows: &Range<usize>, plane: Range<usize>, class: usize, to: &mut [T::Wide]) {
        match self.targets {
            BlockTargets::Labels(labels) => {
                let own = self.kept + self.everywhere;
                for (share, &label) in to.iter_mut().zip(&labels[rows.clone()]) {
                    *share = if label == class { own } else { self.everywhere };
                }
            }
            BlockTargets::Values(values) => {
                smooth(&values[plane], self.kept, self.everywhere, to);
            }
        }
        if let Some(weights) = self.class_weights {
            let weight = weights[class];
            for share in to {
                *share = *share * weight;
            }
        }
    }
}

/// What a class adds to Σ a_c (m − z_c): nothing without a share in it, even if z is −∞.
#[inline(always)]
fn distance<R: Real>(share: R, max: R, logit: R) -> R {
    R::ZERO.if_less(share, share * (max - logit), R::ZERO)
}

/// A row in one piece.
struct Row<'a, T: Element> {
    logits: &'a [T],
    shares: &'a Shares<'a, T>,
    index: usize,
}

impl<T: Element> Row<'_, T> {
    #[inline(always)]
    fn run(&self, order: Order, gradient: &mut [T::Wide], curvature: &mut [T::Wide]) -> T::Wide {
        let logits = self.logits;
        let top = largest(logits);
        let max = logits[top].widen();
        let [mut rest, mut others, mut distances] = [Stripes::EMPTY; 3];
        let mut elsewhere = [T::Wide::ZERO; TILE];
        let [mut shares, mut terms] = [[T::Wide::ZERO; TILE]; 2];
        let mut top_share = T::Wide::ZERO;
        for start in (0..logits.len()).step_by(TILE) {
            let tile = start..logits.len().min(start + TILE);
            let (logits, left_out) = (&logits[tile.clone()], top.wrapping_sub(start));
            let place = gradient.get_mut(tile.clone());
            let place = place.unwrap_or(&mut elsewhere[..tile.len()]);
            shifted_exponentials(logits, max, place);
            rest.add_without(place, left_out, T::Wide::plus_like);
            let (shares, terms) = (&mut shares[..tile.len()], &mut terms[..tile.len()]);
            if let BlockTargets::Values(values) = self.shares.targets {
                let start = self.index * self.shares.classes;
                prefetch(&values[start + tile.start..start + tile.end]);
            }
            self.shares.of_classes(self.index, tile, shares);
            for (term, (&share, logit)) in terms.iter_mut().zip(shares.iter().zip(logits)) {
                *term = distance(share, max, logit.widen());
            }
            distances.add(terms, Add::add);
            top_share = shares.get(left_out).copied().unwrap_or(top_share);
            others.add_without(shares, left_out, Add::add);
        }
        let (rest, others) = (rest.total(), others.total());
        let (all, inverse) = (others + top_share, T::Wide::ONE / (rest + 1.0));
        let value = all * rest.ln_1p() + distances.total();
        if order == Order::Value {
            return value;
        }
        let by = all * inverse;
        if order == Order::Curvature {
            // Into a tile first, which overlaps nothing: only so does the loop over `f64` vectorise.
            for (exponentials, curvature) in gradient.chunks(TILE).zip(curvature.chunks_mut(TILE)) {
                let bent = &mut terms[..exponentials.len()];
                bend(exponentials, rest, inverse, all, bent);
                curvature.copy_from_slice(bent);
            }
            curvature[top] = by * (rest * inverse);
        }
        for start in (0..logits.len()).step_by(TILE) {
            let tile = start..logits.len().min(start + TILE);
            let shares = &mut shares[..tile.len()];
            self.shares.of_classes(self.index, tile.clone(), shares);
            turn(&mut gradient[tile], shares, by);
        }
        gradient[top] = (others - top_share * rest) * inverse;
        value
    }
}

/// From exponentials to the gradient.
#[inline(always)]
fn turn<R: Real>(gradient: &mut [R], shares: &[R], by: R) {
    for (gradient, &share) in gradient.iter_mut().zip(shares) {
        *gradient = *gradient * by - share;
    }
}

/// From exponentials to the curvature.
#[inline(always)]
fn bend<R: Real>(exponentials: &[R], rest: R, inverse: R, all: R, curvature: &mut [R]) {
    for (curvature, &e) in curvature.iter_mut().zip(exponentials) {
        let not_p = ((rest - e) + 1.0) * inverse;
        *curvature = all * (e * inverse) * not_p;
    }
}

/// Rows that lie as planes, a row in each lane.
struct Lanes<'a, T: Element> {
    block: &'a Block<'a, T>,
    shares: &'a Shares<'a, T>,
    rows: Range<usize>,
    /// The class of the largest logit.
    top: [usize; TILE],
    max: [T; TILE],
    rest: [T::Wide; TILE],
    /// The shares of the other classes, all together.
    others: [T::Wide; TILE],
    top_share: [T::Wide; TILE],
    distances: [T::Wide; TILE],
    all: [T::Wide; TILE],
    /// 1 / (1 + r).
    inverse: [T::Wide; TILE],
    /// The gradient by the largest logit.
    by_top: [T::Wide; TILE],
}

impl<'a, T: Element> Lanes<'a, T> {
    #[inline(always)]
    fn new(block: &'a Block<'a, T>, shares: &'a Shares<'a, T>, rows: Range<usize>) -> Self {
        let zeros = [T::Wide::ZERO; TILE];
        Self {
            block,
            shares,
            rows,
            top: [0; TILE],
            max: [T::LOWEST; TILE],
            rest: zeros,
            others: zeros,
            top_share: zeros,
            distances: zeros,
            all: zeros,
            inverse: zeros,
            by_top: zeros,
        }
    }

    /// Where a class of the rows is in the block.
    #[inline(always)]
    fn plane(&self, class: usize) -> Range<usize> {
        let start = class * (self.block.predictions.len() / self.block.classes) + self.rows.start;
        start..start + self.rows.len()
    }

    /// The sums of each row; leaves the exponentials in `exponentials` unless that is empty.
    #[inline(always)]
    fn fill(&mut self, exponentials: &mut [T::Wide]) {
        let [mut elsewhere, mut shares] = [[T::Wide::ZERO; TILE]; 2];
        for class in 0..self.block.classes {
            let logits = &self.block.predictions[self.plane(class)];
            find_top(class, logits, &mut self.top, &mut self.max);
        }
        for class in 0..self.block.classes {
            let plane = self.plane(class);
            let logits = &self.block.predictions[plane.clone()];
            let place = exponentials.get_mut(plane.clone());
            let place = place.unwrap_or(&mut elsewhere[..logits.len()]);
            for ((e, logit), &max) in place.iter_mut().zip(logits).zip(&self.max) {
                *e = (logit.widen() - max.widen()).exp();
            }
            self.shares.of_rows(&self.rows, plane, class, &mut shares[..logits.len()]);
            add_others(class, place, &self.top, &mut self.rest);
            add_others(class, &shares[..logits.len()], &self.top, &mut self.others);
            pick_top(class, &shares[..logits.len()], &self.top, &mut self.top_share);
            add_distances(&shares, &self.max, logits, &mut self.distances);
        }
    }

    #[inline(always)]
    fn finish(&mut self, values: &mut [T::Wide]) {
        let sums = self.rest.iter().zip(&self.others).zip(&self.top_share).zip(&self.distances);
        let results = values.iter_mut().zip(&mut self.all).zip(&mut self.inverse);
        let results = results.zip(&mut self.by_top);
        for ((((value, all), inverse), by_top), (((&rest, &others), &top_share), &distance)) in
            results.zip(sums)
        {
            *all = others + top_share;
            *inverse = T::Wide::ONE / (rest + 1.0);
            *value = *all * rest.ln_1p() + distance;
            *by_top = (others - top_share * rest) * *inverse;
        }
    }

    /// From exponentials to the gradient, and the curvature unless there is no place for it.
    #[inline(always)]
    fn derive(&self, gradient: &mut [T::Wide], curvature: &mut [T::Wide]) {
        let mut shares = [T::Wide::ZERO; TILE];
        let rows = self.all.iter().zip(&self.inverse);
        let (bends, turns) = (rows.clone().zip(&self.rest), rows.zip(&self.by_top));
        for class in 0..self.block.classes {
            let plane = self.plane(class);
            let shares = &mut shares[..plane.len()];
            self.shares.of_rows(&self.rows, plane.clone(), class, shares);
            let gradient = &mut gradient[plane.clone()];
            let curvature = curvature.get_mut(plane).unwrap_or_default();
            let entries = curvature.iter_mut().zip(&*gradient).zip(&self.top);
            for (((curvature, &e), &top), ((&all, &inverse), &rest)) in entries.zip(bends.clone()) {
                let (p, not_p) =
                    if top == class { (T::Wide::ONE, rest) } else { (e, (rest - e) + 1.0) };
                *curvature = all * (p * inverse) * (not_p * inverse);
            }
            let entries = gradient.iter_mut().zip(shares).zip(&self.top);
            for (((gradient, &mut share), &top), ((&all, &inverse), &by_top)) in
                entries.zip(turns.clone())
            {
                let other = *gradient * (all * inverse) - share;
                *gradient = if top == class { by_top } else { other };
            }
        }
    }
}

/// Keeps the larger of what was there and the logits of another class.
#[inline(always)]
fn find_top<T: Element>(class: usize, logits: &[T], top: &mut [usize], max: &mut [T]) {
    for ((top, max), &logit) in top.iter_mut().zip(max).zip(logits) {
        let larger = max.to_f64() < logit.to_f64();
        *top = if larger { class } else { *top };
        *max = if larger { logit } else { *max };
    }
}

/// Adds the numbers of a class to the sums of the rows whose largest logit is another's.
#[inline(always)]
fn add_others<R: Real>(class: usize, numbers: &[R], top: &[usize], sums: &mut [R]) {
    for ((sum, &top), &number) in sums.iter_mut().zip(top).zip(numbers) {
        *sum = *sum + if top == class { R::ZERO } else { number };
    }
}

/// Keeps the numbers of a class for the rows whose largest logit it has.
#[inline(always)]
fn pick_top<R: Real>(class: usize, numbers: &[R], top: &[usize], picked: &mut [R]) {
    for ((picked, &top), &number) in picked.iter_mut().zip(top).zip(numbers) {
        *picked = if top == class { number } else { *picked };
    }
}

#[inline(always)]
fn add_distances<T: Element>(shares: &[T::Wide], max: &[T], logits: &[T], sums: &mut [T::Wide]) {
    for (((sum, &share), max), logit) in sums.iter_mut().zip(shares).zip(max).zip(logits) {
        *sum = *sum + distance(share, max.widen(), logit.widen());
    }
}
