//! Errors of the core as Python exceptions: a class for each kind, and the same text.

use pyo3::prelude::*;
use pyo3::types::PyType;
use xent::Error;

/// The class of `xent.errors` for an error.
fn class(error: &Error) -> &'static str {
    match error {
        Error::Shape { .. } => "ShapeError",
        Error::OutOfRange { .. } => "RangeError",
        Error::Label { .. } => "LabelError",
        Error::Parameter { .. } => "ParameterError",
        Error::TargetKind { .. } => "TargetKindError",
        Error::Empty { .. } => "EmptyError",
        Error::Reduction(_) => "ReductionError",
        Error::Unsupported(_) => "UnsupportedError",
        Error::UnknownLoss { .. } => "UnknownLossError",
        Error::UnknownParameter { .. } => "UnknownParameterError",
        Error::Syntax { .. } => "LossSyntaxError",
        _ => "Error",
    }
}

/// What the core calls an argument, and what it is called here.
const NAMES: [(&str, &str); 2] = [("class_weights", "class_weight"), ("weights", "sample_weight")];

/// The exception for an error of the core.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    raise(py, class(error), named_as_here(&error.to_string()))
}

/// A text of the core with the names that arguments have here.
fn named_as_here(text: &str) -> String {
    let inside_word = |character: char| character.is_alphanumeric() || character == '_';
    let pieces = text.split_inclusive(|character| !inside_word(character));
    let renamed = pieces.map(|piece| {
        let word = piece.trim_end_matches(|character| !inside_word(character));
        let name = NAMES.iter().find(|(core, _)| *core == word).map_or(word, |(_, here)| here);
        [name, &piece[word.len()..]].concat()
    });
    renamed.collect()
}

/// The exception for an argument whose shape does not fit.
pub(crate) fn shape(
    py: Python<'_>,
    argument: &'static str,
    expected: String,
    actual: String,
) -> PyErr {
    exception(py, &Error::Shape { argument, expected, actual })
}

/// The exception for an argument that is wrong in some other way.
pub(crate) fn unsupported(py: Python<'_>, text: String) -> PyErr {
    exception(py, &Error::Unsupported(text))
}

/// The exception for a reduction that there is not.
pub(crate) fn no_reduction(py: Python<'_>, text: String) -> PyErr {
    raise(py, "ReductionError", format!("reduction: {text}"))
}

fn raise(py: Python<'_>, class: &str, text: String) -> PyErr {
    let class = py
        .import("xent.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, text),
        Err(error) => error,
    }
}
