use super::{Configuration, ExperimentError, WeightedLoss};
use crate::data::{Encoded, Inputs, Shape, Target, Targets, Task};
use crate::fit::{Examples, FitError, Objective};
use crate::head::Labels;
use crate::metrics::{Classification, Metrics, Regression, log_probabilities};
use crate::model::{Architecture, Network};
use crate::run::TestResult;

/// What predictions for a target mean, and how good they are.
pub(crate) struct Judge {
    objective: Objective,
    target: Target,
}

impl Judge {
    pub(crate) fn new(
        loss: &WeightedLoss,
        class_weights: Option<Vec<f32>>,
        target: &Target,
    ) -> Result<Self, FitError> {
        let classes = (target.task() != Task::Regression).then(|| target.classes().len());
        let objective = Objective::new(loss.loss.clone(), class_weights, classes)?;
        Ok(Self { objective, target: target.clone() })
    }

    /// The model before training.
    pub(crate) fn model(
        &self,
        shape: Shape,
        configuration: &Configuration,
    ) -> Result<Network, ExperimentError> {
        let Configuration { architecture, dropout, settings, .. } = configuration;
        if !architecture.has_units() {
            return Err(ExperimentError::NoUnits);
        }
        if !(0.0..1.0).contains(dropout) {
            return Err(ExperimentError::Dropout(*dropout));
        }
        if !architecture.takes(shape) {
            let inputs = match shape {
                Shape::Features(_) => "columns of a table",
                Shape::Image(_) => "images",
                Shape::Tokens(_) => "texts",
            };
            let (model, usual) = (architecture.clone(), Architecture::usual(shape));
            return Err(ExperimentError::Model { model, inputs, usual });
        }
        Ok(Network::new(architecture, shape, self.outputs(), *dropout, settings.seed))
    }

    /// How many outputs a model must have.
    pub(crate) fn outputs(&self) -> usize {
        self.objective.head().outputs()
    }

    pub(crate) fn examples<'a>(&self, rows: &'a Encoded) -> Examples<'a> {
        let labels = match &rows.targets {
            Targets::Unknown => Labels::Values(&[]),
            Targets::Numbers { standardised, .. } => Labels::Values(standardised),
            Targets::Classes(indices) => {
                Labels::Classes { indices, count: self.target.classes().len() }
            }
        };
        Examples { inputs: &rows.inputs, labels, weights: rows.weights.as_deref() }
    }

    pub(crate) fn predict(&self, model: &Network, inputs: &Inputs) -> Vec<f32> {
        self.objective.predict(model, inputs)
    }

    pub(crate) fn result(
        &self,
        model: &Network,
        rows: &Encoded,
    ) -> Result<TestResult, ExperimentError> {
        let (loss, predictions) = self.objective.evaluate(model, &self.examples(rows))?;
        Ok(TestResult { loss, metrics: self.metrics(&predictions, &rows.targets)? })
    }

    /// The prediction for each row of a regression and how far the target is
    /// above it, in the units of the target.
    pub(crate) fn residuals(&self, model: &Network, rows: &Encoded) -> Vec<(f64, f64)> {
        let Targets::Numbers { original, .. } = &rows.targets else { return Vec::new() };
        let predictions = self.numbers(&self.predict(model, &rows.inputs));
        predictions.into_iter().zip(original).map(|(p, target)| (p, target - p)).collect()
    }

    pub(crate) fn metrics(&self, predictions: &[f32], targets: &Targets) -> xent::Result<Metrics> {
        match targets {
            Targets::Classes(labels) => {
                let (probabilities, classes) =
                    (self.log_probabilities(predictions), self.target.classes().len());
                Classification::new(&probabilities, classes, labels).map(Metrics::Classification)
            }
            Targets::Numbers { original, .. } => {
                Regression::new(&self.numbers(predictions), original).map(Metrics::Regression)
            }
            Targets::Unknown => Regression::new(&[], &[]).map(Metrics::Regression),
        }
    }

    pub(crate) fn numbers(&self, predictions: &[f32]) -> Vec<f64> {
        predictions.iter().map(|&p| self.target.original_units(p.into())).collect()
    }

    pub(crate) fn log_probabilities(&self, predictions: &[f32]) -> Vec<f64> {
        let loss = self.objective.loss();
        log_probabilities(predictions, self.outputs(), loss.family(), loss.prediction_domain())
    }
}
