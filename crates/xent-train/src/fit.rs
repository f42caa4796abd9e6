//! Training: the loop over epochs and batches.

use std::sync::Arc;
use std::time::Instant;

use burn::module::{ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use xent::penalty::{l1, l2};
use xent::{Family, Loss, WhenEmpty};
use xent_burn::Criterion;

use crate::head::{Head, Labels};
use crate::model::{Model, device};
use crate::optimizer::Optimizer;

/// How many rows the model predicts at once outside of training.
const PREDICTED_AT_ONCE: usize = 4096;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How gradients change the weights.
    pub optimizer: Optimizer,
    /// The step size, above 0.
    pub learning_rate: f64,
    /// How often training sees all rows, at least once.
    pub epochs: usize,
    /// Rows per step, at least 1; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// λ of the penalty λ·Σ|w| on weights, not on biases; 0 or more.
    pub l1: f64,
    /// λ of the penalty λ/2·Σw² on weights, not on biases; 0 or more.
    pub l2: f64,
    /// Stops after this many epochs without a lower validation loss, and
    /// returns the weights of the lowest one.
    pub early_stop: Option<usize>,
    /// Decides the order of the rows.
    pub seed: u64,
}

/// Rows to learn from or to check on.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// Features, row-major.
    pub features: &'a [f32],
    /// How many features a row has.
    pub columns: usize,
    /// The label of each row.
    pub labels: Labels<'a>,
}

/// Judges predictions by a number.
pub type Metric<'a> = dyn Fn(&[f32]) -> f64 + Sync + 'a;

/// What to learn, and from what.
#[derive(Clone)]
pub struct Problem<'a> {
    /// What training minimises.
    pub loss: Arc<dyn Loss>,
    /// A weight per class.
    pub class_weights: Option<Vec<f32>>,
    /// The rows to learn from.
    pub train: Examples<'a>,
    /// The rows to check on after each epoch.
    pub validation: Option<Examples<'a>>,
    /// Judges the predictions for the validation rows, row-major and as the
    /// loss takes them.
    pub metric: Option<&'a Metric<'a>>,
}

/// A finished step of training.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Number of the epoch; the first is 1.
    pub epoch: usize,
    /// Number of the batch in the epoch; the first is 1.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// The loss of the batch, without penalties.
    pub loss: f64,
}

/// A finished epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch; the first is 1.
    pub epoch: usize,
    /// Mean loss over the rows, each seen with the weights of its step, without
    /// penalties.
    pub train_loss: f64,
    /// Loss of the validation rows after the epoch.
    pub validation_loss: Option<f64>,
    /// Metric of the validation rows after the epoch.
    pub metric: Option<f64>,
    /// Duration of training and validation, in seconds.
    pub seconds: f64,
}

/// Watches training, for example to draw a progress bar.
pub trait Observer {
    /// Called after each step.
    fn step(&mut self, _step: &Step) {}
    /// Called after each epoch.
    fn epoch(&mut self, _epoch: &Epoch) {}
}

/// Watches nothing.
impl Observer for () {}

/// A trained model and how it came to be.
#[derive(Clone, Debug)]
pub struct Fitted<M> {
    /// The model, with the weights of `epoch`.
    pub model: M,
    /// The epoch whose weights the model has: the last one, or with early
    /// stopping the one of the lowest validation loss.
    pub epoch: usize,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// Euclidean norm of the gradient of the loss, without penalties, with
    /// respect to all parameters, on the first batch and before any step.
    pub first_gradient_norm: f64,
}

