use std::fmt;

use serde::Serialize;
use xent::information::sigmoid;
use xent::{Evaluate as _, MeanSquaredError};

use super::PredictionType;
use super::plan::{Batch, Judged, Plan, SUM_TOLERANCE};
use super::scores::Quality;
use crate::data::Task;
use crate::exact::ExactSum;
use xent_chart::short;

/// Something that looks wrong with predictions, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// Rows that cannot be scored were left out.
    LeftOut {
        /// How many.
        rows: u64,
        /// What is wrong with the first.
        first: String,
    },
    /// The probabilities of rows do not sum to 1.
    SumNotOne {
        /// How many rows.
        rows: u64,
        /// How many rows there are.
        of: u64,
        /// The first of them.
        first: u64,
        /// The smallest and the largest sum.
        sums: [f64; 2],
    },
    /// What are taken for logits look like probabilities.
    LogitsLikeProbabilities {
        /// How many rows there are, all of them in 0..1.
        rows: u64,
        /// Whether the numbers of each row sum to 1.
        sum_to_one: bool,
    },
    /// What are taken for logits look like percentages.
    LogitsLikePercentages {
        /// How many rows there are, all of them in 0..100.
        rows: u64,
    },
    /// Probabilities look like the softmax of probabilities.
    SoftmaxTwice {
        /// The smallest and the largest probability.
        range: [f64; 2],
        /// Those that the softmax of probabilities can give.
        possible: [f64; 2],
        /// The Brier score as it is, and with one softmax undone.
        brier: [f64; 2],
    },
    /// Labels count the classes from 1 and were taken so.
    LabelsFromOne {
        /// How many classes there are.
        classes: usize,
    },
    /// Predictions fit the labels better when those are shifted.
    LabelsShifted {
        /// By how much to shift the labels.
        by: i32,
        /// The accuracy as it is, and then.
        accuracy: [f64; 2],
    },
    /// Every row has the same prediction.
    Constant {
        /// The prediction.
        prediction: Vec<f64>,
        /// How many rows.
        rows: u64,
    },
    /// Rows whose right class has the probability 0.
    SureMistakes {
        /// How many.
        rows: u64,
        /// The first of them.
        first: u64,
        /// How many rows have a probability of exactly 0 or 1.
        saturated: u64,
        /// How many rows there are.
        of: u64,
    },
    /// The scores order the classes the wrong way round.
    Inverted {
        /// The area under the ROC curve.
        roc_auc: f64,
    },
    /// The mean prediction is far from the mean label.
    Biased {
        /// The class that is meant, unless labels are numbers.
        class: Option<String>,
        /// The mean prediction.
        predicted: f64,
        /// The mean label.
        actual: f64,
        /// The difference in standard errors.
        errors: f64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { rows, first } => write!(f, "{rows} rows left out, the first: {first}"),
            Self::SumNotOne { rows, of, first, sums: [low, high] } => write!(
                f,
                "probabilities do not sum to 1 in {rows} of {of} rows, the first is row {first}; \
                 the sums go from {} to {}",
                short(*low),
                short(*high)
            ),
            Self::LogitsLikeProbabilities { rows, sum_to_one } => write!(
                f,
                "taken for logits, but all numbers of {rows} rows lie between 0 and 1{}; if they \
                 are probabilities, a softmax or sigmoid is applied twice: give --prediction-type \
                 probability",
                if *sum_to_one { " and sum to 1" } else { "" }
            ),
            Self::LogitsLikePercentages { rows } => write!(
                f,
                "taken for logits, but none of the numbers of {rows} rows is below 0 or above 100; \
                 if they are percentages, divide them by 100"
            ),
            Self::SoftmaxTwice { range, possible, brier } => write!(
                f,
                "softmax or sigmoid applied twice? All probabilities lie between {} and {}, and \
                 applied to probabilities it gives {} to {}; with one undone the Brier score falls \
                 from {} to {}",
                short(range[0]),
                short(range[1]),
                short(possible[0]),
                short(possible[1]),
                short(brier[0]),
                short(brier[1])
            ),
            Self::LabelsFromOne { classes } => write!(
                f,
                "labels go up to {classes} for {classes} prediction columns and none is 0: they \
                 are taken to count from 1"
            ),
            Self::LabelsShifted { by, accuracy: [now, then] } => write!(
                f,
                "labels off by one? With {by:+} on every label the accuracy goes from {} to {}",
                short(*now),
                short(*then)
            ),
            Self::Constant { prediction, rows } => {
                let numbers: Vec<String> = prediction.iter().map(|&n| short(n)).collect();
                write!(f, "all {rows} rows have the same prediction, {}", numbers.join(", "))
            }
            Self::SureMistakes { rows, first, saturated, of } => write!(
                f,
                "{rows} rows give their class the probability 0, the first is row {first}: their \
                 cross-entropy is infinite; {saturated} of {of} rows have a probability of exactly \
                 0 or 1"
            ),
            Self::Inverted { roc_auc } => write!(
                f,
                "scores the wrong way round? The area under the ROC curve is {}, and {} the other \
                 way",
                short(*roc_auc),
                short(1.0 - roc_auc)
            ),
            Self::Biased { class, predicted, actual, errors } => {
                write!(f, "the mean prediction")?;
                if let Some(class) = class {
                    write!(f, " of `{class}`")?;
                }
                write!(
                    f,
                    " is {}, but the mean label {}: {} standard errors apart",
                    short(*predicted),
                    short(*actual),
                    short(*errors)
                )
            }
        }
    }
}

