use std::ops::ControlFlow;

use super::judge::Judge;
use super::{Configuration, ExperimentError, MODEL, Prepared, Recorded};
use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::data::Targets;
use crate::fit::{FitError, Fitted, Observer, Problem, Training};
use crate::model::{Model as _, Network};
use crate::report::Report;
use crate::run::{Data, Run, RunDirectory, TestResult};
use crate::weights::to_safetensors;

/// A trained model and its result on the test rows.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model and how it came to be.
    pub fitted: Fitted<Network>,
    /// The result on the test rows.
    pub test: TestResult,
    pub(super) class_weights: Option<Vec<f32>>,
    /// The prediction for each test row of a regression and how far the target
    /// is above it.
    pub(super) residuals: Vec<(f64, f64)>,
}

/// How a training outlives its process.
pub struct Keeping<'a> {
    /// Where its state is kept.
    pub checkpoints: Checkpoints<'a>,
    /// The state to go on from; from the start if `None`.
    pub from: Option<Checkpoint>,
    /// Says whether to stop after the step at hand.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Trains a model and judges it on the test rows. The metric of an epoch is the
/// accuracy, or R², on the validation rows.
///
/// # Errors
/// A loss or model that does not suit the data, settings out of range, and
/// training that diverges.
pub fn train(
    prepared: &Prepared,
    configuration: &Configuration,
    observer: &mut dyn Observer,
) -> Result<Trained, ExperimentError> {
    train_kept(prepared, configuration, observer, None)
}

/// As [`train`], with a state that is kept and gone on from. The result is the
/// same bits, however often training was interrupted.
///
/// # Errors
/// As [`train`], a checkpoint of another model, one that cannot be written, and
/// [`FitError::Interrupted`].
pub fn train_kept(
    prepared: &Prepared,
    configuration: &Configuration,
    observer: &mut dyn Observer,
    keeping: Option<Keeping<'_>>,
) -> Result<Trained, ExperimentError> {
    let Configuration { loss, settings, .. } = configuration;
    let target = prepared.encoder.target();
    loss.check(target)?;
    let class_weights = class_weights(prepared, configuration)?;
    let judge = Judge::new(loss, class_weights.clone(), target)?;
    let metric = |predictions: &[f32]| {
        let targets = prepared.validation.as_ref().map(|rows| &rows.targets);
        let metrics = targets.and_then(|targets| judge.metrics(predictions, targets).ok());
        metrics.map_or(f64::NAN, |metrics| metrics.headline().value)
    };
    let problem = Problem {
        loss: loss.loss.clone(),
        class_weights: class_weights.clone(),
        train: judge.examples(&prepared.train),
        validation: prepared.validation.as_ref().map(|rows| judge.examples(rows)),
        metric: Some(&metric),
    };
    let model = judge.model(prepared.encoder.shape(), configuration)?;
    let training = Training::new(&problem, settings)?;
    let fitted = match keeping {
        None => {
            let state = training.start(model)?;
            training.run(state, observer, &mut |_| Ok(ControlFlow::Continue(())))?
        }
        Some(Keeping { mut checkpoints, from, interrupted }) => {
            let state = match from {
                Some(checkpoint) => checkpoint.state(model, settings)?,
                None => training.start(model)?,
            };
            checkpoints.write(&state)?;
            training.run(state, observer, &mut |state| match interrupted() {
                true => checkpoints.write(state).map(|()| ControlFlow::Break(())),
                false => checkpoints.write_if_due(state).map(|()| ControlFlow::Continue(())),
            })?
        }
    };
    let test = judge.result(&fitted.model, &prepared.test)?;
    let residuals = judge.residuals(&fitted.model, &prepared.test);
    Ok(Trained { fitted, test, class_weights, residuals })
}

fn class_weights(
    prepared: &Prepared,
    configuration: &Configuration,
) -> Result<Option<Vec<f32>>, FitError> {
    let classes = prepared.encoder.target().classes().len();
    match (&configuration.loss.class_weights, &prepared.train.targets) {
        (None, _) => Ok(None),
        (Some(weights), Targets::Classes(labels)) => Ok(Some(weights.of(labels, classes))),
        (Some(_), _) => Err(FitError::WeightsWithoutClasses),
    }
}

impl Prepared {
    /// How many numbers training would adjust.
    ///
    /// # Errors
    /// A loss or model that does not suit the data.
    pub fn parameters(&self, configuration: &Configuration) -> Result<usize, ExperimentError> {
        let target = self.encoder.target();
        configuration.loss.check(target)?;
        let judge = Judge::new(&configuration.loss, class_weights(self, configuration)?, target)?;
        Ok(judge.model(self.encoder.shape(), configuration)?.parameters())
    }
}

impl Trained {
    /// Writes model, history, `report` and last `run.json`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(
        &self,
        directory: &RunDirectory,
        configuration: Configuration,
        prepared: &Prepared,
        report: &Report,
    ) -> Result<(), ExperimentError> {
        let path = directory.file(MODEL);
        let model = to_safetensors(&self.fitted.model)
            .map_err(|source| ExperimentError::Weights { path, source })?;
        directory.write(MODEL, &model)?;
        directory.write_history(&self.fitted.history)?;
        directory.write("report.html", report.html().as_bytes())?;
        let class_weights = self.class_weights.clone();
        let parameters = self.fitted.model.parameters();
        let configuration = Recorded { configuration, class_weights, parameters };
        let data = Data::new(
            prepared.source.clone(),
            prepared.fingerprint.clone(),
            &prepared.split,
            prepared.notices.clone(),
        );
        let encoder = prepared.encoder.clone();
        directory.write_run(&Run::new(configuration, data, self.test.clone(), encoder))?;
        Ok(())
    }
}
