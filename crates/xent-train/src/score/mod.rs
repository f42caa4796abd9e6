//! Scoring a table of predictions of any size: losses, metrics, and what looks
//! wrong with it.
//!
//! A file is read twice, in pieces: once to see what its columns mean, and once
//! to score them. What is known of some rows is a [`Scores`], which merges with
//! that of others.

mod doctor;
mod plan;
mod scores;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use xent::{Domain, Loss};

pub use doctor::Finding;
pub use plan::{Batch, Plan};
use scores::Rows;
pub use scores::{Mean, Scores, Summary};

use crate::data::{Kind, Piece, Scan, Task, Values};
use crate::error::DataError;

/// What is to be scored, by the names of columns.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The labels.
    pub label: String,
    /// The predictions: one column, or one per class. A name with a `*` stands
    /// for all columns that fit, and what the `*` stands for names the class.
    pub predictions: Vec<String>,
    /// How much each row counts.
    pub weight: Option<String>,
    /// The columns whose values make a segment.
    pub by: Vec<String>,
    /// The losses; all that fit if there are none.
    pub losses: Vec<Arc<dyn Loss>>,
    /// What is predicted, unless that is to be seen from the data.
    pub task: Option<Task>,
    /// What the predictions are, unless that is to be seen from the data.
    pub prediction_type: Option<PredictionType>,
    /// Of two classes, the one that a single column speaks of.
    pub positive: Option<String>,
    /// Whether rows that cannot be scored are left out.
    pub skip_bad: bool,
}

/// What predictions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PredictionType {
    /// Numbers in the units of the labels.
    Value,
    /// Probabilities.
    Probability,
    /// Log-odds, or the inputs of a softmax.
    Logit,
}

impl PredictionType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Value, Self::Probability, Self::Logit];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Probability => "probability",
            Self::Logit => "logit",
        }
    }

    fn domain(self) -> Domain {
        match self {
            Self::Value => Domain::Real,
            Self::Probability => Domain::Probability,
            Self::Logit => Domain::Logit,
        }
    }
}

/// Why a table cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The file cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A row cannot be scored.
    #[error("{0} (--skip-bad leaves such rows out)")]
    BadRow(DataError),
    /// A loss refuses its arguments.
    #[error(transparent)]
    Loss(#[from] xent::Error),
    /// A loss that takes other predictions or labels.
    #[error(
        "{loss} takes {takes}, but these are {has}; leave --loss out for all that fit, or give \
         --task or --prediction-type"
    )]
    Unsuited {
        /// The loss.
        loss: String,
        /// What it takes.
        takes: String,
        /// What there is.
        has: String,
    },
    /// Columns that do not go together.
    #[error("{0}")]
    Columns(String),
}

/// The scores of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// The file.
    pub file: String,
    /// What is predicted.
    pub task: Task,
    /// What the predictions are.
    pub prediction_type: PredictionType,
    /// The classes in the order of the predictions; of two with one column, the
    /// second is the one it speaks of.
    pub classes: Vec<String>,
    /// All rows.
    pub total: Summary,
    /// The columns whose values make a segment.
    pub by: Vec<String>,
    /// The values of these columns and the rows with them, in ascending order.
    pub segments: Vec<(Vec<String>, Summary)>,
    /// How many rows cannot be scored and were left out.
    pub left_out: u64,
    /// What looks wrong.
    pub findings: Vec<Finding>,
}

/// How many rows are read at a time; it changes no bit of the result.
const ROWS: usize = 8192;

/// How many segments there may be.
const MOST_SEGMENTS: usize = 10_000;

/// Scores a file. `progress` hears how much has been read, and of how much.
///
/// # Errors
/// Whatever is wrong with the file or the question; a row that cannot be scored,
/// unless these are to be left out.
pub fn score(
    scan: &Scan,
    question: &Question,
    mut progress: impl FnMut(u64, u64),
) -> Result<Scored, ScoreError> {
    let size = scan.size();
    let plan = Plan::new(scan, question, ROWS, |end| progress(end, 2 * size))?;
    score_by(scan, question, &plan, ROWS, |end| progress(size + end, 2 * size))
}

fn score_by(
    scan: &Scan,
    question: &Question,
    plan: &Plan,
    rows: usize,
    mut progress: impl FnMut(u64),
) -> Result<Scored, ScoreError> {
    let label_kind = if plan.task() == Task::Regression { Kind::Numbers } else { Kind::Texts };
    let mut wanted = vec![(question.label.as_str(), label_kind)];
    wanted.extend(plan.columns().iter().map(|name| (name.as_str(), Kind::Numbers)));
    wanted.extend(question.weight.iter().map(|name| (name.as_str(), Kind::Numbers)));
    let first_by = wanted.len();
    wanted.extend(question.by.iter().map(|name| (name.as_str(), Kind::Texts)));

    let mut segments: BTreeMap<Vec<String>, Scores> = BTreeMap::new();
    let mut left_out = LeftOut::default();
    scan.read(&wanted, rows, |piece| {
        let (batch, bad) = plan.batch(scan.name(), &piece);
        match bad.first {
            Some(first) if !question.skip_bad => return Err(ScoreError::BadRow(first)),
            _ => left_out.add(bad),
        }
        let judged = plan.judge(&batch)?;
        let rows = Rows::new(plan, &judged)?;
        for row in 0..batch.rows() {
            let key = key(&piece, first_by, batch.index(row));
            let full = segments.len() >= MOST_SEGMENTS;
            let scores = match segments.get_mut(&key) {
                Some(scores) => scores,
                None if full => return Err(too_many_segments(&question.by)),
                None => segments.entry(key).or_insert_with(|| Scores::new(plan)),
            };
            scores.push(plan, &judged, &rows, row);
        }
        progress(piece.end);
        Ok(())
    })?;
    let mut total = Scores::new(plan);
    segments.values().for_each(|scores| total.merge(scores));
    Ok(Scored {
        file: scan.name().to_owned(),
        task: plan.task(),
        prediction_type: plan.prediction_type(),
        classes: plan.classes().to_vec(),
        total: total.summary(plan)?,
        by: question.by.clone(),
        segments: match question.by.is_empty() {
            true => Vec::new(),
            false => segments
                .into_iter()
                .map(|(key, scores)| Ok((key, scores.summary(plan)?)))
                .collect::<Result<_, ScoreError>>()?,
        },
        left_out: left_out.rows,
        findings: left_out.finding().into_iter().chain(total.findings(plan)).collect(),
    })
}

/// Rows that cannot be scored.
#[derive(Debug, Default)]
struct LeftOut {
    rows: u64,
    first: Option<DataError>,
}

impl LeftOut {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = self.first.take().or(other.first);
    }

    fn finding(&self) -> Option<Finding> {
        let first = self.first.as_ref()?.to_string();
        Some(Finding::LeftOut { rows: self.rows, first })
    }
}

/// The segment of a row: its values in the columns from `first` on.
fn key(piece: &Piece, first: usize, row: usize) -> Vec<String> {
    let text = |values: &Values| match values {
        Values::Texts(texts) => texts[row].clone().unwrap_or_default(),
        Values::Numbers(numbers) => numbers[row].to_string(),
    };
    piece.columns[first..].iter().map(text).collect()
}

fn too_many_segments(by: &[String]) -> ScoreError {
    ScoreError::Columns(format!(
        "--by {}: more than {MOST_SEGMENTS} segments; choose columns with fewer values",
        by.join(" --by ")
    ))
}