/// Why a model cannot be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// A setting outside its range.
    #[error("{name} is {value}, but must be {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The legal range.
        range: &'static str,
    },
    /// Early stopping with nothing to judge by.
    #[error("early stopping needs validation rows; set a share of the rows aside for validation")]
    NothingToStopBy,
    /// A loss on classes, for a numeric target.
    #[error("{loss} needs classes, but the target is numeric; choose a pointwise loss")]
    NeedsClasses {
        /// The loss.
        loss: String,
    },
    /// Class weights for a numeric target.
    #[error("class weights need classes, but the target is numeric; leave them out")]
    WeightsWithoutClasses,
    /// More or fewer class weights than classes.
    #[error("{actual} class weights for {expected} classes; give one per class")]
    ClassWeights {
        /// How many classes there are.
        expected: usize,
        /// How many weights there are.
        actual: usize,
    },
    /// Features, labels and columns that do not fit together, or no rows.
    #[error("{which} rows: {features} features do not make {rows} rows of {columns}")]
    Shape {
        /// `training` or `validation`.
        which: &'static str,
        /// How many features there are in all.
        features: usize,
        /// How many labels there are.
        rows: usize,
        /// How many features a row should have.
        columns: usize,
    },
    /// Validation rows of another kind than the training rows.
    #[error("training and validation rows differ in their columns or classes; encode them alike")]
    Validation,
    /// A label that is no class.
    #[error("{which} row {row} has the class {index}, but there are {classes} classes")]
    Label {
        /// `training` or `validation`.
        which: &'static str,
        /// The row, counted from 0.
        row: usize,
        /// The label.
        index: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// The loss refuses predictions or targets.
    #[error(transparent)]
    Loss(#[from] xent::Error),
    /// Training has diverged.
    #[error(
        "the {which} loss became {loss} in epoch {epoch}, batch {batch}: training diverges; \
         lower the learning rate, now {learning_rate}, for example to {}", learning_rate / 10.0
    )]
    Diverged {
        /// `training` or `validation`.
        which: &'static str,
        /// Number of the epoch; the first is 1.
        epoch: usize,
        /// Number of the last batch trained on; the first is 1.
        batch: usize,
        /// The loss: infinite or not a number.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
    },
}

/// Trains `model`. The same arguments give the same bits on the same machine,
/// whatever the number of threads.
///
/// # Errors
/// Arguments that are out of range or do not fit together, whatever the loss
/// refuses, and a loss that is infinite or not a number.
///
/// # Panics
/// If the model does not take as many features as the examples have.
pub fn fit<M: Model>(
    model: M,
    problem: &Problem<'_>,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Fitted<M>, FitError> {
    Fit::new(problem, settings)?.run(model, observer)
}

/// The predictions of `model`, row-major and as the loss of `head` takes them.
///
/// # Panics
/// If the model does not take `columns` features.
pub fn predict<M: Model>(model: &M, head: &Head, features: &[f32], columns: usize) -> Vec<f32> {
    let model = model.valid();
    let device = device().inner();
    let mut predictions = Vec::with_capacity(features.len() / columns * head.outputs());
    for features in features.chunks(PREDICTED_AT_ONCE * columns) {
        let shape = [features.len() / columns, columns];
        let features = Tensor::from_data(TensorData::new(features.to_vec(), shape), &device);
        predictions.extend(host_values(head.activate(model.forward(features))));
    }
    predictions
}

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

    /// The loss of all of `examples`, and the predictions, row-major and as the
    /// loss takes them.
    ///
    /// # Errors
    /// Whatever the loss refuses.
    ///
    /// # Panics
    /// If the model does not take as many features as the examples have.
    pub fn evaluate<M: Model>(
        &self,
        model: &M,
        examples: &Examples<'_>,
    ) -> Result<(f64, Vec<f32>), FitError> {
        let Examples { features, columns, labels } = *examples;
        let predictions = predict(model, &self.head, features, columns);
        let shape = [labels.rows(), self.head.outputs()];
        let tensor = Tensor::from_data(TensorData::new(predictions.clone(), shape), &device());
        let rows: Vec<usize> = (0..labels.rows()).collect();
        let loss = self.compare(&self.criterion, tensor, labels, &rows)?;
        Ok((value(&loss), predictions))
    }

    fn compare(
        &self,
        criterion: &Criterion,
        predictions: Tensor<2>,
        labels: Labels<'_>,
        rows: &[usize],
    ) -> Result<Tensor<1>, FitError> {
        let targets = self.head.targets(labels, rows);
        Ok(match self.row_weights(labels, rows) {
            Some(weights) => criterion.forward_weighted(predictions, targets, weights)?,
            None => criterion.forward(predictions, targets)?,
        })
    }

    /// The class weights of a pointwise loss, which knows no classes, by row.
    fn row_weights(&self, labels: Labels<'_>, rows: &[usize]) -> Option<Tensor<1>> {
        let weights = self.class_weights.as_ref()?;
        match (self.loss.family(), labels) {
            (Family::Pointwise, Labels::Classes { indices, .. }) => {
                let weights: Vec<f32> = rows.iter().map(|&row| weights[indices[row]]).collect();
                Some(Tensor::from_data(TensorData::new(weights, [rows.len()]), &device()))
            }
            _ => None,
        }
    }
}

