use serde::{Deserialize, Serialize};

use super::target::{is_identifier, moments, number, text};
use super::task::Labels;
use super::{Column, Notice, Table, Values};
use crate::error::{DataError, DataProblem};

/// How one column of the table is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Feature {
    /// `(number − mean) / deviation`.
    Number {
        /// The column.
        column: String,
        /// Replaces missing numbers.
        median: f64,
        /// Training mean.
        mean: f64,
        /// Training standard deviation (of the population).
        deviation: f64,
        /// Whether a further column says which numbers were missing.
        missing: bool,
    },
    /// One column per category.
    Category {
        /// The column.
        column: String,
        /// The categories in ascending order.
        levels: Vec<String>,
        /// Whether missing is a category too, the last.
        missing: bool,
    },
}

/// How the columns of a table become features.
///
/// A numeric column is standardised to mean 0 and standard deviation 1, its
/// missing numbers replaced by the training median; if any were missing in
/// training, a column of its own says where. A text column becomes one column
/// per category (1 in the row's category, else 0), with missing as a category
/// if it occurs; a category unseen in training is 0 in all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns {
    features: Vec<Feature>,
}

impl Columns {
    /// Fits to all columns but those that `is_other` names, and says which are
    /// left out: those that never vary, and text columns with more distinct
    /// values than 50 or a twentieth of the rows (but never more than 1,000),
    /// as identifiers have.
    ///
    /// # Errors
    /// No feature left; numbers too large for a standard deviation.
    pub(super) fn fit(
        train: &Table,
        is_other: impl Fn(&str) -> bool,
    ) -> Result<(Self, Vec<Notice>), DataError> {
        let (mut features, mut notices) = (Vec::new(), Vec::new());
        for column in train.columns().iter().filter(|column| !is_other(&column.name)) {
            match Feature::fit(train, column)? {
                Ok(feature) => features.push(feature),
                Err(notice) => notices.push(notice),
            }
        }
        if features.is_empty() {
            return Err(train.error(DataProblem::NoFeatures));
        }
        Ok((Self { features }, notices))
    }

    /// The columns used, in the order of their encoding.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Number of feature columns after encoding.
    pub fn width(&self) -> usize {
        self.features.iter().map(Feature::width).sum()
    }

    /// A name for each feature column after encoding: `age`, `age missing`,
    /// `colour = red`.
    pub fn names(&self) -> Vec<String> {
        self.features.iter().flat_map(Feature::names).collect()
    }

    /// `rows × width` numbers, row after row.
    pub(super) fn encode(&self, table: &Table) -> Result<Vec<f32>, DataError> {
        let columns = self.width();
        let mut features = vec![0.0; table.rows() * columns];
        let mut first = 0;
        for feature in &self.features {
            let cells = features.chunks_exact_mut(columns);
            feature.encode(table, cells.map(|row| &mut row[first..]))?;
            first += feature.width();
        }
        Ok(features)
    }

    /// How missing values and unseen categories of a table are handled, and how
    /// many there are.
    pub(super) fn notices(&self, table: &Table) -> Result<Vec<Notice>, DataError> {
        let mut notices = Vec::new();
        for feature in &self.features {
            notices.extend(feature.notices(table)?);
        }
        Ok(notices)
    }
}

impl Feature {
    /// The column of the table.
    pub fn column(&self) -> &str {
        match self {
            Self::Number { column, .. } | Self::Category { column, .. } => column,
        }
    }

    /// The outer error is one of the data, the inner the reason for leaving
    /// the column out.
    fn fit(train: &Table, column: &Column) -> Result<Result<Self, Notice>, DataError> {
        match &column.values {
            Values::Numbers(numbers) => Self::fit_numbers(train, &column.name, numbers),
            Values::Texts(texts) => Ok(Self::fit_texts(train, column, texts)),
        }
    }

