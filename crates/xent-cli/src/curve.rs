//! A loss over a grid of points: what plots and articles draw.

use crate::failure::{Failure, Result};
use clap::ValueEnum as _;
use std::ops::RangeInclusive;
use xent::{Buffers, Domain, Evaluate, Family, Loss, Reduction, Targets, information};

/// What a curve is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Against {
    /// The log-odds of the target being 1, or of the target class
    Logit,
    /// The score or number that is the prediction
    Prediction,
    /// Prediction minus target
    Residual,
    /// The probability of the target being 1, or of the target class
    Probability,
}

/// Where losses are evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) against: Against,
    pub(crate) range: RangeInclusive<f64>,
    pub(crate) points: usize,
    /// The target of every point; for classes, the share of the class whose prediction varies.
    pub(crate) target: Option<f64>,
    pub(crate) classes: usize,
}

/// A loss along a grid; for classes, gradient and curvature are those of the target class.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) value: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) curvature: Vec<f64>,
}

impl Against {
    /// What readers expect of a loss.
    pub(crate) fn usual(loss: &dyn Loss) -> Self {
        match (loss.prediction_domain(), loss.target_domain(), loss.family()) {
            (Domain::Logit, ..) => Self::Logit,
            (Domain::Probability | Domain::LogProbability, ..) => Self::Probability,
            (_, Domain::Real, Family::Pointwise) => Self::Residual,
            _ => Self::Prediction,
        }
    }

    /// Where most happens.
    pub(crate) fn usual_range(self) -> RangeInclusive<f64> {
        match self {
            Self::Logit => -6.0..=6.0,
            Self::Prediction | Self::Residual => -3.0..=3.0,
            Self::Probability => 0.0..=1.0,
        }
    }

    /// As `--against` takes it.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("no value is skipped");
        value.get_name().to_owned()
    }
}

impl Grid {
    /// The grid that shows a loss best.
    pub(crate) fn usual(loss: &dyn Loss) -> Self {
        let against = Against::usual(loss);
        let range = against.usual_range();
        Self { against, range, points: POINTS, target: None, classes: 2 }
    }

    /// The points along the axis.
    pub(crate) fn positions(&self) -> Vec<f64> {
        let (start, end) = (*self.range.start(), *self.range.end());
        let last = (self.points - 1) as f64;
        let position = |index: usize| {
            let share = index as f64 / last;
            start * (1.0 - share) + end * share
        };
        (0..self.points).map(position).collect()
    }

    /// Evaluates a loss along the grid.
    pub(crate) fn curve(&self, loss: &dyn Loss) -> Result<Curve> {
        let width = match loss.family() {
            Family::Pointwise => 1,
            Family::Classwise => self.classes,
        };
        let mut predictions = Vec::with_capacity(self.points * width);
        for position in self.positions() {
            match loss.family() {
                Family::Pointwise => predictions.push(self.prediction(loss, position)?),
                Family::Classwise => predictions.extend(self.row(loss, position)?),
            }
        }
        let zeros = |count| vec![0.0; count];
        let (count, entries) = (self.points, predictions.len());
        let mut curve =
            Curve { value: zeros(count), gradient: zeros(entries), curvature: zeros(entries) };
        let labels = vec![0i64; count];
        let values = self.targets(loss);
        let targets = match values.is_empty() {
            true => Targets::from(&labels),
            false => Targets::from(&values),
        };
        loss.on((&predictions, width), targets).reduction(Reduction::None).evaluate_into(
            Buffers {
                values: Some(&mut curve.value),
                gradient: Some(&mut curve.gradient),
                curvature: Some(&mut curve.curvature),
            },
        )?;
        for entries in [&mut curve.gradient, &mut curve.curvature] {
            *entries = entries.iter().copied().step_by(width).collect();
        }
        Ok(curve)
    }