/// A checked problem.
struct Fit<'a> {
    problem: &'a Problem<'a>,
    settings: &'a Settings,
    objective: Objective,
}

impl<'a> Fit<'a> {
    fn new(problem: &'a Problem<'a>, settings: &'a Settings) -> Result<Self, FitError> {
        settings.check()?;
        problem.train.check("training", &problem.train)?;
        match &problem.validation {
            Some(validation) => validation.check("validation", &problem.train)?,
            None if settings.early_stop.is_some() => return Err(FitError::NothingToStopBy),
            None => {}
        }
        let (loss, class_weights) = (problem.loss.clone(), problem.class_weights.clone());
        let objective = Objective::new(loss, class_weights, problem.train.labels.classes())?;
        Ok(Self { problem, settings, objective })
    }

    fn run<M: Model>(
        &self,
        mut model: M,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<M>, FitError> {
        // An error of the loss then names the row of the data, not of a batch.
        self.objective.evaluate(&model, &self.problem.train)?;
        let mut optimizer = self.settings.optimizer.build();
        let mut best: Option<(f64, usize, M)> = None;
        let mut history: Vec<Epoch> = Vec::new();
        let first_gradient_norm = self.first_gradient_norm(&model)?;
        for epoch in 1..=self.settings.epochs {
            let started = Instant::now();
            let train_loss;
            (model, train_loss) = self.train(model, &mut optimizer, epoch, observer)?;
            let (validation_loss, metric) = self.validate(&model, epoch)?;
            let seconds = started.elapsed().as_secs_f64();
            history.push(Epoch { epoch, train_loss, validation_loss, metric, seconds });
            observer.epoch(&history[epoch - 1]);
            if let (Some(patience), Some(loss)) = (self.settings.early_stop, validation_loss) {
                if best.as_ref().is_none_or(|(lowest, ..)| loss < *lowest) {
                    best = Some((loss, epoch, model.clone()));
                } else if best.as_ref().is_some_and(|(_, at, _)| epoch - at >= patience) {
                    break;
                }
            }
        }
        let epoch = history.len();
        let (epoch, model) = best.map_or((epoch, model), |(_, epoch, model)| (epoch, model));
        Ok(Fitted { model, epoch, history, first_gradient_norm })
    }

    /// One pass over the training rows in the random order of the epoch.
    fn train<M: Model>(
        &self,
        mut model: M,
        optimizer: &mut ModuleOptimizer,
        epoch: usize,
        observer: &mut dyn Observer,
    ) -> Result<(M, f64), FitError> {
        let order = self.order(epoch);
        let batches = order.len().div_ceil(self.settings.batch_size);
        let mut sum = 0.0;
        for (batch, rows) in (1..).zip(order.chunks(self.settings.batch_size)) {
            let loss = self.batch_loss(&model, rows)?;
            let value = value(&loss);
            self.check_finite("training", value, epoch, batch)?;
            let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
            self.penalise(&model, &mut gradients);
            model = optimizer.step(self.settings.learning_rate, model, gradients);
            sum += value * rows.len() as f64;
            observer.step(&Step { epoch, batch, batches, loss: value });
        }
        Ok((model, sum / order.len() as f64))
    }

    /// The order of the rows depends on seed and epoch alone, so that an epoch
    /// can be repeated without those before it.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(epoch as u64);
        let mut order: Vec<usize> = (0..self.problem.train.labels.rows()).collect();
        order.shuffle(&mut random);
        order
    }

