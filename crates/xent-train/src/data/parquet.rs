use std::cell;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

use half::f16;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::scan::{Cell, Kind, Piece};
use super::{Column, Table, Values};
use crate::error::{DataError, DataProblem, Place};

/// Reads flat columns of numbers, booleans (as text) and text.
pub(super) fn read(path: &Path) -> Result<Table, DataError> {
    undamaged(&path.display().to_string(), || read_undamaged(path))
}

/// What `read` gives, or the error if it panics on a damaged file.
fn undamaged<T>(name: &str, read: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    caught(read).unwrap_or_else(|panic| Err(DataError::new(name, DataProblem::Parquet(panic))))
}

/// The library panics on some damaged files; this turns its panic into the
/// message, and keeps that off the standard error stream.
fn caught<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    thread_local!(static QUIET: cell::Cell<bool> = const { cell::Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    QUIET.set(false);
    result.map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => {
            panic.downcast_ref::<&str>().unwrap_or(&"its parts do not fit together").to_string()
        }
    })
}

fn read_undamaged(path: &Path) -> Result<Table, DataError> {
    let source = Source::open_undamaged(path)?;
    let name = source.name.clone();
    let mut columns = Vec::new();
    for (index, column) in source.names().into_iter().enumerate() {
        let content = source.content(index)?;
        let mut values = content.no_values();
        for group in 0..source.reader.num_row_groups() {
            let mut cells = source.cells(group, index)?;
            cells
                .read(usize::MAX, &mut |cell| match values.push(cell) {
                    Some(_) => Err(ParquetError::External(Box::new(NanCell(values.len() as u64)))),
                    None => Ok(()),
                })
                .map_err(|error| match NanCell::in_error(&error) {
                    Some(NanCell(row)) => {
                        DataError::new(&name, DataProblem::NotFinite("NaN".to_owned()))
                            .at(Place { row: *row, line: None })
                    }
                    None => source.corrupt(error),
                })
                .map_err(|error| error.column(&column))?;
        }
        columns.push(Column { name: column, values });
    }
    let rows = columns.first().map_or(0, |column| column.values.len());
    if rows as u64 != source.rows() {
        return Err(source.miscounted(rows));
    }
    Table {
        name,
        columns,
        places: (1..=rows as u64).map(|row| Place { row, line: None }).collect(),
        notices: Vec::new(),
    }
    .checked()
}

/// A Parquet file.
pub(super) struct Source {
    name: String,
    reader: SerializedFileReader<File>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        undamaged(&path.display().to_string(), || Self::open_undamaged(path))
    }

    fn open_undamaged(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| DataError::new(&name, DataProblem::Unreadable(error)))?;
        let reader = SerializedFileReader::new(file).map_err(|error| corrupt(&name, error))?;
        Ok(Self { name, reader })
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.columns().iter().map(|column| column.path().parts()[0].clone()).collect()
    }

    /// How many rows there are, by the footer.
    pub(super) fn rows(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Hands over some columns, so many rows at a time.
    pub(super) fn read<E: From<DataError>>(
        &self,
        columns: &[usize],
        kinds: &[Kind],
        rows: usize,
        mut visit: impl FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut end = 0;
        for group in 0..self.reader.num_row_groups() {
            let mut cells: Vec<Cells> = undamaged(&self.name, || {
                columns.iter().map(|&column| self.cells(group, column)).collect()
            })?;
            loop {
                let mut piece = undamaged(&self.name, || self.piece(&mut cells, kinds, rows))?;
                let count = piece.columns.first().map_or(0, Values::len);
                if count == 0 {
                    break;
                }
                let first = end + 1;
                end += count as u64;
                piece.places = (first..=end).map(|row| Place { row, line: None }).collect();
                piece.end = end;
                visit(piece)?;
            }
        }
        if end == self.rows() { Ok(()) } else { Err(self.miscounted(end as usize).into()) }
    }

    fn piece(&self, cells: &mut [Cells], kinds: &[Kind], rows: usize) -> Result<Piece, DataError> {
        let mut piece = Piece::new(kinds);
        for (column, cells) in cells.iter_mut().enumerate() {
            let read = cells.read(rows, &mut |cell| {
                piece.push(column, cell);
                Ok(())
            });
            read.map_err(|error| self.corrupt(error))?;
        }
        let count = |values: &Values| values.len();
        match piece.columns.windows(2).find(|pair| count(&pair[0]) != count(&pair[1])) {
            Some(pair) => Err(self.miscounted(count(&pair[1]))),
            None => {
                piece.odd.sort_by_key(|odd| odd.row);
                Ok(piece)
            }
        }
    }

    fn content(&self, column: usize) -> Result<Content, DataError> {
        let descriptor = self.reader.metadata().file_metadata().schema_descr().column(column);
        Content::of(&descriptor).ok_or_else(|| {
            let problem = DataProblem::UnsupportedType(type_name(&descriptor));
            DataError::new(&self.name, problem).column(&descriptor.path().parts()[0])
        })
    }

    /// The cells of a column in a row group.
    fn cells(&self, group: usize, column: usize) -> Result<Cells, DataError> {
        let content = self.content(column)?;
        let present = self.reader.metadata().file_metadata().schema_descr().column(column);
        let reader = self
            .reader
            .get_row_group(group)
            .and_then(|group| group.get_column_reader(column))
            .map_err(|error| self.corrupt(error))?;
        Ok(Cells { content, reader, present: present.max_def_level() })
    }

    fn corrupt(&self, error: ParquetError) -> DataError {
        corrupt(&self.name, error)
    }

    fn miscounted(&self, rows: usize) -> DataError {
        let problem = format!("{rows} rows where its footer says {}", self.rows());
        DataError::new(&self.name, DataProblem::Parquet(problem))
    }
}

