//! JSON Lines: a table with an object per line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::scan::Cell;
use super::{Column, Table, Values};
use crate::error::{DataError, DataProblem, Place};

/// Reads a file with a JSON object per line. The columns are all keys, in the
/// order in which they come up; a key that a line lacks is missing there, and
/// so is `null`. A column of numbers is numeric, any other is text; `true` and
/// `false` are text.
pub(super) fn read(path: &Path) -> Result<Table, DataError> {
    let Source { path, name, names, .. } = &Source::open(path)?;
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for_each_row(path, name, |place, _, row| {
        rows.push(row);
        places.push(place);
        Ok::<_, DataError>(())
    })?;
    let columns = names.iter().map(|name| column(&rows, name.clone())).collect();
    Table { name: name.clone(), columns, places, notices: Vec::new() }.checked()
}

/// A file of objects, which is read from its start for each question.
pub(super) struct Source {
    path: PathBuf,
    name: String,
    names: Vec<String>,
    length: u64,
}

impl Source {
    /// Reads through the file once, for the names of its columns.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let (mut names, mut length) = (Vec::new(), 0);
        for_each_row(path, &name, |place, end, row| {
            length = end;
            for (key, value) in &row {
                if value.is_array() || value.is_object() {
                    return Err(DataError::new(&name, DataProblem::Nested).at(place).column(key));
                }
                if !names.contains(key) {
                    names.push(key.clone());
                }
            }
            Ok(())
        })?;
        if names.is_empty() {
            return Err(DataError::new(&name, DataProblem::Empty));
        }
        Ok(Self { path: path.to_owned(), name, names, length })
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many bytes there are up to the end of the last row.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Hands over each row, with its place and the byte after it.
    pub(super) fn for_each_row<E: From<DataError>>(
        &self,
        visit: impl FnMut(Place, u64, Map<String, Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        for_each_row(&self.path, &self.name, visit)
    }
}

fn for_each_row<E: From<DataError>>(
    path: &Path,
    name: &str,
    mut visit: impl FnMut(Place, u64, Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |error: std::io::Error| {
        let problem = match error.kind() {
            ErrorKind::InvalidData => DataProblem::NotUtf8,
            _ => DataProblem::Unreadable(error),
        };
        DataError::new(name, problem)
    };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut row, mut end, mut text) = (0, 0, String::new());
    for line in 1.. {
        text.clear();
        let length = file.read_line(&mut text).map_err(unreadable)?;
        end += length as u64;
        if length == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        row += 1;
        let place = Place { row, line: Some(line) };
        let cells = serde_json::from_str(text.trim_end()).map_err(|error| {
            DataError::new(name, DataProblem::NotJson(error.to_string())).at(place)
        })?;
        visit(place, end, cells)?;
    }
    Ok(())
}

/// Hands over what a value stands for.
pub(super) fn with_cell(value: Option<&Value>, visit: impl FnOnce(Cell<'_>)) {
    match value {
        None | Some(Value::Null) => visit(Cell::Missing),
        Some(Value::String(text)) => visit(Cell::Text(text)),
        Some(Value::Number(number)) => visit(Cell::Number(number.as_f64().unwrap_or(f64::NAN))),
        Some(other) => visit(Cell::Text(&other.to_string())),
    }
}

fn column(rows: &[Map<String, Value>], name: String) -> Column {
    let cells = || rows.iter().map(|row| row.get(&name).filter(|value| !value.is_null()));
    let numbers: Option<Vec<f64>> =
        cells().map(|cell| cell.map_or(Some(f64::NAN), Value::as_f64)).collect();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let values = match numbers {
        Some(numbers) => Values::Numbers(numbers),
        None => Values::Texts(cells().map(|cell| cell.map(text)).collect()),
    };
    Column { name, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &str) -> Result<Table, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.jsonl");
        std::fs::write(&path, lines).unwrap();
        Table::read(&path)
    }

    #[test]
    fn objects_are_rows_and_their_keys_columns() {
        let lines = "{\"t\": \"a b\", \"x\": 1}\n\n{\"y\": true, \"x\": 2.5, \"t\": null}\n";
        let table = read_lines(lines).unwrap();
        let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["t", "x", "y"]);
        assert_eq!(table.columns()[1].values, Values::Numbers(vec![1.0, 2.5]));
        assert_eq!(table.columns()[2].values, Values::Texts(vec![None, Some("true".to_owned())]));
        assert_eq!(table.place(1).line, Some(3));
    }

    #[test]
    fn lines_that_are_no_flat_objects_are_named() {
        let message = |lines: &str| read_lines(lines).unwrap_err().to_string();
        assert!(message("{\"a\": 1}\n[1]\n").contains("row 2 (line 2): not a JSON object"));
        let nested = message("{\"a\": {\"b\": 1}}\n");
        assert!(nested.contains("column `a`: lists and objects are not read"), "{nested}");
        assert!(message("").contains("the file is empty"));
    }
}
