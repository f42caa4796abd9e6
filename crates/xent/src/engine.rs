//! From a loss and its arguments to buffers and sums: written once, for every loss.
//!
//! Rows are cut into blocks of a fixed size. A block goes through the loss's kernel into wide
//! scratch, and from there, weighted and rounded once, to the caller's buffers. Blocks are
//! grouped into jobs for threads; neither changes a bit of the result.

use crate::dispatch::{Task, vectorised};
use crate::error::{Error, Result};
use crate::family::{Block, BlockTargets, Domain, Family, Loss, Order, Outputs, Targeting};
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::{Reduction, Sums, WhenEmpty, stripes, tree};
use crate::targets::Targets;

/// How many predictions a block holds, if rows are not longer than that.
const BLOCK: usize = 1024;
/// How many predictions are worth a thread.
const JOB: usize = 64 * BLOCK;

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
        let averaged = mean && T::SUMS_CAN_OVERFLOW;
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
        let weight = self.total_weight(class_weights.as_deref());
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

    fn total_weight(&self, class_weights: Option<&[T::Wide]>) -> T::Wide {
        if self.is_plain() {
            return T::Wide::constant(self.layout.rows as f64);
        }
        let sums: Vec<T::Wide> = (0..self.layout.rows)
            .step_by(BLOCK)
            .map(|start| {
                let mut sum = T::Wide::ZERO;
                for row in start..self.layout.rows.min(start + BLOCK) {
                    let weight = self.row_weight(row);
                    sum = sum
                        + match (self.targets, class_weights) {
                            (Targets::Labels(labels), Some(class_weights)) if self.counts(row) => {
                                weight * class_weights[labels.get(row) as usize]
                            }
                            _ => weight,
                        };
                }
                sum
            })
            .collect();
        tree(&sums)
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
        match self.targets {
            Targets::Labels(labels) => self.check_labels(labels)?,
            Targets::Values(values) => {
                self.check_domain("targets", values, self.loss.target_domain())?;
            }
        }
        self.check_domain("predictions", predictions, self.loss.prediction_domain())
    }

    fn check_labels(&self, labels: &crate::targets::Labels<'_>) -> Result<()> {
        let classes = self.layout.classes as i64;
        for index in 0..self.layout.rows {
            let value = labels.get(index);
            if !(0..classes).contains(&value) && self.counts(index) {
                return Err(Error::Label { index, value, classes: self.layout.classes });
            }
        }
        Ok(())
    }

    fn check_domain(&self, argument: &'static str, values: &[T], domain: Domain) -> Result<()> {
        if !domain.is_restricted() {
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
    for (index, value) in values.iter().enumerate() {
        let value = value.to_f64();
        if !(0.0..f64::INFINITY).contains(&value) {
            let range = "finite and not negative";
            return Err(Error::OutOfRange { argument, index, value, range, hint: "" });
        }
    }
    Ok(())
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
        let mut sums = vec![T::Wide::ZERO; rows.div_ceil(per_block)];
        let mut rest = &mut sums[..];
        let mut jobs = Vec::with_capacity(rows.div_ceil(per_job));
        for first_row in (0..rows).step_by(per_job) {
            let count = per_job.min(rows - first_row);
            let elements = count * classes;
            let take = blocks_per_job.min(rest.len());
            jobs.push(Job {
                first_row,
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
        self.run_jobs(jobs);
        tree(&sums)
    }

    #[cfg(feature = "rayon")]
    fn run_jobs(&self, jobs: Vec<Job<'_, T>>) {
        use rayon::prelude::*;
        if jobs.len() > 1 {
            let scratch = || self.scratch();
            jobs.into_par_iter().for_each_init(scratch, |scratch, job| self.run_job(job, scratch));
        } else {
            self.run_in_turn(jobs);
        }
    }

    #[cfg(not(feature = "rayon"))]
    fn run_jobs(&self, jobs: Vec<Job<'_, T>>) {
        self.run_in_turn(jobs);
    }

    fn run_in_turn(&self, jobs: Vec<Job<'_, T>>) {
        let mut scratch = self.scratch();
        jobs.into_iter().for_each(|job| self.run_job(job, &mut scratch));
    }

    fn scratch(&self) -> Scratch<T::Wide> {
        let Layout { rows, classes } = self.problem.layout;
        Scratch::new(self.rows_per_block().min(rows), classes, self.order)
    }

    fn run_job(&self, mut job: Job<'_, T>, scratch: &mut Scratch<T::Wide>) {
        let problem = self.problem;
        let classes = problem.layout.classes;
        let rows = job.predictions.as_slice().len() / classes;
        let block_rows = self.rows_per_block();
        for (block, sum) in job.sums.iter_mut().enumerate() {
            let start = block * block_rows;
            let count = block_rows.min(rows - start);
            let elements = start * classes..(start + count) * classes;
            let first = job.first_row + start;
            scratch.load(problem, first, count);
            let targets = match problem.targets {
                Targets::Labels(_) => BlockTargets::Labels(&scratch.labels[..count]),
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
                sum,
            });
        }
    }
}

fn take_front<'a, T>(buffer: &mut Option<&'a mut [T]>, count: usize) -> Option<&'a mut [T]> {
    buffer.as_mut().and_then(|buffer| buffer.split_off_mut(..count))
}

