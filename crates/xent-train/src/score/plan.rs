use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use xent::{Domain, Evaluate as _, Family, Loss};

use super::doctor::squared_errors_undone;
use super::{LeftOut, PredictionType, Question, ScoreError};
use crate::data::{Kind, Piece, Scan, Task, Values};
use crate::error::{DataError, DataProblem};
use crate::exact::ExactSum;
use crate::experiment::suits;
use crate::metrics::{ClassRows, NumberRows, log_probabilities};

/// More distinct labels than these are no classes.
const MOST_CLASSES: usize = 1000;

/// How far probabilities may sum from 1, as rounded ones do.
pub(super) const SUM_TOLERANCE: f64 = 1e-3;

/// What the columns of a table mean, and so how its rows are scored: the same
/// for all of its parts.
pub struct Plan {
    task: Task,
    prediction_type: PredictionType,
    label: String,
    weight: Option<String>,
    columns: Vec<String>,
    classes: Vec<String>,
    /// The class of each label, as it is written.
    labels: HashMap<String, usize>,
    /// Whether labels count the classes from 1.
    pub(super) from_one: bool,
    losses: Vec<Arc<dyn Loss>>,
    /// Near the mean of the labels.
    pub(super) centre: f64,
}

/// Rows of a piece that can be scored.
pub struct Batch {
    rows: Vec<usize>,
    /// Their numbers in the file.
    numbers: Vec<u64>,
    predictions: Vec<f64>,
    values: Vec<f64>,
    classes: Vec<usize>,
    weights: Vec<f64>,
}

/// Rows beside their losses.
pub(super) struct Judged<'a> {
    pub(super) batch: &'a Batch,
    /// For each loss, one per row.
    pub(super) losses: Vec<Vec<f64>>,
    pub(super) log_probabilities: Vec<f64>,
    /// One per row of probabilities, as [`squared_errors_undone`] gives them.
    pub(super) undone: Vec<Option<f64>>,
}

impl Batch {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Where a row stands in the piece.
    pub fn index(&self, row: usize) -> usize {
        self.rows[row]
    }

    pub(super) fn number(&self, row: usize) -> u64 {
        self.numbers[row]
    }

    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights[row]
    }

    pub(super) fn class(&self, row: usize) -> usize {
        self.classes[row]
    }

    pub(super) fn predictions(&self, row: usize) -> &[f64] {
        let columns = self.predictions.len() / self.rows.len();
        &self.predictions[row * columns..(row + 1) * columns]
    }
}

impl Judged<'_> {
    /// The rows of a regression beside their targets.
    pub(super) fn numbers(&self) -> xent::Result<NumberRows<'_>> {
        NumberRows::new(&self.batch.predictions, &self.batch.values)
    }

    /// The probabilities of classes beside the labels.
    pub(super) fn classes(&self, count: usize) -> xent::Result<ClassRows<'_>> {
        ClassRows::new(&self.log_probabilities, count, &self.batch.classes)
    }
}

/// What is seen of a table before it is scored.
#[derive(Default)]
struct Survey {
    rows: u64,
    /// Rows whose predictions are numbers.
    predicted: u64,
    labels: BTreeSet<String>,
    sum: ExactSum,
    numbers: u64,
    texts: u64,
    /// Rows of probabilities, and of those that also sum to 1.
    in_range: u64,
}

impl Survey {
    fn label(&mut self, text: &str) {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.numbers += 1;
                self.sum.add(number);
            }
            _ => self.texts += 1,
        }
        if self.labels.len() <= MOST_CLASSES && !self.labels.contains(text) {
            self.labels.insert(text.to_owned());
        }
    }
}

impl Survey {
    /// Whether numbers are rather the two classes of probabilities, and some odd ones: 0, 1, and
    /// few others.
    fn looks_like_classes(&self, distinct: &[String]) -> bool {
        const FEW: usize = 10;
        let has = |label: &str| distinct.iter().any(|other| other == label);
        distinct.len() <= FEW && has("0") && has("1") && self.in_range == self.predicted
    }
}

