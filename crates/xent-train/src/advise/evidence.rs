use serde::Serialize;
use xent::MeanAbsoluteError;

use super::out_of_fold::Sample;
use super::spread::{Spread, share};
use crate::data::{Encoded, Target, Targets};
use crate::experiment::{ClassWeights, ExperimentError, Prepared, WeightedLoss};
use crate::metrics::{Classification, Metrics};

/// What the training rows show of their targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Evidence {
    /// Of a regression.
    Numbers(Numbers),
    /// Of two or more classes.
    Classes(Classes),
}

/// Targets that are numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// How many there are.
    pub rows: usize,
    /// How many different ones.
    pub distinct: usize,
    /// Whether all are whole and none is negative.
    pub counts: bool,
    /// The least.
    pub minimum: f64,
    /// The greatest.
    pub maximum: f64,
    /// Share of the rows that have the least.
    pub at_minimum: f64,
    /// Share of the rows that have the greatest.
    pub at_maximum: f64,
    /// How they scatter, in their own units, unless most of them are equal.
    pub spread: Option<Spread>,
    /// What a quick model leaves unexplained, in standard deviations of the
    /// target; `None` of images, and of fewer than 60 rows.
    pub residuals: Option<Residuals>,
}

/// Out-of-fold errors of a quick model, target − prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Residuals {
    /// How many rows it was tried on.
    pub rows: usize,
    /// How they scatter, unless most of them are equal.
    pub spread: Option<Spread>,
}

/// Targets that are classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classes {
    /// The labels in ascending order.
    pub names: Vec<String>,
    /// How many rows each has.
    pub rows: Vec<usize>,
    /// Whether the labels are three or more whole numbers without a gap, as
    /// grades are.
    pub grades: bool,
    /// What a quick model says of them; `None` of images, and of fewer than 60
    /// rows.
    pub trial: Option<Trial>,
}

/// Out-of-fold results of a quick model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// How many rows it was tried on.
    pub rows: usize,
    /// Share of them whose class it finds.
    pub accuracy: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// The same with balanced class weights, if classes are of very different
    /// size.
    pub balanced_macro_f1: Option<f64>,
    /// Share of wrong labels among the fifth of the rows of which the model is
    /// surest.
    pub surest_wrong: f64,
    /// Mean probability that the model gives its class there.
    pub surest_probability: f64,
}

impl Classes {
    /// The share of the rows that the largest class has.
    pub(super) fn largest(&self) -> f64 {
        let largest = self.rows.iter().max().copied().unwrap_or(0);
        largest as f64 / self.rows.iter().sum::<usize>() as f64
    }

    /// How many times larger the largest class is than the smallest.
    pub fn imbalance(&self) -> f64 {
        let largest = self.rows.iter().max().copied().unwrap_or(0);
        let smallest = self.rows.iter().min().copied().unwrap_or(0);
        largest as f64 / smallest.max(1) as f64
    }
}

impl Evidence {
    /// Looks at training rows, at most 4,000 of them, drawn by `seed`, with
    /// quick models. The same seed gives the same bits.
    ///
    /// # Errors
    /// Training of a quick model diverges.
    pub fn of(prepared: &Prepared, seed: u64) -> Result<Self, ExperimentError> {
        let (train, target) = (&prepared.train, prepared.encoder().target());
        Ok(match &train.targets {
            Targets::Classes(classes) => Self::Classes(Classes::of(classes, train, target, seed)?),
            Targets::Numbers { original, .. } => {
                Self::Numbers(Numbers::of(original, train, target, seed)?)
            }
            Targets::Unknown => unreachable!("training rows have targets"),
        })
    }
}

