use std::path::Path;

use serde::{Deserialize, Serialize};

use super::target::text as text_of;
use super::{Notice, builtin, json, parquet, text};
use crate::error::{DataError, DataProblem, Place, nearest};

/// Named columns of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) places: Vec<Place>,
    pub(super) notices: Vec<Notice>,
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name in the header.
    pub name: String,
    /// One value per row.
    pub values: Values,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Finite numbers; a missing cell is NaN.
    Numbers(Vec<f64>),
    /// Texts; a missing cell is `None`.
    Texts(Vec<Option<String>>),
}

/// Says whether two tables hold the same data, whatever file they came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// XXH3 of names and values, 128 bits in hexadecimal.
    pub xxh3: String,
}

/// What the first line of a text file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The names of the columns.
    Names,
    /// A row; columns are named by their position from 0.
    None,
}

impl Table {
    /// Opens a file, or else a built-in table of that name.
    ///
    /// # Errors
    /// As [`Table::read`] and [`Table::builtin`].
    pub fn open(path_or_name: &str) -> Result<Self, DataError> {
        Self::open_with(path_or_name, Header::Names)
    }

    pub(super) fn open_with(path_or_name: &str, header: Header) -> Result<Self, DataError> {
        let path = Path::new(path_or_name);
        let is_path = path.exists() || path.extension().is_some() || path.components().count() > 1;
        if is_path { Self::read_with(path, header) } else { Self::builtin(path_or_name) }
    }