/// The first of some labels.
fn some(labels: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match labels.len() {
        ..=SHOWN => shown,
        count => format!("{shown} and {} more", count - SHOWN),
    }
}

impl Plan {
    /// Reads through a table to see what its columns mean.
    ///
    /// # Errors
    /// Columns that are not there or do not go together; losses that do not fit.
    pub fn new(
        scan: &Scan,
        question: &Question,
        rows: usize,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, ScoreError> {
        let (columns, names) = expand(scan, &question.predictions)?;
        let mut wanted = vec![(question.label.as_str(), Kind::Texts)];
        wanted.extend(columns.iter().map(|name| (name.as_str(), Kind::Numbers)));
        let mut survey = Survey::default();
        scan.read(&wanted, rows, |piece| {
            let (labels, predictions) = piece.columns.split_at(1);
            for row in 0..piece.places.len() {
                if let Values::Texts(texts) = &labels[0]
                    && let Some(text) = &texts[row]
                {
                    survey.label(text);
                }
                let (mut sum, mut legal) = (0.0, true);
                for column in predictions {
                    if let Values::Numbers(numbers) = column {
                        sum += numbers[row];
                        legal &= (0.0..=1.0).contains(&numbers[row]);
                    }
                }
                survey.rows += 1;
                survey.predicted += u64::from(!sum.is_nan());
                survey.in_range += u64::from(legal);
            }
            progress(piece.end);
            Ok::<_, ScoreError>(())
        })?;
        if survey.rows == 0 {
            return Err(DataError::new(scan.name(), DataProblem::NoRows).into());
        }
        Self::of(question, columns, names, &survey)
    }

    fn of(
        question: &Question,
        columns: Vec<String>,
        names: Vec<String>,
        survey: &Survey,
    ) -> Result<Self, ScoreError> {
        let refuse = |text: String| Err(ScoreError::Columns(text));
        let numeric = survey.texts == 0;
        let canonical = |text: &str| match text.parse::<f64>() {
            Ok(number) if numeric => (number + 0.0).to_string(),
            _ => text.to_owned(),
        };
        let mut distinct: Vec<String> = survey.labels.iter().map(|text| canonical(text)).collect();
        let number = |text: &String| text.parse::<f64>().unwrap_or(f64::NAN);
        match numeric {
            true => distinct.sort_by(|a, b| number(a).total_cmp(&number(b))),
            false => distinct.sort(),
        }
        distinct.dedup();
        let zero_one = distinct.iter().all(|label| label == "0" || label == "1");
        let task = match question.task {
            Some(task) => task,
            None if columns.len() > 1 => Task::Classes,
            None if zero_one || distinct.len() == 2 => Task::Binary,
            None if numeric && survey.looks_like_classes(&distinct) => {
                return refuse(format!(
                    "`{}` holds {}, and the predictions are probabilities: mend the labels, or \
                     say --task regression",
                    question.label,
                    some(&distinct)
                ));
            }
            None if numeric => Task::Regression,
            None => {
                return refuse(format!(
                    "{} labels need a prediction column each: give --prediction for every class",
                    distinct.len()
                ));
            }
        };
        match (task, columns.len()) {
            (Task::Classes, 1) => return refuse("classes need a --prediction each".to_owned()),
            (Task::Regression | Task::Binary, 2..) => {
                return refuse(format!("{task} takes one --prediction, not {}", columns.len()));
            }
            _ => {}
        }
        let mut from_one = false;
        let mut classes = match task {
            Task::Regression => Vec::new(),
            Task::Binary if zero_one => vec!["0".to_owned(), "1".to_owned()],
            Task::Binary if distinct.len() == 2 => distinct.clone(),
            Task::Binary => {
                let (label, held) = (&question.label, some(&distinct));
                return refuse(format!("`{label}` holds {held}, and two classes have two labels"));
            }
            Task::Classes => {
                let count = columns.len() as f64;
                let within = |low: f64, high: f64| {
                    let fits = |n: f64| n.fract() == 0.0 && (low..=high).contains(&n);
                    distinct.iter().map(number).all(fits)
                };
                let index = |first: usize| (0..columns.len()).map(move |c| (c + first).to_string());
                if distinct.iter().all(|label| names.contains(label)) {
                    names
                } else if within(0.0, count - 1.0) {
                    index(0).collect()
                } else if within(1.0, count) {
                    from_one = true;
                    index(1).collect()
                } else if distinct.iter().any(|label| names.contains(label)) || !numeric {
                    names
                } else {
                    index(0).collect()
                }
            }
        };
        if task == Task::Binary {
            let named = |class: &String| {
                let rest = columns[0].strip_suffix(class.as_str());
                rest.is_some_and(|rest| rest.ends_with(|c: char| !c.is_alphanumeric()))
            };
            let positive = match &question.positive {
                Some(positive) => Some(classes.iter().position(|class| class == positive).ok_or(
                    ScoreError::Columns(format!(
                        "--positive {positive}: the labels are {}",
                        classes.join(" and ")
                    )),
                )?),
                None => classes.iter().position(named),
            };
            if positive == Some(0) {
                classes.swap(0, 1);
            }
        } else if question.positive.is_some() {
            return refuse("--positive is for two classes and one --prediction".to_owned());
        }
        let class = |text: &String| {
            let label = canonical(text);
            Some((text.clone(), classes.iter().position(|class| *class == label)?))
        };
        let labels = survey.labels.iter().filter_map(class).collect();
        // A few rows out of range do not make logits of probabilities.
        let mostly = survey.in_range as f64 >= 0.95 * survey.predicted as f64;
        let prediction_type = question.prediction_type.unwrap_or(match task {
            Task::Regression => PredictionType::Value,
            _ if mostly => PredictionType::Probability,
            _ => PredictionType::Logit,
        });
        if (task == Task::Regression) != (prediction_type == PredictionType::Value) {
            return refuse(format!(
                "--prediction-type {} does not go with the task {task}",
                prediction_type.name()
            ));
        }
        Ok(Self {
            task,
            prediction_type,
            label: question.label.clone(),
            weight: question.weight.clone(),
            columns,
            classes,
            labels,
            from_one,
            losses: losses(question, task, prediction_type.domain())?,
            centre: survey.sum.value() / survey.numbers.max(1) as f64,
        })
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.task
    }

    /// What the predictions are.
    pub fn prediction_type(&self) -> PredictionType {
        self.prediction_type
    }

    /// The prediction columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The classes; none for a regression.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The losses.
    pub fn losses(&self) -> &[Arc<dyn Loss>] {
        &self.losses
    }

    /// The rows of a piece (label, predictions, weight) that can be scored. A
    /// row of weight 0 does not count and may hold anything.
    pub(super) fn batch(&self, name: &str, piece: &Piece) -> (Batch, LeftOut) {
        let mut odd = piece.odd.iter().peekable();
        let mut batch = Batch {
            rows: Vec::new(),
            numbers: Vec::new(),
            predictions: Vec::new(),
            values: Vec::new(),
            classes: Vec::new(),
            weights: Vec::new(),
        };
        let mut left_out = LeftOut::default();
        for row in 0..piece.places.len() {
            let mut of_row: Vec<(usize, &str)> = Vec::new();
            while let Some(cell) = odd.next_if(|cell| cell.row == row) {
                of_row.push((cell.column, &cell.text));
            }
            if let Err((column, problem)) = self.push(&mut batch, piece, row, &of_row) {
                left_out.rows += 1;
                left_out.first.get_or_insert_with(|| {
                    DataError::new(name, problem).at(piece.places[row]).column(column)
                });
            }
        }
        (batch, left_out)
    }

    fn push(
        &self,
        batch: &mut Batch,
        piece: &Piece,
        row: usize,
        odd: &[(usize, &str)],
    ) -> Result<(), (&str, DataProblem)> {
        let number = |column: usize| {
            let Values::Numbers(numbers) = &piece.columns[column] else { return Ok(f64::NAN) };
            match odd.iter().find(|(at, _)| *at == column) {
                Some((_, text)) => Err(DataProblem::NotANumber((*text).to_owned())),
                None if numbers[row].is_nan() => Err(DataProblem::MissingNumber),
                None => Ok(numbers[row]),
            }
        };
        let weight = match &self.weight {
            None => 1.0,
            Some(name) => match number(1 + self.columns.len()) {
                Ok(weight) if weight >= 0.0 && weight.is_finite() => weight,
                Ok(weight) => return Err((name, DataProblem::Weight(weight))),
                Err(problem) => return Err((name, problem)),
            },
        };
        if weight == 0.0 {
            return Ok(());
        }
        let missing = || (self.label.as_str(), DataProblem::MissingTarget);
        match &piece.columns[0] {
            Values::Numbers(_) => {
                let value = number(0).map_err(|problem| match problem {
                    DataProblem::MissingNumber => missing(),
                    problem => (self.label.as_str(), problem),
                })?;
                if value.is_infinite() {
                    return Err((&self.label, no_prediction(value, "finite number")));
                }
                batch.values.push(value);
            }
            Values::Texts(texts) => {
                let label = texts[row].as_ref().ok_or_else(missing)?;
                let class = self.labels.get(label).ok_or_else(|| {
                    let classes = self.classes.clone();
                    (self.label.as_str(), DataProblem::NoClass { label: label.clone(), classes })
                })?;
                batch.classes.push(*class);
            }
        }
        let before = batch.predictions.len();
        for (column, name) in self.columns.iter().enumerate() {
            let problem = match number(1 + column) {
                Ok(value) => match self.out_of_range(value) {
                    None => {
                        batch.predictions.push(value);
                        continue;
                    }
                    Some(expected) => no_prediction(value, expected),
                },
                Err(problem) => problem,
            };
            batch.predictions.truncate(before);
            batch.values.truncate(batch.rows.len());
            batch.classes.truncate(batch.rows.len());
            return Err((name, problem));
        }
        batch.weights.push(weight);
        batch.rows.push(row);
        batch.numbers.push(piece.places[row].row);
        Ok(())
    }

    fn out_of_range(&self, value: f64) -> Option<&'static str> {
        match self.prediction_type {
            PredictionType::Probability if !(0.0..=1.0).contains(&value) => {
                Some("probability; if these are logits, give --prediction-type logit")
            }
            _ if value.is_infinite() => Some("finite number"),
            _ => None,
        }
    }

