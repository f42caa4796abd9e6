use std::path::Path;

use super::table::Header;
use super::task::label;
use super::{Values, json, parquet, text};
use crate::error::{DataError, DataProblem, Place, nearest};

/// A table that is read in pieces, so that a file of any size fits into memory.
///
/// The formats and what counts as missing are those of
/// [`Table::read`](super::Table::read); but whether a column is numbers or
/// texts is for the caller to say, and a cell that is neither a number nor
/// missing where a number is wanted is handed over with its text.
pub struct Scan {
    name: String,
    columns: Vec<String>,
    size: u64,
    source: Source,
}

enum Source {
    Text(text::Source),
    Json(json::Source),
    Parquet(parquet::Source),
}

/// What the cells of a column are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Numbers,
    /// Texts; numbers are written as labels, without a trailing `.0`.
    Texts,
}

/// Consecutive rows of the wanted columns.
#[derive(Debug)]
pub struct Piece {
    /// Where the rows stand in the file.
    pub places: Vec<Place>,
    /// The columns, in the order in which they were asked for; a number that
    /// is missing or odd is NaN.
    pub columns: Vec<Values>,
    /// The cells that are no numbers, row after row.
    pub odd: Vec<Odd>,
    /// How much of [`Scan::size`] has been read.
    pub end: u64,
}

/// A cell that is no number where one is wanted: text, or NaN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The row in the piece, from 0.
    pub row: usize,
    /// Index into the columns of the piece.
    pub column: usize,
    /// The cell.
    pub text: String,
}

/// What stands in a cell.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Missing,
    Number(f64),
    Text(&'a str),
}

impl Scan {
    /// Opens a file; the extension tells the format, as in
    /// [`Table::read`](super::Table::read).
    ///
    /// # Errors
    /// It cannot be read, is in no such format, or has no columns.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let opened = |delimiter| text::Source::open(path, delimiter, Header::Names);
        let source = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Source::Text(opened(text::Delimiter::CommaOrSemicolon)?),
            Some("tsv" | "tab") => Source::Text(opened(text::Delimiter::Tab)?),
            Some("jsonl" | "ndjson") => Source::Json(json::Source::open(path)?),
            Some("parquet") => Source::Parquet(parquet::Source::open(path)?),
            _ => return Err(DataError::unknown_format(path)),
        };
        let (columns, size) = match &source {
            Source::Text(text) => {
                (text.names()?.iter().map(str::to_owned).collect(), text.length())
            }
            Source::Json(json) => (json.names().to_vec(), json.length()),
            Source::Parquet(parquet) => (parquet.names(), parquet.rows()),
        };
        Ok(Self { name: path.display().to_string(), columns, size, source })
    }

    /// The path of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How much there is to read, in bytes or rows.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads the wanted columns, `rows` rows at a time.
    ///
    /// # Errors
    /// Names the file, and the row and column where there is one: a column that
    /// does not exist, or twice; whatever is wrong with the file; and what
    /// `visit` fails with.
    pub fn read<E: From<DataError>>(
        &self,
        wanted: &[(&str, Kind)],
        rows: usize,
        mut visit: impl FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let indices: Vec<usize> =
            wanted.iter().map(|(name, _)| self.column(name)).collect::<Result<_, _>>()?;
        let kinds: Vec<Kind> = wanted.iter().map(|&(_, kind)| kind).collect();
        if let Source::Parquet(parquet) = &self.source {
            return parquet.read(&indices, &kinds, rows, visit);
        }
        let mut piece = Piece::new(&kinds);
        let mut filled = |piece: &mut Piece, place, end| {
            piece.places.push(place);
            piece.end = end;
            match piece.places.len() >= rows {
                true => visit(std::mem::replace(piece, Piece::new(&kinds))),
                false => Ok(()),
            }
        };
        match &self.source {
            Source::Text(text) => text.for_each_row(|place, end, cells| {
                for (column, &index) in indices.iter().enumerate() {
                    piece.push(column, text::cell(&cells[index]));
                }
                filled(&mut piece, place, end)
            })?,
            Source::Json(json) => json.for_each_row(|place, end, row| {
                for (column, &index) in indices.iter().enumerate() {
                    json::with_cell(row.get(&self.columns[index]), |cell| piece.push(column, cell));
                }
                filled(&mut piece, place, end)
            })?,
            Source::Parquet(_) => {}
        }
        if piece.places.is_empty() { Ok(()) } else { visit(piece) }
    }

    /// The position of a column.
    ///
    /// # Errors
    /// There is none, or there are two.
    pub fn column(&self, name: &str) -> Result<usize, DataError> {
        let mut found = (0..self.columns.len()).filter(|&index| self.columns[index] == name);
        let problem = match (found.next(), found.next()) {
            (Some(index), None) => return Ok(index),
            (Some(_), Some(_)) => DataProblem::DuplicateColumn,
            (None, _) => {
                let nearest = nearest(name, self.columns.iter().map(String::as_str));
                DataProblem::MissingColumn { nearest }
            }
        };
        Err(DataError::new(&self.name, problem).column(name))
    }
}

impl Piece {
    pub(super) fn new(kinds: &[Kind]) -> Self {
        let none = |kind: &Kind| match kind {
            Kind::Numbers => Values::Numbers(Vec::new()),
            Kind::Texts => Values::Texts(Vec::new()),
        };
        let columns = kinds.iter().map(none).collect();
        Self { places: Vec::new(), columns, odd: Vec::new(), end: 0 }
    }

