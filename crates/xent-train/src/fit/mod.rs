//! Training: the loop over epochs and batches.

mod gradients;
mod objective;
mod profile;
mod settings;
mod state;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use xent::Loss;

pub use objective::Objective;
use profile::Clock;
pub use profile::Profile;
pub use settings::{Schedule, Settings};
use state::Best;
pub use state::State;
pub(crate) use state::{Position, numbered};

use crate::data::Inputs;
use crate::error::RunError;
use crate::head::Labels;
use crate::model::{Batch, Model, device, host_values};

/// Rows to learn from or to check on.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// What the model is given.
    pub inputs: &'a Inputs,
    /// The label of each row.
    pub labels: Labels<'a>,
    /// How much each row counts; the same if `None`.
    pub weights: Option<&'a [f32]>,
}

/// Judges predictions by a number; NaN if there is none.
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
    /// Where the time went.
    pub profile: Profile,
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
    /// Duration of each epoch with its validation, in seconds.
    pub seconds: Vec<f64>,
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
    /// Inputs, labels and weights of different numbers of rows, or no rows.
    #[error("{which} rows: {inputs} rows of inputs have {labels} labels; give each row one")]
    Shape {
        /// `training` or `validation`.
        which: &'static str,
        /// How many rows of inputs there are.
        inputs: usize,
        /// How many labels, or weights, there are.
        labels: usize,
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
    /// Training was told to stop.
    #[error("interrupted in epoch {epoch}, after batch {batch} of {batches}")]
    Interrupted {
        /// Number of the epoch; the first is 1.
        epoch: usize,
        /// How many of its batches are done.
        batch: usize,
        /// How many it has.
        batches: usize,
    },
    /// A checkpoint cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] RunError),
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
/// If the model does not take such inputs.
pub fn fit<M: Model>(
    model: M,
    problem: &Problem<'_>,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Fitted<M>, FitError> {
    let training = Training::new(problem, settings)?;
    let state = training.start(model)?;
    training.run(state, observer, &mut |_| Ok(ControlFlow::Continue(())))
}

/// Called after each step, for example to keep the state; can end training.
pub type AfterStep<'a, M> = dyn FnMut(&State<M>) -> Result<ControlFlow<()>, RunError> + 'a;

/// A checked problem, and how to solve it.
pub struct Training<'a> {
    problem: &'a Problem<'a>,
    settings: &'a Settings,
    objective: Objective,
}

impl<'a> Training<'a> {
    /// Checks a problem and settings.
    ///
    /// # Errors
    /// Arguments that are out of range or do not fit together, and whatever the
    /// loss refuses.
    pub fn new(problem: &'a Problem<'a>, settings: &'a Settings) -> Result<Self, FitError> {
        settings.check()?;
        problem.train.check("training", &problem.train)?;
        match &problem.validation {
            Some(validation) => validation.check("validation", &problem.train)?,
            None if settings.early_stop.is_some() => return Err(FitError::NothingToStopBy),
            None => {}
        }
        let (loss, class_weights) = (problem.loss.clone(), problem.class_weights.clone());
        let objective = Objective::new(loss, class_weights, problem.train.labels.classes())?;
        objective.check(&problem.train)?;
        Ok(Self { problem, settings, objective })
    }

    /// The state before the first step.
    ///
    /// # Errors
    /// Whatever the loss refuses.
    ///
    /// # Panics
    /// If the model does not take such inputs.
    pub fn start<M: Model>(&self, model: M) -> Result<State<M>, FitError> {
        let mut rows = self.order(1);
        rows.truncate(self.settings.batch_size);
        let loss = self.batch_loss(&model, &rows, self.chance(0, 0), &mut Clock::default())?;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let norm = gradients::norm(&model, &gradients);
        Ok(State::new(model, self.settings.optimizer.build(self.settings.weight_decay), norm))
    }

    /// Trains from a state to the end, or until `after_step` ends it.
    ///
    /// # Errors
    /// As [`fit`], and whatever `after_step` says.
    ///
    /// # Panics
    /// If the model does not take such inputs.
    pub fn run<M: Model>(
        &self,
        mut state: State<M>,
        observer: &mut dyn Observer,
        after_step: &mut AfterStep<'_, M>,
    ) -> Result<Fitted<M>, FitError> {
        let mut order = Vec::new();
        let batches = self.batches();
        while !self.is_done(&state.position) {
            let started = Instant::now();
            let Position { epoch, batch, .. } = state.position;
            if batch == 0 || order.is_empty() {
                order = self.order(epoch + 1);
            }
            state = self.step(state, &order, observer)?;
            if state.position.batch == batches {
                self.finish_epoch(&mut state, observer)?;
            }
            state.count_seconds(epoch, started);
            if after_step(&state)?.is_break() && !self.is_done(&state.position) {
                let Position { epoch, batch, .. } = state.position;
                return Err(FitError::Interrupted { epoch: epoch + 1, batch, batches });
            }
        }
        Ok(state.into_fitted())
    }