    /// Reads a table with a header from a file; the extension tells the format:
    /// `.csv` (commas, or semicolons if the header has no comma), `.tsv` or
    /// `.tab` (tabs), `.jsonl` or `.ndjson` (an object per line), `.parquet`
    /// (flat columns).
    ///
    /// A column of numbers is numeric, any other is text. An empty cell and
    /// `NA`, `N/A`, `null`, `None` and `?` in any case are missing; `NaN` is an
    /// error among numbers and missing among texts.
    ///
    /// # Errors
    /// Names the file, and the row and column where there is one.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::read_with(path, Header::Names)
    }

    fn read_with(path: &Path, header: Header) -> Result<Self, DataError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => text::read(path, text::Delimiter::CommaOrSemicolon, header),
            Some("tsv" | "tab") => text::read(path, text::Delimiter::Tab, header),
            Some("jsonl" | "ndjson") => json::read(path),
            Some("parquet") => parquet::read(path),
            _ => Err(DataError::unknown_format(path)),
        }
    }

    /// A real data set that is part of the program; see [`super::builtin_names`].
    ///
    /// # Errors
    /// An unknown name; the error lists the names and suggests the nearest.
    pub fn builtin(name: &str) -> Result<Self, DataError> {
        builtin::table(name)
    }

    /// A table of these columns, rows numbered from 1.
    ///
    /// # Errors
    /// No columns, no rows, columns of different lengths, two columns of one
    /// name, or an infinite number.
    pub fn new(name: impl Into<String>, columns: Vec<Column>) -> Result<Self, DataError> {
        let rows = columns.first().map_or(0, |column| column.values.len());
        let places = (1..=rows as u64).map(|row| Place { row, line: None }).collect();
        Self { name: name.into(), columns, places, notices: Vec::new() }.checked()
    }

    /// Refuses what no table may be, wherever it came from.
    pub(super) fn checked(self) -> Result<Self, DataError> {
        if self.columns.is_empty() {
            return Err(self.error(DataProblem::Empty));
        }
        if self.places.is_empty() {
            return Err(self.error(DataProblem::NoRows));
        }
        for (index, column) in self.columns.iter().enumerate() {
            let error = |problem| Err(self.error(problem).column(&column.name));
            if self.columns[..index].iter().any(|c| c.name == column.name) {
                return error(DataProblem::DuplicateColumn);
            }
            if column.values.len() != self.rows() {
                return error(DataProblem::Ragged {
                    expected: self.rows() as u64,
                    found: column.values.len() as u64,
                });
            }
            if let Values::Numbers(numbers) = &column.values
                && let Some(row) = numbers.iter().position(|number| number.is_infinite())
            {
                let problem = DataProblem::NotFinite(numbers[row].to_string());
                return Err(self.error(problem).at(self.places[row]).column(&column.name));
            }
        }
        Ok(self)
    }

    /// File path or built-in name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// The columns in the order of the header.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Where a row stands in the source.
    ///
    /// # Panics
    /// If `row` is not below [`Table::rows`].
    pub fn place(&self, row: usize) -> Place {
        self.places[row]
    }

    /// What was done to the data on reading it.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The column of this name.
    ///
    /// # Errors
    /// There is none; the error suggests the nearest name.
    pub fn column(&self, name: &str) -> Result<&Column, DataError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let nearest = nearest(name, self.columns.iter().map(|c| c.name.as_str()));
            self.error(DataProblem::MissingColumn { nearest }).column(name)
        })
    }

    /// The rows at these indices (from 0), in that order.
    ///
    /// # Panics
    /// If an index is not below [`Table::rows`].
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| Column { name: column.name.clone(), values: column.values.select(rows) });
        Self {
            name: self.name.clone(),
            columns: columns.collect(),
            places: rows.iter().map(|&row| self.places[row]).collect(),
            notices: self.notices.clone(),
        }
    }

    /// Appends the rows of another table with the same columns.
    ///
    /// # Errors
    /// It lacks one of the columns.
    pub(super) fn append(&mut self, other: &Self) -> Result<(), DataError> {
        for column in &mut self.columns {
            column.values.append(&other.column(&column.name)?.values);
        }
        self.places.extend(&other.places);
        Ok(())
    }

    /// Number of rows and columns, and a hash of names and values.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = twox_hash::xxhash3_128::Hasher::new();
        for column in &self.columns {
            hash_text(&mut hasher, Some(&column.name));
            match &column.values {
                Values::Numbers(numbers) => {
                    hasher.write(b"numbers");
                    for &number in numbers {
                        hasher.write(&canonical(number).to_le_bytes());
                    }
                }
                Values::Texts(texts) => {
                    hasher.write(b"texts");
                    for text in texts {
                        hash_text(&mut hasher, text.as_deref());
                    }
                }
            }
        }
        Fingerprint {
            rows: self.rows(),
            columns: self.columns.len(),
            xxh3: format!("{:032x}", hasher.finish_128()),
        }
    }

    pub(super) fn error(&self, problem: DataProblem) -> DataError {
        DataError::new(&self.name, problem)
    }

    pub(super) fn cell_error(&self, row: usize, column: &str, problem: DataProblem) -> DataError {
        self.error(problem).at(self.places[row]).column(column)
    }
}

/// The length first, so that no two sequences of texts are the same bytes.
fn hash_text(hasher: &mut twox_hash::xxhash3_128::Hasher, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    hasher.write(&length.to_le_bytes());
    hasher.write(text.unwrap_or_default().as_bytes());
}

