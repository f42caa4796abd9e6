//! What a loss is, evaluated from its formula in as many digits as it takes.
//!
//! ```
//! use xent_testkit::oracle::{Format, Formula, Inputs, Shape, ulps};
//!
//! let formula = Formula::parse("-sum(target * log_softmax(prediction))").unwrap();
//! let row = Inputs {
//!     shape: Shape::Row,
//!     prediction: &[20.0, 0.0, 0.0],
//!     target: &[1.0, 0.0, 0.0],
//!     weight: &[],
//!     parameters: &[],
//! };
//! let exact = formula.evaluate(&row, Format::F32).unwrap();
//! assert_eq!(exact.value.to_f32(), 4.122_307_4e-9);
//! assert_eq!(exact.gradient[0].to_f32(), -4.122_307_4e-9);
//! assert!(ulps(4.122_307e-9, &exact.value, Format::F32) < 1.0);
//! assert_eq!(ulps(0.0, &exact.value, Format::F32).round(), 9_282_611.0);
//! ```
//!
//! # Grammar
//!
//! ```text
//! formula     = expression [ "where" binding { "," binding } ] ;
//! binding     = name "=" expression ;
//! expression  = "if" condition "then" expression "else" expression | sum ;
//! condition   = conjunction { "or" conjunction } ;
//! conjunction = comparison { "and" comparison } ;
//! comparison  = sum ( "<" | "<=" | ">" | ">=" | "==" ) sum ;
//! sum         = product { ( "+" | "-" ) product } ;
//! product     = unary { ( "*" | "/" ) unary } ;
//! unary       = "-" unary | power ;
//! power       = atom [ "^" unary ] ;
//! atom        = number | name | function "(" expression { "," expression } ")"
//!             | "(" expression ")" ;
//! number      = decimal digits with at most one point, at most 15 digits, taken exactly ;
//! name        = letter or "_", then letters, digits and "_" ;
//! ```
//!
//! Line breaks count as spaces. Bindings may use each other in any order, but not in a circle; a
//! binding hides an input of the same name.
//!
//! # Names
//!
//! `prediction`, `target` and `weight` are numbers in [`Shape::Scalar`] and rows of C numbers in
//! [`Shape::Row`]; `classes` is C; all other names are parameters. The formula itself is always a
//! number. A number meeting a row is repeated along it.
//!
//! # Functions
//!
//! - Entry by entry: `abs`, `sign`, `exp`, `expm1`, `log`, `log1p`, `sqrt`, `cosh`, `tanh`,
//!   `logcosh` (log of cosh), `sigmoid`, `log_sigmoid`, `softplus`, `max(a, b)`, `min(a, b)`.
//! - Row to row: `softmax`, `log_softmax`, `softmax_others` (1 − softmax, which keeps its relative
//!   precision where the difference would need thousands of bits).
//! - Row to number: `sum`, `logsumexp`.
//!
//! # Conventions
//!
//! - 0 times anything but NaN is 0, in derivatives too; so is 0/0. x/0 is the infinity of the
//!   sign of x. x^0 is 1.
//! - The derivative of `abs` at 0 is 0. `max(a, b)` is a where a > b, else b, and so is its
//!   derivative; `min(a, b)` is a where a < b, else b. `if` has the derivative of the branch taken.
//! - A fractional power needs a base ≥ 0; 0^p is 0 for p > 0, and its derivatives are the limits
//!   from above.
//! - −∞ is a legal prediction where the answer is finite.
//! - `exp` beyond e^(±2^40) is +∞ above, and below a number that is 0 in every format.

mod big;
mod evaluate;
mod jet;
mod parse;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use big::{Big, Format, ulps};
pub use parse::ParseError;

use evaluate::Evaluation;
use parse::Expression;

/// Significand bits of the first attempt; enough for nearly every input.
const FIRST_BITS: usize = 128;

/// Significand bits of the last attempt.
const LAST_BITS: usize = 8192;

/// A loss as its page states it.
#[derive(Clone, Debug)]
pub struct Formula {
    text: String,
    names: Vec<String>,
    body: Expression,
    bindings: Vec<Expression>,
}

/// Whether a loss is defined for one number or for a row of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `prediction`, `target` and `weight` are numbers: slices of length 1.
    Scalar,
    /// `prediction`, `target` and `weight` are rows: slices of length C.
    Row,
}

