//! Why a command fails.

use xent_chart::NothingToDraw;
use xent_train::error::{DataError, RunError};
use xent_train::experiment::ExperimentError;
use xent_train::score::ScoreError;

/// Why a command fails; the text is the line that the user sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Arguments that do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A loss is unknown, or refuses its parameters or arguments.
    #[error(transparent)]
    Loss(#[from] xent::Error),
    /// A table cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A run directory cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Training, judging or predicting fails.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A table of predictions cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// There is no curve to draw.
    #[error("{0}; choose another --range")]
    Drawing(#[from] NothingToDraw),
    /// The user has ended it, and it can go on.
    #[error("{0}")]
    Interrupted(String),
    /// The standard output cannot be written.
    #[error("the standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// The standard output cannot be written as JSON.
    #[error("the standard output cannot be written: {0}")]
    Json(serde_json::Error),
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => Self::Output(kind.into()),
            None => Self::Json(error),
        }
    }
}

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;
