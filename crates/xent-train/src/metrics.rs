//! How good predictions are, by measures that do not depend on the loss of
//! training.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xent::information::{log_softmax, softplus};
use xent::{
    Domain, Element, Evaluate, Family, MeanAbsoluteError, MeanSquaredError, NegativeLogLikelihood,
};

use crate::exact::ExactSum;

/// The quality of predicted numbers, in the units of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Share of the variance of the targets that is explained; at most 1, and
    /// undefined if all targets are equal.
    pub r2: Option<f64>,
}

/// The quality of predicted classes and their probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Share of the rows whose most probable class is the right one.
    pub accuracy: f64,
    /// Mean over the classes of F1 = 2·hits / (rows of the class + predictions
    /// of it); classes that neither occur nor are predicted do not count.
    pub macro_f1: f64,
    /// Mean of −ln(probability of the right class).
    pub log_loss: f64,
    /// Mean squared error of the probabilities: for two classes (p − y)² of the
    /// second, at most 1; for more the sum over the classes, at most 2.
    pub brier: f64,
    /// How often a row of a class gets a higher probability of it than a row of
    /// another class does, ties counting half: the area under the ROC curve. For
    /// more than two classes the mean over the classes; undefined if all rows
    /// are of one class.
    pub roc_auc: Option<f64>,
    /// Expected calibration error: how far the probability of the predicted
    /// class is from the share of hits, as a mean over the rows in bins of
    /// [`Classification::reliability`].
    pub ece: f64,
    /// Rows by the probability of the predicted class, in bins of equal width
    /// from 0 to 1; empty bins are left out.
    pub reliability: Vec<Bin>,
    /// One per class.
    pub classes: Vec<ClassQuality>,
    /// How many rows of a class (outer) were predicted as a class (inner).
    pub confusion: Vec<Vec<u64>>,
}

/// Rows whose predicted class has about the same probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Their mean probability of the predicted class.
    pub confidence: f64,
    /// The share of them whose predicted class is the right one.
    pub accuracy: f64,
    /// How many rows.
    pub rows: usize,
}

/// How well one class is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassQuality {
    /// Rows of the class.
    pub rows: u64,
    /// Share of the rows predicted as the class that are of it; undefined if
    /// none is predicted so.
    pub precision: Option<f64>,
    /// Share of the rows of the class that are predicted as it; undefined if
    /// there are none.
    pub recall: Option<f64>,
    /// 2·hits / (rows of the class + predictions of it).
    pub f1: Option<f64>,
}

/// The metrics of either kind of task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Of numbers.
    Regression(Regression),
    /// Of classes.
    Classification(Classification),
}

/// A metric as it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Its name, such as `macro-F1`.
    pub name: &'static str,
    /// Its value; NaN if undefined.
    pub value: f64,
    /// Whether less is better.
    pub lower_is_better: bool,
}

impl Metrics {
    /// All metrics of the kind of task that are single numbers.
    pub fn figures(&self) -> Vec<Figure> {
        let more = |name, value| Figure { name, value, lower_is_better: false };
        let less = |name, value| Figure { name, value, lower_is_better: true };
        match self {
            Self::Classification(metrics) => vec![
                more("accuracy", metrics.accuracy),
                more("macro-F1", metrics.macro_f1),
                less("log loss", metrics.log_loss),
                less("Brier", metrics.brier),
                more("ROC-AUC", metrics.roc_auc.unwrap_or(f64::NAN)),
                less("ECE", metrics.ece),
            ],
            Self::Regression(metrics) => vec![
                less("MAE", metrics.mae),
                less("RMSE", metrics.rmse),
                more("R²", metrics.r2.unwrap_or(f64::NAN)),
            ],
        }
    }

    /// The one to follow during training: accuracy, or R².
    pub fn headline(&self) -> Figure {
        let figures = self.figures();
        match self {
            Self::Classification(_) => figures[0],
            Self::Regression(_) => figures[2],
        }
    }
}