/// One bit pattern for equal numbers and for all kinds of NaN.
fn canonical(number: f64) -> f64 {
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

impl Values {
    /// Number of values, missing ones included.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the value in this row is missing.
    ///
    /// # Panics
    /// If `row` is not below [`Values::len`].
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(numbers) => numbers[row].is_nan(),
            Self::Texts(texts) => texts[row].is_none(),
        }
    }

    /// Number of missing values.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Self::Texts(texts) => Self::Texts(rows.iter().map(|&row| texts[row].clone()).collect()),
        }
    }

    /// Numbers become texts where one of both is text.
    pub(super) fn append(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Numbers(numbers), Self::Numbers(others)) => numbers.extend(others),
            (Self::Texts(texts), Self::Texts(others)) => texts.extend(others.iter().cloned()),
            (one, other) => {
                let texts = |values: &Self| {
                    (0..values.len()).map(|row| text_of(values, row)).collect::<Vec<_>>()
                };
                *one = Self::Texts([texts(one), texts(other)].concat());
            }
        }
    }

    /// In a column of mostly numbers, the first cell that is none: the likely
    /// typing error that made the column text.
    pub(super) fn odd_text(&self) -> Option<(usize, &str)> {
        let Self::Texts(texts) = self else {
            return None;
        };
        let present = || {
            let cells = texts.iter().enumerate();
            cells.filter_map(|(row, cell)| Some((row, cell.as_deref()?)))
        };
        let odd = |cell: &str| cell.parse::<f64>().is_err();
        let odd_cells = present().filter(|(_, cell)| odd(cell)).count();
        if 2 * odd_cells >= present().count() {
            return None;
        }
        present().find(|(_, cell)| odd(cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(name: &str, numbers: &[f64]) -> Column {
        Column { name: name.to_owned(), values: Values::Numbers(numbers.to_vec()) }
    }

    fn texts(name: &str, texts: &[Option<&str>]) -> Column {
        let texts = texts.iter().map(|text| text.map(str::to_owned));
        Column { name: name.to_owned(), values: Values::Texts(texts.collect()) }
    }

    fn table(columns: &[Column]) -> Table {
        Table::new("t", columns.to_vec()).unwrap()
    }

    #[test]
    fn columns_that_do_not_fit_together_are_errors() {
        let message =
            |columns: &[Column]| Table::new("t", columns.to_vec()).unwrap_err().to_string();
        assert!(message(&[]).starts_with("t: the file is empty"));
        assert!(message(&[numbers("x", &[])]).ends_with("no row of data"));
        assert!(message(&[numbers("x", &[1.0]), numbers("y", &[])]).contains("column `y`"));
        assert!(message(&[numbers("x", &[1.0]), numbers("x", &[1.0])]).contains("two columns"));
        assert_eq!(
            message(&[numbers("x", &[1.0, f64::INFINITY])]),
            "t, row 2, column `x`: `inf` is not a finite number; \
             leave the cell empty if the value is missing"
        );
    }

    #[test]
    fn a_misspelt_column_is_suggested() {
        let message = |name: &str| {
            let table = table(&[numbers("price", &[1.0]), numbers("Size", &[1.0])]);
            table.column(name).unwrap_err().to_string()
        };
        assert!(message("prize").ends_with("did you mean `price`?"));
        assert!(message("size").ends_with("did you mean `Size`?"));
        assert_eq!(message("bedrooms"), "t, column `bedrooms`: there is no such column");
    }

    #[test]
    fn the_fingerprint_is_of_the_content_and_nothing_else() {
        let print = |columns: &[Column]| table(columns).fingerprint().xxh3;
        let columns =
            [numbers("x", &[1.0, f64::NAN, 0.0]), texts("y", &[Some("ab"), None, Some("c")])];
        let whole = print(&columns);
        assert_eq!(whole, "f978d9315704cf64ac40f3e51c1ea0be", "old runs would not be recognised");
        let renamed = Table::new("other", columns.to_vec()).unwrap();
        assert_eq!(renamed.fingerprint().xxh3, whole);
        let same = [numbers("x", &[1.0, -f64::NAN, -0.0]), columns[1].clone()];
        assert_eq!(print(&same), whole);
        for changed in [
            [numbers("z", &[1.0, f64::NAN, 0.0]), columns[1].clone()],
            [numbers("x", &[1.0, f64::NAN, 1e-300]), columns[1].clone()],
            [columns[0].clone(), texts("y", &[Some("a"), None, Some("bc")])],
            [columns[0].clone(), texts("y", &[Some("ab"), Some(""), Some("c")])],
            [columns[1].clone(), columns[0].clone()],
        ] {
            assert_ne!(print(&changed), whole, "{changed:?}");
        }
    }
}
