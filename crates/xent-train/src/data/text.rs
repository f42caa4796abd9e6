use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Position, StringRecord, Trim};

use super::scan::Cell;
use super::table::Header;
use super::{Column, Notice, Table, Values};
use crate::error::{DataError, DataProblem, Place};

/// What separates the cells of a text file.
#[derive(Clone, Copy)]
pub(super) enum Delimiter {
    /// A comma, or a semicolon where the header has no comma but semicolons.
    CommaOrSemicolon,
    Tab,
}

impl Delimiter {
    fn byte(self, header: &[u8]) -> u8 {
        match self {
            Self::Tab => b'\t',
            Self::CommaOrSemicolon if header.contains(&b',') => b',',
            Self::CommaOrSemicolon if header.contains(&b';') => b';',
            Self::CommaOrSemicolon => b',',
        }
    }
}

/// Reads CSV or TSV, in two passes: types, then values.
pub(super) fn read(path: &Path, delimiter: Delimiter, header: Header) -> Result<Table, DataError> {
    let source = Source::open(path, delimiter, header)?;
    let header = source.names()?;
    let mut columns: Vec<Column> = source
        .numeric_columns(header.len())?
        .into_iter()
        .zip(&header)
        .map(|(is_numeric, name)| Column {
            name: name.to_owned(),
            values: if is_numeric {
                Values::Numbers(Vec::new())
            } else {
                Values::Texts(Vec::new())
            },
        })
        .collect();
    let mut places = Vec::new();
    source.for_each_row(|place, _, cells| {
        places.push(place);
        for (column, text) in columns.iter_mut().zip(cells) {
            if let (Some(nan), Values::Numbers(_)) =
                (column.values.push(cell(text)), &column.values)
            {
                let error = DataError::new(&source.name, DataProblem::NotFinite(nan));
                return Err(error.at(place).column(&column.name));
            }
        }
        Ok(())
    })?;

    let unnamed: Vec<usize> = (0..header.len()).filter(|&index| header[index].is_empty()).collect();
    columns.retain(|column| !column.name.is_empty());
    Table {
        name: source.name,
        columns,
        places,
        notices: unnamed
            .iter()
            .map(|index| Notice::UnnamedColumn { position: index + 1 })
            .collect(),
    }
    .checked()
}

/// A text file, which is read from its start for each question.
pub(super) struct Source {
    path: PathBuf,
    name: String,
    length: u64,
    delimiter: u8,
    header: Header,
}