impl Regression {
    /// Compares one prediction per row with its target, both in the units of
    /// the target.
    ///
    /// # Errors
    /// Different lengths, or no rows.
    pub fn new(predictions: &[f64], targets: &[f64]) -> xent::Result<Self> {
        let rows = NumberRows::new(predictions, targets)?;
        let mut sums = RegressionSums::new(targets.iter().sum::<f64>() / targets.len() as f64);
        (0..targets.len()).for_each(|row| sums.push(&rows, row, 1.0));
        sums.result().ok_or(xent::Error::Empty { rows: 0 })
    }
}

/// Predicted numbers beside their targets.
pub struct NumberRows<'a> {
    predictions: &'a [f64],
    targets: &'a [f64],
    absolute: Vec<f64>,
    squared: Vec<f64>,
}

impl<'a> NumberRows<'a> {
    /// One prediction per target.
    ///
    /// # Errors
    /// Different lengths.
    pub fn new(predictions: &'a [f64], targets: &'a [f64]) -> xent::Result<Self> {
        Ok(Self {
            predictions,
            targets,
            absolute: MeanAbsoluteError::default().on(predictions, targets).values()?,
            squared: MeanSquaredError::default().on(predictions, targets).values()?,
        })
    }
}

/// What the metrics of a regression are made of: sums over rows, which merge to
/// the same bits in any order.
#[derive(Clone, Debug)]
pub struct RegressionSums {
    /// What targets and predictions are measured from, so that their squares
    /// stay small.
    centre: f64,
    weight: ExactSum,
    absolute: ExactSum,
    squared: ExactSum,
    /// Of targets and of predictions: the distance from the centre, and its square.
    moments: [[ExactSum; 2]; 2],
}

impl RegressionSums {
    /// No rows yet; the centre should be near the mean of the targets.
    pub fn new(centre: f64) -> Self {
        let none = ExactSum::default;
        Self {
            centre,
            weight: none(),
            absolute: none(),
            squared: none(),
            moments: [0, 1].map(|_| [none(), none()]),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// There is no such row.
    pub fn push(&mut self, rows: &NumberRows<'_>, row: usize, weight: f64) {
        self.weight.add(weight);
        self.absolute.add(weight * rows.absolute[row]);
        self.squared.add(weight * rows.squared[row]);
        for (sums, number) in
            self.moments.iter_mut().zip([rows.targets[row], rows.predictions[row]])
        {
            let distance = number - self.centre;
            sums[0].add(weight * distance);
            sums[1].add(weight * distance * distance);
        }
    }

    /// Adds the rows of other sums about the same centre.
    pub fn merge(&mut self, other: &Self) {
        self.weight.merge(&other.weight);
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
        for (sum, other) in self.moments.iter_mut().flatten().zip(other.moments.iter().flatten()) {
            sum.merge(other);
        }
    }

    /// Mean and standard deviation of the targets, and of the predictions.
    pub fn moments(&self) -> [(f64, f64); 2] {
        let weight = self.weight.value();
        self.moments.each_ref().map(|[first, second]| {
            let (distance, square) = (first.value() / weight, second.value() / weight);
            (self.centre + distance, (square - distance * distance).max(0.0).sqrt())
        })
    }

    /// The metrics, unless there are no rows.
    pub fn result(&self) -> Option<Regression> {
        let weight = self.weight.value();
        let (error, [(_, deviation), _]) = (self.squared.value() / weight, self.moments());
        (weight > 0.0).then(|| Regression {
            mae: self.absolute.value() / weight,
            rmse: error.sqrt(),
            r2: (deviation > 0.0).then(|| 1.0 - error / (deviation * deviation)),
        })
    }
}

impl Classification {
    /// Compares `rows × classes` natural logarithms of probabilities, row after
    /// row, with the class index of each row. Of equally probable classes the
    /// first is the predicted one.
    ///
    /// # Errors
    /// Lengths that do not fit, no rows, a class index out of range, or a
    /// logarithm of a probability that is NaN or above 0.
    pub fn new(log_probabilities: &[f64], classes: usize, labels: &[usize]) -> xent::Result<Self> {
        let rows = ClassRows::new(log_probabilities, classes, labels)?;
        let mut sums = ClassificationSums::new(classes, usize::MAX);
        (0..labels.len()).for_each(|row| sums.push(&rows, row, 1.0));
        sums.result().ok_or(xent::Error::Empty { rows: 0 })
    }
}

/// Probabilities of classes beside the labels.
pub struct ClassRows<'a> {
    log_probabilities: &'a [f64],
    labels: &'a [usize],
    log_losses: Vec<f64>,
    /// (p − y)², row after row.
    squared: Vec<f64>,
}

impl<'a> ClassRows<'a> {
    /// `rows × classes` natural logarithms of probabilities, row after row, and
    /// the class index of each row.
    ///
    /// # Errors
    /// As [`Classification::new`].
    pub fn new(
        log_probabilities: &'a [f64],
        classes: usize,
        labels: &'a [usize],
    ) -> xent::Result<Self> {
        let nll = NegativeLogLikelihood::default();
        let log_losses = nll.on((log_probabilities, classes), labels).values()?;
        let probabilities: Vec<f64> = log_probabilities.iter().map(|log| log.exp()).collect();
        let mut targets = vec![0.0; probabilities.len()];
        for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
            row[label] = 1.0;
        }
        let squared = MeanSquaredError::default().on(&probabilities, &targets).values()?;
        Ok(Self { log_probabilities, labels, log_losses, squared })
    }
}