    /// The target of a pointwise loss.
    pub(crate) fn target_of(&self, loss: &dyn Loss) -> f64 {
        self.target.unwrap_or(match loss.target_domain() {
            Domain::Real => 0.0,
            _ => 1.0,
        })
    }

    /// A number for each prediction; none if the targets are class 0.
    fn targets(&self, loss: &dyn Loss) -> Vec<f64> {
        match (loss.family(), self.target) {
            (Family::Pointwise, _) => vec![self.target_of(loss); self.points],
            (Family::Classwise, None) => Vec::new(),
            (Family::Classwise, Some(share)) => {
                let mut row = vec![(1.0 - share) / (self.classes - 1) as f64; self.classes];
                row[0] = share;
                row.repeat(self.points)
            }
        }
    }

    fn prediction(&self, loss: &dyn Loss, position: f64) -> Result<f64> {
        let (prediction, target) = (loss.prediction_domain(), loss.target_domain());
        Ok(match (prediction, target, self.against) {
            (Domain::Real, Domain::Real, Against::Residual) => position + self.target_of(loss),
            (Domain::Real | Domain::Logit, _, Against::Prediction)
            | (Domain::Logit, _, Against::Logit)
            | (Domain::Real, Domain::Real, Against::Probability)
            | (Domain::Probability, _, Against::Probability) => position,
            (Domain::Logit, _, Against::Probability) => information::logit(position),
            (Domain::Probability, _, Against::Logit) => information::sigmoid(position),
            _ => return Err(self.unsuitable(loss)),
        })
    }

    /// A row whose first class is the target; the others are equal.
    fn row(&self, loss: &dyn Loss, position: f64) -> Result<Vec<f64>> {
        let rest = self.classes - 1;
        let row = |first: f64, others: f64| {
            let others = std::iter::repeat_n(others, rest);
            std::iter::once(first).chain(others).collect::<Vec<f64>>()
        };
        let logits = || match self.against {
            Against::Logit => Some(row(position, 0.0)),
            Against::Probability => {
                let even = information::logit(1.0 / self.classes as f64);
                let logit = information::logit(position) - even;
                // A logit of +∞ would have no softmax.
                Some(row(logit.min(0.0), -logit.max(0.0)))
            }
            Against::Prediction | Against::Residual => None,
        };
        let of_logits = |map: fn(&[f64]) -> Vec<f64>| logits().map(|row| map(&row));
        let row = match (loss.prediction_domain(), self.against) {
            (Domain::Real | Domain::Logit, Against::Prediction) => Some(row(position, 0.0)),
            (Domain::Probability, Against::Probability) => {
                Some(row(position, (1.0 - position) / rest as f64))
            }
            (Domain::Logit, _) => logits(),
            (Domain::Probability, _) => of_logits(information::softmax),
            (Domain::LogProbability, _) => of_logits(information::log_softmax),
            _ => None,
        };
        row.ok_or_else(|| self.unsuitable(loss))
    }

    fn unsuitable(&self, loss: &dyn Loss) -> Failure {
        let (name, against) = (loss.name(), self.against.name());
        let usual = Against::usual(loss).name();
        let domain = loss.prediction_domain().name();
        Failure::Usage(format!(
            "--against {against}: the predictions of {name} are of the kind `{domain}`; its curve \
             is against the {usual} unless you choose"
        ))
    }

    /// What the axis says of a loss.
    pub(crate) fn axis(&self, loss: &dyn Loss) -> String {
        let (name, classes) = (self.against.name(), self.classes);
        match (self.against, loss.family(), self.target) {
            (Against::Residual, ..) => "prediction − target".to_owned(),
            (_, Family::Pointwise, _) => format!("{name}, for target {}", self.target_of(loss)),
            (_, Family::Classwise, None) => format!("{name} of the target class, of {classes}"),
            (_, Family::Classwise, Some(share)) => {
                format!("{name} of a class with share {share}, of {classes}")
            }
        }
    }
}

/// Odd, so that the middle is a point.
pub(crate) const POINTS: usize = 401;
