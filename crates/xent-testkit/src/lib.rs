//! The proof that a loss computes what its page says.
//!
//! [`oracle`] evaluates the formula text of a loss in arbitrary precision, with exact first and
//! second derivatives, and measures in units of the last place how far a result is from it.
//! [`sample`] makes parameters, predictions and targets, random and adversarial.
//! [`accuracy`] holds a loss of the catalogue against the oracle. [`laws`] are what every loss
//! obeys whatever its formula. The test `conformance` loops them over the catalogue.

pub mod accuracy;
pub mod laws;
pub mod oracle;
pub mod sample;

/// The example of the README runs with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
