//! Reductions, and sums in a fixed order.
//!
//! Every sum runs over sixteen stripes and then up a fixed tree, whatever the threads and the
//! instruction set, so that the same input gives the same bits.

use crate::number::Real;
use std::ops::{Add, AddAssign};

/// What becomes of the losses of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Each row keeps its own, times its weight.
    None,
    /// Σwℓ.
    Sum,
    /// Σwℓ / Σw over the rows that count: neither masked, nor ignored, nor of weight 0.
    #[default]
    Mean,
}

/// What a mean over no rows is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenEmpty {
    /// [`Error::Empty`](crate::Error::Empty).
    #[default]
    Error,
    /// 0, with a gradient of 0.
    Zero,
}

/// The primitive result: two sums that merge by adding, over chunks, ranks or executors.
///
/// ```
/// use xent::{Evaluate, MeanSquaredError};
/// let loss = MeanSquaredError::default();
/// let whole = loss.on(&[1.0, 2.0, 4.0], &[0.0, 0.0, 0.0]).sums()?;
/// let parts = loss.on(&[1.0, 2.0], &[0.0, 0.0]).sums()? + loss.on(&[4.0], &[0.0]).sums()?;
/// assert_eq!(whole, parts);
/// assert_eq!(whole.mean(), 7.0);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Σwℓ.
    pub loss: f64,
    /// Σw.
    pub weight: f64,
}

impl Sums {
    /// Σwℓ / Σw; NaN where no row counts.
    pub fn mean(self) -> f64 {
        self.loss / self.weight
    }
}

impl Add for Sums {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { loss: self.loss + other.loss, weight: self.weight + other.weight }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// How many sums run side by side.
pub(crate) const STRIPES: usize = 16;

/// A sum over sixteen stripes, taken piece by piece. All pieces but the last are whole chunks.
#[derive(Clone, Copy)]
pub(crate) struct Stripes<R>([R; STRIPES]);

impl<R: Real> Stripes<R> {
    pub(crate) const EMPTY: Self = Self([R::ZERO; STRIPES]);

    /// Adds all but one of the numbers, if there is such a one, by `plus`.
    #[inline(always)]
    pub(crate) fn add_without(
        &mut self,
        numbers: &mut [R],
        left_out: usize,
        plus: impl Fn(R, R) -> R,
    ) {
        let kept = numbers.get_mut(left_out).map(|number| std::mem::replace(number, R::ZERO));
        self.add(numbers, plus);
        if let Some(kept) = kept {
            numbers[left_out] = kept;
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, numbers: &[R], plus: impl Fn(R, R) -> R) {
        let mut sums = self.0;
        let (chunks, tail) = numbers.as_chunks::<STRIPES>();
        for chunk in chunks {
            for (sum, &number) in sums.iter_mut().zip(chunk) {
                *sum = plus(*sum, number);
            }
        }
        // Into `sums`, this would have the compiler shuffle the stripes in the loop above.
        self.0 = sums;
        for (sum, &number) in self.0.iter_mut().zip(tail) {
            *sum = plus(*sum, number);
        }
    }

    /// The sum of the stripes one after the other, as they come where each is a pass of its own.
    #[inline(always)]
    pub(crate) fn in_turn(self, plus: impl Fn(R, R) -> R) -> R {
        let [first, rest @ ..] = self.0;
        rest.into_iter().fold(first, plus)
    }

    #[inline(always)]
    pub(crate) fn total(self) -> R {
        let mut sums = self.0;
        let mut width = STRIPES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                sums[i] = sums[i] + sums[i + width];
            }
        }
        sums[0]
    }
}

/// The sum of `numbers` over sixteen stripes.
#[inline(always)]
pub(crate) fn stripes<R: Real>(numbers: &[R]) -> R {
    let mut sum = Stripes::EMPTY;
    sum.add(numbers, R::add);
    sum.total()
}

/// The sum of `numbers` up a binary tree over their positions.
pub(crate) fn tree<R: Real>(numbers: &[R]) -> R {
    match numbers {
        [] => R::ZERO,
        [number] => *number,
        _ => {
            let (left, right) = numbers.split_at(numbers.len().next_power_of_two() / 2);
            tree(left) + tree(right)
        }
    }
}
