//! From a loss and its arguments to buffers and sums: written once, for every loss.
//!
//! Rows are cut into blocks of a fixed size. A block goes through the loss's kernel into wide
//! scratch, and from there, weighted and rounded once, to the caller's buffers. Blocks are
//! grouped into jobs for threads; neither changes a bit of the result.

use crate::dispatch::{LINE, Streams, TILE, Task, prefetch, vectorised};
use crate::error::{Error, Result};
use crate::family::{Block, BlockTargets, Domain, Family, Loss, Order, Outputs, Targeting};
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::{Reduction, Sums, WhenEmpty, stripes, tree};
use crate::targets::{Labels, Targets};
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicBool, Ordering};

/// How many predictions a block holds, if rows are not longer than that.
const BLOCK: usize = 1024;
/// How many predictions are worth a thread.
const JOB: usize = 64 * BLOCK;
/// From how many bytes on a result is written past the cache.
const STREAMED: usize = 4 << 20;
/// How many entries of a row are scaled at a time.
const LANES: usize = 8;

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
}

/// Where predictions are, and whether the gradient takes their place.
pub(crate) enum Source<'a, T> {
    Shared(&'a [T]),
    Replaced(&'a mut [T]),
}

impl<T> Source<'_, T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Source::Shared(predictions) => predictions,
            Source::Replaced(predictions) => predictions,
        }
    }
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

    /// Checks everything, then fills `buffers` and sums up wℓ and w. Nothing is written on an
    /// error. If `averaged`, wℓ is divided by Σw before and not after the sum.
    fn evaluate(
        &self,
        source: Source<'_, T>,
        buffers: Buffers<'_, T>,
        averaged: bool,
    ) -> Result<(T::Wide, T::Wide)> {
        self.validate(source.as_slice(), &buffers)?;
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
        let run = Run { problem: self, class_weights, scale, averaged, order };
        Ok((run.all(source, buffers), weight))
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

    /// Whether every row has the factor 1.
    fn is_plain(&self) -> bool {
        let labels = matches!(self.targets, Targets::Labels(_));
        self.options.weights.is_none() && self.options.mask.is_none() && !labels
    }

    /// Σw, by the way checking the labels.
    fn total_weight(&self, class_weights: Option<&[T::Wide]>) -> Result<T::Wide> {
        if self.is_plain() {
            return Ok(T::Wide::constant(self.layout.rows as f64));
        }
        let mut sums = vec![T::Wide::ZERO; self.layout.rows.div_ceil(BLOCK)];
        let jobs: Vec<_> = sums.chunks_mut(JOB / BLOCK).enumerate().collect();
        let legal = AtomicBool::new(true);
        let scratch = || Marks::new(self.layout.rows.min(BLOCK));
        in_parallel(jobs, scratch, |marks, (job, sums)| {
            for (block, sum) in sums.iter_mut().enumerate() {
                let first = job * JOB + block * BLOCK;
                let rows = BLOCK.min(self.layout.rows - first);
                if !vectorised(Survey { problem: self, class_weights, marks, first, rows, sum }) {
                    legal.store(false, Ordering::Relaxed);
                }
            }
        });
        match (self.targets, legal.into_inner()) {
            (Targets::Labels(labels), false) => Err(self.illegal_label(labels)),
            _ => Ok(tree(&sums)),
        }
    }

    /// The first label that is no class index, in a row that counts.
    fn illegal_label(&self, labels: &Labels<'_>) -> Error {
        let classes = self.layout.classes;
        let illegal =
            |&row: &usize| !(0..classes as i64).contains(&labels.get(row)) && self.counts(row);
        let index = (0..self.layout.rows).find(illegal).unwrap_or_default();
        Error::Label { index, value: labels.get(index), classes }
    }

    fn validate(&self, predictions: &[T], buffers: &Buffers<'_, T>) -> Result<()> {
        self.loss.check()?;
        if self.layout.classes == 0 {
            return Err(shape("predictions", "at least one class", "rows of length 0".into()));
        }
        let length = |argument, expected: usize, what: &str, actual: usize| {
            let fits = expected == actual;
            let expected = || format!("{expected} ({what})");
            if fits { Ok(()) } else { Err(shape(argument, &expected(), actual.to_string())) }
        };
        length(
            "predictions",
            self.layout.rows * self.layout.classes,
            "rows times classes",
            predictions.len(),
        )?;
        match (self.targets, self.loss.accepts()) {
            (Targets::Labels(labels), Targeting::Labels | Targeting::LabelsOrDistributions) => {
                length("targets", self.layout.rows, "one class index per row", labels.len())?;
            }
            (Targets::Values(values), Targeting::Values) => {
                length("targets", predictions.len(), "one per prediction", values.len())?;
            }
            (Targets::Values(values), Targeting::LabelsOrDistributions) => {
                length("targets", predictions.len(), "a distribution per row", values.len())?;
            }
            (targets, accepts) => {
                return Err(Error::TargetKind {
                    loss: self.loss.name(),
                    expected: match accepts {
                        Targeting::Values => "a number for each prediction",
                        Targeting::Labels => "an integer class index for each row",
                        Targeting::LabelsOrDistributions => "class indices or distributions",
                    },
                    actual: match targets {
                        Targets::Labels(_) => "integer class indices",
                        Targets::Values(_) => "numbers",
                    },
                });
            }
        }
        if let Some(weights) = self.options.weights {
            length("weights", self.layout.rows, "one per row", weights.len())?;
            non_negative("weights", weights)?;
        }
        if let Some(mask) = self.options.mask {
            length("mask", self.layout.rows, "one per row", mask.len())?;
        }
        if let Some(weights) = self.options.class_weights {
            if self.loss.family() != Family::Classwise {
                let text = "class_weights: {} has no classes; use weights, one per element";
                return Err(Error::Unsupported(text.replace("{}", &self.loss.name())));
            }
            length("class_weights", self.layout.classes, "one per class", weights.len())?;
            non_negative("class_weights", weights)?;
        }
        if let Some(values) = &buffers.values {
            length("values buffer", self.layout.rows, "one per row", values.len())?;
        }
        for (name, buffer) in
            [("gradient buffer", &buffers.gradient), ("curvature buffer", &buffers.curvature)]
        {
            if let Some(buffer) = buffer {
                length(name, predictions.len(), "one per prediction", buffer.len())?;
            }
        }
        if let Targets::Values(values) = self.targets {
            self.check_domain("targets", values, self.loss.target_domain())?;
        }
        self.check_domain("predictions", predictions, self.loss.prediction_domain())
    }

    fn check_domain(&self, argument: &'static str, values: &[T], domain: Domain) -> Result<()> {
        let Some([low, high]) = domain.bounds() else { return Ok(()) };
        if within(values, low, high, domain == Domain::Sign) {
            return Ok(());
        }
        for (index, value) in values.iter().enumerate() {
            let value = value.to_f64();
            if !domain.allows(value) && self.counts(index / self.layout.classes) {
                let hint = match (argument, domain) {
                    ("predictions", Domain::Probability) => {
                        "; for logits, use the loss that takes logits"
                    }
                    ("targets", Domain::Sign) => "; turn 0/1 labels y into 2y - 1",
                    _ => "",
                };
                let range = domain.range();
                return Err(Error::OutOfRange { argument, index, value, range, hint });
            }
        }
        Ok(())
    }
}

