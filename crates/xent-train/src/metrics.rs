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
    /// How many rows of a class (outer) were predicted as a class (inner).
    pub confusion: Vec<Vec<u64>>,
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
        let hits: u64 = (0..classes).map(|class| confusion[class][class]).sum();
        Ok(Self {
            accuracy: hits as f64 / labels.len() as f64,
            macro_f1: macro_f1(&confusion),
            log_loss,
            brier: brier(log_probabilities, classes, labels)?,
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
        let best =
            (1..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        confusion[label][best] += 1;
    }
    confusion
}

fn macro_f1(confusion: &[Vec<u64>]) -> f64 {
    let scores: Vec<f64> = (0..confusion.len())
        .filter_map(|class| {
            let actual: u64 = confusion[class].iter().sum();
            let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
            let hits = 2 * confusion[class][class];
            (actual + predicted > 0).then(|| hits as f64 / (actual + predicted) as f64)
        })
        .collect();
    scores.iter().sum::<f64>() / scores.len() as f64
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