fn corrupt(name: &str, error: ParquetError) -> DataError {
    let message = match error {
        ParquetError::General(message) => message,
        other => other.to_string(),
    };
    DataError::new(name, DataProblem::Parquet(message))
}

/// The row of a cell that is NaN, which is neither a number nor missing.
#[derive(Debug, thiserror::Error)]
#[error("NaN in row {0}")]
struct NanCell(u64);

impl NanCell {
    fn in_error(error: &ParquetError) -> Option<&Self> {
        match error {
            ParquetError::External(cause) => cause.downcast_ref(),
            _ => None,
        }
    }
}

/// What the bits of a column mean.
#[derive(Clone, Copy)]
enum Content {
    Boolean,
    Text,
    Float,
    Signed,
    Unsigned,
    /// Integers to be multiplied by this power of ten.
    Decimal(i32),
}

impl Content {
    fn of(descriptor: &ColumnDescriptor) -> Option<Self> {
        use ConvertedType as C;
        if descriptor.path().parts().len() > 1 || descriptor.max_rep_level() > 0 {
            return None;
        }
        let converted = descriptor.converted_type();
        let decimal = Self::Decimal(-descriptor.type_scale());
        match (descriptor.physical_type(), converted) {
            (Type::BOOLEAN, _) => Some(Self::Boolean),
            (Type::FLOAT | Type::DOUBLE, _) => Some(Self::Float),
            (Type::INT32 | Type::INT64, C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64) => {
                Some(Self::Signed)
            }
            (Type::INT32 | Type::INT64, C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64) => {
                Some(Self::Unsigned)
            }
            (Type::INT96, _) => None,
            (_, C::DECIMAL) => Some(decimal),
            (Type::INT32 | Type::INT64, C::NONE) => match descriptor.logical_type_ref() {
                // `Unknown` annotates columns that are null throughout.
                None | Some(LogicalType::Unknown) => Some(Self::Signed),
                Some(_) => None,
            },
            (Type::BYTE_ARRAY, C::UTF8 | C::ENUM | C::JSON) => Some(Self::Text),
            (Type::BYTE_ARRAY, _) => match descriptor.logical_type_ref() {
                Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => {
                    Some(Self::Text)
                }
                _ => None,
            },
            (Type::FIXED_LEN_BYTE_ARRAY, _) => match descriptor.logical_type_ref() {
                Some(LogicalType::Float16) => Some(Self::Float),
                _ => None,
            },
            _ => None,
        }
    }

    fn no_values(self) -> Values {
        match self {
            Self::Boolean | Self::Text => Values::Texts(Vec::new()),
            Self::Float | Self::Signed | Self::Unsigned | Self::Decimal(_) => {
                Values::Numbers(Vec::new())
            }
        }
    }

