//! From data and a configuration to a trained, judged and saved model, and back
//! from a saved one to predictions.

mod judge;
mod loss;
mod prepared;
mod report;
mod saved;
mod training;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::{Reading, Task};
use crate::error::{DataError, RunError};
use crate::fit::{FitError, Settings};
use crate::model::Architecture;
use crate::weights::WeightsError;

pub(crate) use judge::Judge;
pub(crate) use loss::suits;
pub use loss::{ClassWeights, WeightedLoss};
pub use prepared::Prepared;
pub use report::training_report;
pub use saved::{Predictions, Saved};
pub use training::{Keeping, Trained, train, train_kept};

const MODEL: &str = "model.safetensors";

/// What is trained, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// File, folder or name of the data.
    pub data: String,
    /// How it is read.
    pub reading: Reading,
    /// What is predicted.
    pub task: Task,
    /// What training minimises.
    pub loss: WeightedLoss,
    /// The shape of the model.
    #[serde(flatten)]
    pub architecture: Architecture,
    /// Share of the hidden units that drop out in each step, 0 or more and
    /// below 1.
    #[serde(default)]
    pub dropout: f64,
    /// Share of the rows for validation; may be 0.
    pub validation: f64,
    /// Share of the rows for the test, above 0 unless the data says which these
    /// are.
    pub test: f64,
    /// How to train; its seed also decides the split and the first weights.
    #[serde(flatten)]
    pub settings: Settings,
}

/// The configuration of a run as its file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// What was trained, and how.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// What the class weights came to.
    pub class_weights: Option<Vec<f32>>,
    /// How many numbers training adjusted.
    pub parameters: usize,
}

/// Why an experiment cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// Something is wrong with the table.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Something is wrong with the settings, or training fails.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Something is wrong with the run directory.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The loss is unknown, or refuses its parameters or arguments.
    #[error(transparent)]
    Loss(#[from] xent::Error),
    /// The weights of a saved model do not fit its configuration.
    #[error("{}: {source}", .path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// Class weights that cannot be read.
    #[error(
        "class weights `{0}`: write `balanced`, or a number of 0 or more per class, \
         separated by commas and not all 0"
    )]
    ClassWeights(String),
    /// A loss for another kind of target.
    #[error("{loss} is for {suits}, but `{target}` has {has}; use {instead}")]
    Unsuited {
        /// The loss.
        loss: String,
        /// What it is for.
        suits: &'static str,
        /// The predicted column.
        target: String,
        /// What the column has.
        has: String,
        /// A loss of the catalogue that does what is wanted.
        instead: &'static str,
    },
    /// No test rows.
    #[error("the share for test must be above 0: a model is judged on rows it has not seen")]
    NoTest,
    /// A hidden layer without units.
    #[error("a hidden layer needs at least 1 unit")]
    NoUnits,
    /// A share of the units that is none, or all of them.
    #[error("dropout is {0}, but must be 0 or more and below 1")]
    Dropout(f64),
    /// A model for other inputs.
    #[error("{} takes no {inputs}; use --model {}", .model.name(), .usual.name())]
    Model {
        /// The model.
        model: Architecture,
        /// What the data is.
        inputs: &'static str,
        /// A model for it.
        usual: Architecture,
    },
    /// Data that has changed since training began.
    #[error("{0} is not the data that training began with; it has changed")]
    ChangedData(String),
}