    pub(super) fn push(&mut self, column: usize, cell: Cell<'_>) {
        let row = self.columns[column].len();
        if let Some(text) = self.columns[column].push(cell) {
            self.odd.push(Odd { row, column, text });
        }
    }
}

impl Values {
    /// Appends a cell; where it is no number but should be one, its text comes
    /// back. Among numbers NaN is the trace of a mistake, not of a missing value.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> Option<String> {
        match self {
            Self::Numbers(numbers) => {
                let (number, odd) = match cell {
                    Cell::Missing => (f64::NAN, None),
                    Cell::Number(number) => (number, number.is_nan().then(|| number.to_string())),
                    Cell::Text(text) => {
                        let number = text.parse().unwrap_or(f64::NAN);
                        (number, number.is_nan().then(|| text.to_owned()))
                    }
                };
                numbers.push(number);
                odd
            }
            Self::Texts(texts) => {
                let is_nan = |text: &str| text.parse::<f64>().is_ok_and(f64::is_nan);
                texts.push(match cell {
                    Cell::Number(number) if !number.is_nan() => Some(label(number)),
                    Cell::Text(text) if !is_nan(text) => Some(text.to_owned()),
                    _ => None,
                });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Table;

    /// All rows of two columns, and how many pieces they came in.
    fn read(path: &Path, wanted: [(&str, Kind); 2], rows: usize) -> (Vec<Values>, Vec<Odd>, usize) {
        let scan = Scan::open(path).unwrap();
        let mut all = Piece::new(&wanted.map(|(_, kind)| kind));
        let mut pieces = 0;
        scan.read(&wanted, rows, |piece| {
            pieces += 1;
            let before = all.places.len();
            all.odd.extend(piece.odd.into_iter().map(|odd| Odd { row: before + odd.row, ..odd }));
            all.places.extend(piece.places);
            for (all, values) in all.columns.iter_mut().zip(&piece.columns) {
                all.append(values);
            }
            all.end = piece.end;
            Ok::<_, DataError>(())
        })
        .unwrap();
        assert_eq!(all.end, scan.size());
        let rows: Vec<u64> = all.places.iter().map(|place| place.row).collect();
        assert!(rows.iter().copied().eq(1..=rows.len() as u64));
        (all.columns, all.odd, pieces)
    }

    fn file(extension: &str, content: &str) -> tempfile::TempPath {
        let suffix = format!(".{extension}");
        let file = tempfile::Builder::new().suffix(&suffix).tempfile().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file.into_temp_path()
    }

    #[test]
    fn pieces_of_any_size_are_the_table() {
        let rows = (0..57).map(|row| (f64::from(row) / 4.0, format!("t{}", row % 3)));
        let csv: String = rows.clone().map(|(x, t)| format!("\n{t},1,{x}\n")).collect();
        let json: String = rows.map(|(x, t)| format!("{{\"x\": {x}, \"t\": \"{t}\"}}\n")).collect();
        for path in [file("csv", &format!("t,z,x\n{csv}")), file("jsonl", &json)] {
            let table = Table::read(&path).unwrap();
            let expected = ["x", "t"].map(|name| table.column(name).unwrap().values.clone());
            for size in [1, 2, 56, 57, 58, 1000] {
                let wanted = [("x", Kind::Numbers), ("t", Kind::Texts)];
                let (columns, odd, pieces) = read(&path, wanted, size);
                assert_eq!(columns, expected);
                assert_eq!((odd, pieces), (vec![], 57usize.div_ceil(size)));
            }
        }
    }

    #[test]
    fn cells_that_are_no_numbers_come_with_their_text() {
        let odd = |row, text: &str| Odd { row, column: 0, text: text.to_owned() };
        let json = "{\"x\":1}\n{\"x\":\"oops\"}\n{\"x\":null}\n{}\n{\"x\":\"NaN\",\"y\":2.0}\n";
        for path in [file("csv", "x,y\n1,\noops,\n,\nNA,\nNaN,2.0\n"), file("jsonl", json)] {
            let (columns, found, _) = read(&path, [("x", Kind::Numbers), ("y", Kind::Texts)], 2);
            assert_eq!(found, [odd(1, "oops"), odd(4, "NaN")]);
            let Values::Numbers(numbers) = &columns[0] else { panic!("not numbers") };
            assert_eq!(numbers[0], 1.0);
            assert!(numbers[1..].iter().all(|number| number.is_nan()));
            let Values::Texts(texts) = &columns[1] else { panic!("not texts") };
            assert!(texts[..4].iter().all(Option::is_none));
            assert!(texts[4].as_deref().is_some_and(|text| text.starts_with('2')));
        }
    }

    #[test]
    fn columns_that_are_not_there_or_twice_are_errors() {
        let path = file("csv", "price,x,x\n1,2,3\n");
        let scan = Scan::open(&path).unwrap();
        assert!(scan.column("prise").unwrap_err().to_string().ends_with("did you mean `price`?"));
        assert!(scan.column("x").unwrap_err().to_string().contains("two columns"));
        assert!(Scan::open(Path::new("no/such.csv")).is_err());
        assert!(Scan::open(&file("csv", "")).is_err());
    }
}
