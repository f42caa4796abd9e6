//! What is looked at before anything is computed: shapes, ranges, labels, weights.

use super::memory::{Aligned, in_parallel};
use super::{BLOCK, Buffers, JOB, Options, Problem, Source};
use crate::dispatch::{Task, vectorised};
use crate::error::{Error, Result};
use crate::family::{Domain, Family, Targeting};
use crate::number::{Element, Real};
use crate::reduce::{STRIPES, stripes, tree};
use crate::targets::{Labels, Targets};
use std::sync::atomic::{AtomicBool, Ordering};

impl<T: Element> Problem<'_, T> {
    /// Σw, by the way checking the labels.
    pub(super) fn total_weight(&self, class_weights: Option<&[T::Wide]>) -> Result<T::Wide> {
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

    pub(super) fn validate(&self, source: &Source<'_, T>, buffers: &Buffers<'_, T>) -> Result<()> {
        self.loss.check()?;
        if self.layout.classes == 0 {
            return Err(shape("predictions", "at least one class", "rows of length 0".into()));
        }
        let length = |argument, expected: usize, what: &str, actual: usize| {
            let fits = expected == actual;
            let expected = || format!("{expected} ({what})");
            if fits { Ok(()) } else { Err(shape(argument, &expected(), actual.to_string())) }
        };
        let elements = self.layout.rows * self.layout.classes;
        match (self.targets, self.loss.accepts()) {
            (Targets::Labels(labels), Targeting::Labels | Targeting::LabelsOrDistributions) => {
                length("targets", self.layout.rows, "one class index per row", labels.len())?;
            }
            (Targets::Values(values), Targeting::Values) => {
                length("targets", elements, "one per prediction", values.len())?;
            }
            (Targets::Values(values), Targeting::LabelsOrDistributions) => {
                length("targets", elements, "a distribution per row", values.len())?;
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
                length(name, elements, "one per prediction", buffer.len())?;
            }
        }
        match source {
            Source::Replaced(predictions) => self.check_ranges(&[predictions]),
            Source::Shared(_) | Source::Apart(_) => Ok(()),
        }
    }

    /// Whether all targets and predictions mean something, for the rows that count. Where nothing
    /// is replaced, the jobs look at this block by block, so that memory is read once.
    pub(super) fn check_ranges(&self, predictions: &[&[T]]) -> Result<()> {
        if let Targets::Values(values) = self.targets {
            self.check_range("targets", &[values], self.loss.target_domain())?;
        }
        self.check_range("predictions", predictions, self.loss.prediction_domain())
    }

    fn check_range(&self, argument: &'static str, pieces: &[&[T]], domain: Domain) -> Result<()> {
        if pieces.iter().all(|values| all(values, |values| are_legal(values, domain))) {
            return Ok(());
        }
        for (index, value) in pieces.iter().copied().flatten().enumerate() {
            let value = value.to_f64();
            if !domain.allows(value) && self.counts(self.layout.row_of(index)) {
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

/// Whether all values of a block are in the range of their domain.
pub(super) fn are_legal<T: Element>(values: &[T], domain: Domain) -> bool {
    // With a domain that the compiler knows, numbers are compared as they are stored.
    match domain {
        Domain::Real | Domain::Logit | Domain::LogProbability => true,
        Domain::Probability => vectorised(All(values, |value| Domain::Probability.allows(value))),
        Domain::Sign => vectorised(All(values, |value| Domain::Sign.allows(value))),
    }
}

/// Whether all values are as they should be.
fn all<T: Element>(values: &[T], inside: impl Fn(&[T]) -> bool + Send + Sync) -> bool {
    let legal = AtomicBool::new(true);
    in_parallel(
        values.chunks(JOB).collect(),
        || (),
        |(), values| {
            if !inside(values) {
                legal.store(false, Ordering::Relaxed);
            }
        },
    );
    legal.into_inner()
}

struct All<'a, T, F>(&'a [T], F);

impl<T: Element, F: Fn(f64) -> bool> Task for All<'_, T, F> {
    type Output = bool;

    /// Each lane keeps the last value that it should not have seen.
    #[inline(always)]
    fn run(self) -> bool {
        let Self(values, inside) = self;
        let Some(&first) = values.first() else { return true };
        let mut lanes = [first; STRIPES];
        let (chunks, tail) = values.as_chunks::<STRIPES>();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane = if inside(value.to_f64()) { *lane } else { value };
            }
        }
        lanes.iter().chain(tail).all(|value| inside(value.to_f64()))
    }
}

fn shape(argument: &'static str, expected: &str, actual: String) -> Error {
    Error::Shape { argument, expected: expected.to_owned(), actual }
}

fn non_negative<T: Element>(argument: &'static str, values: &[T]) -> Result<()> {
    let inside = |value: f64| (0.0..f64::INFINITY).contains(&value);
    if all(values, |values| vectorised(All(values, inside))) {
        return Ok(());
    }
    for (index, value) in values.iter().enumerate() {
        let value = value.to_f64();
        if !inside(value) {
            let range = "finite and not negative";
            return Err(Error::OutOfRange { argument, index, value, range, hint: "" });
        }
    }
    Ok(())
}

/// The weights and labels of a block of rows.
pub(super) struct Marks<R> {
    pub(super) weights: Aligned<R>,
    pub(super) labels: Aligned<usize>,
    raw_labels: Aligned<i64>,
}

impl<R: Real> Marks<R> {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            weights: Aligned::new(R::ONE, rows),
            labels: Aligned::new(0, rows),
            raw_labels: Aligned::new(0, rows),
        }
    }
}

/// Reads the marks of `count` rows; one that does not count gets the label 0. Says whether all
/// labels of rows that count are class indices.
pub(super) struct Load<'a, T: Element> {
    pub(super) marks: &'a mut Marks<T::Wide>,
    pub(super) problem: &'a Problem<'a, T>,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl<T: Element> Task for Load<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { marks, problem, first, count } = self;
        let Options { weights, mask, ignore_index, .. } = problem.options;
        let own = &mut marks.weights[..count];
        match weights {
            None => own.fill(T::Wide::ONE),
            Some(weights) => {
                own.iter_mut()
                    .zip(&weights[first..])
                    .for_each(|(own, weight)| *own = weight.widen());
            }
        }
        if let Some(mask) = mask {
            for (own, &counts) in own.iter_mut().zip(&mask[first..]) {
                *own = if counts { *own } else { T::Wide::ZERO };
            }
        }
        let Targets::Labels(labels) = problem.targets else { return true };
        let raw = &mut marks.raw_labels[..count];
        labels.read(first, raw);
        let classes = problem.layout.classes as u64;
        let mut legal = true;
        for ((own, &mut label), index) in own.iter_mut().zip(raw).zip(&mut *marks.labels) {
            *own = if label == ignore_index { T::Wide::ZERO } else { *own };
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

    #[inline(always)]
    fn run(self) -> bool {
        let Self { marks, problem, first, rows: count, .. } = self;
        let legal = Load { marks: &mut *marks, problem, first, count }.run();
        let Marks { weights, labels, .. } = marks;
        let weights = &mut weights[..count];
        if let (Targets::Labels(_), Some(by_class), true) =
            (problem.targets, self.class_weights, legal)
        {
            for (weight, &label) in weights.iter_mut().zip(&**labels) {
                *weight = *weight * by_class[label];
            }
        }
        *self.sum = stripes(weights);
        legal
    }
}