impl Source {
    pub(super) fn open(
        path: &Path,
        delimiter: Delimiter,
        header: Header,
    ) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let opened = || {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            let mut first = Vec::new();
            BufReader::new(file).read_until(b'\n', &mut first)?;
            Ok((length, delimiter.byte(&first)))
        };
        let (length, delimiter) =
            opened().map_err(|error| DataError::new(&name, DataProblem::Unreadable(error)))?;
        Ok(Self { path: path.to_owned(), name, length, delimiter, header })
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    fn reader(&self) -> Result<csv::Reader<File>, DataError> {
        const BUFFER: usize = 1 << 16;
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        Ok(csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(self.header == Header::Names)
            .trim(Trim::All)
            .buffer_capacity(BUFFER)
            .from_reader(file))
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> Result<StringRecord, DataError> {
        let mut reader = self.reader()?;
        let first = reader.headers().map_err(|error| self.error(&error))?;
        if first.iter().all(str::is_empty) {
            return Err(DataError::new(&self.name, DataProblem::Empty));
        }
        Ok(match self.header {
            Header::Names => first.clone(),
            Header::None => (0..first.len()).map(|position| position.to_string()).collect(),
        })
    }

    /// Hands over each row, with its place and the byte after it.
    pub(super) fn for_each_row<E: From<DataError>>(
        &self,
        mut visit: impl FnMut(Place, u64, &StringRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = self.reader()?;
        let mut trail = Trail::new(&self.path).map_err(|error| self.unreadable(error))?;
        // Positions in errors count from where the reader stood before the
        // read; past the header they are those of the row.
        if self.header == Header::Names {
            reader.byte_headers().map_err(|error| self.error(&error))?;
        }
        let mut cells = StringRecord::new();
        loop {
            let start = reader.position().clone();
            let is_row = reader.read_record(&mut cells).map_err(|error| self.error(&error))?;
            if !is_row {
                return Ok(());
            }
            let place = self.place(&start, &mut trail)?;
            let end = reader.position().byte();
            if end == self.length && self.is_unclosed(&start, &cells)? {
                let error = DataError::new(&self.name, DataProblem::UnclosedQuote);
                return Err(error.at(place).into());
            }
            visit(place, end, &cells)?;
        }
    }

    /// Whether a last row of several lines has an odd number of quotes, so that
    /// its last cell is all of the file that follows.
    fn is_unclosed(&self, start: &Position, cells: &StringRecord) -> Result<bool, DataError> {
        if !cells.iter().any(|cell| cell.contains('\n')) {
            return Ok(false);
        }
        let row = || {
            let (mut file, mut row) = (File::open(&self.path)?, Vec::new());
            file.seek(SeekFrom::Start(start.byte()))?;
            file.read_to_end(&mut row)?;
            Ok(row)
        };
        let row: Vec<u8> = row().map_err(|error| self.unreadable(error))?;
        Ok(row.iter().filter(|&&byte| byte == b'"').count() % 2 == 1)
    }

    /// For each column, whether all cells that are not missing are numbers.
    fn numeric_columns(&self, columns: usize) -> Result<Vec<bool>, DataError> {
        let mut numeric = vec![true; columns];
        self.for_each_row(|_, _, cells| {
            for (numeric, cell) in numeric.iter_mut().zip(cells) {
                *numeric = *numeric && (is_missing(cell) || cell.parse::<f64>().is_ok());
            }
            Ok::<_, DataError>(())
        })?;
        Ok(numeric)
    }

    /// The reader's position is where the last record ended; blank lines may
    /// lie between it and the record.
    fn place(&self, position: &Position, trail: &mut Trail) -> Result<Place, DataError> {
        let blank = trail.line_breaks(position.byte()).map_err(|error| self.unreadable(error))?;
        let row = match self.header {
            Header::Names => position.record(),
            Header::None => position.record() + 1,
        };
        Ok(Place { row, line: Some(position.line() + blank) })
    }

    fn unreadable(&self, error: io::Error) -> DataError {
        DataError::new(&self.name, DataProblem::Unreadable(error))
    }

    fn error(&self, error: &csv::Error) -> DataError {
        let problem = match error.kind() {
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                DataProblem::Ragged { expected: *expected_len, found: *len }
            }
            ErrorKind::Utf8 { .. } => DataProblem::NotUtf8,
            _ => DataProblem::Unreadable(io::Error::other(error.to_string())),
        };
        let mut located = DataError::new(&self.name, problem);
        if let Some(position) =
            error.position().filter(|position| self.header == Header::None || position.record() > 0)
            && let Ok(mut trail) = Trail::new(&self.path)
            && let Ok(place) = self.place(position, &mut trail)
        {
            located = located.at(place);
        }
        if let ErrorKind::Utf8 { err, .. } = error.kind()
            && let Some(column) = self.raw_header().get(err.field())
        {
            located = located.column(String::from_utf8_lossy(column));
        }
        located
    }

    fn raw_header(&self) -> ByteRecord {
        let header = |mut reader: csv::Reader<File>| reader.byte_headers().cloned().ok();
        self.reader().ok().and_then(header).unwrap_or_default()
    }
}

/// A second look at the file, just behind the reader.
struct Trail {
    file: BufReader<File>,
    at: u64,
}

impl Trail {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), at: 0 })
    }

    /// How many lines end between this byte and the next that is no line break.
    fn line_breaks(&mut self, byte: u64) -> io::Result<u64> {
        self.file.seek_relative(byte as i64 - self.at as i64)?;
        self.at = byte;
        let mut breaks = 0;
        while let Some(&byte @ (b'\r' | b'\n')) = self.file.fill_buf()?.first() {
            self.file.consume(1);
            self.at += 1;
            breaks += u64::from(byte == b'\n');
        }
        Ok(breaks)
    }
}

