use linfa_datasets as datasets;

use super::generated::{SHAPES, reviews};
use super::pictures::CLASS;
use super::{Column, Table, Values};
use crate::error::{DataError, DataProblem, nearest};

/// A data set that is part of the program.
struct Builtin {
    name: &'static str,
    target: &'static str,
    load: fn() -> Vec<Column>,
}

const BUILTIN: [Builtin; 5] = [
    Builtin { name: "wine-quality", target: "quality", load: wine_quality },
    Builtin { name: "diabetes", target: "progression", load: diabetes },
    Builtin { name: "iris", target: "species", load: iris },
    Builtin { name: "linnerud", target: "weight", load: linnerud },
    Builtin { name: "reviews", target: "verdict", load: reviews },
];

/// The names of the data sets that are part of the program:
///
/// | name | rows | features | usual target |
/// |---|---|---|---|
/// | `wine-quality` | 1,599 red wines | 11 measurements | `quality`, 3 to 8 |
/// | `diabetes` | 441 patients | 10 measurements | `progression` after a year |
/// | `iris` | 150 flowers | 4 lengths | `species`, 3 kinds |
/// | `linnerud` | 20 men | 3 exercises, 3 measures of the body | `weight` |
/// | `reviews` | 1,600 generated sentences | their words | `verdict`, good or bad |
/// | `shapes` | 1,600 generated images | 3×32×32 pixels | `class`, 4 shapes |
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|builtin| builtin.name).chain([SHAPES])
}

/// The column that is usually predicted in a built-in data set.
pub fn builtin_target(name: &str) -> Option<&'static str> {
    let shapes = name.eq_ignore_ascii_case(SHAPES).then_some(CLASS);
    find(name).map(|builtin| builtin.target).or(shapes)
}

/// The column of texts in a built-in data set that has one.
pub fn builtin_text(name: &str) -> Option<&'static str> {
    find(name).filter(|builtin| builtin.name == "reviews").map(|_| "text")
}

pub(super) fn table(name: &str) -> Result<Table, DataError> {
    let Some(builtin) = find(name) else {
        let problem = DataProblem::UnknownTable {
            names: builtin_names().collect(),
            nearest: nearest(name, builtin_names()),
        };
        return Err(DataError::new(name, problem));
    };
    Table::new(builtin.name, (builtin.load)())
}

/// Hyphens, underscores and case do not matter.
fn find(name: &str) -> Option<&'static Builtin> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    BUILTIN.iter().find(|builtin| plain(builtin.name) == plain(name))
}

fn wine_quality() -> Vec<Column> {
    let data = datasets::winequality();
    let mut columns = columns(data.records().columns(), data.feature_names());
    columns.push(numbers("quality", data.targets().iter().map(|&q| q as f64)));
    columns
}

fn diabetes() -> Vec<Column> {
    // The names that the data is published under; those of the crate mistake
    // the six blood serum measurements for others.
    const NAMES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];
    let data = datasets::diabetes();
    let mut columns = columns(data.records().columns(), NAMES);
    columns.push(numbers("progression", data.targets().iter().copied()));
    columns
}

fn iris() -> Vec<Column> {
    const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];
    let data = datasets::iris();
    let mut columns = columns(data.records().columns(), data.feature_names());
    columns.push(Column {
        name: "species".to_owned(),
        values: Values::Texts(
            data.targets()
                .iter()
                .map(|&species| SPECIES.get(species).map(|&name| name.to_owned()))
                .collect(),
        ),
    });
    columns
}

fn linnerud() -> Vec<Column> {
    let data = datasets::linnerud();
    let mut columns = columns(data.records().columns(), ["chins", "situps", "jumps"]);
    let targets = data.targets().columns();
    columns.extend(self::columns(targets, ["weight", "waist", "pulse"]));
    columns
}

fn columns<C: IntoIterator<Item: std::borrow::Borrow<f64>>>(
    columns: impl IntoIterator<Item = C>,
    names: impl IntoIterator<Item: AsRef<str>>,
) -> Vec<Column> {
    let columns = names.into_iter().zip(columns);
    columns
        .map(|(name, column)| {
            let values = column.into_iter();
            numbers(name.as_ref(), values.map(|value| *std::borrow::Borrow::borrow(&value)))
        })
        .collect()
}

fn numbers(name: &str, numbers: impl Iterator<Item = f64>) -> Column {
    Column { name: name.to_owned(), values: Values::Numbers(numbers.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Task;

    #[test]
    fn every_built_in_table_has_the_documented_shape_target_and_task() {
        let tables = [
            ("wine-quality", 1599, 12, Task::Classes),
            ("diabetes", 441, 11, Task::Regression),
            ("iris", 150, 5, Task::Classes),
            ("linnerud", 20, 6, Task::Regression),
            ("reviews", 1600, 2, Task::Binary),
        ];
        assert_eq!(builtin_names().count(), tables.len() + 1);
        for (name, rows, columns, task) in tables {
            let table = Table::builtin(name).unwrap();
            assert_eq!((table.rows(), table.columns().len()), (rows, columns), "{name}");
            let target = builtin_target(name).unwrap();
            assert_eq!(Task::infer(&table, target).unwrap(), task, "{name}");
        }
    }

    #[test]
    fn first_rows_are_the_published_ones() {
        let first = |name: &str, column: &str| {
            let table = Table::builtin(name).unwrap();
            match &table.column(column).unwrap().values {
                Values::Numbers(numbers) => numbers[0].to_string(),
                Values::Texts(texts) => texts[0].clone().unwrap(),
            }
        };
        assert_eq!(first("wine-quality", "fixed acidity"), "7.4");
        assert_eq!(first("wine-quality", "quality"), "5");
        assert_eq!(first("iris", "petal width"), "0.2");
        assert_eq!(first("iris", "species"), "setosa");
        assert_eq!(first("linnerud", "waist"), "36");
        assert_eq!(first("diabetes", "progression"), "75");
    }

    #[test]
    fn names_are_found_in_any_spelling_and_suggested_when_misspelt() {
        assert_eq!(Table::open("Wine_Quality").unwrap().name(), "wine-quality");
        assert_eq!(Table::open("winequality").unwrap().rows(), 1599);
        assert_eq!(
            Table::open("diabets").unwrap_err().to_string(),
            "diabets: no such file, and no built-in table of this name; built in are \
             wine-quality, diabetes, iris, linnerud, reviews, shapes; did you mean `diabetes`?"
        );
    }
}