fn shape(argument: &'static str, expected: &str, actual: String) -> Error {
    Error::Shape { argument, expected: expected.to_owned(), actual }
}

fn non_negative<T: Element>(argument: &'static str, values: &[T]) -> Result<()> {
    if within(values, 0.0, f64::MAX, false) {
        return Ok(());
    }
    for (index, value) in values.iter().enumerate() {
        let value = value.to_f64();
        if !(0.0..f64::INFINITY).contains(&value) {
            let range = "finite and not negative";
            return Err(Error::OutOfRange { argument, index, value, range, hint: "" });
        }
    }
    Ok(())
}

/// Whether all values are in `low..=high`, or at its ends.
fn within<T: Element>(values: &[T], low: f64, high: f64, ends: bool) -> bool {
    let legal = AtomicBool::new(true);
    in_parallel(
        values.chunks(JOB).collect(),
        || (),
        |(), values| {
            if !vectorised(Within { values, low, high, ends }) {
                legal.store(false, Ordering::Relaxed);
            }
        },
    );
    legal.into_inner()
}

struct Within<'a, T> {
    values: &'a [T],
    low: f64,
    high: f64,
    ends: bool,
}

impl<T: Element> Task for Within<'_, T> {
    type Output = bool;
    const WIDEST: bool = T::WIDEST_VECTORS;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { values, low, high, ends } = self;
        values.chunks(TILE).fold(true, |legal, values| {
            prefetch(values);
            let inside = |legal: bool, value: f64| legal & (low <= value) & (value <= high);
            let at_end = |legal: bool, value: f64| legal & ((value == low) | (value == high));
            let values = values.iter().map(|value| value.to_f64());
            if ends { values.fold(legal, at_end) } else { values.fold(legal, inside) }
        })
    }
}

