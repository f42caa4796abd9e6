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

use crate::data::{Kind, Scan, Task, Values};
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

    let mut total = Scores::new(plan);
    let mut segments: BTreeMap<Vec<String>, Scores> = BTreeMap::new();
    let mut key = vec![String::new(); question.by.len()];
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
            total.push(plan, &judged, &rows, row);
            if question.by.is_empty() {
                continue;
            }
            read_key(&mut key, &piece.columns[first_by..], batch.index(row));
            if !segments.contains_key(&key) {
                add_segment(&mut segments, &key, plan, &question.by)?;
            }
            if let Some(scores) = segments.get_mut(&key) {
                scores.push(plan, &judged, &rows, row);
            }
        }
        progress(piece.end);
        Ok(())
    })?;
    if let (true, Some(first)) = (total.is_empty(), &left_out.first) {
        let rows = left_out.rows;
        return Err(ScoreError::Columns(format!("none of {rows} rows can be scored: {first}")));
    }
    Ok(Scored {
        file: scan.name().to_owned(),
        task: plan.task(),
        prediction_type: plan.prediction_type(),
        classes: plan.classes().to_vec(),
        total: total.summary(plan)?,
        by: question.by.clone(),
        segments: segments
            .into_iter()
            .map(|(key, scores)| Ok((key, scores.summary(plan)?)))
            .collect::<Result<_, ScoreError>>()?,
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

/// The segment of a row, its value in each column, in the place of another.
fn read_key(key: &mut [String], columns: &[Values], row: usize) {
    for (text, column) in key.iter_mut().zip(columns) {
        if let Values::Texts(texts) = column {
            text.clear();
            text.push_str(texts[row].as_deref().unwrap_or_default());
        }
    }
}

/// Adds a segment without rows; what memory it has, the others have no more.
fn add_segment(
    segments: &mut BTreeMap<Vec<String>, Scores>,
    key: &[String],
    plan: &Plan,
    by: &[String],
) -> Result<(), ScoreError> {
    if segments.len() >= MOST_SEGMENTS {
        return Err(ScoreError::Columns(format!(
            "--by {}: more than {MOST_SEGMENTS} segments; choose columns with fewer values",
            by.join(" --by ")
        )));
    }
    let grown = segments.len() + 1;
    if segments.len().is_power_of_two() {
        segments.values_mut().for_each(|scores| scores.share(grown));
    }
    let mut scores = Scores::new(plan);
    scores.share(grown);
    segments.insert(key.to_vec(), scores);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};
    use xent::information::{sigmoid, softmax};

    use super::*;

    /// Labels beside predictions, one or as many as there are classes.
    type Table = Vec<(usize, Vec<f64>)>;

    /// The scores of a file that is read so many rows at a time.
    fn scored(csv: &str, question: &Question, rows: usize) -> Result<Scored, ScoreError> {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), csv).unwrap();
        let scan = Scan::open(file.path())?;
        let plan = Plan::new(&scan, question, rows, |_| {})?;
        score_by(&scan, question, &plan, rows, |_| {})
    }

    fn csv(table: &[(usize, Vec<f64>)]) -> String {
        let mut csv = "y".to_owned();
        (0..table[0].1.len()).for_each(|column| write!(csv, ",p{column}").unwrap());
        for (label, predictions) in table {
            write!(csv, "\n{label}").unwrap();
            predictions.iter().for_each(|p| write!(csv, ",{p}").unwrap());
        }
        csv
    }

    fn question() -> Question {
        Question {
            label: "y".to_owned(),
            predictions: vec!["p*".to_owned()],
            ..Question::default()
        }
    }

    /// The names of the findings, as JSON has them.
    fn findings(csv: &str, question: &Question) -> Vec<String> {
        let Scored { findings, .. } = scored(csv, question, ROWS).unwrap();
        let name = |finding: &Finding| serde_json::to_value(finding).unwrap()["finding"].clone();
        findings.iter().map(|finding| name(finding).as_str().unwrap().to_owned()).collect()
    }

    /// Of two classes, rows as often of the second as their probability says.
    fn binary() -> Table {
        let row = |row: usize| {
            let (yes, label) = if row % 8 < 4 { (0.25, 0) } else { (0.75, 1) };
            (if row.is_multiple_of(4) { 1 - label } else { label }, vec![yes])
        };
        (0..400).map(row).collect()
    }

    /// The same of three classes.
    fn classes() -> Table {
        let row = |row: usize| {
            let most = row % 3;
            let mut probabilities = vec![0.1; 3];
            probabilities[most] = 0.8;
            let off = (row / 3 % 10).saturating_sub(7);
            ((most + off) % 3, probabilities)
        };
        (0..600).map(row).collect()
    }

    fn changed(table: Table, change: impl Fn(usize, Vec<f64>) -> (usize, Vec<f64>)) -> Table {
        table.into_iter().map(|(label, predictions)| change(label, predictions)).collect()
    }

    fn logits(predictions: Vec<f64>) -> Vec<f64> {
        match predictions[..] {
            [yes] => vec![xent::information::logit(yes)],
            _ => predictions.into_iter().map(f64::ln).collect(),
        }
    }

    /// Numbers that are predicted as well as noise lets them, but for a shift.
    fn numbers(shift: f64) -> String {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut csv = "y,p\n".to_owned();
        for _ in 0..400 {
            let (mean, noise) = (random.random_range(-3.0..3.0), random.random_range(-0.5..0.5));
            writeln!(csv, "{},{}", mean + noise, mean + shift).unwrap();
        }
        csv
    }

    #[test]
    fn neither_pieces_nor_the_order_of_rows_change_a_bit() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut rows: Vec<String> = (0..300)
            .map(|row| {
                let logits: [f64; 3] = std::array::from_fn(|_| random.random_range(-3.0..3.0));
                let [a, b, c] = logits;
                format!("{},{a},{b},{c},{},s{}\n", row % 3, row % 5, row % 7)
            })
            .collect();
        let question =
            Question { weight: Some("w".to_owned()), by: vec!["s".to_owned()], ..question() };
        let json = |rows: usize, table: &[String]| {
            let csv = "y,p0,p1,p2,w,s\n".to_owned() + &table.concat();
            let scored = scored(&csv, &question, rows).unwrap();
            serde_json::to_value(Scored { file: String::new(), ..scored }).unwrap()
        };
        let whole = json(ROWS, &rows);
        assert_eq!(whole["segments"].as_array().unwrap().len(), 7);
        for size in [1, 7, 299] {
            assert_eq!(json(size, &rows), whole);
            rows.rotate_left(size);
            rows.reverse();
            assert_eq!(json(size, &rows), whole);
        }
    }

    #[test]
    fn more_segments_have_fewer_scores_each_and_all_rows_as_many() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut csv = "y,p0,s\n".to_owned();
        for row in 0..20_000 {
            let segment = if row < 1000 { 0 } else { row };
            writeln!(csv, "{},{},{}", row % 2, random.random::<f64>(), segment % 5000).unwrap();
        }
        let scored = |by: &[&str]| {
            let by = by.iter().map(|&name| name.to_owned()).collect();
            scored(&csv, &Question { by, ..question() }, ROWS).unwrap()
        };
        let (parts, whole) = (scored(&["s"]), scored(&[]));
        assert_eq!(parts.total, whole.total);
        assert_eq!(whole.total.roc_auc_error, None);
        let error = |index: usize| parts.segments[index].1.roc_auc_error;
        assert!(error(0).is_some_and(|error| error < 0.02), "{:?}", error(0));
        assert_eq!(error(1), None);
    }

    #[test]
    fn odd_labels_are_asked_about_and_no_rows_are_an_error() {
        let complaint = |csv: &str, question: Question| {
            scored(csv, &question, ROWS).map(drop).unwrap_err().to_string()
        };
        let odd = "y,p0\n0,0.1\n1,0.9\n7,0.5\n";
        let asked = complaint(odd, question());
        assert!(asked.contains("`y` holds 0, 1, 7") && asked.contains("regression"), "{asked}");
        let task = |task| Question { task: Some(task), ..question() };
        assert!(complaint(odd, task(Task::Binary)).contains("two classes have two labels"));
        assert_eq!(scored(odd, &task(Task::Regression), ROWS).unwrap().total.rows, 3);
        let bad = Question { skip_bad: true, ..task(Task::Binary) };
        assert!(complaint("y,p0\n0,nan\n1,nan\n", bad).contains("none of 2 rows"));
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        let to_logits = |table| changed(table, |label, row| (label, logits(row)));
        for table in [binary(), classes(), to_logits(binary()), to_logits(classes())] {
            assert_eq!(findings(&csv(&table), &question()), [""; 0]);
        }
        assert_eq!(findings(&numbers(0.0), &question()), [""; 0]);
    }

    #[test]
    fn each_mistake_is_found_and_no_other() {
        let taken_for_logits =
            Question { prediction_type: Some(PredictionType::Logit), ..question() };
        let skipping = Question { skip_bad: true, ..question() };
        let with = |mut table: Table, row: (usize, Vec<f64>)| {
            table.push(row);
            table
        };
        let twice = |label, row: Vec<f64>| match row[..] {
            [yes] => (label, vec![sigmoid(yes)]),
            _ => (label, softmax(&row)),
        };
        let all_alike: Table =
            (0..400).map(|row| (usize::from(row % 4 == 0), vec![0.25])).collect();
        let percent = |y, row: Vec<f64>| (y, row.iter().map(|p| 100.0 * p).collect());
        let mistakes: [(&str, String, &Question); 16] = [
            ("left_out", csv(&binary()) + "\n1,\n", &skipping),
            ("sum_not_one", csv(&with(classes(), (0, vec![0.6, 0.2, 0.1]))), &question()),
            ("logits_like_probabilities", csv(&binary()), &taken_for_logits),
            ("logits_like_probabilities", csv(&classes()), &taken_for_logits),
            ("logits_like_percentages", csv(&changed(classes(), percent)), &question()),
            ("softmax_twice", csv(&changed(binary(), twice)), &question()),
            ("softmax_twice", csv(&changed(classes(), twice)), &question()),
            ("labels_from_one", csv(&changed(classes(), |y, row| (y + 1, row))), &question()),
            ("labels_shifted", csv(&changed(classes(), |y, row| ((y + 2) % 3, row))), &question()),
            ("labels_shifted", csv(&changed(classes(), |y, row| ((y + 1) % 3, row))), &question()),
            ("constant", csv(&all_alike), &question()),
            ("sure_mistakes", csv(&with(binary(), (0, vec![1.0]))), &question()),
            ("sure_mistakes", csv(&with(classes(), (0, vec![0.0, 0.5, 0.5]))), &question()),
            ("inverted", csv(&changed(binary(), |y, row| (1 - y, row))), &question()),
            ("biased", csv(&changed(binary(), |y, row| (y, vec![row[0] * 0.6]))), &question()),
            ("biased", numbers(1.0), &question()),
        ];
        for (expected, csv, question) in &mistakes {
            assert_eq!(findings(csv, question), [*expected], "{}", &csv[..60]);
        }
    }
}