impl Numbers {
    fn of(
        numbers: &[f64],
        train: &Encoded,
        target: &Target,
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (sorted[0], sorted[sorted.len() - 1]);
        let at = |end: f64| share(&sorted, |number| *number == end);
        let (at_minimum, at_maximum) = (at(minimum), at(maximum));
        sorted.dedup();
        Ok(Self {
            rows: numbers.len(),
            distinct: sorted.len(),
            counts: sorted.iter().all(|number| *number >= 0.0 && number.fract() == 0.0),
            minimum,
            maximum,
            at_minimum,
            at_maximum,
            spread: Spread::of(numbers),
            residuals: Residuals::of(train, target, seed)?,
        })
    }
}

impl Residuals {
    fn of(train: &Encoded, target: &Target, seed: u64) -> Result<Option<Self>, ExperimentError> {
        let Some(sample) = Sample::draw(train, seed) else { return Ok(None) };
        let Targets::Numbers { standardised, .. } = sample.targets() else { return Ok(None) };
        // Outliers must not bend the model that is to find them.
        let loss = std::sync::Arc::new(MeanAbsoluteError::default());
        let loss = WeightedLoss { loss, class_weights: None };
        let (_, predictions) = sample.predictions(&loss, target)?;
        let residuals: Vec<f64> = standardised
            .iter()
            .zip(&predictions)
            .map(|(target, prediction)| f64::from(target - prediction))
            .collect();
        Ok(Some(Self { rows: residuals.len(), spread: Spread::of(&residuals) }))
    }
}

impl Classes {
    fn of(
        classes: &[usize],
        train: &Encoded,
        target: &Target,
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let names = target.classes().to_vec();
        let mut rows = vec![0; names.len()];
        classes.iter().for_each(|&class| rows[class] += 1);
        let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
        let grades = numbers.is_some_and(|numbers| {
            numbers.len() > 2 && numbers.windows(2).all(|pair| pair[1] - pair[0] == 1)
        });
        let mut seen = Self { names, rows, grades, trial: None };
        if let Some(sample) = Sample::draw(train, seed) {
            seen.trial = Some(seen.try_out(&sample, target)?);
        }
        Ok(seen)
    }

    fn try_out(&self, sample: &Sample, target: &Target) -> Result<Trial, ExperimentError> {
        /// Where the classes differ less in size, weights hardly do anything.
        const IMBALANCED: f64 = 3.0;
        let usual = WeightedLoss::usual(target.task());
        let (metrics, surest) = judged(sample, &usual, target)?;
        let balanced_macro_f1 = match self.imbalance() >= IMBALANCED {
            true => {
                let class_weights = Some(ClassWeights::Balanced);
                let (metrics, _) =
                    judged(sample, &WeightedLoss { class_weights, ..usual }, target)?;
                Some(metrics.macro_f1)
            }
            false => None,
        };
        Ok(Trial {
            rows: surest.rows,
            accuracy: metrics.accuracy,
            macro_f1: metrics.macro_f1,
            balanced_macro_f1,
            surest_wrong: surest.wrong,
            surest_probability: surest.probability,
        })
    }
}

/// The rows of which a model is surest.
struct Surest {
    rows: usize,
    wrong: f64,
    probability: f64,
}

fn judged(
    sample: &Sample,
    loss: &WeightedLoss,
    target: &Target,
) -> Result<(Classification, Surest), ExperimentError> {
    let (judge, predictions) = sample.predictions(loss, target)?;
    let Metrics::Classification(metrics) = judge.metrics(&predictions, sample.targets())? else {
        unreachable!("classes are judged as classes")
    };
    let Targets::Classes(labels) = sample.targets() else {
        unreachable!("classes are judged as classes")
    };
    let logs = judge.log_probabilities(&predictions);
    let mut rows: Vec<(f64, bool)> = logs
        .chunks_exact(target.classes().len())
        .zip(labels)
        .map(|(logs, &label)| {
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (largest.exp(), logs[label] < largest)
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let surest = &rows[..rows.len() / 5];
    let probability = surest.iter().map(|row| row.0).sum::<f64>() / surest.len() as f64;
    let wrong = share(surest, |row| row.1);
    Ok((metrics, Surest { rows: rows.len(), wrong, probability }))
}