/// Runs the jobs, on threads if there are several, with scratch that lasts from job to job.
fn in_parallel<J: Send, S>(
    jobs: Vec<J>,
    scratch: impl Fn() -> S + Send + Sync,
    run: impl Fn(&mut S, J) + Send + Sync,
) {
    #[cfg(feature = "rayon")]
    if jobs.len() > 1 {
        use rayon::prelude::*;
        // Scratch is made for each piece that is split off: few, yet enough to share out evenly.
        let pieces = 4 * rayon::current_num_threads();
        let shortest = jobs.len().div_ceil(pieces);
        return jobs.into_par_iter().with_min_len(shortest).for_each_init(scratch, run);
    }
    let mut scratch = scratch();
    jobs.into_iter().for_each(|job| run(&mut scratch, job));
}

/// Memory that starts where a line of the cache does, so that no vector is split between two.
struct Aligned<V> {
    memory: Vec<V>,
    start: usize,
}

impl<V: Copy> Aligned<V> {
    fn new(value: V, count: usize) -> Self {
        let memory = vec![value; count + LINE / size_of::<V>()];
        let start = memory.as_ptr().align_offset(LINE).min(memory.len() - count);
        Self { memory, start }
    }
}

impl<V> Deref for Aligned<V> {
    type Target = [V];

    #[inline(always)]
    fn deref(&self) -> &[V] {
        &self.memory[self.start..]
    }
}

impl<V> DerefMut for Aligned<V> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [V] {
        &mut self.memory[self.start..]
    }
}

/// The weights and labels of a block of rows.
struct Marks<R> {
    weights: Aligned<R>,
    labels: Aligned<usize>,
    raw_labels: Aligned<i64>,
}

impl<R: Real> Marks<R> {
    fn new(rows: usize) -> Self {
        Self {
            weights: Aligned::new(R::ONE, rows),
            labels: Aligned::new(0, rows),
            raw_labels: Aligned::new(0, rows),
        }
    }

    /// Reads `count` rows; one that does not count gets the label 0. Says whether all labels of
    /// rows that count are class indices.
    #[inline(always)]
    fn load<T: Element<Wide = R>>(
        &mut self,
        problem: &Problem<'_, T>,
        first: usize,
        count: usize,
    ) -> bool {
        let Options { weights, mask, ignore_index, .. } = problem.options;
        let own = &mut self.weights[..count];
        match weights {
            None => own.fill(R::ONE),
            Some(weights) => {
                own.iter_mut()
                    .zip(&weights[first..])
                    .for_each(|(own, weight)| *own = weight.widen());
            }
        }
        if let Some(mask) = mask {
            for (own, &counts) in own.iter_mut().zip(&mask[first..]) {
                *own = if counts { *own } else { R::ZERO };
            }
        }
        let Targets::Labels(labels) = problem.targets else { return true };
        let raw = &mut self.raw_labels[..count];
        labels.read(first, raw);
        let classes = problem.layout.classes as u64;
        let mut legal = true;
        for ((own, &mut label), index) in own.iter_mut().zip(raw).zip(&mut *self.labels) {
            *own = if label == ignore_index { R::ZERO } else { *own };
            let counts = T::wide_to_f64(*own) != 0.0;
            legal &= !counts | ((label as u64) < classes);
            *index = if counts { label as usize } else { 0 };
        }
        legal
    }
}

