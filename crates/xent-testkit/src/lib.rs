//! The proof that a loss computes what its page says.
//!
//! [`oracle`] evaluates the formula text of a loss in arbitrary precision, with exact first and
//! second derivatives, and measures in units of the last place how far a result is from it.

pub mod oracle;