    fn fit_numbers(
        train: &Table,
        column: &str,
        numbers: &[f64],
    ) -> Result<Result<Self, Notice>, DataError> {
        let column = column.to_owned();
        let mut present: Vec<f64> = numbers.iter().copied().filter(|n| !n.is_nan()).collect();
        present.sort_by(f64::total_cmp);
        let missing = present.len() < numbers.len();
        let constant = present.first() == present.last();
        if present.is_empty() || (constant && !missing) {
            return Ok(Err(Notice::Constant { column }));
        }
        let median = f64::midpoint(present[(present.len() - 1) / 2], present[present.len() / 2]);
        let imputed = || numbers.iter().map(|&number| impute(number, median));
        let Some((mean, deviation)) = moments(imputed()) else {
            let largest = present.iter().fold(0.0, |max: f64, n| max.max(n.abs()));
            return Err(train.error(DataProblem::TooLarge(largest)).column(column));
        };
        Ok(Ok(Self::Number {
            column,
            median,
            mean,
            // A constant column is kept for the sake of its missing values.
            deviation: if constant || deviation == 0.0 { 1.0 } else { deviation },
            missing,
        }))
    }

    fn fit_texts(train: &Table, column: &Column, texts: &[Option<String>]) -> Result<Self, Notice> {
        let levels = Labels::of(&column.values).names();
        let missing = texts.iter().any(Option::is_none);
        let name = column.name.clone();
        if levels.len() + usize::from(missing) < 2 {
            return Err(Notice::Constant { column: name });
        }
        if is_identifier(levels.len(), texts.len()) {
            let odd = column.values.odd_text();
            return Err(Notice::Identifier {
                column: name,
                levels: levels.len(),
                rows: texts.len(),
                text: odd.map(|(row, text)| format!("`{text}` in {}", train.place(row))),
            });
        }
        Ok(Self::Category { column: name, levels, missing })
    }

    fn width(&self) -> usize {
        match self {
            Self::Number { missing, .. } => 1 + usize::from(*missing),
            Self::Category { levels, missing, .. } => levels.len() + usize::from(*missing),
        }
    }

    fn names(&self) -> Vec<String> {
        let column = self.column();
        let (mut names, missing) = match self {
            Self::Number { missing, .. } => (vec![column.to_owned()], *missing),
            Self::Category { levels, missing, .. } => {
                let names = levels.iter().map(|level| format!("{column} = {level}"));
                (names.collect(), *missing)
            }
        };
        if missing {
            names.push(format!("{column} missing"));
        }
        names
    }

    /// Writes to the start of each row's cells, which are 0 before.
    fn encode<'a>(
        &self,
        table: &Table,
        cells: impl Iterator<Item = &'a mut [f32]>,
    ) -> Result<(), DataError> {
        let values = &table.column(self.column())?.values;
        for (row, cells) in cells.enumerate() {
            match self {
                Self::Number { column, median, mean, deviation, missing } => {
                    let number = number(table, column, values, row)?;
                    let scaled = (impute(number, *median) - mean) / deviation;
                    cells[0] = scaled as f32;
                    if !cells[0].is_finite() {
                        let problem = DataProblem::TooLarge(number);
                        return Err(table.cell_error(row, column, problem));
                    }
                    if *missing && number.is_nan() {
                        cells[1] = 1.0;
                    }
                }
                Self::Category { levels, missing, .. } => {
                    if let Some(level) = level_of(levels, *missing, values, row) {
                        cells[level] = 1.0;
                    }
                }
            }
        }
        Ok(())
    }

    fn notices(&self, table: &Table) -> Result<Vec<Notice>, DataError> {
        let values = &table.column(self.column())?.values;
        let (column, cells) = (self.column().to_owned(), values.missing());
        let mut notices = Vec::new();
        match self {
            Self::Number { median, .. } if cells > 0 => {
                notices.push(Notice::MissingNumbers { column, cells, median: *median })
            }
            Self::Number { .. } => {}
            Self::Category { levels, missing, .. } => {
                if *missing && cells > 0 {
                    notices.push(Notice::MissingText { column: column.clone(), cells });
                }
                let unseen = |&row: &usize| level_of(levels, *missing, values, row).is_none();
                let unseen: Vec<usize> = (0..table.rows()).filter(unseen).collect();
                if !unseen.is_empty() {
                    notices.push(Notice::UnseenCategory {
                        column,
                        cells: unseen.len(),
                        example: unseen.iter().find_map(|&row| text(values, row)),
                    });
                }
            }
        }
        Ok(notices)
    }
}