/// A look at a block of rows before anything is computed: are the labels legal, and Σw.
struct Survey<'a, T: Element> {
    problem: &'a Problem<'a, T>,
    class_weights: Option<&'a [T::Wide]>,
    marks: &'a mut Marks<T::Wide>,
    first: usize,
    rows: usize,
    sum: &'a mut T::Wide,
}

impl<T: Element> Task for Survey<'_, T> {
    type Output = bool;
    const WIDEST: bool = T::WIDEST_VECTORS;

    #[inline(always)]
    fn run(self) -> bool {
        let legal = self.marks.load(self.problem, self.first, self.rows);
        let Marks { weights, labels, .. } = self.marks;
        let weights = &mut weights[..self.rows];
        if let (Targets::Labels(_), Some(by_class), true) =
            (self.problem.targets, self.class_weights, legal)
        {
            for (weight, &label) in weights.iter_mut().zip(&**labels) {
                *weight = *weight * by_class[label];
            }
        }
        *self.sum = stripes(weights);
        legal
    }
}

/// A checked problem on its way through the kernel.
struct Run<'a, T: Element> {
    problem: &'a Problem<'a, T>,
    class_weights: Option<&'a [T::Wide]>,
    /// What gradients are multiplied by besides the weight of their row: 1 / Σw for a mean.
    scale: T::Wide,
    averaged: bool,
    order: Order,
}

/// Consecutive blocks for one thread.
struct Job<'a, T: Element> {
    first_row: usize,
    /// Whether gradients are written past the cache.
    streamed: bool,
    predictions: Source<'a, T>,
    buffers: Buffers<'a, T>,
    sums: &'a mut [T::Wide],
}

impl<T: Element> Run<'_, T> {
    fn rows_per_block(&self) -> usize {
        (BLOCK / self.problem.layout.classes).max(1)
    }

    /// Σwℓ over all rows.
    fn all(&self, mut source: Source<'_, T>, mut buffers: Buffers<'_, T>) -> T::Wide {
        let Layout { rows, classes } = self.problem.layout;
        let per_block = self.rows_per_block();
        let blocks_per_job = (JOB / (per_block * classes)).max(1);
        let per_job = per_block * blocks_per_job;
        let streamed = size_of::<T>() * rows * classes >= STREAMED;
        let mut sums = vec![T::Wide::ZERO; rows.div_ceil(per_block)];
        let mut rest = &mut sums[..];
        let mut jobs = Vec::with_capacity(rows.div_ceil(per_job));
        for first_row in (0..rows).step_by(per_job) {
            let count = per_job.min(rows - first_row);
            let elements = count * classes;
            let take = blocks_per_job.min(rest.len());
            jobs.push(Job {
                first_row,
                streamed: streamed && matches!(source, Source::Shared(_)),
                predictions: match &mut source {
                    Source::Shared(all) => {
                        let (mine, others) = all.split_at(elements);
                        *all = others;
                        Source::Shared(mine)
                    }
                    Source::Replaced(all) => {
                        Source::Replaced(all.split_off_mut(..elements).unwrap_or_default())
                    }
                },
                buffers: Buffers {
                    values: take_front(&mut buffers.values, count),
                    gradient: take_front(&mut buffers.gradient, elements),
                    curvature: take_front(&mut buffers.curvature, elements),
                },
                sums: rest.split_off_mut(..take).unwrap_or_default(),
            });
        }
        let scratch = || Scratch::new(per_block.min(rows), classes, self.order);
        in_parallel(jobs, scratch, |scratch, job| self.run_job(job, scratch));
        tree(&sums)
    }

    fn run_job(&self, mut job: Job<'_, T>, scratch: &mut Scratch<T>) {
        let problem = self.problem;
        let classes = problem.layout.classes;
        let rows = job.predictions.as_slice().len() / classes;
        let block_rows = self.rows_per_block();
        let streams = job.streamed.then(Streams::new);
        for (block, sum) in job.sums.iter_mut().enumerate() {
            let start = block * block_rows;
            let count = block_rows.min(rows - start);
            let elements = start * classes..(start + count) * classes;
            let first = job.first_row + start;
            if !problem.is_plain() {
                scratch.marks.load(problem, first, count);
            }
            let targets = match problem.targets {
                Targets::Labels(_) => BlockTargets::Labels(&scratch.marks.labels[..count]),
                Targets::Values(values) => {
                    BlockTargets::Values(&values[first * classes..(first + count) * classes])
                }
            };
            let predictions = &job.predictions.as_slice()[elements.clone()];
            let class_weights = self.class_weights;
            T::kernel(problem.loss).run(
                &Block { predictions, targets, classes, class_weights },
                self.order,
                Outputs {
                    values: &mut scratch.values[..count],
                    gradient: front(&mut scratch.gradient, elements.len()),
                    curvature: front(&mut scratch.curvature, elements.len()),
                    factors: &mut scratch.factors[..count],
                    scratch: &mut scratch.kernel,
                },
            );
            vectorised(Finish {
                run: self,
                scratch: &mut *scratch,
                rows: count,
                values: part(&mut job.buffers.values, start..start + count),
                gradient: match &mut job.predictions {
                    Source::Replaced(buffer) => Some(&mut buffer[elements.clone()]),
                    Source::Shared(_) => part(&mut job.buffers.gradient, elements.clone()),
                },
                curvature: part(&mut job.buffers.curvature, elements),
                streams: streams.as_ref(),
                sum,
            });
        }
    }
}