/// What the metrics of classes are made of: sums over rows, which merge.
///
/// The order in which rows are added and sums merged changes no bit where
/// weights are whole numbers, and otherwise no more than rounding does.
#[derive(Clone, Debug)]
pub struct ClassificationSums {
    classes: usize,
    /// Rows by class and predicted class, and their weights.
    rows: Vec<u64>,
    weights: Vec<f64>,
    log_loss: ExactSum,
    brier: ExactSum,
    bins: [BinSums; BINS],
    /// Of the second class if there are two, else of each.
    ranks: Vec<Ranks>,
    most_scores: usize,
}

/// How many bins the probability of the predicted class is put into.
const BINS: usize = 15;

#[derive(Clone, Debug, Default)]
struct BinSums {
    confidence: ExactSum,
    hits: f64,
    weight: f64,
    rows: usize,
}

impl ClassificationSums {
    /// No rows yet. Where a class has more than `most_scores` distinct
    /// probabilities, near ones are taken as ties in the area under the curve.
    pub fn new(classes: usize, most_scores: usize) -> Self {
        let ranked = if classes == 2 { 1 } else { classes };
        Self {
            classes,
            rows: vec![0; classes * classes],
            weights: vec![0.0; classes * classes],
            log_loss: ExactSum::default(),
            brier: ExactSum::default(),
            bins: Default::default(),
            ranks: vec![Ranks::default(); ranked],
            most_scores,
        }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Keeps fewer distinct probabilities of a class from here on, in less memory.
    pub fn limit(&mut self, most_scores: usize) {
        self.most_scores = most_scores;
        self.ranks.iter_mut().for_each(|ranks| ranks.limit(most_scores));
    }

    /// Adds a row.
    ///
    /// # Panics
    /// There is no such row, or it has other classes.
    pub fn push(&mut self, rows: &ClassRows<'_>, row: usize, weight: f64) {
        let classes = self.classes;
        let of_row = row * classes..(row + 1) * classes;
        let logs = &rows.log_probabilities[of_row.clone()];
        let label = rows.labels[row];
        let (predicted, log) = largest(logs);
        self.rows[label * classes + predicted] += 1;
        self.weights[label * classes + predicted] += weight;
        self.log_loss.add(weight * rows.log_losses[row]);
        // With two classes, the square of one is that of the other.
        let first = usize::from(classes == 2);
        let squares = &rows.squared[of_row][first..];
        squares.iter().for_each(|square| self.brier.add(weight * square));
        let confidence = log.exp();
        let bin = &mut self.bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.confidence.add(weight * confidence);
        bin.hits += if predicted == label { weight } else { 0.0 };
        bin.weight += weight;
        bin.rows += 1;
        for (class, ranks) in (first..).zip(&mut self.ranks) {
            ranks.push(logs[class], label == class, weight, self.most_scores);
        }
    }

    /// Adds the rows of other sums of the same classes.
    pub fn merge(&mut self, other: &Self) {
        self.rows.iter_mut().zip(&other.rows).for_each(|(sum, other)| *sum += other);
        self.weights.iter_mut().zip(&other.weights).for_each(|(sum, other)| *sum += other);
        self.log_loss.merge(&other.log_loss);
        self.brier.merge(&other.brier);
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.confidence.merge(&other.confidence);
            bin.hits += other.hits;
            bin.weight += other.weight;
            bin.rows += other.rows;
        }
        for (ranks, other) in self.ranks.iter_mut().zip(&other.ranks) {
            ranks.merge(other, self.most_scores);
        }
    }

