//! How good predictions are, by measures that do not depend on the loss of
//! training.

use serde::{Deserialize, Serialize};
use xent::information::{log_softmax, softplus};
use xent::{Domain, Evaluate, Family, MeanAbsoluteError, MeanSquaredError, NegativeLogLikelihood};

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
        let squared = MeanSquaredError::default();
        let error = squared.on(predictions, targets).value()?;
        let mean = targets.iter().sum::<f64>() / targets.len() as f64;
        let variance = squared.on(&vec![mean; targets.len()], targets).value()?;
        Ok(Self {
            mae: MeanAbsoluteError::default().on(predictions, targets).value()?,
            rmse: error.sqrt(),
            r2: (variance > 0.0).then(|| 1.0 - error / variance),
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
        let nll = NegativeLogLikelihood::default();
        let log_loss = nll.on((log_probabilities, classes), labels).value()?;
        let confusion = confusion(log_probabilities, classes, labels);
        let reliability = reliability(log_probabilities, classes, labels);
        let quality: Vec<ClassQuality> =
            (0..classes).map(|class| ClassQuality::new(&confusion, class)).collect();
        let hits: u64 = (0..classes).map(|class| confusion[class][class]).sum();
        Ok(Self {
            accuracy: hits as f64 / labels.len() as f64,
            macro_f1: mean(quality.iter().filter_map(|class| class.f1)).unwrap_or(f64::NAN),
            log_loss,
            brier: brier(log_probabilities, classes, labels)?,
            roc_auc: roc_auc(log_probabilities, classes, labels),
            ece: expected_calibration_error(&reliability, labels.len()),
            reliability,
            classes: quality,
            confusion,
        })
    }
}

/// Natural logarithms of class probabilities, row after row, from what a loss
/// of this family takes as predictions in this domain, `outputs` per row.
///
/// One output is about the second of two classes. Outputs that judge each class
/// by itself are scaled to sum to 1. Margins, as of hinge losses, are read as
/// logits. A probability of 0 counts as the smallest normal `f32`, so that no
/// log loss is infinite.
pub fn log_probabilities(
    predictions: &[f32],
    outputs: usize,
    family: Family,
    domain: Domain,
) -> Vec<f64> {
    let log = |p: f64| p.max(f32::MIN_POSITIVE.into()).ln();
    let log_sigmoid = |logit: f64| -softplus(-logit);
    if outputs == 1 {
        return predictions
            .iter()
            .map(|&prediction| f64::from(prediction))
            .flat_map(|prediction| match domain {
                Domain::Probability => [log(1.0 - prediction), log(prediction)],
                Domain::LogProbability => [log(-prediction.exp_m1()), prediction],
                _ => [log_sigmoid(-prediction), log_sigmoid(prediction)],
            })
            .collect();
    }
    let row = |row: &[f32]| -> Vec<f64> {
        row.iter()
            .map(|&prediction| f64::from(prediction))
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

fn confusion(log_probabilities: &[f64], classes: usize, labels: &[usize]) -> Vec<Vec<u64>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (row, &label) in log_probabilities.chunks_exact(classes).zip(labels) {
        confusion[label][largest(row).0] += 1;
    }
    confusion
}

impl ClassQuality {
    fn new(confusion: &[Vec<u64>], class: usize) -> Self {
        let rows: u64 = confusion[class].iter().sum();
        let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
        let hits = confusion[class][class];
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Self {
            rows,
            precision: share(hits, predicted),
            recall: share(hits, rows),
            f1: share(2 * hits, rows + predicted),
        }
    }
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

fn reliability(log_probabilities: &[f64], classes: usize, labels: &[usize]) -> Vec<Bin> {
    const BINS: usize = 15;
    let mut sums = [(0.0, 0usize, 0usize); BINS];
    for (row, &label) in log_probabilities.chunks_exact(classes).zip(labels) {
        let (predicted, log) = largest(row);
        let confidence = log.exp();
        let (sum, hits, rows) = &mut sums[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *sum += confidence;
        *hits += usize::from(predicted == label);
        *rows += 1;
    }
    let bins = sums.into_iter().filter(|(_, _, rows)| *rows > 0);
    let bin = |(sum, hits, rows): (f64, usize, usize)| Bin {
        confidence: sum / rows as f64,
        accuracy: hits as f64 / rows as f64,
        rows,
    };
    bins.map(bin).collect()
}

fn expected_calibration_error(reliability: &[Bin], rows: usize) -> f64 {
    let gap = |bin: &Bin| (bin.confidence - bin.accuracy).abs() * bin.rows as f64;
    reliability.iter().map(gap).sum::<f64>() / rows as f64
}

fn roc_auc(log_probabilities: &[f64], classes: usize, labels: &[usize]) -> Option<f64> {
    let of_class = |class: usize| {
        let scores = log_probabilities.iter().skip(class).step_by(classes).copied();
        area(scores.zip(labels.iter().map(|&label| label == class)).collect())
    };
    // With two classes, the area of one is that of the other.
    let first = if classes == 2 { 1 } else { 0 };
    mean((first..classes).filter_map(of_class))
}

/// The area under the ROC curve of scores, of which some are of the class: the
/// mean rank of those of the class, tied scores sharing theirs.
fn area(mut scores: Vec<(f64, bool)>) -> Option<f64> {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positive = scores.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
    let negative = scores.len() as f64 - positive;
    let (mut ranks, mut below) = (0.0, 0.0);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let in_class = tied.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        let others = tied.len() as f64 - in_class;
        ranks += in_class * (below + others / 2.0);
        below += others;
    }
    (positive > 0.0 && negative > 0.0).then(|| ranks / (positive * negative))
}

fn brier(log_probabilities: &[f64], classes: usize, labels: &[usize]) -> xent::Result<f64> {
    let probabilities: Vec<f64> = log_probabilities.iter().map(|log| log.exp()).collect();
    let mut targets = vec![0.0; probabilities.len()];
    for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[label] = 1.0;
    }
    let mean = MeanSquaredError::default().on(&probabilities, &targets).value()?;
    let summed = if classes == 2 { 1 } else { classes };
    Ok(mean * summed as f64)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_area_counts_pairs_in_order() {
        let area = |positive: &[f64], negative: &[f64]| {
            let of = |scores: &[f64], class| scores.iter().map(|&s| (s, class)).collect::<Vec<_>>();
            area([of(positive, true), of(negative, false)].concat())
        };
        assert_eq!(area(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(area(&[1.0, 3.0], &[2.0, 0.0]), Some(0.75));
        assert_eq!(area(&[1.0, 1.0], &[1.0]), Some(0.5));
        assert_eq!(area(&[1.0], &[]), None);
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