/// The position of a row's category, missing being the last if it is one.
///
/// A column that was text in training may be numeric in another table, if all
/// its categories there look like numbers.
fn level_of(levels: &[String], missing: bool, values: &Values, row: usize) -> Option<usize> {
    if values.is_missing(row) {
        return missing.then_some(levels.len());
    }
    match values {
        Values::Texts(texts) => levels.binary_search(texts[row].as_ref()?).ok(),
        Values::Numbers(numbers) => {
            levels.iter().position(|level| level.parse() == Ok(numbers[row]))
        }
    }
}

fn impute(number: f64, median: f64) -> f64 {
    if number.is_nan() { median } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Encoded, Encoder, Inputs, Shape, Targets, Task};

    fn numbers(name: &str, numbers: &[f64]) -> Column {
        Column { name: name.to_owned(), values: Values::Numbers(numbers.to_vec()) }
    }

    fn texts(name: &str, texts: &[&str]) -> Column {
        let texts = texts.iter().map(|&text| (!text.is_empty()).then(|| text.to_owned()));
        Column { name: name.to_owned(), values: Values::Texts(texts.collect()) }
    }

    fn table(columns: &[Column]) -> Table {
        Table::new("t", columns.to_vec()).unwrap()
    }

    fn fit(columns: &[Column], task: Task) -> (Encoder, Vec<Notice>) {
        Encoder::fit(&data(&table(columns)), task).unwrap()
    }

    fn data(table: &Table) -> Dataset {
        Dataset::of_table(table.clone(), "y")
    }

    fn features(encoded: &Encoded) -> &[f32] {
        match &encoded.inputs {
            Inputs::Features { values, .. } => values,
            other => panic!("not features: {other:?}"),
        }
    }

    fn encoded_names(encoder: &Encoder) -> Vec<String> {
        encoder.columns().unwrap().names()
    }

    fn fit_message(columns: &[Column], task: Task) -> String {
        Encoder::fit(&data(&table(columns)), task).unwrap_err().to_string()
    }

    fn encode_message(encoder: &Encoder, columns: &[Column]) -> String {
        encoder.encode(&data(&table(columns))).unwrap_err().to_string()
    }

    const NAN: f64 = f64::NAN;

    #[test]
    fn numbers_are_standardised_by_training_alone() {
        let (encoder, _) = fit(
            &[
                numbers("x", &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]),
                numbers("y", &[0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0]),
            ],
            Task::Regression,
        );
        let encoded = encoder
            .encode(&data(&table(&[numbers("y", &[2.0, 6.0]), numbers("x", &[9.0, 6.0])])))
            .unwrap();
        assert_eq!(features(&encoded), [2.0, 0.5]);
        assert_eq!(encoder.shape(), Shape::Features(1));
        assert_eq!(
            encoded.targets,
            Targets::Numbers { standardised: vec![0.0, 2.0], original: vec![2.0, 6.0] }
        );
        assert_eq!(encoder.target().original_units(2.0), 6.0);
        assert_eq!(encoder.target().outputs(), 1);
    }

    #[test]
    fn missing_numbers_become_the_median_and_an_indicator() {
        let (encoder, notices) = fit(
            &[
                numbers("x", &[1.0, NAN, 3.0, 100.0, 2.0]),
                numbers("z", &[1.0, 2.0, 3.0, 4.0, 5.0]),
                numbers("y", &[1.0, 2.0, 3.0, 4.0, 5.0]),
            ],
            Task::Regression,
        );
        assert!(notices.is_empty());
        assert_eq!(encoded_names(&encoder), ["x", "x missing", "z"]);
        let Feature::Number { median, mean, .. } = &encoder.columns().unwrap().features()[0] else {
            panic!("not a number")
        };
        assert_eq!((*median, *mean), (2.5, 21.7));

        let other = data(&table(&[numbers("x", &[NAN, 2.5]), numbers("z", &[NAN, 3.0])]));
        let encoded = encoder.encode_inputs(&other).unwrap();
        assert_eq!(features(&encoded)[0], features(&encoded)[3]);
        assert_eq!([features(&encoded)[1], features(&encoded)[4]], [1.0, 0.0]);
        assert_eq!([features(&encoded)[2], features(&encoded)[5]], [0.0, 0.0]);
        assert_eq!(encoded.targets, Targets::Unknown);
        let notices: Vec<String> =
            encoder.notices(&other).unwrap().iter().map(Notice::to_string).collect();
        assert_eq!(
            notices,
            [
                "`x`: 1 missing value replaced by the training median 2.5",
                "`z`: 1 missing value replaced by the training median 3"
            ]
        );
    }

    #[test]
    fn a_number_that_is_always_the_same_where_present_keeps_its_indicator() {
        let (encoder, notices) = fit(
            &[numbers("pool", &[1.0, NAN, NAN]), numbers("y", &[1.0, 2.0, 3.0])],
            Task::Regression,
        );
        assert!(notices.is_empty());
        let encoded =
            encoder.encode_inputs(&data(&table(&[numbers("pool", &[1.0, NAN])]))).unwrap();
        assert_eq!(features(&encoded), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn categories_are_one_hot_and_unseen_ones_nothing() {
        let (encoder, _) = fit(
            &[texts("c", &["red", "blue", "", "red"]), texts("y", &["no", "yes", "yes", "no"])],
            Task::Binary,
        );
        assert_eq!(encoded_names(&encoder), ["c = blue", "c = red", "c missing"]);
        assert_eq!(encoder.target().classes(), ["no", "yes"]);
        let other = data(&table(&[
            texts("c", &["red", "", "green", "blue"]),
            texts("y", &["yes", "no", "no", "no"]),
        ]));
        let encoded = encoder.encode(&other).unwrap();
        assert_eq!(features(&encoded), [0., 1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 0.]);
        assert_eq!(encoded.targets, Targets::Classes(vec![1, 0, 0, 0]));
        let notices: Vec<String> =
            encoder.notices(&other).unwrap().iter().map(Notice::to_string).collect();
        assert_eq!(
            notices,
            [
                "`c`: 1 missing value treated as a category of their own",
                "`c`: 1 value not seen in training, for example `green`"
            ]
        );
    }

    #[test]
    fn categories_that_all_look_like_numbers_elsewhere_are_still_found() {
        let (encoder, _) =
            fit(&[texts("zone", &["01", "2", "A"]), texts("y", &["x", "y", "3"])], Task::Classes);
        let encoded = encoder
            .encode(&data(&table(&[numbers("zone", &[1.0, 2.0]), numbers("y", &[3.0, 3.0])])))
            .unwrap();
        assert_eq!(features(&encoded), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(encoded.targets, Targets::Classes(vec![0, 0]));
    }

    #[test]
    fn numeric_labels_match_however_they_are_written() {
        let (encoder, _) =
            fit(&[numbers("x", &[1.0, 2.0, 3.0]), numbers("y", &[10.0, 9.0, 10.0])], Task::Binary);
        assert_eq!(encoder.target().classes(), ["9", "10"]);
        let columns = [numbers("x", &[1.0, 2.0]), texts("y", &["10.0", "bad"])];
        assert_eq!(
            encode_message(&encoder, &columns),
            "t, row 2, column `y`: label `bad` was not seen in training; known are 9, 10"
        );
    }

    #[test]
    fn columns_that_never_vary_or_identify_rows_are_left_out() {
        let names: Vec<String> = (0..60).map(|row| format!("name {row}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut typing_error = vec!["1.5"; 60];
        let distinct: Vec<String> = (0..60).map(|row| row.to_string()).collect();
        for (cell, number) in typing_error.iter_mut().zip(&distinct) {
            *cell = number;
        }
        typing_error[7] = "7 m";
        let x: Vec<f64> = (0..60).map(f64::from).collect();
        let columns = [
            numbers("x", &x),
            numbers("same", &[0.1; 60]),
            numbers("nothing", &[NAN; 60]),
            texts("one", &["a"; 60]),
            texts("name", &names),
            texts("length", &typing_error),
            numbers("y", &x),
        ];
        let (encoder, notices) = fit(&columns, Task::Regression);
        assert_eq!(encoded_names(&encoder), ["x"]);
        let notices: Vec<String> = notices.iter().map(Notice::to_string).collect();
        assert_eq!(
            notices,
            [
                "`same` never varies in training and is left out",
                "`nothing` never varies in training and is left out",
                "`one` never varies in training and is left out",
                "`name` has 60 distinct texts in 60 rows and is left out",
                "`length` has 60 distinct texts in 60 rows and is left out; \
                 it would be numeric but for `7 m` in row 8",
            ]
        );
        assert_eq!(
            fit_message(&[columns[1].clone(), columns[6].clone()], Task::Regression),
            "t: no column is left to predict the target from"
        );
        assert_eq!(
            fit_message(&[columns[0].clone(), texts("y", &typing_error)], Task::Classes),
            "t, column `y`: 60 distinct labels in 60 rows are too many to be classes; \
             the column counts as text because of `7 m` in row 8"
        );
    }

    #[test]
    fn targets_that_cannot_be_learned_are_errors() {
        let x = numbers("x", &[1.0, 2.0, 3.0]);
        let with = |y: Column| [x.clone(), y];
        assert_eq!(
            fit_message(&with(numbers("y", &[1.0, 1.0, 1.0])), Task::Regression),
            "t, column `y`: every row has the target `1`, so there is nothing to learn"
        );
        assert_eq!(
            fit_message(&with(texts("y", &["a", "a", "a"])), Task::Classes),
            "t, column `y`: every row has the target `a`, so there is nothing to learn"
        );
        assert_eq!(
            fit_message(&with(texts("y", &["a", "b", "c"])), Task::Binary),
            "t, column `y`: a binary target has 2 distinct values, this one has 3; use the task `classes`"
        );
        assert_eq!(
            fit_message(&with(texts("y", &["1", "b", "3"])), Task::Regression),
            "t, row 2, column `y`: `b` is not a number"
        );
        assert_eq!(
            fit_message(&with(numbers("y", &[1.0, NAN, 3.0])), Task::Regression),
            "t, row 2, column `y`: the target is missing"
        );
        assert_eq!(
            fit_message(&with(numbers("why", &[1.0, 2.0, 3.0])), Task::Regression),
            "t, column `y`: there is no such column"
        );
        assert_eq!(
            fit_message(
                &[numbers("x", &[-1e300, 1e300]), numbers("y", &[1.0, 2.0])],
                Task::Regression
            ),
            format!("t, column `x`: {} is too large to be standardised", 1e300)
        );
    }

    #[test]
    fn tables_unlike_training_are_errors() {
        let (encoder, _) =
            fit(&[numbers("length", &[1.0, 2.0]), texts("y", &["a", "b"])], Task::Binary);
        let y = || texts("y", &["a", "b"]);
        assert_eq!(
            encode_message(&encoder, &[numbers("lenght", &[1.0, 2.0]), y()]),
            "t, column `length`: there is no such column; did you mean `lenght`?"
        );
        assert_eq!(
            encode_message(&encoder, &[texts("length", &["1", "two"]), y()]),
            "t, row 2, column `length`: `two` is not a number"
        );
        assert_eq!(
            encode_message(&encoder, &[numbers("length", &[1.0, 1e300]), y()]),
            format!("t, row 2, column `length`: {} is too large to be standardised", 1e300)
        );
        assert_eq!(
            encode_message(&encoder, &[numbers("length", &[1.0, 2.0]), texts("y", &["a", ""])]),
            "t, row 2, column `y`: the target is missing"
        );
        assert_eq!(
            encode_message(&encoder, &[numbers("length", &[1.0, 2.0])]),
            "t, column `y`: there is no such column"
        );
    }

    #[test]
    fn an_encoder_survives_json_bit_for_bit() {
        let table = Table::builtin("diabetes").unwrap();
        let table = Dataset::of_table(table, "progression");
        let (encoder, _) = Encoder::fit(&table, Task::Regression).unwrap();
        let json = serde_json::to_string(&encoder).unwrap();
        assert_eq!(serde_json::from_str::<Encoder>(&json).unwrap(), encoder);
    }
}