fn take_front<'a, T>(buffer: &mut Option<&'a mut [T]>, count: usize) -> Option<&'a mut [T]> {
    buffer.as_mut().and_then(|buffer| buffer.split_off_mut(..count))
}

fn part<'a, T>(buffer: &'a mut Option<&mut [T]>, range: Range<usize>) -> Option<&'a mut [T]> {
    buffer.as_mut().map(|buffer| &mut buffer[range])
}

/// The first `count` entries, or none where the buffer is not used.
fn front<T>(buffer: &mut [T], count: usize) -> &mut [T] {
    let count = count.min(buffer.len());
    &mut buffer[..count]
}

/// Buffers for one block.
struct Scratch<T: Element> {
    marks: Marks<T::Wide>,
    weights: Aligned<T::Wide>,
    factors: Aligned<T::Wide>,
    values: Aligned<T::Wide>,
    gradient: Aligned<T::Wide>,
    curvature: Aligned<T::Wide>,
    kernel: Vec<T::Wide>,
    rounded: Aligned<T>,
}

impl<T: Element> Scratch<T> {
    fn new(rows: usize, classes: usize, order: Order) -> Self {
        let zeros = |count| Aligned::new(T::Wide::ZERO, count);
        // The last entries of a block are scaled in whole lanes too.
        let elements = |needed| if order >= needed { rows * classes + LANES } else { 0 };
        let rounded =
            if order >= Order::Gradient { (rows * classes).min(BLOCK) + LANES } else { 0 };
        Self {
            marks: Marks::new(rows),
            weights: zeros(rows),
            factors: Aligned::new(T::Wide::ONE, rows),
            values: zeros(rows),
            gradient: zeros(elements(Order::Gradient)),
            curvature: zeros(elements(Order::Curvature)),
            kernel: Vec::new(),
            rounded: Aligned::new(T::default(), rounded),
        }
    }
}

/// The last step of a block: weigh, round, write and sum.
struct Finish<'a, T: Element> {
    run: &'a Run<'a, T>,
    scratch: &'a mut Scratch<T>,
    rows: usize,
    values: Option<&'a mut [T]>,
    gradient: Option<&'a mut [T]>,
    curvature: Option<&'a mut [T]>,
    streams: Option<&'a Streams>,
    sum: &'a mut T::Wide,
}

