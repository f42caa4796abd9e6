//! The way of a checked problem through the kernel: jobs for threads, blocks for the cache.

use super::check::{Load, Marks, are_legal};
use super::finish::{Finish, LANES, Place};
use super::memory::{Aligned, in_parallel};
use super::{BLOCK, Buffers, JOB, Problem, Source};
use crate::dispatch::{LINE, Streams, vectorised};
use crate::family::softmax::LONG;
use crate::family::{Block, BlockTargets, Order, Outputs};
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::{STRIPES, tree};
use crate::targets::Targets;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// From how many bytes on a result is written past the cache.
const STREAMED: usize = 4 << 20;

/// How many predictions a block of planes or of long rows holds: more, for longer pieces of each
/// plane, and so that what is done once for each block is little.
const LARGE: usize = 4 * BLOCK;

/// A checked problem.
pub(super) struct Run<'a, T: Element> {
    pub(super) problem: &'a Problem<'a, T>,
    pub(super) class_weights: Option<&'a [T::Wide]>,
    /// What gradients are multiplied by besides the weight of their row: 1 / Σw for a mean.
    pub(super) scale: T::Wide,
    /// Whether values are multiplied by `scale` before they are summed.
    pub(super) averaged: bool,
    pub(super) order: Order,
    /// Whether the kernel gets its blocks class after class.
    pub(super) planes: bool,
    /// Set to false by a job that sees a number outside the range of its domain.
    pub(super) legal: AtomicBool,
}

/// Consecutive rows for one thread.
struct Job<'a, T: Element> {
    rows: Range<usize>,
    input: Input<'a, T>,
    values: Option<&'a mut [T]>,
    gradient: Option<Place<&'a mut [T]>>,
    curvature: Option<Place<&'a mut [T]>>,
    sums: &'a mut [T::Wide],
}

/// Where a job finds its predictions.
#[derive(Clone, Copy)]
enum Input<'a, T> {
    /// With those of all other jobs.
    All(&'a [T]),
    /// In rows anywhere, for all jobs.
    Apart(&'a [&'a [T]]),
    /// Where the gradient goes.
    Gradient,
}

impl<T: Element> Run<'_, T> {
    /// Σwℓ over all rows.
    pub(super) fn all(&self, source: Source<'_, T>, buffers: Buffers<'_, T>) -> T::Wide {
        let layout = self.problem.layout;
        let (input, gradient) = match source {
            Source::Shared(predictions) => (Input::All(predictions), buffers.gradient),
            Source::Apart(rows) => (Input::Apart(rows), buffers.gradient),
            Source::Replaced(predictions) => (Input::Gradient, Some(predictions)),
        };
        let streamed = size_of::<T>() * layout.rows * layout.classes >= STREAMED
            && layout.inner == 1
            && !matches!(input, Input::Gradient);
        let per_block = layout.rows_per_block::<T>();
        let blocks_per_job = (JOB / (per_block * layout.classes)).max(1);
        let cuts = layout.cuts(per_block * blocks_per_job);
        let blocks = |rows: &Range<usize>| rows.len().div_ceil(per_block);
        let mut sums = vec![T::Wide::ZERO; cuts.iter().map(blocks).sum()];
        let mut gradient = Place::split(gradient, layout, &cuts).into_iter();
        let mut curvature = Place::split(buffers.curvature, layout, &cuts).into_iter();
        let (mut values, mut rest) = (buffers.values, &mut sums[..]);
        let jobs = cuts.into_iter().map(|rows| Job {
            input,
            values: values.as_mut().and_then(|values| values.split_off_mut(..rows.len())),
            gradient: gradient.next(),
            curvature: curvature.next(),
            sums: rest.split_off_mut(..blocks(&rows)).unwrap_or_default(),
            rows,
        });
        let scratch = || Scratch::new(per_block.min(layout.rows), layout.classes, self.order);
        in_parallel(jobs.collect(), scratch, |scratch, job| self.job(job, streamed, scratch));
        tree(&sums)
    }

    fn job(&self, job: Job<'_, T>, streamed: bool, scratch: &mut Scratch<T>) {
        let Job { rows, input, mut values, mut gradient, mut curvature, sums } = job;
        let (problem, layout) = (self.problem, self.problem.layout);
        let per_block = layout.rows_per_block::<T>();
        if problem.is_interrupted() {
            return;
        }
        let streams = streamed.then(Streams::new);
        for (block, sum) in sums.iter_mut().enumerate() {
            let start = block * per_block;
            let count = per_block.min(rows.len() - start);
            let (own, elements) = (start..start + count, count * layout.classes);
            let all = rows.start + start..rows.start + start + count;
            if !problem.is_plain() {
                let (marks, first) = (&mut scratch.marks, all.start);
                vectorised(Load { marks, problem, first, count });
            }
            let predictions = match (input, &gradient) {
                (Input::All(predictions), _) => layout.place(predictions, all.clone()),
                (Input::Apart(rows), _) => {
                    Place::Rows(row_after_row(&rows[all.clone()], &mut scratch.apart))
                }
                (Input::Gradient, Some(place)) => place.view(own.clone(), layout.classes),
                (Input::Gradient, None) => Place::Rows(&[][..]),
            };
            let classes = layout.classes;
            let predictions = predictions.together(classes, self.planes, &mut scratch.predictions);
            let targets = match problem.targets {
                Targets::Labels(_) => BlockTargets::Labels(&scratch.marks.labels[..count]),
                Targets::Values(values) => {
                    let values = layout.place(values, all);
                    BlockTargets::Values(values.together(
                        classes,
                        self.planes,
                        &mut scratch.targets,
                    ))
                }
            };
            if !matches!(input, Input::Gradient) && !self.are_legal(predictions, targets) {
                self.legal.store(false, Ordering::Relaxed);
            }
            let class_weights = self.class_weights;
            T::kernel(problem.loss).run(
                &Block { predictions, planes: self.planes, targets, classes, class_weights },
                self.order,
                Outputs {
                    values: &mut scratch.values[..count],
                    gradient: front(&mut scratch.gradient, elements),
                    curvature: front(&mut scratch.curvature, elements),
                    factors: &mut scratch.factors[..count],
                    scratch: &mut scratch.kernel,
                },
            );
            vectorised(Finish {
                run: self,
                scratch: &mut *scratch,
                rows: count,
                values: values.as_mut().map(|values| &mut values[own.clone()]),
                gradient: gradient.as_mut().map(|place| place.part(own.clone(), layout.classes)),
                curvature: curvature.as_mut().map(|place| place.part(own, layout.classes)),
                streams: streams.as_ref(),
                sum,
            });
        }
    }
}