    /// The losses of each row.
    pub(super) fn judge<'a>(&self, batch: &'a Batch) -> Result<Judged<'a>, ScoreError> {
        let count = self.columns.len();
        let targets = |sign: bool| -> Vec<f64> {
            let low = if sign { -1.0 } else { 0.0 };
            let yes = |&class: &usize| if class == 1 { 1.0 } else { low };
            batch.classes.iter().map(yes).collect()
        };
        let values = |loss: &dyn Loss| match (self.task, loss.family()) {
            (Task::Regression, _) => loss.on(&batch.predictions, &batch.values).values(),
            (_, Family::Pointwise) => {
                let targets = targets(loss.target_domain() == Domain::Sign);
                loss.on(&batch.predictions, &targets).values()
            }
            (_, Family::Classwise) => loss.on((&batch.predictions, count), &batch.classes).values(),
        };
        let losses = self.losses.iter().map(|loss| values(loss.as_ref()));
        let family = if count == 1 { Family::Pointwise } else { Family::Classwise };
        let domain = self.prediction_type.domain();
        Ok(Judged {
            batch,
            losses: losses.collect::<xent::Result<_>>()?,
            log_probabilities: match self.task {
                Task::Regression => Vec::new(),
                _ => log_probabilities(&batch.predictions, count, family, domain),
            },
            undone: match self.prediction_type {
                PredictionType::Probability => squared_errors_undone(batch, self.classes.len())?,
                PredictionType::Value | PredictionType::Logit => Vec::new(),
            },
        })
    }
}