    /// The area under the ROC curve as in [`Classification::roc_auc`], and how
    /// far it may be off because near scores were taken as ties.
    pub fn roc_auc(&self) -> Option<(f64, f64)> {
        let areas = || self.ranks.iter().filter_map(Ranks::area);
        Some((mean(areas().map(|(area, _)| area))?, mean(areas().map(|(_, error)| error))?))
    }

    /// The metrics, unless there are no rows.
    pub fn result(&self) -> Option<Classification> {
        let classes = self.classes;
        let total: f64 = self.weights.iter().sum();
        let quality: Vec<ClassQuality> = (0..classes).map(|class| self.quality(class)).collect();
        let hits: f64 = (0..classes).map(|class| self.weights[class * classes + class]).sum();
        let filled = || self.bins.iter().filter(|bin| bin.weight > 0.0);
        let gap = |bin: &BinSums| (bin.confidence.value() - bin.hits).abs();
        (total > 0.0).then(|| Classification {
            accuracy: hits / total,
            macro_f1: mean(quality.iter().filter_map(|class| class.f1)).unwrap_or(f64::NAN),
            log_loss: self.log_loss.value() / total,
            brier: self.brier.value() / total,
            roc_auc: self.roc_auc().map(|(area, _)| area),
            ece: filled().map(gap).sum::<f64>() / total,
            reliability: filled()
                .map(|bin| Bin {
                    confidence: bin.confidence.value() / bin.weight,
                    accuracy: bin.hits / bin.weight,
                    rows: bin.rows,
                })
                .collect(),
            classes: quality,
            confusion: self.rows.chunks_exact(classes).map(<[u64]>::to_vec).collect(),
        })
    }

    fn quality(&self, class: usize) -> ClassQuality {
        let of_class = class * self.classes..(class + 1) * self.classes;
        let weight: f64 = self.weights[of_class.clone()].iter().sum();
        let predicted: f64 = self.weights.iter().skip(class).step_by(self.classes).sum();
        let hits = self.weights[of_class.start + class];
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        ClassQuality {
            rows: self.rows[of_class].iter().sum(),
            precision: share(hits, predicted),
            recall: share(hits, weight),
            f1: share(2.0 * hits, weight + predicted),
        }
    }
}

/// How much weight each score has within a class and without.
///
/// Scores are counted by their bits. Where there are too many of them, as few of
/// the lowest bits are dropped as must be; that depends on the set of scores
/// alone and not on the order in which they came.
#[derive(Clone, Debug, Default)]
struct Ranks {
    dropped_bits: u32,
    by_score: HashMap<u64, [f64; 2]>,
}

impl Ranks {
    fn push(&mut self, score: f64, is_of_class: bool, weight: f64, most: usize) {
        let bits = (score + 0.0).to_bits();
        // In the order of the numbers.
        let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
        let weights = self.by_score.entry(key >> self.dropped_bits).or_default();
        weights[usize::from(is_of_class)] += weight;
        self.limit(most);
    }

