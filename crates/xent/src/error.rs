//! What can be wrong with a call, and how to mend it.

/// Why a loss could not be evaluated. Each message names the argument, the place, the value and
/// the fix.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two arguments whose sizes do not fit together.
    #[error("{argument}: expected {expected}, got {actual}")]
    Shape {
        /// The argument at fault.
        argument: &'static str,
        /// The size that would fit.
        expected: String,
        /// The size it has.
        actual: String,
    },
    /// An entry outside the range that its argument allows; NaN is outside every range.
    #[error("{argument}[{index}] is {value}: {argument} must be {range}{hint}")]
    OutOfRange {
        /// The argument at fault.
        argument: &'static str,
        /// Its flat, row-major index.
        index: usize,
        /// The entry.
        value: f64,
        /// The legal range, in words.
        range: &'static str,
        /// How to mend it; empty or starting with `; `.
        hint: &'static str,
    },
    /// A class index that is not one of the classes.
    #[error(
        "targets[{index}] is {value}: class indices must be in 0..{classes}; \
         mark rows to skip with ignore_index or a mask"
    )]
    Label {
        /// The row.
        index: usize,
        /// The class index given.
        value: i64,
        /// How many classes the predictions have.
        classes: usize,
    },
    /// A parameter of a loss outside its legal range.
    #[error("{loss}: {parameter} is {value}, but must be in {range}")]
    Parameter {
        /// The loss.
        loss: &'static str,
        /// The parameter at fault.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// The legal range.
        range: String,
    },
    /// Class indices where the loss needs values, or the other way round.
    #[error("targets: {loss} needs {expected}, got {actual}")]
    TargetKind {
        /// The loss.
        loss: String,
        /// What it needs.
        expected: &'static str,
        /// What it got.
        actual: &'static str,
    },
    /// Every row is masked, ignored or of weight zero, so there is no mean.
    #[error(
        "no rows left: all {rows} are masked, ignored or of weight zero, so the mean is undefined; \
         set when_empty to zero for a mean of 0"
    )]
    Empty {
        /// How many rows there were.
        rows: usize,
    },
    /// The flag of [`Call::interrupt`](crate::Call::interrupt) was set. Buffers hold results in
    /// part, and so do predictions that a gradient was replacing.
    #[error("interrupted: the results are not complete")]
    Interrupted,
    /// A reduction that the call cannot answer with.
    #[error("reduction: {0}")]
    Reduction(&'static str),
    /// Losses of different kinds in one sum, or an option that does not apply to the loss.
    #[error("{0}")]
    Unsupported(String),
    /// A name that is not in the catalogue.
    #[error("unknown loss '{name}'{}", did_you_mean(nearest.as_deref()))]
    UnknownLoss {
        /// The name asked for.
        name: String,
        /// The closest name in the catalogue, if one is close.
        nearest: Option<String>,
    },
    /// A parameter that the loss does not have.
    #[error("{loss} has no parameter '{name}'; it has {known}")]
    UnknownParameter {
        /// The loss.
        loss: &'static str,
        /// The parameter asked for.
        name: String,
        /// Those it has.
        known: String,
    },
    /// A text form that cannot be read.
    #[error("cannot read the loss '{text}': {reason}; write name:key=value,key=value")]
    Syntax {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean '{name}'?"),
        None => "; `xent list` shows them all".into(),
    }
}

/// The result of evaluating a loss.
pub type Result<T, E = Error> = std::result::Result<T, E>;