fn no_prediction(value: f64, expected: &'static str) -> DataProblem {
    DataProblem::NoPrediction { value, expected }
}

/// The losses asked for, or all of the catalogue that fit.
fn losses(
    question: &Question,
    task: Task,
    domain: Domain,
) -> Result<Vec<Arc<dyn Loss>>, ScoreError> {
    // With two classes, one column is one score, and several are classes.
    let family = if task == Task::Classes { Family::Classwise } else { Family::Pointwise };
    let fits = |loss: &dyn Loss| {
        let takes = loss.prediction_domain();
        // Margins are read as logits.
        let takes_it = takes == domain || takes == Domain::Real && domain == Domain::Logit;
        suits(loss, task) && loss.family() == family && takes_it
    };
    if question.losses.is_empty() {
        let all = xent::catalogue().iter().map(|entry| Arc::from(entry.default_loss()));
        return Ok(all.filter(|loss: &Arc<dyn Loss>| fits(loss.as_ref())).collect());
    }
    match question.losses.iter().find(|loss| !fits(loss.as_ref())) {
        None => Ok(question.losses.clone()),
        Some(loss) => Err(ScoreError::Unsuited {
            loss: loss.name(),
            takes: match loss.family() {
                Family::Pointwise if suits(loss.as_ref(), Task::Regression) => "numbers".to_owned(),
                Family::Pointwise => {
                    format!("one {} of two classes", loss.prediction_domain().name())
                }
                Family::Classwise => format!("a {} per class", loss.prediction_domain().name()),
            },
            has: format!("a {} per row or class, task {task}", domain.name()),
        }),
    }
}

