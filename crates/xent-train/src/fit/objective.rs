use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use xent::{Family, Loss, WhenEmpty};
use xent_burn::Criterion;

use super::{Examples, FitError};
use crate::data::{Inputs, Shape};
use crate::head::{Head, Labels};
use crate::model::{Batch, Model, device, host_values};

/// What training minimises: a loss, with a weight per class if wanted, behind
/// the head that feeds it.
#[derive(Clone)]
pub struct Objective {
    loss: Arc<dyn Loss>,
    class_weights: Option<Vec<f32>>,
    head: Head,
    criterion: Criterion,
}

impl Objective {
    /// The objective for labels in `classes` classes, or for numbers if `None`.
    ///
    /// # Errors
    /// A loss on classes for numbers, and class weights that do not fit the
    /// classes.
    pub fn new(
        loss: Arc<dyn Loss>,
        class_weights: Option<Vec<f32>>,
        classes: Option<usize>,
    ) -> Result<Self, FitError> {
        let head = Head::new(loss.as_ref(), classes)
            .ok_or_else(|| FitError::NeedsClasses { loss: loss.name() })?;
        let mut criterion = Criterion::new(loss.clone());
        if let Some(weights) = &class_weights {
            match classes {
                None => return Err(FitError::WeightsWithoutClasses),
                Some(expected) if expected != weights.len() => {
                    return Err(FitError::ClassWeights { expected, actual: weights.len() });
                }
                Some(_) if loss.family() == Family::Classwise => {
                    criterion = criterion.class_weights(weights.as_slice());
                }
                Some(_) => {}
            }
        }
        Ok(Self { loss, class_weights, head, criterion })
    }

    /// The loss.
    pub fn loss(&self) -> &dyn Loss {
        self.loss.as_ref()
    }

    /// What stands between a model and the loss.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The predictions of `model`, row-major and as the loss takes them.
    ///
    /// # Panics
    /// If the model does not take such inputs.
    pub fn predict<M: Model>(&self, model: &M, inputs: &Inputs) -> Vec<f32> {
        /// How many rows the model predicts at once, so that what it holds in
        /// between stays small.
        const FEATURES_AT_ONCE: usize = 4096;
        const OTHERS_AT_ONCE: usize = 128;
        let model = model.valid();
        let device = device().inner();
        let rows: Vec<usize> = (0..inputs.rows()).collect();
        let at_once = match inputs.shape() {
            Shape::Features(_) => FEATURES_AT_ONCE,
            Shape::Image(_) | Shape::Tokens(_) => OTHERS_AT_ONCE,
        };
        let mut predictions = Vec::with_capacity(rows.len() * self.head.outputs());
        for rows in rows.chunks(at_once) {
            let batch = Batch::new(inputs, rows, &device, None);
            predictions.extend(host_values(self.head.activate(model.forward(batch, None))));
        }
        predictions
    }

    /// The loss of all of `examples`, and the predictions, row-major and as the
    /// loss takes them.
    ///
    /// # Errors
    /// Whatever the loss refuses.
    ///
    /// # Panics
    /// If the model does not take such inputs.
    pub fn evaluate<M: Model>(
        &self,
        model: &M,
        examples: &Examples<'_>,
    ) -> Result<(f64, Vec<f32>), FitError> {
        let predictions = self.predict(model, examples.inputs);
        Ok((self.loss_of_all(&predictions, examples)?, predictions))
    }

    /// Whether the loss takes all the labels and weights. An error then names
    /// the row of the data, not of a batch.
    pub(super) fn check(&self, examples: &Examples<'_>) -> Result<(), FitError> {
        let shape = [examples.labels.rows(), self.head.outputs()];
        let outputs = Tensor::<2>::zeros(shape, &device().inner());
        self.loss_of_all(&host_values(self.head.activate(outputs)), examples).map(drop)
    }

    fn loss_of_all(&self, predictions: &[f32], examples: &Examples<'_>) -> Result<f64, FitError> {
        let shape = [examples.labels.rows(), self.head.outputs()];
        let predictions = TensorData::new(predictions.to_vec(), shape);
        let predictions = Tensor::from_data(predictions, &device());
        let rows: Vec<usize> = (0..shape[0]).collect();
        let loss = self.compare(&self.criterion, predictions, examples, &rows)?;
        Ok(super::value(&loss))
    }

    /// The loss of some rows, ready for `backward`.
    pub(super) fn batch_loss(
        &self,
        outputs: Tensor<2>,
        examples: &Examples<'_>,
        rows: &[usize],
    ) -> Result<Tensor<1>, FitError> {
        // By chance, all rows may be of weight 0.
        let criterion = self.criterion.clone().when_empty(WhenEmpty::Zero);
        self.compare(&criterion, self.head.activate(outputs), examples, rows)
    }

    fn compare(
        &self,
        criterion: &Criterion,
        predictions: Tensor<2>,
        examples: &Examples<'_>,
        rows: &[usize],
    ) -> Result<Tensor<1>, FitError> {
        let targets = self.head.targets(examples.labels, rows);
        Ok(match self.row_weights(examples, rows) {
            Some(weights) => criterion.forward_weighted(predictions, targets, weights)?,
            None => criterion.forward(predictions, targets)?,
        })
    }

    /// The weights of the rows, and for a pointwise loss, which knows no
    /// classes, those of their classes.
    fn row_weights(&self, examples: &Examples<'_>, rows: &[usize]) -> Option<Tensor<1>> {
        let of_class = match (&self.class_weights, self.loss.family(), examples.labels) {
            (Some(weights), Family::Pointwise, Labels::Classes { indices, .. }) => {
                Some(|row: usize| weights[indices[row]])
            }
            _ => None,
        };
        if of_class.is_none() && examples.weights.is_none() {
            return None;
        }
        let weight = |&row: &usize| {
            let of_row = examples.weights.map_or(1.0, |weights| weights[row]);
            of_row * of_class.as_ref().map_or(1.0, |weight| weight(row))
        };
        let weights: Vec<f32> = rows.iter().map(weight).collect();
        Some(Tensor::from_data(TensorData::new(weights, [rows.len()]), &device()))
    }
}
