use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Table, Values};
use crate::error::{DataError, DataProblem};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A number.
    Regression,
    /// One of two classes, by one score.
    Binary,
    /// One of two or more classes, by a score each.
    Classes,
}

impl Task {
    /// All tasks, in the order in which to list them.
    pub const ALL: [Self; 3] = [Self::Regression, Self::Binary, Self::Classes];

    /// Text is classes, and so are at most 20 distinct integers that occur
    /// twice or more on average; two distinct values are binary; other numbers
    /// are a regression. Rows without a target are not considered.
    ///
    /// # Errors
    /// No such column, or it has one distinct value only, or none.
    pub fn infer(table: &Table, target: &str) -> Result<Self, DataError> {
        const MOST_INTEGER_CLASSES: usize = 20;
        let values = &table.column(target)?.values;
        let labels = Labels::of(values);
        let (rows, distinct) = (values.len() - values.missing(), labels.count());
        Ok(match (&labels, distinct) {
            (_, 0 | 1) => return Err(labels.too_few(table, target)),
            (_, 2) => Self::Binary,
            (Labels::Texts(_), _) => Self::Classes,
            (Labels::Numbers(numbers), 3..=MOST_INTEGER_CLASSES)
                if 2 * distinct <= rows && numbers.iter().all(|number| number.fract() == 0.0) =>
            {
                Self::Classes
            }
            (Labels::Numbers(_), _) => Self::Regression,
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regression => "regression",
            Self::Binary => "binary",
            Self::Classes => "classes",
        })
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|task| task.to_string() == text)
            .ok_or_else(|| format!("task `{text}` must be regression, binary or classes"))
    }
}

/// The distinct values of a target: numbers in ascending order, or texts in
/// the order of their Unicode code points.
pub(super) enum Labels {
    Numbers(Vec<f64>),
    Texts(BTreeSet<String>),
}

impl Labels {
    pub(super) fn of(values: &Values) -> Self {
        match values {
            Values::Numbers(numbers) => {
                let present = numbers.iter().filter(|number| !number.is_nan());
                let mut labels: Vec<f64> = present.copied().collect();
                labels.sort_by(f64::total_cmp);
                labels.dedup();
                Self::Numbers(labels)
            }
            Values::Texts(texts) => Self::Texts(texts.iter().flatten().cloned().collect()),
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Numbers(numbers) => numbers.iter().map(|&number| label(number)).collect(),
            Self::Texts(texts) => texts.iter().cloned().collect(),
        }
    }

    /// The error of a target with one distinct value or none.
    pub(super) fn too_few(&self, table: &Table, target: &str) -> DataError {
        let problem = match self.names().into_iter().next() {
            Some(only) => DataProblem::OneValue(only),
            None => DataProblem::MissingTarget,
        };
        table.error(problem).column(target)
    }
}

/// How a numeric label is written: no sign on zero, no `.0` on integers.
pub(super) fn label(number: f64) -> String {
    (number + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;

    fn table(values: Values) -> Table {
        let name = "y".to_owned();
        Table::new("t", vec![Column { name, values }]).unwrap()
    }

    fn numbers(numbers: impl IntoIterator<Item = f64>) -> Table {
        table(Values::Numbers(numbers.into_iter().collect()))
    }

    fn texts(texts: &[&str]) -> Table {
        let texts = texts.iter().map(|text| Some((*text).to_owned()));
        table(Values::Texts(texts.collect()))
    }

    #[test]
    fn the_task_follows_from_the_distinct_values() {
        let infer = |table: Table| Task::infer(&table, "y").unwrap();
        let cycle = |count: usize| (0..200).map(move |row| (row % count) as f64);
        assert_eq!(infer(numbers(cycle(2))), Task::Binary);
        assert_eq!(infer(numbers(cycle(3))), Task::Classes);
        assert_eq!(infer(numbers(cycle(20))), Task::Classes);
        assert_eq!(infer(numbers(cycle(21))), Task::Regression);
        assert_eq!(infer(numbers(cycle(3).map(|y| y / 2.0))), Task::Regression);
        assert_eq!(infer(numbers([1.0, 2.0, 3.0, 3.0, 5.0])), Task::Regression);
        assert_eq!(infer(numbers([0.5, 2.5, f64::NAN])), Task::Binary);
        assert_eq!(infer(texts(&["a", "b", "a"])), Task::Binary);
        assert_eq!(infer(texts(&["a", "b", "c"])), Task::Classes);
    }

    #[test]
    fn one_value_and_none_are_errors() {
        let message = |table: Table| Task::infer(&table, "y").unwrap_err().to_string();
        assert_eq!(
            message(numbers([3.0, 3.0, f64::NAN])),
            "t, column `y`: every row has the target `3`, so there is nothing to learn"
        );
        assert_eq!(message(numbers([f64::NAN])), "t, column `y`: the target is missing");
    }

    #[test]
    fn numeric_labels_are_sorted_as_numbers() {
        let names = |values| Labels::of(&values).names();
        assert_eq!(
            names(Values::Numbers(vec![10.0, 9.0, -0.0, 0.0, 1.5])),
            ["0", "1.5", "9", "10"]
        );
    }

    #[test]
    fn tasks_round_trip_through_text() {
        for task in Task::ALL {
            assert_eq!(task.to_string().parse(), Ok(task));
        }
        assert!("Ranking".parse::<Task>().is_err());
    }
}