    fn merge(&mut self, other: &Self, most: usize) {
        let dropped_bits = self.dropped_bits.max(other.dropped_bits);
        self.drop_bits(dropped_bits - self.dropped_bits);
        // In order, as several scores may become one.
        for (key, weights) in other.sorted() {
            let sums = self.by_score.entry(key >> (dropped_bits - other.dropped_bits)).or_default();
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
        self.limit(most);
    }

    /// Drops bits until there are at most so many scores.
    fn limit(&mut self, most: usize) {
        if self.by_score.len() <= most {
            return;
        }
        let scores = self.sorted();
        // Neighbours become one once the highest bit that tells them apart is dropped.
        let mut parted_by = [0usize; 64];
        for pair in scores.windows(2) {
            parted_by[(pair[0].0 ^ pair[1].0).ilog2() as usize] += 1;
        }
        let mut left = scores.len();
        let bits = parted_by.iter().take_while(|&&pairs| {
            let too_many = left > most;
            left -= pairs;
            too_many
        });
        self.drop_bits(bits.count() as u32);
    }

    fn drop_bits(&mut self, bits: u32) {
        if bits == 0 {
            return;
        }
        self.dropped_bits += bits;
        // In order, so that sums of weights do not depend on that of the map.
        let scores = self.sorted();
        self.by_score.clear();
        for (key, weights) in scores {
            let sums = self.by_score.entry(key >> bits).or_default();
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        }
    }

    fn sorted(&self) -> Vec<(u64, [f64; 2])> {
        let mut scores: Vec<_> = self.by_score.iter().map(|(&key, &w)| (key, w)).collect();
        scores.sort_unstable_by_key(|(key, _)| *key);
        scores
    }

    /// The area under the ROC curve: how often a row of the class is above one
    /// of another, ties counting half; and how far it may be off because scores
    /// were taken as ties that are none.
    fn area(&self) -> Option<(f64, f64)> {
        let (mut area, mut tied, mut below, mut positive) = (0.0, 0.0, 0.0, 0.0);
        for (_, [others, of_class]) in self.sorted() {
            area += of_class * (below + others / 2.0);
            tied += of_class * others;
            below += others;
            positive += of_class;
        }
        let pairs = positive * below;
        let error = if self.dropped_bits == 0 { 0.0 } else { tied / 2.0 / pairs };
        (pairs > 0.0).then(|| (area / pairs, error))
    }
}

/// Natural logarithms of class probabilities, row after row, from what a loss
/// of this family takes as predictions in this domain, `outputs` per row.
///
/// One output is about the second of two classes. Outputs that judge each class
/// by itself are scaled to sum to 1. Margins, as of hinge losses, are read as
/// logits. A probability of 0 counts as the smallest normal `f32`, so that no
/// log loss is infinite.
pub fn log_probabilities<T: Element>(
    predictions: &[T],
    outputs: usize,
    family: Family,
    domain: Domain,
) -> Vec<f64> {
    let log = |p: f64| p.max(f32::MIN_POSITIVE.into()).ln();
    let log_sigmoid = |logit: f64| -softplus(-logit);
    if outputs == 1 {
        return predictions
            .iter()
            .map(|prediction| prediction.to_f64())
            .flat_map(|prediction| match domain {
                Domain::Probability => [log(1.0 - prediction), log(prediction)],
                Domain::LogProbability => [log(-prediction.exp_m1()), prediction],
                _ => [log_sigmoid(-prediction), log_sigmoid(prediction)],
            })
            .collect();
    }
    let row = |row: &[T]| -> Vec<f64> {
        row.iter()
            .map(|prediction| prediction.to_f64())
            .map(|prediction| match (domain, family) {
                (Domain::Probability, _) => log(prediction),
                (Domain::LogProbability, _) | (_, Family::Classwise) => prediction,
                (_, Family::Pointwise) => log_sigmoid(prediction),
            })
            .collect()
    };
    predictions
        .chunks_exact(outputs)
        .flat_map(|predictions| log_softmax(&row(predictions)))
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The largest entry, of equal ones the first, and its position.
fn largest(row: &[f64]) -> (usize, f64) {
    let best =
        (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
    (best, row[best])
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn close(actual: f64, expected: f64) {
        let error = (actual - expected).abs();
        assert!(error <= 4.0 * f64::EPSILON * expected.abs(), "{actual} is not {expected}");
    }

    #[test]
    fn regression_by_hand() {
        let metrics = Regression::new(&[2.5, 0.0, 2.0, 8.0], &[3.0, -0.5, 2.0, 7.0]).unwrap();
        close(metrics.mae, 0.5);
        close(metrics.rmse, 0.375_f64.sqrt());
        // Sum of squares about the mean 2.875 is 29.1875, of the errors 1.5.
        close(metrics.r2.unwrap(), 1.0 - 1.5 / 29.1875);
        assert_eq!(Regression::new(&[1.0, 2.0], &[3.0, 3.0]).unwrap().r2, None);
        assert!(Regression::new(&[1.0], &[3.0, 3.0]).is_err());
        assert!(Regression::new(&[], &[]).is_err());
    }

    #[test]
    fn classification_by_hand() {
        // Rows of class 0, 0, 1, 2; the second is taken for 1. No row is, or is taken for, 3.
        let probabilities: [[f64; 4]; 4] = [
            [0.5, 0.25, 0.125, 0.125],
            [0.25, 0.5, 0.125, 0.125],
            [0.125, 0.5, 0.25, 0.125],
            [0.0, 0.0, 1.0, 0.0],
        ];
        let logs: Vec<f64> = probabilities.as_flattened().iter().map(|p| p.ln()).collect();
        let metrics = Classification::new(&logs, 4, &[0, 0, 1, 2]).unwrap();
        assert_eq!(metrics.accuracy, 0.75);
        assert_eq!(metrics.confusion, [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]);
        close(metrics.macro_f1, (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0);
        close(metrics.log_loss, (1.0 + 2.0 + 1.0 + 0.0) * 2_f64.ln() / 4.0);
        close(metrics.brier, (0.34375 + 0.84375 + 0.34375) / 4.0);
        let quality = |class: usize| {
            let ClassQuality { rows, precision, recall, .. } = metrics.classes[class];
            (rows, precision, recall)
        };
        assert_eq!(quality(0), (2, Some(1.0), Some(0.5)));
        assert_eq!(quality(1), (1, Some(0.5), Some(1.0)));
        assert_eq!(quality(3), (0, None, None));
        // Class 0: 0.5 and 0.25 against 0.125 and 0. Class 1: 0.5 against 0.25, 0.5 and 0.
        close(metrics.roc_auc.unwrap(), (1.0 + 2.5 / 3.0 + 1.0) / 3.0);
        // Three rows at 0.5, of which two are hits, and one at 1.
        assert_eq!(metrics.reliability.len(), 2);
        close(metrics.reliability[0].accuracy, 2.0 / 3.0);
        close(metrics.ece, (2.0 / 3.0 - 0.5) * 3.0 / 4.0);
    }

    fn ranks(scores: &[(f64, bool)], most: usize) -> Ranks {
        let mut ranks = Ranks::default();
        scores.iter().for_each(|&(score, is_of_class)| ranks.push(score, is_of_class, 1.0, most));
        ranks
    }

    #[test]
    fn the_area_counts_pairs_in_order() {
        let area = |positive: &[f64], negative: &[f64]| {
            let of = |scores: &[f64], class| scores.iter().map(|&s| (s, class)).collect::<Vec<_>>();
            ranks(&[of(positive, true), of(negative, false)].concat(), usize::MAX).area()
        };
        assert_eq!(area(&[3.0, 4.0], &[1.0, 2.0]), Some((1.0, 0.0)));
        assert_eq!(area(&[1.0, 3.0], &[2.0, 0.0]), Some((0.75, 0.0)));
        assert_eq!(area(&[-1.0, 3.0], &[-2.0, f64::NEG_INFINITY]), Some((1.0, 0.0)));
        assert_eq!(area(&[1.0, -0.0], &[1.0, 0.0]), Some((0.5, 0.0)));
        assert_eq!(area(&[1.0], &[]), None);
    }

    #[test]
    fn many_scores_give_the_area_within_its_error_in_any_order() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for most in [2, 30, 1000] {
            let mut scores: Vec<(f64, bool)> = (0..3000)
                .map(|_| (random.random_range(-3.0..3.0f64), random.random::<f64>()))
                .map(|(score, noise)| (score, score.tanh() > 2.0 * noise - 1.0))
                .collect();
            let (exact, _) = ranks(&scores, usize::MAX).area().unwrap();
            let whole = ranks(&scores, most);
            let (area, error) = whole.area().unwrap();
            assert!(whole.by_score.len() <= most && error > 0.0);
            assert!((area - exact).abs() <= error, "{area} {exact} {error}");
            let mut limited = ranks(&scores, usize::MAX);
            limited.limit(most);
            assert_eq!(
                (limited.dropped_bits, limited.area()),
                (whole.dropped_bits, Some((area, error)))
            );
            for _ in 0..5 {
                let last = scores.len() - 1;
                (0..=last).for_each(|index| scores.swap(index, random.random_range(0..=last)));
                let (a, b) = scores.split_at(random.random_range(0..last));
                let mut merged = ranks(a, most);
                merged.merge(&ranks(b, most), most);
                assert_eq!(
                    (merged.dropped_bits, merged.area()),
                    (whole.dropped_bits, whole.area())
                );
            }
        }
    }

    /// Hash maps of the same scores differ in their order.
    #[test]
    fn weights_that_are_no_whole_numbers_give_the_same_area_each_time() {
        let merged = || {
            let mut random = ChaCha8Rng::seed_from_u64(6);
            let mut ranks = |rows: usize, most: usize| {
                let mut ranks = Ranks::default();
                for row in 0..rows {
                    let (score, weight) = (random.random_range(-3.0..3.0f64), random.random());
                    ranks.push(score, row % 2 == 0, weight, most);
                }
                ranks
            };
            let (mut few, many) = (ranks(500, 8), ranks(500, usize::MAX));
            few.merge(&many, 8);
            few.area().map(|(area, error)| [area, error].map(f64::to_bits))
        };
        let first = merged();
        assert!((0..20).all(|_| merged() == first));
    }

    #[test]
    fn brier_of_two_classes_is_of_the_second_alone() {
        let logs = [0.75_f64.ln(), 0.25_f64.ln()];
        let metrics = Classification::new(&logs, 2, &[1]).unwrap();
        close(metrics.brier, 0.5625);
        assert!(Classification::new(&logs, 2, &[2]).is_err());
        assert!(Classification::new(&logs, 2, &[]).is_err());
    }

    #[test]
    fn every_domain_gives_the_same_probabilities() {
        let expected = [0.25_f64.ln(), 0.75_f64.ln()];
        let check = |predictions: &[f32], outputs, family, domain| {
            let logs = log_probabilities(predictions, outputs, family, domain);
            assert_eq!(logs.len(), 2);
            for (log, expected) in logs.iter().zip(expected) {
                let error = (log - expected).abs();
                assert!(error < f64::from(f32::EPSILON), "{predictions:?}: {log}");
            }
        };
        let logit = 3_f32.ln();
        check(&[logit], 1, Family::Pointwise, Domain::Logit);
        check(&[0.75], 1, Family::Pointwise, Domain::Probability);
        check(&[0.75_f32.ln()], 1, Family::Pointwise, Domain::LogProbability);
        check(&[1.0, 1.0 + logit], 2, Family::Classwise, Domain::Logit);
        check(&[0.25, 0.75], 2, Family::Classwise, Domain::Probability);
        check(&[0.25, 0.75], 2, Family::Pointwise, Domain::Probability);
        let logs = [0.25_f32.ln(), 0.75_f32.ln()];
        check(&logs, 2, Family::Classwise, Domain::LogProbability);
        // Sigmoids of 0.2 and 0.6, scaled to sum to 1.
        check(&[0.25_f32.ln(), 1.5_f32.ln()], 2, Family::Pointwise, Domain::Logit);
    }

    #[test]
    fn certain_mistakes_cost_a_finite_log_loss() {
        for (predictions, outputs, domain) in [
            (&[1.0_f32][..], 1, Domain::Probability),
            (&[200.0], 1, Domain::Logit),
            (&[0.0, 1.0], 2, Domain::Probability),
            (&[0.0, 500.0], 2, Domain::Logit),
        ] {
            let logs = log_probabilities(predictions, outputs, Family::Classwise, domain);
            let metrics = Classification::new(&logs, 2, &[0]).unwrap();
            assert!(metrics.log_loss.is_finite() && metrics.log_loss > 80.0, "{predictions:?}");
            assert_eq!(metrics.brier, 1.0);
        }
    }
}