impl<T: Element> Run<'_, T> {
    fn are_legal(&self, predictions: &[T], targets: BlockTargets<'_, T>) -> bool {
        let loss = self.problem.loss;
        are_legal(predictions, loss.prediction_domain())
            && match targets {
                BlockTargets::Labels(_) => true,
                BlockTargets::Values(values) => are_legal(values, loss.target_domain()),
            }
    }
}

impl Layout {
    /// Where classes are planes, a block takes whole lines of the cache from each of them; short
    /// rows come in whole vectors.
    fn rows_per_block<T>(self) -> usize {
        match self.inner {
            1 if self.classes < LONG => BLOCK.div_ceil(self.classes).next_multiple_of(STRIPES),
            1 => (LARGE / self.classes).max(1),
            _ => (LARGE / self.classes).max(1).next_multiple_of(LINE / size_of::<T>()),
        }
    }

    /// Ranges of up to `count` rows, none of which goes across the end of an inner block.
    fn cuts(self, count: usize) -> Vec<Range<usize>> {
        let within = if self.inner == 1 { self.rows } else { self.inner };
        let outer = (0..self.rows).step_by(within.max(1));
        outer
            .flat_map(|first| {
                let starts = (first..first + within).step_by(count);
                starts.map(move |start| start..(first + within).min(start + count))
            })
            .collect()
    }

    /// The place of `rows`, which are in one inner block.
    fn place<T>(self, entries: &[T], rows: Range<usize>) -> Place<&[T]> {
        if self.inner == 1 {
            return Place::Rows(&entries[rows.start * self.classes..rows.end * self.classes]);
        }
        let planes = (0..self.classes).map(|class| {
            let start = self.index(rows.start, class);
            &entries[start..start + rows.len()]
        });
        Place::Planes(planes.collect())
    }
}

/// Rows one after the other; a single one as it is.
fn row_after_row<'a, T: Copy>(rows: &[&'a [T]], together: &'a mut Vec<T>) -> &'a [T] {
    match rows {
        [row] => row,
        _ => {
            together.clear();
            rows.iter().for_each(|row| together.extend_from_slice(row));
            together
        }
    }
}

/// The first `count` entries, or none where the buffer is not used.
fn front<T>(buffer: &mut [T], count: usize) -> &mut [T] {
    let count = count.min(buffer.len());
    &mut buffer[..count]
}

/// Buffers for one block.
pub(super) struct Scratch<T: Element> {
    pub(super) marks: Marks<T::Wide>,
    pub(super) weights: Aligned<T::Wide>,
    pub(super) factors: Aligned<T::Wide>,
    pub(super) values: Aligned<T::Wide>,
    pub(super) gradient: Aligned<T::Wide>,
    pub(super) curvature: Aligned<T::Wide>,
    pub(super) rounded: Aligned<T>,
    /// What is rounded, the other way round.
    pub(super) turned: Vec<T>,
    kernel: Vec<T::Wide>,
    apart: Vec<T>,
    predictions: [Vec<T>; 2],
    targets: [Vec<T>; 2],
}

impl<T: Element> Scratch<T> {
    fn new(rows: usize, classes: usize, order: Order) -> Self {
        let zeros = |count| Aligned::new(T::Wide::ZERO, count);
        // The last entries of a block are scaled in whole lanes too.
        let elements = |needed| if order >= needed { rows * classes + LANES } else { 0 };
        let rounded = if rows == 1 { classes.min(BLOCK) } else { rows * classes } + LANES;
        Self {
            marks: Marks::new(rows),
            weights: zeros(rows),
            factors: Aligned::new(T::Wide::ONE, rows),
            values: zeros(rows),
            gradient: zeros(elements(Order::Gradient)),
            curvature: zeros(elements(Order::Curvature)),
            rounded: Aligned::new(T::default(), if order == Order::Value { 0 } else { rounded }),
            turned: Vec::new(),
            kernel: Vec::new(),
            apart: Vec::new(),
            predictions: Default::default(),
            targets: Default::default(),
        }
    }
}