    /// The loss of some training rows, ready for `backward`.
    fn batch_loss<M: Model>(&self, model: &M, rows: &[usize]) -> Result<Tensor<1>, FitError> {
        let Problem { train, .. } = self.problem;
        let predictions = self.objective.head.activate(model.forward(train.gather(rows)));
        // By chance, all rows may be of classes of weight 0.
        let criterion = self.objective.criterion.clone().when_empty(WhenEmpty::Zero);
        self.objective.compare(&criterion, predictions, train.labels, rows)
    }

    /// Loss and metric of the validation rows.
    fn validate<M: Model>(
        &self,
        model: &M,
        epoch: usize,
    ) -> Result<(Option<f64>, Option<f64>), FitError> {
        let Some(validation) = &self.problem.validation else { return Ok((None, None)) };
        let (loss, predictions) = self.objective.evaluate(model, validation)?;
        let batches = self.problem.train.labels.rows().div_ceil(self.settings.batch_size);
        self.check_finite("validation", loss, epoch, batches)?;
        Ok((Some(loss), self.problem.metric.map(|metric| metric(&predictions))))
    }

    fn check_finite(
        &self,
        which: &'static str,
        loss: f64,
        epoch: usize,
        batch: usize,
    ) -> Result<(), FitError> {
        if loss.is_finite() {
            return Ok(());
        }
        let learning_rate = self.settings.learning_rate;
        Err(FitError::Diverged { which, epoch, batch, loss, learning_rate })
    }

    /// Adds the gradients of the penalties.
    fn penalise<M: Model>(&self, model: &M, gradients: &mut GradientsParams) {
        let Settings { l1, l2, .. } = *self.settings;
        if l1 != 0.0 || l2 != 0.0 {
            model.visit(&mut Penalise { l1, l2, gradients });
        }
    }

    fn first_gradient_norm<M: Model>(&self, model: &M) -> Result<f64, FitError> {
        let mut rows = self.order(1);
        rows.truncate(self.settings.batch_size);
        let loss = self.batch_loss(model, &rows)?;
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        let mut norm = Norm { gradients: &gradients, squares: 0.0 };
        model.visit(&mut norm);
        Ok(norm.squares.sqrt())
    }
}

/// Value and gradient of a penalty on weights, for a λ.
type Penalty = fn(&[f32], f64) -> xent::Result<(f64, Vec<f32>)>;

struct Penalise<'a> {
    l1: f64,
    l2: f64,
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Penalise<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Biases, of one dimension, are not penalised.
        if D == 1 {
            return;
        }
        let Some(mut gradient) = self.gradients.remove::<D>(param.id) else { return };
        let weights = param.val().inner();
        let shape = weights.dims();
        let weights = host_values(weights);
        for (lambda, penalty) in [(self.l1, l1 as Penalty), (self.l2, l2)] {
            if lambda != 0.0 {
                let (_, slope) = penalty(&weights, lambda).expect("settings were checked");
                let slope = TensorData::new(slope, shape);
                gradient = gradient + Tensor::from_data(slope, &device().inner());
            }
        }
        self.gradients.register(param.id, gradient);
    }
}

struct Norm<'a> {
    gradients: &'a GradientsParams,
    squares: f64,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let squares = host_values(gradient).into_iter().map(|g| f64::from(g).powi(2));
            self.squares += squares.sum::<f64>();
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), FitError> {
        let check = |name, value: f64, range, legal: bool| {
            if legal { Ok(()) } else { Err(FitError::Setting { name, value, range }) }
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let rate = self.learning_rate;
        check("learning rate", rate, "above 0 and finite", positive(rate))?;
        check("epochs", self.epochs as f64, "at least 1", self.epochs > 0)?;
        check("batch size", self.batch_size as f64, "at least 1", self.batch_size > 0)?;
        check("l1", self.l1, "0 or more and finite", not_negative(self.l1))?;
        check("l2", self.l2, "0 or more and finite", not_negative(self.l2))?;
        let patience = self.early_stop.unwrap_or(1);
        check("early stop", patience as f64, "at least 1", patience > 0)
    }
}

