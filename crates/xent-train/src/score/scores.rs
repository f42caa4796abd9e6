use serde::Serialize;

use super::doctor::Evidence;
use super::plan::{Judged, Plan};
use super::{Finding, ScoreError};
use crate::data::Task;
use crate::exact::ExactSum;
use crate::metrics::{ClassRows, ClassificationSums, Metrics, NumberRows, RegressionSums};

/// How many distinct probabilities of all classes are kept for the area under
/// the ROC curve: of all rows, and of all segments together.
const MOST_SCORES: usize = 1 << 20;

/// How many each of many segments still has.
const FEWEST_SCORES: usize = 1 << 8;

/// All that is known of some rows. Scores of other rows are merged into it.
///
/// Losses and the metrics of a regression are the same bits in whatever pieces
/// and order the rows come; so are the metrics of classes if weights are whole
/// numbers, and otherwise they differ by no more than rounding.
#[derive(Clone, Debug)]
pub struct Scores {
    rows: u64,
    weight: ExactSum,
    losses: Vec<ExactSum>,
    pub(super) quality: Quality,
    evidence: Evidence,
}

#[derive(Clone, Debug)]
pub(super) enum Quality {
    Numbers(Box<RegressionSums>),
    Classes(Box<ClassificationSums>),
}

/// Rows beside their labels, as the metrics take them.
pub(super) enum Rows<'a> {
    Numbers(NumberRows<'a>),
    Classes(ClassRows<'a>),
}

/// The mean of a loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The loss.
    pub loss: String,
    /// Σwℓ; `None` if it is infinite, which JSON cannot say.
    pub sum: Option<f64>,
    /// Σwℓ / Σw; `None` if it is infinite.
    pub mean: Option<f64>,
}

/// The scores of some rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many rows, those of weight 0 not among them.
    pub rows: u64,
    /// Σw.
    pub weight: f64,
    /// One per loss.
    pub losses: Vec<Mean>,
    /// The metrics.
    pub metrics: Metrics,
    /// How far the area under the ROC curve may be off, because there are too
    /// many distinct scores to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roc_auc_error: Option<f64>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(plan: &Plan, judged: &'a Judged<'_>) -> xent::Result<Self> {
        Ok(match plan.task() {
            Task::Regression => Self::Numbers(judged.numbers()?),
            Task::Binary | Task::Classes => Self::Classes(judged.classes(plan.classes().len())?),
        })
    }
}

impl Scores {
    /// No rows yet.
    pub fn new(plan: &Plan) -> Self {
        let classes = plan.classes().len();
        Self {
            rows: 0,
            weight: ExactSum::default(),
            losses: vec![ExactSum::default(); plan.losses().len()],
            quality: match plan.task() {
                Task::Regression => Quality::Numbers(Box::new(RegressionSums::new(plan.centre))),
                Task::Binary | Task::Classes => Quality::Classes(Box::new(
                    ClassificationSums::new(classes, MOST_SCORES / classes),
                )),
            },
            evidence: Evidence::new(plan),
        }
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Keeps the share of the probabilities that one of so many segments has.
    pub(super) fn share(&mut self, segments: usize) {
        if let Quality::Classes(sums) = &mut self.quality {
            let most = (MOST_SCORES / segments.next_power_of_two()).max(FEWEST_SCORES);
            sums.limit((most / sums.classes()).max(2));
        }
    }

    pub(super) fn push(&mut self, plan: &Plan, judged: &Judged<'_>, rows: &Rows<'_>, row: usize) {
        let weight = judged.batch.weight(row);
        self.rows += 1;
        self.weight.add(weight);
        for (sum, values) in self.losses.iter_mut().zip(&judged.losses) {
            sum.add(weight * values[row]);
        }
        match (&mut self.quality, rows) {
            (Quality::Numbers(sums), Rows::Numbers(rows)) => sums.push(rows, row, weight),
            (Quality::Classes(sums), Rows::Classes(rows)) => sums.push(rows, row, weight),
            _ => {}
        }
        self.evidence.push(plan, judged, row);
    }

    /// Adds the scores of other rows by the same plan.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.weight.merge(&other.weight);
        self.losses.iter_mut().zip(&other.losses).for_each(|(sum, other)| sum.merge(other));
        match (&mut self.quality, &other.quality) {
            (Quality::Numbers(sums), Quality::Numbers(other)) => sums.merge(other),
            (Quality::Classes(sums), Quality::Classes(other)) => sums.merge(other),
            _ => {}
        }
        self.evidence.merge(&other.evidence);
    }

    /// Losses and metrics.
    ///
    /// # Errors
    /// There are no rows.
    pub fn summary(&self, plan: &Plan) -> Result<Summary, ScoreError> {
        let weight = self.weight.value();
        let finite = |number: f64| Some(number).filter(|number| number.is_finite());
        let (metrics, error) = match &self.quality {
            Quality::Numbers(sums) => (sums.result().map(Metrics::Regression), 0.0),
            Quality::Classes(sums) => (
                sums.result().map(Metrics::Classification),
                sums.roc_auc().map_or(0.0, |(_, error)| error),
            ),
        };
        Ok(Summary {
            rows: self.rows,
            weight,
            losses: (plan.losses().iter().zip(&self.losses))
                .map(|(loss, sum)| Mean {
                    loss: loss.name(),
                    sum: finite(sum.value()),
                    mean: finite(sum.value() / weight),
                })
                .collect(),
            metrics: metrics.ok_or(xent::Error::Empty { rows: self.rows as usize })?,
            roc_auc_error: (error > 0.0).then_some(error),
        })
    }

    /// What looks wrong.
    pub(super) fn findings(&self, plan: &Plan) -> Vec<Finding> {
        self.evidence.findings(plan, self.rows, self.weight.value(), &self.quality)
    }
}