    /// `ones` has a 1 for each bit of the integer's type.
    fn integer(self, number: i128, ones: i128) -> f64 {
        match self {
            Self::Unsigned => (number & ones) as f64,
            Self::Decimal(power) => scaled(number, power),
            _ => number as f64,
        }
    }

    /// A half-precision float, or a big-endian decimal.
    fn bytes(self, bytes: &[u8]) -> Result<f64, ParquetError> {
        match (self, bytes) {
            (Self::Float, &[low, high]) => Ok(f16::from_le_bytes([low, high]).into()),
            (Self::Decimal(power), [first, ..]) if bytes.len() <= 16 => {
                let sign = if *first < 0x80 { 0 } else { -1 };
                let number =
                    bytes.iter().fold(sign, |number: i128, &byte| number << 8 | i128::from(byte));
                Ok(scaled(number, power))
            }
            _ => Err(ParquetError::General(format!("{} bytes are not a number", bytes.len()))),
        }
    }
}

/// The decimal number nearest to `number · 10^power`: parsing rounds once.
fn scaled(number: i128, power: i32) -> f64 {
    format!("{number}e{power}").parse().unwrap_or(f64::NAN)
}

/// The cells of a column chunk, one after the other.
struct Cells {
    content: Content,
    reader: ColumnReader,
    /// The definition level of a cell that is there.
    present: i16,
}

