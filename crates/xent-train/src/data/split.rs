use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::target::class_of;
use super::task::Labels;
use super::{Table, Task};
use crate::error::{DataError, DataProblem};

/// Which rows train, validate and test: ascending row indices from 0 without
/// overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Rows that the model is fitted to.
    pub train: Vec<usize>,
    /// Rows that say when to stop.
    pub validation: Vec<usize>,
    /// Rows for the final judgement.
    pub test: Vec<usize>,
}

impl Split {
    /// Draws shares of the rows by `seed`, the same on every platform. With
    /// classes, every part has its share of each class to within two rows, and
    /// no class is without a row in training.
    ///
    /// `validation` and `test` are shares of all rows, 0 or more and together
    /// below 1.
    ///
    /// # Errors
    /// Shares out of range; fewer rows than give each wanted part one and
    /// training one of each class; no such column, or a missing target.
    pub fn new(
        table: &Table,
        target: &str,
        task: Task,
        validation: f64,
        test: f64,
        seed: u64,
    ) -> Result<Self, DataError> {
        let is_share = |share: f64| (0.0..1.0).contains(&share);
        if !is_share(validation) || !is_share(test) || validation + test >= 1.0 {
            return Err(table.error(DataProblem::Shares { validation, test }));
        }
        let (classes, class_of_row) = strata(table, target, task)?;
        let size = |share: f64| (share * table.rows() as f64).round() as usize;
        let (validation_rows, test_rows) = (size(validation), size(test));
        let train_rows = table.rows().saturating_sub(validation_rows + test_rows);
        let needed = if train_rows < classes.max(2) {
            format!("training gets {train_rows} and needs {}", classes.max(2))
        } else if validation > 0.0 && validation_rows == 0 {
            format!("a validation share of {validation} is none")
        } else if test > 0.0 && test_rows == 0 {
            format!("a test share of {test} is none")
        } else {
            let rows = shuffled(classes, &class_of_row, seed);
            let part = |rows: &[usize]| {
                let mut part = rows.to_vec();
                part.sort_unstable();
                part
            };
            let (test, rows) = rows.split_at(test_rows);
            let (validation, train) = rows.split_at(validation_rows);
            return Ok(Self { train: part(train), validation: part(validation), test: part(test) });
        };
        let rows = table.rows();
        Err(table.error(DataProblem::TooFewRows { rows, needed }))
    }
}

/// The number of classes and the class of every row; a regression is one class.
fn strata(table: &Table, target: &str, task: Task) -> Result<(usize, Vec<usize>), DataError> {
    let values = &table.column(target)?.values;
    if task == Task::Regression {
        return Ok((1, vec![0; table.rows()]));
    }
    let labels = Labels::of(values);
    let names = labels.names();
    let numeric = matches!(labels, Labels::Numbers(_));
    let classes = (0..table.rows()).map(|row| class_of(table, target, row, &names, numeric));
    Ok((names.len(), classes.collect::<Result<_, _>>()?))
}

/// All rows in an order of which every stretch has its share of each class.
///
/// Each class is shuffled and spread evenly over (0, 1]. Its last row is at 1,
/// behind the rows that are drawn for validation and test.
fn shuffled(classes: usize, class_of_row: &[usize], seed: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rows_of_class = vec![Vec::new(); classes];
    for (row, &class) in class_of_row.iter().enumerate() {
        rows_of_class[class].push((random.random::<f64>(), row));
    }
    let mut spread = Vec::with_capacity(class_of_row.len());
    for mut rows in rows_of_class {
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let offset: f64 = random.random();
        let last = rows.len() - 1;
        for (rank, (tie, row)) in rows.into_iter().enumerate() {
            let position =
                if rank == last { 1.0 } else { (rank as f64 + offset) / (last + 1) as f64 };
            spread.push((position, tie, row));
        }
    }
    spread.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    spread.into_iter().map(|(_, _, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, Values};

    fn target(values: impl IntoIterator<Item = f64>) -> Table {
        let column =
            Column { name: "y".to_owned(), values: Values::Numbers(values.into_iter().collect()) };
        Table::new("t", vec![column]).unwrap()
    }

    fn parts(split: &Split) -> [&Vec<usize>; 3] {
        [&split.train, &split.validation, &split.test]
    }

    #[test]
    fn parts_cover_all_rows_once_in_order() {
        let table = target((0..1000).map(f64::from));
        let split = Split::new(&table, "y", Task::Regression, 0.1, 0.25, 3).unwrap();
        assert_eq!(parts(&split).map(Vec::len), [650, 100, 250]);
        assert!(parts(&split).iter().all(|rows| rows.is_sorted()));
        let mut all: Vec<usize> = parts(&split).into_iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides_the_rows() {
        let table = target((0..20).map(f64::from));
        let test = |seed| Split::new(&table, "y", Task::Regression, 0.0, 0.2, seed).unwrap().test;
        assert_eq!(test(42), [5, 15, 17, 19], "another platform or version would split otherwise");
        assert_ne!(test(42), test(43));
    }

    #[test]
    fn every_part_has_its_share_of_each_class() {
        let class = |row: usize| match row % 100 {
            0..60 => 7.0,
            60..95 => -1.0,
            _ => 3.0,
        };
        let table = target((0..1000).map(class));
        for seed in 0..20 {
            let split = Split::new(&table, "y", Task::Classes, 0.1, 0.2, seed).unwrap();
            for (rows, share) in parts(&split).into_iter().zip([0.7, 0.1, 0.2]) {
                for (label, size) in [(7.0, 600.0), (-1.0, 350.0), (3.0, 50.0)] {
                    let count = rows.iter().filter(|&&row| class(row) == label).count();
                    assert!((count as f64 - share * size).abs() <= 2.0, "{label}: {count}");
                }
            }
        }
    }

    #[test]
    fn no_class_is_without_a_training_row() {
        let table = target((0..40).map(|row| if row < 4 { f64::from(row) } else { 9.0 }));
        for seed in 0..50 {
            let split = Split::new(&table, "y", Task::Classes, 0.4, 0.4, seed).unwrap();
            assert!((0..4).all(|row| split.train.contains(&row)), "seed {seed}");
        }
    }

    #[test]
    fn too_few_rows_and_wrong_shares_are_errors() {
        let table = target([0.0, 1.0, 2.0, 0.0]);
        let message = |task, validation, test| {
            let split = Split::new(&table, "y", task, validation, test, 0);
            split.unwrap_err().to_string()
        };
        assert_eq!(
            message(Task::Classes, 0.25, 0.25),
            "t: 4 rows are too few: training gets 2 and needs 3"
        );
        assert_eq!(
            message(Task::Regression, 0.1, 0.25),
            "t: 4 rows are too few: a validation share of 0.1 is none"
        );
        assert_eq!(
            message(Task::Regression, 0.5, 0.25),
            "t: 4 rows are too few: training gets 1 and needs 2"
        );
        for (validation, test) in [(0.5, 0.5), (-0.1, 0.2), (f64::NAN, 0.2), (0.0, 1.0)] {
            assert!(
                message(Task::Regression, validation, test).contains("together below 1"),
                "{validation} {test}"
            );
        }
    }
}