impl<T: Element> Task for Finish<'_, T> {
    type Output = ();
    const WIDEST: bool = T::WIDEST_VECTORS;

    #[inline(always)]
    fn run(self) {
        let Scratch { marks, weights, factors, values, gradient, curvature, rounded, .. } =
            self.scratch;
        let Run { problem, scale, averaged, .. } = *self.run;
        let (classes, plain) = (problem.layout.classes, problem.is_plain());
        let (marked, values) = (&marks.weights[..self.rows], &mut values[..self.rows]);
        if !plain {
            for (value, weight) in values.iter_mut().zip(marked) {
                *value = weight.weigh(*value);
            }
        }
        if let Some(out) = self.values {
            for (out, &value) in out.iter_mut().zip(&*values) {
                *out = T::narrow(value);
            }
        }
        if averaged {
            for value in values.iter_mut() {
                *value = *value * scale;
            }
        }
        *self.sum = stripes(values);
        if let Some(out) = self.curvature {
            let weights = &mut weights[..if plain { 1 } else { self.rows }];
            for (weight, marked) in weights.iter_mut().zip(marked) {
                *weight = *marked * scale;
            }
            scale_rows(out, curvature, weights, classes, rounded, self.streams);
        }
        if let Some(out) = self.gradient {
            let uniform = plain && classes == 1;
            let weights = &mut weights[..if uniform { 1 } else { self.rows }];
            for ((weight, marked), factor) in weights.iter_mut().zip(marked).zip(&**factors) {
                *weight = (*marked * scale).weigh(*factor);
            }
            scale_rows(out, gradient, weights, classes, rounded, self.streams);
        }
    }
}

/// Cuts `out` so that all tiles but the first start with a line of the cache.
fn tiles_from_a_line<T>(out: &[T]) -> impl Iterator<Item = Range<usize>> + use<T> {
    let (count, head) = (out.len(), out.as_ptr().align_offset(LINE).min(out.len()));
    let starts = (head..count).step_by(TILE).map(move |start| start..count.min(start + TILE));
    (head > 0).then_some(0..head).into_iter().chain(starts)
}

/// Rounds each row times its weight, or all times the only weight, into `out` through `rounded`.
#[inline(always)]
fn scale_rows<T: Element>(
    out: &mut [T],
    wide: &[T::Wide],
    weights: &[T::Wide],
    classes: usize,
    rounded: &mut [T],
    streams: Option<&Streams>,
) {
    let write = |to: &mut [T], from: &[T]| match streams {
        Some(streams) => streams.copy(to, from),
        None => to.copy_from_slice(from),
    };
    match weights {
        &[weight] => {
            for tile in tiles_from_a_line(out) {
                for (rounded, &wide) in rounded.iter_mut().zip(&wide[tile.clone()]) {
                    *rounded = T::narrow(weight.weigh(wide));
                }
                let count = tile.len();
                write(&mut out[tile], &rounded[..count]);
            }
        }
        _ if classes == 1 => {
            for tile in tiles_from_a_line(out) {
                let inputs = wide[tile.clone()].iter().zip(&weights[tile.clone()]);
                for (rounded, (&wide, weight)) in rounded.iter_mut().zip(inputs) {
                    *rounded = T::narrow(weight.weigh(wide));
                }
                let count = tile.len();
                write(&mut out[tile], &rounded[..count]);
            }
        }
        _ => {
            // Whole lanes at a time: what is written past the end of a row, the next row corrects.
            for (row, &weight) in weights.iter().enumerate() {
                let (mut start, end) = (row * classes, (row + 1) * classes);
                while start < end {
                    let wide = wide[start..].first_chunk::<LANES>();
                    let rounded = rounded[start..].first_chunk_mut::<LANES>();
                    let (Some(wide), Some(rounded)) = (wide, rounded) else { break };
                    *rounded = wide.map(|wide| T::narrow(weight.weigh(wide)));
                    start += LANES;
                }
            }
            write(out, &rounded[..out.len()]);
        }
    }
}