impl Examples<'_> {
    fn check(&self, which: &'static str, train: &Examples<'_>) -> Result<(), FitError> {
        let Self { features, labels, .. } = *self;
        let (rows, columns) = (labels.rows(), train.columns);
        if rows == 0 || columns == 0 || features.len() != rows * columns {
            return Err(FitError::Shape { which, features: features.len(), rows, columns });
        }
        if labels.classes() != train.labels.classes() || self.columns != columns {
            return Err(FitError::Validation);
        }
        if let Labels::Classes { indices, count } = labels
            && let Some(row) = indices.iter().position(|&index| index >= count)
        {
            return Err(FitError::Label { which, row, index: indices[row], classes: count });
        }
        Ok(())
    }

    /// The features of some rows.
    fn gather(&self, rows: &[usize]) -> Tensor<2> {
        let mut features = Vec::with_capacity(rows.len() * self.columns);
        for row in rows {
            features.extend_from_slice(&self.features[row * self.columns..][..self.columns]);
        }
        Tensor::from_data(TensorData::new(features, [rows.len(), self.columns]), &device())
    }
}

fn value(loss: &Tensor<1>) -> f64 {
    f64::from(host_values(loss.clone())[0])
}

fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as().expect("floats convert to f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mlp;
    use crate::weights::named_weights;

    const ROWS: usize = 200;

    /// Three features in [-1, 1], from a fixed sequence.
    fn features() -> Vec<f32> {
        use rand::RngExt;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        (0..ROWS * 3).map(|_| random.random_range(-1.0..=1.0)).collect()
    }

    fn numbers(features: &[f32]) -> Vec<f32> {
        features.chunks(3).map(|x| 2.0 * x[0] - x[1] + 0.5 * x[2] + 0.25).collect()
    }

    /// The class whose feature is largest.
    fn classes(features: &[f32], count: usize) -> Vec<usize> {
        let largest = |x: &[f32]| (0..count).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap();
        features.chunks(3).map(largest).collect()
    }

    fn settings() -> Settings {
        Settings {
            optimizer: Optimizer::Adam,
            learning_rate: 0.01,
            epochs: 3,
            batch_size: 32,
            l1: 0.0,
            l2: 0.0,
            early_stop: None,
            seed: 5,
        }
    }

    fn problem<'a>(loss: &str, features: &'a [f32], labels: Labels<'a>) -> Problem<'a> {
        Problem {
            loss: xent::loss(loss).unwrap().into(),
            class_weights: None,
            train: Examples { features, columns: 3, labels },
            validation: None,
            metric: None,
        }
    }

    fn bits(model: &Mlp) -> Vec<u32> {
        let weights = named_weights(model);
        weights.iter().flat_map(|weight| weight.values.iter().map(|v| v.to_bits())).collect()
    }

    #[test]
    fn every_optimizer_learns_a_line() {
        let features = features();
        let labels = numbers(&features);
        let problem = problem("mean_squared_error", &features, Labels::Values(&labels));
        for optimizer in Optimizer::ALL {
            let learning_rate = match optimizer {
                Optimizer::Sgd | Optimizer::Momentum => 0.05,
                Optimizer::Adam | Optimizer::AdamW => 0.05,
                Optimizer::Adagrad => 0.5,
            };
            let settings = Settings { optimizer, learning_rate, epochs: 40, ..settings() };
            let fitted = fit(Mlp::new(3, &[], 1, 1), &problem, &settings, &mut ()).unwrap();
            let (first, last) = (&fitted.history[0], &fitted.history[39]);
            assert!(last.train_loss < 0.01 * first.train_loss, "{optimizer}: {last:?}");
            assert_eq!((fitted.epoch, fitted.history.len()), (40, 40));
        }
    }

    #[test]
    fn one_step_of_sgd_moves_against_the_gradient() {
        let (features, labels) = ([1.0, 2.0, -1.0], [3.0]);
        let problem = problem("mean_squared_error", &features, Labels::Values(&labels));
        let model = Mlp::new(3, &[], 1, 1);
        let step = |l1, l2| {
            let settings = Settings {
                optimizer: Optimizer::Sgd,
                learning_rate: 0.125,
                epochs: 1,
                l1,
                l2,
                ..settings()
            };
            fit(model.clone(), &problem, &settings, &mut ()).unwrap()
        };
        let before = named_weights(&model);
        let (weights, bias) = (&before[0].values, before[1].values[0]);
        let prediction: f32 = weights.iter().zip(&features).map(|(w, x)| w * x).sum::<f32>() + bias;
        let slope = 2.0 * (prediction - labels[0]);
        let close = |a: f32, b: f32| (a - b).abs() <= 4.0 * f32::EPSILON * a.abs().max(b.abs());

        let fitted = step(0.0, 0.0);
        let after = named_weights(&fitted.model);
        for ((new, old), x) in after[0].values.iter().zip(weights).zip(&features) {
            assert!(close(*new, old - 0.125 * slope * x), "{new} from {old}");
        }
        assert!(close(after[1].values[0], bias - 0.125 * slope));
        let norm = f64::from(slope.abs()) * f64::sqrt(1.0 + 4.0 + 1.0 + 1.0);
        assert!((fitted.first_gradient_norm / norm - 1.0).abs() < 1e-6);

        let penalised = named_weights(&step(0.5, 2.0).model);
        for ((new, plain), old) in penalised[0].values.iter().zip(&after[0].values).zip(weights) {
            assert!(close(*new, plain - 0.125 * (0.5 * old.signum() + 2.0 * old)), "{new}");
        }
        assert_eq!(penalised[1], after[1], "biases are not penalised");
    }

    #[test]
    fn every_loss_of_the_catalogue_trains() {
        let features = features();
        let (values, indices) = (numbers(&features), classes(&features, 3));
        let three = Labels::Classes { indices: &indices, count: 3 };
        let pair = classes(&features, 2);
        let pair = Labels::Classes { indices: &pair, count: 2 };
        for entry in xent::catalogue() {
            let loss = xent::loss(entry.name).unwrap();
            let mut tasks = vec![pair, three];
            if Head::new(loss.as_ref(), None).is_some()
                && loss.target_domain() == xent::Domain::Real
            {
                tasks.push(Labels::Values(&values));
            }
            for labels in tasks {
                let outputs = Head::new(loss.as_ref(), labels.classes()).unwrap().outputs();
                let settings = Settings { epochs: 10, ..settings() };
                let problem = problem(entry.name, &features, labels);
                let fitted = fit(Mlp::new(3, &[8], outputs, 1), &problem, &settings, &mut ());
                let history = fitted.unwrap_or_else(|e| panic!("{}: {e}", entry.name)).history;
                let (first, last) = (history[0].train_loss, history[9].train_loss);
                assert!(last < first, "{}: {first} to {last}", entry.name);
            }
        }
    }

    #[test]
    fn same_seed_same_bits() {
        let features = features();
        let indices = classes(&features, 3);
        let labels = Labels::Classes { indices: &indices, count: 3 };
        let problem = problem("cross_entropy", &features, labels);
        let train = |model_seed, seed| {
            let settings = Settings { seed, ..settings() };
            bits(
                &fit(Mlp::new(3, &[64, 32], 3, model_seed), &problem, &settings, &mut ())
                    .unwrap()
                    .model,
            )
        };
        let expected = train(1, 5);
        assert_eq!(train(1, 5), expected);
        assert_ne!(train(2, 5), expected, "other initial weights");
        assert_ne!(train(1, 6), expected, "other order of the rows");
        let elsewhere = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| train(1, 5))).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(elsewhere.iter().all(|bits| *bits == expected), "runs at the same time");
    }

    #[test]
    fn validation_does_not_change_training() {
        let features = features();
        let labels = numbers(&features);
        let mut problem = problem("huber", &features, Labels::Values(&labels));
        let train = |problem: &Problem<'_>| {
            fit(Mlp::new(3, &[8], 1, 1), problem, &settings(), &mut ()).unwrap()
        };
        let alone = train(&problem);
        problem.validation = Some(problem.train);
        let metric = |predictions: &[f32]| predictions.len() as f64;
        problem.metric = Some(&metric);
        let validated = train(&problem);
        assert_eq!(bits(&alone.model), bits(&validated.model));
        assert!(alone.history.iter().all(|epoch| epoch.validation_loss.is_none()));
        assert!(validated.history.iter().all(|epoch| epoch.metric == Some(ROWS as f64)));

        let head = Head::new(problem.loss.as_ref(), None).unwrap();
        let predictions = predict(&validated.model, &head, &features, 3);
        let loss = xent::loss("huber").unwrap();
        let loss = xent::Evaluate::on(loss.as_ref(), &predictions[..], &labels).value().unwrap();
        assert_eq!(validated.history[2].validation_loss, Some(f64::from(loss as f32)));
    }

    #[test]
    fn early_stopping_returns_the_best_weights() {
        let features = features();
        let labels = numbers(&features);
        // What is learned is wrong for validation, so its loss soon rises.
        let opposite: Vec<f32> = labels.iter().map(|label| 0.5 - label).collect();
        let mut problem = problem("mean_squared_error", &features, Labels::Values(&labels));
        problem.validation = Some(Examples { labels: Labels::Values(&opposite), ..problem.train });
        let settings = Settings { epochs: 50, early_stop: Some(4), ..settings() };
        let stopped = fit(Mlp::new(3, &[], 1, 1), &problem, &settings, &mut ()).unwrap();
        let losses: Vec<f64> =
            stopped.history.iter().map(|epoch| epoch.validation_loss.unwrap()).collect();
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(losses[stopped.epoch - 1], lowest);
        assert_eq!(stopped.history.len(), stopped.epoch + 4);

        let settings = Settings { epochs: stopped.epoch, early_stop: None, ..settings };
        let best = fit(Mlp::new(3, &[], 1, 1), &problem, &settings, &mut ()).unwrap();
        assert_eq!(bits(&stopped.model), bits(&best.model));
    }

    #[test]
    fn class_weights_shift_what_is_predicted() {
        let features = features();
        let indices = classes(&features, 2);
        let labels = Labels::Classes { indices: &indices, count: 2 };
        for name in ["cross_entropy", "binary_cross_entropy_with_logits"] {
            let mut problem = problem(name, &features, labels);
            let head = Head::new(problem.loss.as_ref(), Some(2)).unwrap();
            let mut speaks_for_second = |weights: Option<Vec<f32>>| {
                problem.class_weights = weights;
                let model = Mlp::new(3, &[], head.outputs(), 1);
                let model = fit(model, &problem, &settings(), &mut ()).unwrap().model;
                let scores = predict(&model, &head, &features, 3);
                let sum = |scores: &[f32]| {
                    scores.last().unwrap() - if scores.len() == 2 { scores[0] } else { 0.0 }
                };
                scores.chunks(head.outputs()).map(sum).sum::<f32>()
            };
            let even = speaks_for_second(None);
            assert_eq!(speaks_for_second(Some(vec![1.0, 1.0])).to_bits(), even.to_bits(), "{name}");
            assert!(speaks_for_second(Some(vec![1.0, 10.0])) > even, "{name}");
            assert!(speaks_for_second(Some(vec![10.0, 0.0])) < even, "{name}");
        }
    }

    #[test]
    fn the_observer_sees_every_step_and_epoch() {
        #[derive(Default)]
        struct Log(Vec<(usize, usize, usize)>, Vec<Epoch>, Vec<f64>);
        impl Observer for Log {
            fn step(&mut self, step: &Step) {
                self.0.push((step.epoch, step.batch, step.batches));
                self.2.push(step.loss);
            }
            fn epoch(&mut self, epoch: &Epoch) {
                self.1.push(epoch.clone());
            }
        }
        let features = features();
        let labels = numbers(&features);
        let problem = problem("mean_absolute_error", &features, Labels::Values(&labels));
        let settings = Settings { epochs: 2, batch_size: 150, ..settings() };
        let mut log = Log::default();
        let fitted = fit(Mlp::new(3, &[], 1, 1), &problem, &settings, &mut log).unwrap();
        assert_eq!(log.0, [(1, 1, 2), (1, 2, 2), (2, 1, 2), (2, 2, 2)]);
        assert_eq!(log.1, fitted.history);
        assert_eq!(log.1[1].train_loss, (log.2[2] * 150.0 + log.2[3] * 50.0) / 200.0);
    }

    #[test]
    fn divergence_is_reported_with_its_place() {
        let features = features();
        let labels = numbers(&features);
        let problem = problem("mean_squared_error", &features, Labels::Values(&labels));
        let settings =
            Settings { optimizer: Optimizer::Sgd, learning_rate: 1e6, epochs: 20, ..settings() };
        let error = fit(Mlp::new(3, &[8], 1, 1), &problem, &settings, &mut ()).unwrap_err();
        let FitError::Diverged { which: "training", epoch: 1, batch: 2.., loss, .. } = error else {
            panic!("{error:?}");
        };
        assert!(!loss.is_finite());
        assert!(
            error
                .to_string()
                .contains("lower the learning rate, now 1000000, for example to 100000")
        );
    }

    #[test]
    fn bad_arguments_are_refused() {
        let features = features();
        let labels = numbers(&features);
        let values = problem("mean_squared_error", &features, Labels::Values(&labels));
        let refuse = |problem: &Problem<'_>, settings: &Settings| {
            fit(Mlp::new(3, &[], 1, 1), problem, settings, &mut ()).unwrap_err().to_string()
        };
        for (settings, message) in [
            (
                Settings { learning_rate: 0.0, ..settings() },
                "learning rate is 0, but must be above 0",
            ),
            (Settings { learning_rate: f64::NAN, ..settings() }, "learning rate is NaN"),
            (Settings { epochs: 0, ..settings() }, "epochs is 0, but must be at least 1"),
            (Settings { batch_size: 0, ..settings() }, "batch size is 0"),
            (Settings { l1: -1.0, ..settings() }, "l1 is -1, but must be 0 or more"),
            (Settings { l2: f64::INFINITY, ..settings() }, "l2 is inf"),
            (
                Settings { early_stop: Some(3), ..settings() },
                "early stopping needs validation rows",
            ),
        ] {
            assert!(refuse(&values, &settings).starts_with(message), "{message}");
        }
        let three = [0, 1, 2];
        let labels = Labels::Classes { indices: &three, count: 2 };
        let training = Examples { features: &features[..9], columns: 3, labels };
        for (problem, message) in [
            (
                Problem { train: training, ..values.clone() },
                "training row 2 has the class 2, but there are 2",
            ),
            (
                Problem { class_weights: Some(vec![1.0]), ..values.clone() },
                "class weights need classes",
            ),
            (
                Problem { loss: xent::loss("cross_entropy").unwrap().into(), ..values.clone() },
                "cross_entropy",
            ),
            (
                Problem { train: Examples { columns: 4, ..values.train }, ..values.clone() },
                "training rows: 600 features do not make 200 rows of 4",
            ),
            (
                Problem {
                    loss: xent::loss("binary_cross_entropy_with_logits").unwrap().into(),
                    ..values.clone()
                },
                "targets[",
            ),
        ] {
            let refused = refuse(&problem, &settings());
            assert!(refused.starts_with(message), "{refused}");
        }
    }
}
