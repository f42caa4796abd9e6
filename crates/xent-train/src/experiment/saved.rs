use std::path::Path;

use super::judge::Judge;
use super::{ExperimentError, MODEL, Recorded};
use crate::data::{Dataset, Notice, Shape, Task};
use crate::error::RunError;
use crate::model::Network;
use crate::run::{Run, RunDirectory, TestResult};
use crate::weights::from_safetensors;

/// A model read back from its run directory.
pub struct Saved {
    /// The run.
    pub run: Run<Recorded>,
    model: Network,
    judge: Judge,
}

/// What a model says of each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Numbers in the units of the target.
    Numbers(Vec<f64>),
    /// Classes.
    Classes {
        /// The labels of the classes, in ascending order.
        names: Vec<String>,
        /// `rows × names` probabilities, row after row.
        probabilities: Vec<f64>,
    },
}

impl Saved {
    /// Reads the run in a directory.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, ExperimentError> {
        let directory = RunDirectory::open(path)?;
        let run: Run<Recorded> = directory.read_run()?;
        let Recorded { configuration, class_weights, .. } = &run.configuration;
        let judge = Judge::new(&configuration.loss, class_weights.clone(), run.encoder.target())?;
        let path = directory.file(MODEL);
        let bytes = std::fs::read(&path).map_err(RunError::io(&path))?;
        let model = from_safetensors(judge.model(run.encoder.shape(), configuration)?, &bytes)
            .map_err(|source| ExperimentError::Weights { path, source })?;
        Ok(Self { run, model, judge })
    }

    /// Opens data in the way the data of the training was read: the same
    /// columns, images scaled to the same size.
    ///
    /// # Errors
    /// Whatever is wrong with the data.
    pub fn read(&self, path_or_name: &str) -> Result<Dataset, ExperimentError> {
        let shape = match self.run.encoder.shape() {
            Shape::Image(shape) => Some(shape),
            Shape::Features(_) | Shape::Tokens(_) => None,
        };
        let reading = &self.run.configuration.configuration.reading;
        Ok(Dataset::open_like(path_or_name, reading, shape)?)
    }

    /// Judges the model on data, and says what was done to it. Rows without a
    /// target are left out, and those for training where the data has a test.
    ///
    /// # Errors
    /// Whatever is wrong with the data; labels that training has not seen.
    pub fn evaluate(&self, data: Dataset) -> Result<(TestResult, Vec<Notice>), ExperimentError> {
        let encoder = &self.run.encoder;
        let data = data.of_test().with_known_target()?;
        let result = self.judge.result(&self.model, &encoder.encode(&data)?)?;
        Ok((result, [data.table().notices(), &encoder.notices(&data)?].concat()))
    }

    /// Predicts the target for each row of data, which need not have it, and
    /// says what was done to it.
    ///
    /// # Errors
    /// Whatever is wrong with the data.
    pub fn predict(&self, data: &Dataset) -> Result<(Predictions, Vec<Notice>), ExperimentError> {
        let encoder = &self.run.encoder;
        let rows = encoder.encode_inputs(data)?;
        let predictions = self.judge.predict(&self.model, &rows.inputs);
        let predictions = match encoder.target().task() {
            Task::Regression => Predictions::Numbers(self.judge.numbers(&predictions)),
            Task::Binary | Task::Classes => Predictions::Classes {
                names: encoder.target().classes().to_vec(),
                probabilities: self
                    .judge
                    .log_probabilities(&predictions)
                    .into_iter()
                    .map(f64::exp)
                    .collect(),
            },
        };
        Ok((predictions, [data.table().notices(), &encoder.notices(data)?].concat()))
    }
}