fn part<'a, T>(
    buffer: &'a mut Option<&mut [T]>,
    range: std::ops::Range<usize>,
) -> Option<&'a mut [T]> {
    buffer.as_mut().map(|buffer| &mut buffer[range])
}

/// The first `count` entries, or none where the buffer is not used.
fn front<T>(buffer: &mut [T], count: usize) -> &mut [T] {
    let count = count.min(buffer.len());
    &mut buffer[..count]
}

/// Wide buffers for one block.
struct Scratch<R> {
    labels: Vec<usize>,
    weights: Vec<R>,
    values: Vec<R>,
    gradient: Vec<R>,
    curvature: Vec<R>,
    kernel: Vec<R>,
}

impl<R: Real> Scratch<R> {
    fn new(rows: usize, classes: usize, order: Order) -> Self {
        let zeros = |count| vec![R::ZERO; count];
        let elements = |needed| if order >= needed { rows * classes } else { 0 };
        Self {
            labels: vec![0; rows],
            weights: zeros(rows),
            values: zeros(rows),
            gradient: zeros(elements(Order::Gradient)),
            curvature: zeros(elements(Order::Curvature)),
            kernel: Vec::new(),
        }
    }

    /// The weights and labels of `count` rows; a row that does not count gets the label 0.
    fn load<T: Element<Wide = R>>(&mut self, problem: &Problem<'_, T>, first: usize, count: usize) {
        if problem.is_plain() {
            self.weights.fill(R::ONE);
            return;
        }
        for row in 0..count {
            self.weights[row] = problem.row_weight(first + row);
            if let Targets::Labels(labels) = problem.targets {
                let counts = T::wide_to_f64(self.weights[row]) != 0.0;
                self.labels[row] = if counts { labels.get(first + row) as usize } else { 0 };
            }
        }
    }
}

/// The last step of a block: weigh, round, write and sum.
struct Finish<'a, T: Element> {
    run: &'a Run<'a, T>,
    scratch: &'a mut Scratch<T::Wide>,
    rows: usize,
    values: Option<&'a mut [T]>,
    gradient: Option<&'a mut [T]>,
    curvature: Option<&'a mut [T]>,
    sum: &'a mut T::Wide,
}

impl<T: Element> Task for Finish<'_, T> {
    type Output = ();
    const WIDEST: bool = T::WIDEST_VECTORS;

    #[inline(always)]
    fn run(self) {
        let Scratch { weights, values, gradient, curvature, .. } = self.scratch;
        let (weights, values) = (&mut weights[..self.rows], &mut values[..self.rows]);
        for (value, &weight) in values.iter_mut().zip(&*weights) {
            *value = weighted(*value, weight);
        }
        if let Some(out) = self.values {
            for (out, &value) in out.iter_mut().zip(&*values) {
                *out = T::narrow(value);
            }
        }
        if self.run.averaged {
            for value in values.iter_mut() {
                *value = *value * self.run.scale;
            }
        }
        *self.sum = stripes(values);
        for weight in weights.iter_mut() {
            *weight = *weight * self.run.scale;
        }
        let classes = self.run.problem.layout.classes;
        for (out, wide) in [(self.gradient, gradient), (self.curvature, curvature)] {
            if let Some(out) = out {
                scale_rows(out, wide, weights, classes);
            }
        }
    }
}

/// `number · weight`, and 0 for a row that does not count, even where it has a NaN.
#[inline(always)]
fn weighted<R: Real>(number: R, weight: R) -> R {
    R::ZERO.if_less(weight, number * weight, R::ZERO)
}

#[inline(always)]
fn scale_rows<T: Element>(out: &mut [T], wide: &[T::Wide], weights: &[T::Wide], classes: usize) {
    if classes == 1 {
        for ((out, &wide), &weight) in out.iter_mut().zip(wide).zip(weights) {
            *out = T::narrow(weighted(wide, weight));
        }
        return;
    }
    let rows = out.chunks_exact_mut(classes).zip(wide.chunks_exact(classes)).zip(weights);
    for ((out, wide), &weight) in rows {
        for (out, &wide) in out.iter_mut().zip(wide) {
            *out = T::narrow(weighted(wide, weight));
        }
    }
}