    fn is_done(&self, position: &Position) -> bool {
        let waited = position.best.map_or(0, |best| position.epoch - best.epoch);
        position.epoch == self.settings.epochs
            || self.settings.early_stop.is_some_and(|patience| waited >= patience)
    }

    fn batches(&self) -> usize {
        self.problem.train.labels.rows().div_ceil(self.settings.batch_size)
    }

    /// One batch.
    fn step<M: Model>(
        &self,
        mut state: State<M>,
        order: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<State<M>, FitError> {
        let Settings { l1, l2, clip, batch_size, .. } = *self.settings;
        let (Position { epoch, batch, .. }, batches) = (state.position, self.batches());
        let rows = &order[batch * batch_size..order.len().min((batch + 1) * batch_size)];
        let mut clock = Clock::default();
        let chance = self.chance(epoch + 1, batch + 1);
        let loss = self.batch_loss(&state.model, rows, chance, &mut clock)?;
        let value = value(&loss);
        self.check_finite("training", value, epoch + 1, batch + 1)?;
        clock.lap(|profile| &mut profile.loss);
        let mut gradients = GradientsParams::from_grads(loss.backward(), &state.model);
        clock.lap(|profile| &mut profile.backward);
        gradients::penalise(&state.model, &mut gradients, l1, l2);
        if let Some(most) = clip {
            gradients::clip(&state.model, &mut gradients, most);
        }
        let rate = self.settings.rate(epoch, batch, batches);
        state.model = state.optimizer.step(rate, state.model, gradients);
        clock.lap(|profile| &mut profile.optimizer);
        let weight = self.problem.train.weight(rows);
        state.position.batch += 1;
        state.position.sum += value * weight;
        state.position.weight += weight;
        let (epoch, batch, profile) = (epoch + 1, batch + 1, clock.profile);
        observer.step(&Step { epoch, batch, batches, loss: value, profile });
        Ok(state)
    }

    fn finish_epoch<M: Model>(
        &self,
        state: &mut State<M>,
        observer: &mut dyn Observer,
    ) -> Result<(), FitError> {
        let epoch = state.position.epoch + 1;
        let (validation_loss, metric) = self.validate(&state.model, epoch)?;
        let train_loss = state.position.sum / state.position.weight;
        let finished = Epoch { epoch, train_loss, validation_loss, metric };
        observer.epoch(&finished);
        state.history.push(finished);
        state.position =
            Position { epoch, batch: 0, sum: 0.0, weight: 0.0, best: state.position.best };
        if let (Some(_), Some(loss)) = (self.settings.early_stop, validation_loss)
            && state.position.best.is_none_or(|best| loss < best.loss)
        {
            state.position.best = Some(Best { loss, epoch });
            state.best_model = Some(state.model.clone());
        }
        Ok(())
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

    /// What is left to chance in a step, which depends on seed and step alone.
    fn chance(&self, epoch: usize, batch: usize) -> ChaCha8Rng {
        const STEPS: u64 = 1 << 63;
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(STEPS + epoch as u64 * (self.batches() as u64 + 1) + batch as u64);
        random
    }

    /// The loss of some training rows, ready for `backward`.
    fn batch_loss<M: Model>(
        &self,
        model: &M,
        rows: &[usize],
        mut random: ChaCha8Rng,
        clock: &mut Clock,
    ) -> Result<Tensor<1>, FitError> {
        let train = &self.problem.train;
        let augmentation = Some((self.settings.augmentation, &mut random));
        let batch = Batch::new(train.inputs, rows, &device(), augmentation);
        clock.lap(|profile| &mut profile.batch);
        let outputs = model.forward(batch, Some(&mut random));
        clock.lap(|profile| &mut profile.forward);
        self.objective.batch_loss(outputs, train, rows)
    }

    /// Loss and metric of the validation rows.
    fn validate<M: Model>(
        &self,
        model: &M,
        epoch: usize,
    ) -> Result<(Option<f64>, Option<f64>), FitError> {
        let Some(validation) = &self.problem.validation else { return Ok((None, None)) };
        let (loss, predictions) = self.objective.evaluate(model, validation)?;
        self.check_finite("validation", loss, epoch, self.batches())?;
        let metric = self.problem.metric.map(|metric| metric(&predictions));
        Ok((Some(loss), metric.filter(|metric| metric.is_finite())))
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
}

impl Examples<'_> {
    fn check(&self, which: &'static str, train: &Examples<'_>) -> Result<(), FitError> {
        let (inputs, labels) = (self.inputs.rows(), self.labels.rows());
        let weights = self.weights.map_or(labels, <[f32]>::len);
        if labels == 0 || inputs != labels || weights != labels {
            let labels = if inputs == labels { weights } else { labels };
            return Err(FitError::Shape { which, inputs, labels });
        }
        let shapes_differ = self.inputs.shape() != train.inputs.shape();
        if shapes_differ || self.labels.classes() != train.labels.classes() {
            return Err(FitError::Validation);
        }
        if let Labels::Classes { indices, count } = self.labels
            && let Some(row) = indices.iter().position(|&index| index >= count)
        {
            return Err(FitError::Label { which, row, index: indices[row], classes: count });
        }
        Ok(())
    }

    /// How much some rows count.
    fn weight(&self, rows: &[usize]) -> f64 {
        match self.weights {
            Some(weights) => rows.iter().map(|&row| f64::from(weights[row])).sum(),
            None => rows.len() as f64,
        }
    }
}

fn value(loss: &Tensor<1>) -> f64 {
    f64::from(host_values(loss.clone())[0])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::Augmentation;
    use crate::head::Head;
    use crate::model::Mlp;
    use crate::optimizer::Optimizer;
    use crate::weights::named_weights;

    const ROWS: usize = 200;

    /// Three features in [-1, 1], from a fixed sequence.
    fn features() -> Inputs {
        use rand::RngExt;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let values = (0..ROWS * 3).map(|_| random.random_range(-1.0..=1.0)).collect();
        Inputs::Features { values, columns: 3 }
    }

    fn values(inputs: &Inputs) -> &[f32] {
        let Inputs::Features { values, .. } = inputs else { panic!("features") };
        values
    }

    fn predict(model: &Mlp, problem: &Problem<'_>, inputs: &Inputs) -> Vec<f32> {
        let classes = problem.train.labels.classes();
        let weights = problem.class_weights.clone();
        Objective::new(problem.loss.clone(), weights, classes).unwrap().predict(model, inputs)
    }

    fn numbers(features: &Inputs) -> Vec<f32> {
        values(features).chunks(3).map(|x| 2.0 * x[0] - x[1] + 0.5 * x[2] + 0.25).collect()
    }

    /// The class whose feature is largest.
    fn classes(features: &Inputs, count: usize) -> Vec<usize> {
        let largest = |x: &[f32]| (0..count).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap();
        values(features).chunks(3).map(largest).collect()
    }

    pub(crate) fn settings() -> Settings {
        Settings {
            optimizer: Optimizer::Adam,
            learning_rate: 0.01,
            schedule: Schedule::Constant,
            warm_up: 0.0,
            epochs: 3,
            batch_size: 32,
            l1: 0.0,
            l2: 0.0,
            weight_decay: None,
            clip: None,
            augmentation: Augmentation::default(),
            early_stop: None,
            seed: 5,
        }
    }

    fn problem<'a>(loss: &str, inputs: &'a Inputs, labels: Labels<'a>) -> Problem<'a> {
        Problem {
            loss: xent::loss(loss).unwrap().into(),
            class_weights: None,
            train: Examples { inputs, labels, weights: None },
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
                Optimizer::RmsProp => 0.01,
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
        let inputs = Inputs::Features { values: features.to_vec(), columns: 3 };
        let problem = problem("mean_squared_error", &inputs, Labels::Values(&labels));
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

        let predictions = predict(&validated.model, &problem, &features);
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
                let scores = predict(&model, &problem, &features);
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
        struct Log(Vec<(usize, usize, usize)>, Vec<Epoch>, Vec<f64>, Profile);
        impl Observer for Log {
            fn step(&mut self, step: &Step) {
                self.0.push((step.epoch, step.batch, step.batches));
                self.2.push(step.loss);
                self.3 += step.profile;
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
        let Profile { batch, forward, loss, backward, optimizer } = log.3;
        let parts = [batch, forward, loss, backward, optimizer];
        assert!(parts.iter().all(|&seconds| seconds > 0.0), "{:?}", log.3);
        assert!(parts.iter().sum::<f64>() <= fitted.seconds.iter().sum::<f64>(), "{:?}", log.3);
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
        let line = problem("mean_squared_error", &features, Labels::Values(&labels));
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
            assert!(refuse(&line, &settings).starts_with(message), "{message}");
        }
        let three = [0, 1, 2];
        let labels = Labels::Classes { indices: &three, count: 2 };
        let few = Inputs::Features { values: values(&features)[..9].to_vec(), columns: 3 };
        let training = Examples { inputs: &few, labels, weights: None };
        for (problem, message) in [
            (
                Problem { train: training, ..line.clone() },
                "training row 2 has the class 2, but there are 2",
            ),
            (
                Problem { class_weights: Some(vec![1.0]), ..line.clone() },
                "class weights need classes",
            ),
            (
                Problem { loss: xent::loss("cross_entropy").unwrap().into(), ..line.clone() },
                "cross_entropy",
            ),
            (
                Problem { train: Examples { inputs: &few, ..line.train }, ..line.clone() },
                "training rows: 3 rows of inputs have 200 labels",
            ),
            (
                Problem {
                    loss: xent::loss("binary_cross_entropy_with_logits").unwrap().into(),
                    ..line.clone()
                },
                "targets[",
            ),
        ] {
            let refused = refuse(&problem, &settings());
            assert!(refused.starts_with(message), "{refused}");
        }
    }
}