/// A number of rows and the first of them.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    rows: u64,
    first: u64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.first = match (self.rows, other.rows) {
            (0, _) => other.first,
            (_, 0) => self.first,
            _ => self.first.min(other.first),
        };
        self.rows += other.rows;
    }
}

/// What findings are drawn from; it merges in any order.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    off_sum: Found,
    sums: [f64; 2],
    /// Rows of numbers between 0 and 1.
    in_range: u64,
    /// The smallest and the largest number of each prediction column.
    ranges: Vec<[f64; 2]>,
    saturated: u64,
    sure_mistakes: Found,
    /// Rows that cannot be the softmax of probabilities.
    not_twice: u64,
    /// The Brier score with one softmax undone.
    undone: ExactSum,
    /// Of each class the probability, its variance p(1 − p), and the labels.
    classes: Vec<[ExactSum; 3]>,
}

impl Evidence {
    pub(super) fn new(plan: &Plan) -> Self {
        let nothing = [f64::INFINITY, f64::NEG_INFINITY];
        Self {
            off_sum: Found::default(),
            sums: nothing,
            in_range: 0,
            ranges: vec![nothing; plan.columns().len()],
            saturated: 0,
            sure_mistakes: Found::default(),
            not_twice: 0,
            undone: ExactSum::default(),
            classes: vec![Default::default(); plan.classes().len()],
        }
    }