/// What a cell of text stands for.
pub(super) fn cell(text: &str) -> Cell<'_> {
    if is_missing(text) { Cell::Missing } else { Cell::Text(text) }
}

fn is_missing(cell: &str) -> bool {
    ["", "NA", "N/A", "null", "None", "?"].iter().any(|missing| cell.eq_ignore_ascii_case(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8], extension: &str) -> Result<Table, DataError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(format!("data.{extension}"));
        std::fs::write(&path, bytes).unwrap();
        Table::read(&path)
    }

    fn csv(text: &str) -> Result<Table, DataError> {
        read_bytes(text.as_bytes(), "csv")
    }

    fn numbers<'a>(table: &'a Table, column: &str) -> &'a [f64] {
        match &table.column(column).unwrap().values {
            Values::Numbers(numbers) => numbers,
            Values::Texts(texts) => panic!("text: {texts:?}"),
        }
    }

    fn texts<'a>(table: &'a Table, column: &str) -> Vec<Option<&'a str>> {
        match &table.column(column).unwrap().values {
            Values::Texts(texts) => texts.iter().map(Option::as_deref).collect(),
            Values::Numbers(numbers) => panic!("numbers: {numbers:?}"),
        }
    }

    /// The message without the path, which differs from run to run.
    fn message(result: Result<Table, DataError>) -> String {
        let error = result.unwrap_err();
        let message = error.to_string();
        let rest = message.strip_prefix(error.table()).unwrap();
        assert!(error.table().contains("data."));
        rest.to_owned()
    }

    #[test]
    fn types_are_inferred_per_column() {
        let table = csv("a,b,c\n1,x,1\n-2.5e3,y,two\n+0.5, z ,3\n").unwrap();
        assert_eq!(numbers(&table, "a"), [1.0, -2500.0, 0.5]);
        assert_eq!(texts(&table, "b"), [Some("x"), Some("y"), Some("z")]);
        assert_eq!(texts(&table, "c"), [Some("1"), Some("two"), Some("3")]);
    }

    #[test]
    fn every_spelling_of_missing_is_recognised() {
        let table =
            csv("n,t\n1,a\n,\nNA,na\nN/A,n/a\n?,nan\nnull,NULL\nNone,none\n?, ? \n").unwrap();
        assert_eq!(table.column("n").unwrap().values.missing(), 7);
        assert_eq!(table.column("t").unwrap().values.missing(), 7);
        assert_eq!(table.column("n").unwrap().values.len(), 8);
        assert_eq!(
            message(csv("n,t\n1,a\nNaN,b\n")),
            ", row 2 (line 3), column `n`: `NaN` is not a finite number; \
             leave the cell empty if the value is missing"
        );
    }

    #[test]
    fn delimiters_follow_extension_and_header() {
        for (text, extension) in [
            ("a,b\n1,2\n", "csv"),
            ("a;b\n1;2\n", "csv"),
            ("a\tb\n1\t2\n", "tsv"),
            ("a\tb\n1\t2\n", "TAB"),
        ] {
            let table = read_bytes(text.as_bytes(), extension).unwrap();
            assert_eq!(numbers(&table, "b"), [2.0], "{text:?}");
        }
        let message = message(read_bytes(b"a\n1\n", "txt"));
        assert_eq!(
            message,
            ": the extension must be one of .csv, .tsv, .tab, .jsonl, .ndjson and .parquet"
        );
    }

    #[test]
    fn byte_order_mark_carriage_returns_and_quotes_are_understood() {
        let table = csv("\u{feff}a,b\r\n1,\"x, \"\"y\"\"\"\r\n2,\"two\nlines\"\r\n").unwrap();
        assert_eq!(numbers(&table, "a"), [1.0, 2.0]);
        assert_eq!(texts(&table, "b"), [Some("x, \"y\""), Some("two\nlines")]);
    }

    #[test]
    fn a_missing_final_newline_loses_nothing() {
        assert_eq!(numbers(&csv("a\n1\n2").unwrap(), "a"), [1.0, 2.0]);
    }

    #[test]
    fn an_unnamed_column_is_left_out_with_a_notice() {
        let table = csv(",a\n0,1\n1,2\n").unwrap();
        assert_eq!(table.columns().len(), 1);
        assert_eq!(table.notices(), [Notice::UnnamedColumn { position: 1 }]);
    }

    #[test]
    fn empty_files_and_lone_headers_are_errors() {
        let empty = ": the file is empty; its first line must name the columns";
        for text in ["", "\n", "\n\n  \n", "\u{feff}", ",,\n1,2,3\n"] {
            assert_eq!(message(csv(text)), empty, "{text:?}");
        }
        assert_eq!(message(csv("a,b\n")), ": there is a header but no row of data");
        assert_eq!(message(csv("a,b")), ": there is a header but no row of data");
    }

    #[test]
    fn ragged_rows_are_named_by_row_and_line() {
        assert_eq!(
            message(csv("a,b\n1,2\n3\n")),
            ", row 2 (line 3): expected 2 cells, as many as the header has, found 1"
        );
        assert_eq!(
            message(csv("a,b\r\n\r\n1,2\r\n\r\n\r\n3,4,5\r\n")),
            ", row 2 (line 6): expected 2 cells, as many as the header has, found 3"
        );
        assert_eq!(
            message(csv("a,b\n\"1\n1\",2\n3,\"unclosed\n4,5\n6")),
            ", row 2 (line 4): a quoted cell is not closed before the end of the file"
        );
    }

    #[test]
    fn rows_know_their_line_past_blank_lines_and_quoted_breaks() {
        let table = csv("a,b\n\n1,\"x\ny\"\n\n\n2,z\n3,w\n").unwrap();
        let lines: Vec<_> = (0..3).map(|row| table.place(row).line.unwrap()).collect();
        assert_eq!(lines, [3, 7, 8]);
        assert_eq!(table.place(2).row, 3);
    }

    #[test]
    fn duplicate_headers_infinite_numbers_and_foreign_text_are_errors() {
        assert_eq!(message(csv("a,b,a\n1,2,3\n")), ", column `a`: two columns have this name");
        for cell in ["inf", "-Infinity", "1e999"] {
            let message = message(csv(&format!("a,b\n1,2\n3,{cell}\n")));
            assert!(message.starts_with(", row 2 (line 3), column `b`: `"), "{message}");
            assert!(message.contains("inf` is not a finite number"), "{message}");
        }
        assert_eq!(
            message(read_bytes(b"a,b\n1,caf\xe9\n", "csv")),
            ", row 1 (line 2), column `b`: the text is not UTF-8; save the file as UTF-8"
        );
        assert_eq!(
            message(read_bytes(b"a,caf\xe9\n1,2\n", "csv")),
            ", column `caf\u{fffd}`: the text is not UTF-8; save the file as UTF-8"
        );
        assert!(message(read_bytes(b"\xff\xfea\0,\0b\0\n\0", "csv")).contains("not UTF-8"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let message = Table::read(Path::new("no/such.csv")).unwrap_err().to_string();
        assert!(message.starts_with("no/such.csv: cannot be read: "), "{message}");
        for path in ["no/such.csv", "such.xlsx", "no/such"] {
            let message = Table::open(path).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{path}: cannot be read: ")), "{message}");
        }
    }
}