/// The columns that names and patterns stand for, and the class of each.
fn expand(scan: &Scan, patterns: &[String]) -> Result<(Vec<String>, Vec<String>), ScoreError> {
    let (mut columns, mut names) = (Vec::new(), Vec::new());
    for pattern in patterns {
        let is_column = scan.columns().contains(pattern);
        let Some((start, end)) = pattern.split_once('*').filter(|_| !is_column) else {
            scan.column(pattern)?;
            columns.push(pattern.clone());
            continue;
        };
        let before = columns.len();
        for column in scan.columns() {
            if let Some(name) = column.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
                columns.push(column.clone());
                names.push(name.to_owned());
            }
        }
        if columns.len() == before {
            return Err(ScoreError::Columns(format!("--prediction {pattern}: no column fits")));
        }
    }
    if names.len() != columns.len() {
        let length = common_prefix(&columns);
        names = columns.iter().map(|column| column[length..].to_owned()).collect();
    }
    Ok((columns, names))
}

/// The length of what all names start with, up to the end of a word.
fn common_prefix(names: &[String]) -> usize {
    let Some(first) = names.first().filter(|_| names.len() > 1) else { return 0 };
    let shared = |length: &usize| {
        let start = &first.as_bytes()[..*length];
        names.iter().all(|name| name.as_bytes().starts_with(start) && name.len() > *length)
    };
    let is_end = |length: &usize| {
        let ends = |name: &String| {
            let before = name[..*length].chars().next_back().unwrap_or(' ');
            let after = name[*length..].chars().next().unwrap_or(' ');
            !before.is_alphanumeric() || before.is_alphabetic() && after.is_numeric()
        };
        first.is_char_boundary(*length) && names.iter().all(ends)
    };
    (0..first.len()).rev().find(|length| shared(length) && is_end(length)).unwrap_or(0)
}