    pub(super) fn push(&mut self, plan: &Plan, judged: &Judged<'_>, row: usize) {
        let batch = judged.batch;
        let (predictions, weight) = (batch.predictions(row), batch.weight(row));
        for (range, &number) in self.ranges.iter_mut().zip(predictions) {
            extend(range, [number; 2]);
        }
        if plan.task() == Task::Regression {
            return;
        }
        let here = Found { rows: 1, first: batch.number(row) };
        self.in_range += u64::from(predictions.iter().all(|p| (0.0..=1.0).contains(p)));
        if predictions.len() > 1 {
            extend(&mut self.sums, [predictions.iter().sum(); 2]);
            self.off_sum.add(if sum_to_one(predictions) { Found::default() } else { here });
        }
        let class = batch.class(row);
        let logs = &judged.log_probabilities[row * self.classes.len()..][..self.classes.len()];
        for (index, (sums, log)) in self.classes.iter_mut().zip(logs).enumerate() {
            let p = log.exp();
            sums[0].add(weight * p);
            sums[1].add(weight * weight * p * (1.0 - p));
            sums[2].add(if index == class { weight } else { 0.0 });
        }
        if plan.prediction_type() != PredictionType::Probability {
            return;
        }
        self.saturated += u64::from(predictions.iter().any(|&p| p == 0.0 || p == 1.0));
        let right = match predictions {
            [yes] if class == 0 => 1.0 - yes,
            [yes] => *yes,
            _ => predictions[class],
        };
        self.sure_mistakes.add(if right == 0.0 { here } else { Found::default() });
        match judged.undone[row] {
            None => self.not_twice += 1,
            Some(error) => self.undone.add(weight * error),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.off_sum.add(other.off_sum);
        extend(&mut self.sums, other.sums);
        self.in_range += other.in_range;
        for (range, other) in self.ranges.iter_mut().zip(&other.ranges) {
            extend(range, *other);
        }
        self.saturated += other.saturated;
        self.sure_mistakes.add(other.sure_mistakes);
        self.not_twice += other.not_twice;
        self.undone.merge(&other.undone);
        let sums = self.classes.iter_mut().flatten().zip(other.classes.iter().flatten());
        sums.for_each(|(sum, other)| sum.merge(other));
    }

    pub(super) fn findings(
        &self,
        plan: &Plan,
        rows: u64,
        weight: f64,
        quality: &Quality,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if rows > 1 && self.ranges.iter().all(|[low, high]| low == high) {
            let prediction = self.ranges.iter().map(|range| range[0]).collect();
            findings.push(Finding::Constant { prediction, rows });
        }
        let sums = match quality {
            Quality::Classes(sums) => sums,
            Quality::Numbers(sums) => {
                let [(actual, spread), (predicted, _)] = sums.moments();
                let error = sums.result().map_or(f64::NAN, |metrics| metrics.rmse);
                let errors = (predicted - actual).abs() / error * (rows as f64).sqrt();
                // Far both in standard errors and in those of the labels.
                if errors > 5.0 && (predicted - actual).abs() > 0.1 * spread {
                    findings.push(Finding::Biased { class: None, predicted, actual, errors });
                }
                return findings;
            }
        };
        if plan.from_one {
            findings.push(Finding::LabelsFromOne { classes: plan.classes().len() });
        }
        let is_probability = plan.prediction_type() == PredictionType::Probability;
        if is_probability && self.off_sum.rows > 0 {
            let Found { rows: off, first } = self.off_sum;
            findings.push(Finding::SumNotOne { rows: off, of: rows, first, sums: self.sums });
        }
        if !is_probability && self.in_range == rows {
            let sum_to_one = self.ranges.len() > 1 && self.off_sum.rows == 0;
            findings.push(Finding::LogitsLikeProbabilities { rows, sum_to_one });
        }
        let [lowest, highest] = self
            .ranges
            .iter()
            .fold([0.0f64; 2], |[low, high], range| [low.min(range[0]), high.max(range[1])]);
        // Logits rarely reach so far to one side, and to the other not at all.
        if !is_probability && lowest == 0.0 && (20.0..=100.0).contains(&highest) {
            findings.push(Finding::LogitsLikePercentages { rows });
        }
        let Some(metrics) = sums.result() else { return findings };
        if self.sure_mistakes.rows > 0 {
            let Found { rows: mistakes, first } = self.sure_mistakes;
            let saturated = self.saturated;
            let of = rows;
            findings.push(Finding::SureMistakes { rows: mistakes, first, saturated, of });
        }
        // Of two classes the Brier score counts one, the sum over classes both.
        let counted = if plan.classes().len() == 2 { 2.0 } else { 1.0 };
        let undone = self.undone.value() / weight / counted;
        let twice = is_probability && self.not_twice == 0 && undone < metrics.brier;
        if twice {
            let range =
                self.ranges.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |all, range| {
                    [all[0].min(range[0]), all[1].max(range[1])]
                });
            let possible = possible(self.ranges.len());
            findings.push(Finding::SoftmaxTwice {
                range,
                possible,
                brier: [metrics.brier, undone],
            });
        }
        findings.extend(shifted(&metrics.confusion, rows));
        let counts = metrics.classes.iter().map(|class| class.rows as f64);
        let spread = (counts.clone().map(|n| 1.0 / n).sum::<f64>() / 12.0).sqrt();
        if let (Some(roc_auc), 2) = (metrics.roc_auc, plan.classes().len())
            && roc_auc < 0.4
            && 0.5 - roc_auc > 4.0 * spread
        {
            findings.push(Finding::Inverted { roc_auc });
        }
        // Predictions squeezed by a second softmax are biased for that reason.
        if !twice {
            findings.extend(self.biased(plan, weight));
        }
        findings
    }