/// What a formula is evaluated at. All numbers are taken exactly.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Whether the slices stand for numbers or rows.
    pub shape: Shape,
    /// The variables of the derivatives, 1 or C of them.
    pub prediction: &'a [f64],
    /// As long as `prediction`; empty when the loss has no target.
    pub target: &'a [f64],
    /// As long as `prediction`; empty when the loss has no weight.
    pub weight: &'a [f64],
    /// Name and value of each parameter.
    pub parameters: &'a [(&'a str, f64)],
}

/// A formula's value and its derivatives, correct to 2^−20 units of the last place.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The loss of the number or row.
    pub value: Big,
    /// First derivative in each prediction, 1 or C of them.
    pub gradient: Vec<Big>,
    /// Second derivative in each prediction, 1 or C of them.
    pub curvature: Vec<Big>,
    /// Significand bits it took.
    pub bits: usize,
}

/// A formula that cannot be evaluated at the given inputs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluateError {
    /// A name is neither an input that is present, nor a parameter, nor a binding.
    #[error("formula `{formula}` uses `{name}`, which is no binding, and no such input is given")]
    UnknownName {
        /// The name.
        name: String,
        /// The formula.
        formula: String,
    },
    /// An input is not as long as `prediction`.
    #[error("`{argument}` has {length} entries where `prediction` has {expected}")]
    Length {
        /// The input.
        argument: &'static str,
        /// Its length.
        length: usize,
        /// The length it must have.
        expected: usize,
    },
    /// `prediction` is empty, or has more than one entry in [`Shape::Scalar`].
    #[error("`prediction` has {length} entries, which is no {shape:?}")]
    Prediction {
        /// Its length.
        length: usize,
        /// The shape asked for.
        shape: Shape,
    },
    /// A number stands where a row is needed, or the other way round.
    #[error("formula `{formula}`: {problem}")]
    Kind {
        /// What is wrong.
        problem: &'static str,
        /// The formula.
        formula: String,
    },
    /// Cancellation eats every digit up to the highest precision tried.
    #[error(
        "formula `{formula}` is not resolved with {bits} bits: rewrite it with less cancellation"
    )]
    Unresolved {
        /// The formula.
        formula: String,
        /// The highest precision tried.
        bits: usize,
    },
}

impl Formula {
    /// Reads a formula in the grammar of this [module](self).
    ///
    /// # Errors
    /// [`ParseError`], which shows the place with a caret.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text)
    }

    /// The formula on one line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The inputs and parameters the formula uses, each once, in order of appearance.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The value and its exact derivatives at `inputs`, correct to 2^−20 units of the last place
    /// of `format` each. Precision grows until they are.
    ///
    /// # Errors
    /// [`EvaluateError`] for inputs that do not fit the formula or each other, and for a formula
    /// that loses all its digits to cancellation.
    pub fn evaluate(&self, inputs: &Inputs<'_>, format: Format) -> Result<Exact, EvaluateError> {
        inputs.check()?;
        let mut bits = FIRST_BITS;
        loop {
            let evaluation = Evaluation::new(self, inputs, bits);
            let jet = evaluation.run()?;
            let resolved = jet.value.is_resolved(format)
                && jet.slopes.iter().all(|slope| {
                    slope.first.is_resolved(format) && slope.second.is_resolved(format)
                });
            // Sides of a branch that cannot be told apart at the highest precision are a tie.
            if resolved && (!evaluation.is_uncertain() || bits >= LAST_BITS) {
                return Ok(Exact::new(jet, inputs.prediction.len(), bits));
            }
            if bits >= LAST_BITS {
                return Err(EvaluateError::Unresolved { formula: self.text.clone(), bits });
            }
            bits *= 2;
        }
    }
}

impl Exact {
    fn new(jet: jet::Jet, entries: usize, bits: usize) -> Self {
        let mut gradient = vec![jet.value.constant(0.0); entries];
        let mut curvature = gradient.clone();
        for slope in jet.slopes {
            gradient[slope.entry] = slope.first;
            curvature[slope.entry] = slope.second;
        }
        Self { value: jet.value, gradient, curvature, bits }
    }
}

impl Inputs<'_> {
    fn check(&self) -> Result<(), EvaluateError> {
        let expected = self.prediction.len();
        if expected == 0 || (self.shape == Shape::Scalar && expected != 1) {
            return Err(EvaluateError::Prediction { length: expected, shape: self.shape });
        }
        for (argument, values) in [("target", self.target), ("weight", self.weight)] {
            if !values.is_empty() && values.len() != expected {
                return Err(EvaluateError::Length { argument, length: values.len(), expected });
            }
        }
        Ok(())
    }
}
