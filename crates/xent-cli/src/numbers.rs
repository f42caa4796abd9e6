//! Lists of numbers as text: read from arguments, written to people and to JSON.

use crate::failure::{Failure, Result};
use serde::{Serialize, Serializer};
use std::fmt::Debug;
use std::str::FromStr;
use xent::Element;

/// A type of numbers that can be read and written.
pub(crate) trait Number: Element + FromStr + Serialize {}
impl Number for f32 {}
impl Number for f64 {}

/// Rows of numbers, all of one length.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    /// Row after row.
    pub(crate) entries: Vec<T>,
    /// How many rows there are.
    pub(crate) rows: usize,
}

/// Reads rows separated by `;` of numbers separated by `,`; `option` is where they come from.
pub(crate) fn rows<T: FromStr>(option: &str, text: &str) -> Result<Rows<T>> {
    let (mut entries, mut rows) = (Vec::new(), 0);
    let mut columns = None;
    for row in text.trim_end_matches([';', ' ']).split(';') {
        let start = entries.len();
        for cell in row.split(',') {
            let number = cell.trim().parse().map_err(|_| {
                Failure::Usage(format!("{option}: `{}` is not a number", cell.trim()))
            })?;
            entries.push(number);
        }
        rows += 1;
        let length = entries.len() - start;
        let expected = *columns.get_or_insert(length);
        if length != expected {
            return Err(Failure::Usage(format!(
                "{option}: row {rows} has {length} numbers, but row 1 has {expected}"
            )));
        }
    }
    Ok(Rows { entries, rows })
}

/// The shortest text that reads back as the same number.
pub(crate) fn exact<T: Number>(number: T) -> String {
    let text = format!("{number:?}").to_lowercase();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A number in JSON, where an infinite one and NaN are strings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Number> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0.to_f64().is_finite() {
            true => self.0.serialize(serializer),
            false => serializer.serialize_str(&exact(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let read = rows::<f64>("--prediction", "1, -inf;2e3,nan;").unwrap();
        assert_eq!((read.rows, read.entries.len()), (2, 4));
        assert_eq!(read.entries[..3], [1.0, f64::NEG_INFINITY, 2000.0]);
        assert!(read.entries[3].is_nan());
    }

    #[test]
    fn bad_lists_are_named() {
        let error = |text| rows::<f32>("--target", text).unwrap_err().to_string();
        assert_eq!(error("1,two"), "--target: `two` is not a number");
        assert_eq!(error("1,,2"), "--target: `` is not a number");
        assert_eq!(error("1,2;3"), "--target: row 2 has 1 numbers, but row 1 has 2");
    }

    #[test]
    fn exact_numbers_read_back() {
        for number in [4.1223074e-9f32, 0.1, -0.0, 1.0, 1e20, f32::MIN_POSITIVE, f32::INFINITY] {
            assert_eq!(exact(number).parse::<f32>().unwrap().to_bits(), number.to_bits());
        }
        assert_eq!(
            [exact(4.1223074e-9f32), exact(1.0), exact(f64::NAN)],
            ["4.1223074e-9", "1", "nan"]
        );
    }

    #[test]
    fn json_keeps_the_type_and_spells_what_it_cannot_hold() {
        let numbers = [Json(0.1f32), Json(f32::NEG_INFINITY), Json(f32::NAN)];
        assert_eq!(serde_json::to_string(&numbers).unwrap(), r#"[0.1,"-inf","nan"]"#);
    }
}