    /// The class whose mean probability is furthest from its share of the rows.
    fn biased(&self, plan: &Plan, weight: f64) -> Option<Finding> {
        let classes = self.classes.iter().zip(plan.classes()).map(|(sums, class)| {
            let [predicted, variance, actual] = sums.each_ref().map(ExactSum::value);
            let errors = (predicted - actual).abs() / variance.sqrt();
            (errors, predicted / weight, actual / weight, class)
        });
        let (errors, predicted, actual, class) = classes
            .filter(|&(errors, predicted, actual, _)| {
                let rare = actual.min(1.0 - actual).max(0.01);
                errors > 5.0 && (predicted - actual).abs() > 0.25 * rare
            })
            .rev()
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Finding::Biased { class: Some(class.clone()), predicted, actual, errors })
    }
}

fn extend(range: &mut [f64; 2], [low, high]: [f64; 2]) {
    *range = [range[0].min(low), range[1].max(high)];
}

/// The smallest and the largest entry of a softmax of so many probabilities, or
/// of a sigmoid of one.
fn possible(columns: usize) -> [f64; 2] {
    let (e, others) = (std::f64::consts::E, columns as f64 - 1.0);
    match columns {
        1 => [sigmoid(0.0), sigmoid(1.0)],
        _ => [1.0 / (1.0 + others * e), e / (e + others)],
    }
}

/// For each row of probabilities their squared error, summed over the classes,
/// with one softmax undone; `None` where they cannot be one of probabilities.
pub(super) fn squared_errors_undone(
    batch: &Batch,
    classes: usize,
) -> xent::Result<Vec<Option<f64>>> {
    let (mut probabilities, mut targets) = (Vec::new(), Vec::new());
    let mut undo = |row: usize| {
        let predictions = batch.predictions(row);
        let undone = undone(predictions).filter(|_| sum_to_one(predictions));
        if let Some(undone) = &undone {
            probabilities.extend(undone);
            let label = batch.class(row);
            targets.extend((0..classes).map(|class| if class == label { 1.0 } else { 0.0 }));
        }
        undone.is_some()
    };
    let is_undone: Vec<bool> = (0..batch.rows()).map(&mut undo).collect();
    let squares = MeanSquaredError::default().on(&probabilities, &targets).values()?;
    let mut errors = squares.chunks_exact(classes).map(|row| row.iter().sum());
    Ok(is_undone.into_iter().map(|is_undone| is_undone.then(|| errors.next())?).collect())
}

/// Whether the probabilities of a row sum to 1, as that of one class does with
/// its complement.
fn sum_to_one(probabilities: &[f64]) -> bool {
    let sum: f64 = probabilities.iter().sum();
    probabilities.len() == 1 || (sum - 1.0).abs() <= SUM_TOLERANCE
}

/// The probability of each class whose softmax, or for one column sigmoid, these
/// are, if there are such.
fn undone(probabilities: &[f64]) -> Option<Vec<f64>> {
    let undone: Vec<f64> = match probabilities {
        [yes] => {
            let yes = yes.ln() - (-yes).ln_1p();
            vec![1.0 - yes, yes]
        }
        _ => {
            let logs = probabilities.iter().map(|p| p.ln());
            // The constant that a softmax loses is found again as the sum is 1.
            let constant = (1.0 - logs.clone().sum::<f64>()) / probabilities.len() as f64;
            logs.map(|log| log + constant).collect()
        }
    };
    let legal = |p: &f64| (-SUM_TOLERANCE..=1.0 + SUM_TOLERANCE).contains(p);
    undone.iter().all(legal).then_some(undone)
}

/// Whether three or more classes are predicted far better for labels that are one
/// higher or lower.
fn shifted(confusion: &[Vec<u64>], rows: u64) -> Option<Finding> {
    let classes = confusion.len();
    let hits = |by: i32| -> f64 {
        let hit = |class: usize| {
            let predicted = class.checked_add_signed(by as isize)?;
            confusion[class].get(predicted)
        };
        (0..classes).filter_map(hit).sum::<u64>() as f64 / rows as f64
    };
    let by = if hits(1) > hits(-1) { 1 } else { -1 };
    let (now, then) = (hits(0), hits(by));
    let is_clear = then > 0.4 && then > 2.0 * now;
    (classes > 2 && is_clear).then_some(Finding::LabelsShifted { by, accuracy: [now, then] })
}
