//! JSON Lines: a table with an object per line.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Column, Table, Values};
use crate::error::{DataError, DataProblem, Place};

/// Reads a file with a JSON object per line. The columns are all keys, in the
/// order in which they come up; a key that a line lacks is missing there, and
/// so is `null`. A column of numbers is numeric, any other is text; `true` and
/// `false` are text.
pub(super) fn read(path: &Path) -> Result<Table, DataError> {
    let name = path.display().to_string();
    let content = std::fs::read_to_string(path).map_err(|error| {
        let problem = match error.kind() {
            std::io::ErrorKind::InvalidData => DataProblem::NotUtf8,
            _ => DataProblem::Unreadable(error),
        };
        DataError::new(&name, problem)
    })?;
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    let mut names: Vec<String> = Vec::new();
    for (line, text) in (1..).zip(content.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let place = Place { row: rows.len() as u64 + 1, line: Some(line) };
        let row: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            DataError::new(&name, DataProblem::NotJson(error.to_string())).at(place)
        })?;
        for (key, value) in &row {
            if value.is_array() || value.is_object() {
                return Err(DataError::new(&name, DataProblem::Nested).at(place).column(key));
            }
            if !names.contains(key) {
                names.push(key.clone());
            }
        }
        rows.push(row);
        places.push(place);
    }
    let columns = names.into_iter().map(|name| column(&rows, name)).collect();
    Table { name, columns, places, notices: Vec::new() }.checked()
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
