use serde::{Deserialize, Serialize};

use super::encoder::at;
use super::task::{Labels, label};
use super::{Table, Task, Values};
use crate::error::{DataError, DataProblem};

/// The predicted column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    column: String,
    task: Task,
    scale: Scale,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scale {
    Standardised { mean: f64, deviation: f64 },
    Labels { names: Vec<String>, numeric: bool },
}

/// What is to be predicted for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Nothing is known; the table is there to be predicted.
    Unknown,
    /// Of a regression.
    Numbers {
        /// `(number − mean) / deviation` of the training rows.
        standardised: Vec<f32>,
        /// In the units of the table.
        original: Vec<f64>,
    },
    /// Indices into [`Target::classes`].
    Classes(Vec<usize>),
}

impl Targets {
    pub(super) fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Numbers { standardised, original } => {
                Self::Numbers { standardised: at(standardised, rows), original: at(original, rows) }
            }
            Self::Classes(classes) => Self::Classes(at(classes, rows)),
        }
    }
}

impl Target {
    /// Name of the column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The names of the classes in ascending order; none for a regression.
    pub fn classes(&self) -> &[String] {
        match &self.scale {
            Scale::Standardised { .. } => &[],
            Scale::Labels { names, .. } => names,
        }
    }

    /// How many scores a model gives per row: one, or one per class.
    pub fn outputs(&self) -> usize {
        match self.task {
            Task::Regression | Task::Binary => 1,
            Task::Classes => self.classes().len(),
        }
    }

    /// A standardised prediction of a regression in the units of the table;
    /// classes have no units, their scores stay as they are.
    pub fn original_units(&self, standardised: f64) -> f64 {
        match self.scale {
            Scale::Standardised { mean, deviation } => mean + deviation * standardised,
            Scale::Labels { .. } => standardised,
        }
    }

    pub(super) fn fit(train: &Table, column: &str, task: Task) -> Result<Self, DataError> {
        let scale = if task == Task::Regression {
            Self::fit_numbers(train, column)?
        } else {
            Self::fit_labels(train, column, task)?
        };
        Ok(Self { column: column.to_owned(), task, scale })
    }

    fn fit_numbers(train: &Table, column: &str) -> Result<Scale, DataError> {
        let numbers = target_numbers(train, column)?;
        let labels = Labels::of(&train.column(column)?.values);
        if labels.count() < 2 {
            return Err(labels.too_few(train, column));
        }
        let (mean, deviation) = moments(numbers.iter().copied()).ok_or_else(|| {
            let largest = numbers.iter().fold(0.0, |max: f64, n| max.max(n.abs()));
            train.error(DataProblem::TooLarge(largest)).column(column)
        })?;
        Ok(Scale::Standardised { mean, deviation })
    }

    fn fit_labels(train: &Table, column: &str, task: Task) -> Result<Scale, DataError> {
        let values = &train.column(column)?.values;
        let labels = Labels::of(values);
        let (classes, rows) = (labels.count(), train.rows());
        let problem = match (task, classes) {
            (_, 0 | 1) => return Err(labels.too_few(train, column)),
            (Task::Binary, 3..) => DataProblem::NotBinary(classes),
            _ if is_identifier(classes, rows) => DataProblem::TooManyClasses {
                classes,
                rows,
                text: values.odd_text().map(|(row, text)| (train.place(row), text.to_owned())),
            },
            _ => {
                return Ok(Scale::Labels {
                    names: labels.names(),
                    numeric: matches!(labels, Labels::Numbers(_)),
                });
            }
        };
        Err(train.error(problem).column(column))
    }

    pub(super) fn encode(&self, table: &Table) -> Result<Targets, DataError> {
        match &self.scale {
            Scale::Standardised { mean, deviation } => {
                let original = target_numbers(table, &self.column)?;
                let scaled = original.iter().map(|number| (number - mean) / deviation);
                Ok(Targets::Numbers {
                    standardised: scaled.map(|number| number as f32).collect(),
                    original,
                })
            }
            Scale::Labels { names, numeric } => (0..table.rows())
                .map(|row| class_of(table, &self.column, row, names, *numeric))
                .collect::<Result<_, _>>()
                .map(Targets::Classes),
        }
    }
}

/// The class index of the target in a row.
pub(super) fn class_of(
    table: &Table,
    target: &str,
    row: usize,
    names: &[String],
    numeric: bool,
) -> Result<usize, DataError> {
    let error = |problem| table.cell_error(row, target, problem);
    let Some(mut name) = text(&table.column(target)?.values, row) else {
        return Err(error(DataProblem::MissingTarget));
    };
    if numeric && let Ok(number) = name.parse() {
        name = label(number);
    }
    names
        .iter()
        .position(|known| *known == name)
        .ok_or_else(|| error(DataProblem::UnseenLabel { label: name, known: names.to_vec() }))
}

fn target_numbers(table: &Table, target: &str) -> Result<Vec<f64>, DataError> {
    let values = &table.column(target)?.values;
    (0..table.rows())
        .map(|row| match number(table, target, values, row)? {
            missing if missing.is_nan() => {
                Err(table.cell_error(row, target, DataProblem::MissingTarget))
            }
            number => Ok(number),
        })
        .collect()
}

/// The number in a row, NaN if it is missing.
pub(super) fn number(
    table: &Table,
    column: &str,
    values: &Values,
    row: usize,
) -> Result<f64, DataError> {
    match values {
        Values::Numbers(numbers) => Ok(numbers[row]),
        Values::Texts(texts) => texts[row].as_deref().map_or(Ok(f64::NAN), |text| {
            text.parse().map_err(|_| {
                table.cell_error(row, column, DataProblem::NotANumber(text.to_owned()))
            })
        }),
    }
}

pub(super) fn text(values: &Values, row: usize) -> Option<String> {
    match values {
        Values::Numbers(numbers) if numbers[row].is_nan() => None,
        Values::Numbers(numbers) => Some(label(numbers[row])),
        Values::Texts(texts) => texts[row].clone(),
    }
}

/// Whether distinct texts are too many for a column, or a class, each.
pub(super) fn is_identifier(levels: usize, rows: usize) -> bool {
    levels > (rows / 20).clamp(50, 1000)
}

/// Mean and standard deviation of the population, unless they overflow.
pub(super) fn moments(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let count = numbers.len() as f64;
    let mean = numbers.clone().sum::<f64>() / count;
    let variance = numbers.map(|number| (number - mean).powi(2)).sum::<f64>() / count;
    variance.is_finite().then(|| (mean, variance.sqrt()))
}