/// Takes a cell.
type Visit<'a> = &'a mut dyn FnMut(Cell<'_>) -> Result<(), ParquetError>;

impl Cells {
    /// Hands over the next cells, as many as there are up to a limit.
    fn read(&mut self, limit: usize, visit: Visit<'_>) -> Result<(), ParquetError> {
        use ColumnReader as R;
        let Self { content, ref mut reader, present } = *self;
        let integer = |number: i128, ones| Ok(Cell::Number(content.integer(number, ones)));
        let bytes = |bytes: &[u8]| content.bytes(bytes).map(Cell::Number);
        let is_text = matches!(content, Content::Boolean | Content::Text);
        match reader {
            R::BoolColumnReader(reader) if is_text => {
                let text = |truth: bool| Cell::Text(if truth { "true" } else { "false" });
                for_each(reader, present, limit, |&truth| Ok(text(truth)), visit)
            }
            R::ByteArrayColumnReader(reader) if is_text => {
                for_each(reader, present, limit, |cell| cell.as_utf8().map(Cell::Text), visit)
            }
            _ if is_text => Err(unexpected_type()),
            R::Int32ColumnReader(reader) => {
                let ones = u32::MAX.into();
                for_each(reader, present, limit, |&number| integer(number.into(), ones), visit)
            }
            R::Int64ColumnReader(reader) => {
                let ones = u64::MAX.into();
                for_each(reader, present, limit, |&number| integer(number.into(), ones), visit)
            }
            R::FloatColumnReader(reader) => {
                for_each(reader, present, limit, |&cell| Ok(Cell::Number(cell.into())), visit)
            }
            R::DoubleColumnReader(reader) => {
                for_each(reader, present, limit, |&cell| Ok(Cell::Number(cell)), visit)
            }
            R::ByteArrayColumnReader(reader) => {
                for_each(reader, present, limit, |cell| bytes(cell.data()), visit)
            }
            R::FixedLenByteArrayColumnReader(reader) => {
                for_each(reader, present, limit, |cell| bytes(cell.data()), visit)
            }
            _ => Err(unexpected_type()),
        }
    }
}

/// Hands over the next cells of a column chunk as `cell` reads them.
fn for_each<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    present: i16,
    limit: usize,
    cell: impl Fn(&T::T) -> Result<Cell<'_>, ParquetError>,
    visit: Visit<'_>,
) -> Result<(), ParquetError> {
    const BATCH: usize = 4096;
    let mut left = limit;
    let (mut cells, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    while left > 0 {
        cells.clear();
        levels.clear();
        let batch = left.min(BATCH);
        let (rows, ..) = reader.read_records(batch, Some(&mut levels), None, &mut cells)?;
        if rows == 0 {
            break;
        }
        left -= rows;
        let mut next = cells.iter();
        for row in 0..rows {
            let is_present = present == 0 || levels.get(row) == Some(&present);
            let present = if is_present { next.next() } else { None };
            visit(present.map_or(Ok(Cell::Missing), &cell)?)?;
        }
    }
    Ok(())
}

fn unexpected_type() -> ParquetError {
    ParquetError::General("a column's data is not of the type in the schema".to_owned())
}

fn type_name(descriptor: &ColumnDescriptor) -> String {
    if descriptor.max_rep_level() > 0 {
        return "list or map".to_owned();
    }
    if descriptor.path().parts().len() > 1 {
        return "struct".to_owned();
    }
    match (descriptor.logical_type_ref(), descriptor.converted_type()) {
        (Some(logical), _) => {
            let name = format!("{logical:?}");
            name.split(['(', '{', ' ']).next().unwrap_or_default().to_lowercase()
        }
        (None, ConvertedType::NONE) => descriptor.physical_type().to_string().to_lowercase(),
        (None, converted) => converted.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::{Compression, ZstdLevel};
    use parquet::data_type::{
        BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
        Int32Type, Int64Type,
    };
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// One nullable column of a file, and the definition levels of its rows.
    struct Chunk<'a, T: DataType>(&'a [T::T], &'a [i16]);

    /// Writes a file of one column in as many row groups as chunks.
    fn bytes<T: DataType>(
        column: &str,
        compression: Compression,
        chunks: &[Chunk<'_, T>],
    ) -> Vec<u8> {
        let schema = parse_message_type(&format!("message m {{ {column} }}")).unwrap();
        let properties = WriterProperties::builder().set_compression(compression);
        let mut bytes = Vec::new();
        let mut file =
            SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties.build()))
                .unwrap();
        for Chunk(values, levels) in chunks {
            let mut group = file.next_row_group().unwrap();
            let mut writer = group.next_column().unwrap().unwrap();
            writer
                .typed::<T>()
                .write_batch(values, (!levels.is_empty()).then_some(levels), None)
                .unwrap();
            writer.close().unwrap();
            group.close().unwrap();
        }
        file.close().unwrap();
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Table, DataError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.parquet");
        std::fs::write(&path, bytes).unwrap();
        Table::read(&path)
    }

    fn values<T: DataType>(column: &str, values: &[T::T], levels: &[i16]) -> Values {
        let bytes = bytes::<T>(column, Compression::SNAPPY, &[Chunk(values, levels)]);
        read_bytes(&bytes).unwrap().columns()[0].values.clone()
    }

    /// The message without the path, which differs from run to run.
    fn message(bytes: &[u8]) -> String {
        let error = read_bytes(bytes).unwrap_err();
        let message = error.to_string();
        message.strip_prefix(error.table()).unwrap().to_owned()
    }

    #[test]
    fn numbers_of_every_kind_are_read() {
        let expected = |numbers: &[f64]| Values::Numbers(numbers.to_vec());
        let cases = [
            (values::<Int32Type>("required int32 x;", &[-1, 2], &[]), [-1.0, 2.0]),
            (
                values::<Int32Type>("optional int32 x (INTEGER(32,false));", &[-1, 2], &[1, 1]),
                [4294967295.0, 2.0],
            ),
            (
                values::<Int64Type>("optional int64 x (UINT_64);", &[-1, 2], &[1, 1]),
                [18446744073709551615.0, 2.0],
            ),
            (
                values::<Int64Type>("optional int64 x (DECIMAL(18,3));", &[-1, 2300], &[1, 1]),
                [-0.001, 2.3],
            ),
            (
                values::<ByteArrayType>(
                    "optional binary x (DECIMAL(5,1));",
                    &[vec![0xff, 0xff].into(), vec![1, 0].into()],
                    &[1, 1],
                ),
                [-0.1, 25.6],
            ),
            (
                values::<FixedLenByteArrayType>(
                    "optional fixed_len_byte_array(2) x (FLOAT16);",
                    &[half(0x3c00), half(0xc000)],
                    &[1, 1],
                ),
                [1.0, -2.0],
            ),
        ];
        for (values, numbers) in cases {
            assert_eq!(values, expected(&numbers));
        }
    }

    fn half(bits: u16) -> FixedLenByteArray {
        ByteArray::from(bits.to_le_bytes().to_vec()).into()
    }

    #[test]
    fn text_and_booleans_are_text_and_nulls_missing() {
        let texts = |texts: &[Option<&str>]| {
            Values::Texts(texts.iter().map(|text| text.map(str::to_owned)).collect())
        };
        assert_eq!(
            values::<ByteArrayType>(
                "optional binary x (UTF8);",
                &["ä".into(), "".into()],
                &[1, 0, 1]
            ),
            texts(&[Some("ä"), None, Some("")])
        );
        assert_eq!(
            values::<BoolType>("optional boolean x;", &[true, false], &[1, 0, 1]),
            texts(&[Some("true"), None, Some("false")])
        );
    }

    #[test]
    fn nan_is_not_missing() {
        let chunks = [Chunk::<DoubleType>(&[1.0, f64::NAN], &[1, 0, 1])];
        let file = bytes("optional double x;", Compression::UNCOMPRESSED, &chunks);
        let error = read_bytes(&file).unwrap_err().to_string();
        assert!(error.contains("row 3, column `x`: `NaN` is not a finite number"), "{error}");
    }

    #[test]
    fn row_groups_pages_and_codecs_are_read_in_order() {
        let numbers: Vec<f64> = (0..10_000).map(f64::from).collect();
        let levels: Vec<i16> = (0..20_000).map(|row| row % 2).collect();
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::LZ4_RAW,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            let chunks = [Chunk::<DoubleType>(&numbers, &levels), Chunk(&numbers[..2], &[1, 1])];
            let table = read_bytes(&bytes("optional double x;", compression, &chunks)).unwrap();
            assert_eq!(table.rows(), 20_002);
            assert_eq!(table.place(20_001), Place { row: 20_002, line: None });
            let Values::Numbers(read) = &table.columns()[0].values else { panic!("not numbers") };
            assert!(read[0].is_nan() && read[2].is_nan());
            assert_eq!([read[1], read[3], read[19_999]], [0.0, 1.0, 9999.0]);
            assert_eq!(read[20_000..], [0.0, 1.0]);
        }
    }

    #[test]
    fn other_types_are_named() {
        let read = |column: &str| message(&bytes::<Int64Type>(column, Compression::SNAPPY, &[]));
        let advice = "are not read; convert it to numbers or text, or leave it out";
        for (column, name) in [
            ("optional int64 x (TIMESTAMP(NANOS,true));", "timestamp"),
            ("optional int32 x (DATE);", "date"),
            ("optional binary x;", "byte_array"),
            ("optional group x { optional int32 y; }", "struct"),
            ("repeated int32 x;", "list or map"),
        ] {
            let expected = format!(", column `x`: columns of type {name} {advice}");
            assert_eq!(read(column), expected);
        }
    }

    #[test]
    fn files_without_rows_are_errors() {
        let empty = bytes::<Int64Type>("optional int64 x;", Compression::SNAPPY, &[]);
        assert_eq!(message(&empty), ": there is a header but no row of data");
        assert!(message(b"").starts_with(": not a complete and readable Parquet file: "));
        assert!(message(b"PAR1").starts_with(": not a complete and readable Parquet file: "));
        assert!(message(b"a,b\n1,2\n").starts_with(": not a complete and readable Parquet file: "));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = bytes(
            "optional double x;",
            Compression::SNAPPY,
            &[Chunk::<DoubleType>(&[1.0, 2.0], &[1, 0, 1])],
        );
        assert!(read_bytes(&whole).is_ok());
        for length in 0..whole.len() {
            let message = message(&whole[..length]);
            assert!(
                message.contains("not a complete and readable Parquet file"),
                "{length}: {message}"
            );
        }
    }

    #[test]
    fn no_damaged_byte_brings_the_reader_down() {
        let texts: Vec<ByteArray> = ["a", "bb", "a", "ccc"].map(ByteArray::from).to_vec();
        let whole = bytes(
            "optional binary x (UTF8);",
            Compression::SNAPPY,
            &[Chunk::<ByteArrayType>(&texts, &[1, 1, 0, 1, 1])],
        );
        for index in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[index] ^= flip;
                if let Err(error) = read_bytes(&damaged) {
                    assert!(error.to_string().contains("data.parquet"));
                }
            }
        }
    }
}
