//! From a table and a configuration to a trained, judged and saved model, and
//! back from a saved one to predictions.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xent::catalogue::Entry;
use xent::{Catalogued, Domain, Family, Loss};

use crate::data::{Encoded, Encoder, Fingerprint, Notice, Split, Table, Target, Targets, Task};
use crate::error::{DataError, RunError};
use crate::fit::{
    Epoch, Examples, FitError, Fitted, Objective, Observer, Problem, Settings, fit, predict,
};
use crate::head::Labels;
use crate::metrics::{Classification, Metrics, Regression, log_probabilities};
use crate::model::Mlp;
use crate::report::{Block, Chart, LineChart, Report, Section, Series, short};
use crate::run::{Data, Run, RunDirectory, TestResult};
use crate::weights::{WeightsError, from_safetensors, to_safetensors};

const MODEL: &str = "model.safetensors";

/// What is trained, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// The predicted column.
    pub target: String,
    /// What is predicted.
    pub task: Task,
    /// What training minimises.
    pub loss: WeightedLoss,
    /// Units of each hidden layer; a linear model has none.
    pub hidden: Vec<usize>,
    /// Share of the rows for validation; may be 0.
    pub validation: f64,
    /// Share of the rows for the test; above 0.
    pub test: f64,
    /// How to train; its seed also decides the split and the first weights.
    #[serde(flatten)]
    pub settings: Settings,
}

/// A loss, and how much each class counts.
///
/// As text it is the loss in the text form of the catalogue, and after an `@`
/// the class weights, if any: `cross_entropy@balanced`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeightedLoss {
    /// The loss.
    pub loss: Arc<dyn Loss>,
    /// How much each class counts; the same if `None`.
    pub class_weights: Option<ClassWeights>,
}

/// How much each class counts: `balanced`, or a number per class such as `1,2.5`.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// rows / (classes · rows of the class) among the training rows, so that
    /// each class counts the same in all.
    Balanced,
    /// A weight per class, in ascending order of the labels.
    Given(Vec<f32>),
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
}

impl WeightedLoss {
    /// The loss that is usually trained for a task.
    ///
    /// For two classes it is one logit and not two: the second adds nothing
    /// but parameters.
    pub fn usual(task: Task) -> Self {
        let loss: Arc<dyn Loss> = match task {
            Task::Regression => Arc::new(xent::MeanSquaredError::default()),
            Task::Binary => Arc::new(xent::BinaryCrossEntropyWithLogits::default()),
            Task::Classes => Arc::new(xent::CrossEntropy::default()),
        };
        Self { loss, class_weights: None }
    }

    /// Whether the loss can learn this target.
    ///
    /// # Errors
    /// [`ExperimentError::Unsuited`] names a loss of the catalogue that can.
    pub fn check(&self, target: &Target) -> Result<(), ExperimentError> {
        let (loss, task) = (self.loss.as_ref(), target.task());
        if suits(loss, task) {
            return Ok(());
        }
        Err(ExperimentError::Unsuited {
            loss: loss.name(),
            suits: match (loss.family(), loss.target_domain()) {
                (Family::Classwise, _) => "classes",
                (Family::Pointwise, Domain::Real) => "numbers",
                (Family::Pointwise, _) => "two classes",
            },
            target: target.column().to_owned(),
            has: match task {
                Task::Regression => "numbers".to_owned(),
                Task::Binary | Task::Classes => format!("{} classes", target.classes().len()),
            },
            instead: sibling(loss, task),
        })
    }
}

impl fmt::Display for WeightedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.loss.name())?;
        match &self.class_weights {
            Some(weights) => write!(f, "@{weights}"),
            None => Ok(()),
        }
    }
}

impl FromStr for WeightedLoss {
    type Err = ExperimentError;

    fn from_str(text: &str) -> Result<Self, ExperimentError> {
        let (loss, class_weights) = match text.split_once('@') {
            Some((loss, weights)) => (loss, Some(weights.parse()?)),
            None => (text, None),
        };
        Ok(Self { loss: xent::loss(loss)?.into(), class_weights })
    }
}

impl TryFrom<String> for WeightedLoss {
    type Error = ExperimentError;

    fn try_from(text: String) -> Result<Self, ExperimentError> {
        text.parse()
    }
}

impl From<WeightedLoss> for String {
    fn from(loss: WeightedLoss) -> Self {
        loss.to_string()
    }
}

impl ClassWeights {
    /// A weight per class, given the classes of the training rows.
    pub fn of(&self, classes: &[usize], count: usize) -> Vec<f32> {
        match self {
            Self::Given(weights) => weights.clone(),
            Self::Balanced => {
                let mut rows = vec![0usize; count];
                classes.iter().for_each(|&class| rows[class] += 1);
                let weight = |&rows: &usize| classes.len() as f64 / (count * rows.max(1)) as f64;
                rows.iter().map(|rows| weight(rows) as f32).collect()
            }
        }
    }
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Given(weights) => {
                let weights: Vec<String> = weights.iter().map(f32::to_string).collect();
                f.write_str(&weights.join(","))
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = ExperimentError;

    fn from_str(text: &str) -> Result<Self, ExperimentError> {
        if text.trim().eq_ignore_ascii_case("balanced") {
            return Ok(Self::Balanced);
        }
        let weights: Option<Vec<f32>> = text
            .split(',')
            .map(|weight| weight.trim().parse().ok())
            .map(|weight| weight.filter(|weight: &f32| *weight >= 0.0 && weight.is_finite()))
            .collect();
        weights
            .filter(|weights| weights.iter().any(|&weight| weight > 0.0))
            .map(Self::Given)
            .ok_or_else(|| ExperimentError::ClassWeights(text.to_owned()))
    }
}

fn suits(loss: &dyn Loss, task: Task) -> bool {
    match task {
        Task::Regression => is_for_numbers(loss),
        Task::Binary => !is_for_numbers(loss),
        Task::Classes => loss.family() == Family::Classwise,
    }
}

fn is_for_numbers(loss: &dyn Loss) -> bool {
    loss.family() == Family::Pointwise && loss.target_domain() == Domain::Real
}

/// The loss of the catalogue that is to several classes what `loss` is to two:
/// it has most in common in its tags and, of losses that read predictions
/// alike, in the words of its names. Between numbers and classes there is no
/// such kinship; then it is the usual one.
fn sibling(loss: &dyn Loss, task: Task) -> &'static str {
    let usual = || WeightedLoss::usual(task).loss.page().map_or("", |page| page.entry().name);
    let Some(entry) = loss.page().map(Catalogued::entry) else { return usual() };
    if is_for_numbers(loss) || task == Task::Regression {
        return usual();
    }
    let likeness = |other: &'static Entry| {
        let tags = other.tags.iter().filter(|tag| entry.tags.contains(tag)).count();
        let alike = other.default_loss().prediction_domain() == loss.prediction_domain();
        let words: Vec<&str> = words(entry).collect();
        let shared = self::words(other).filter(|word| alike && words.contains(word)).count();
        (tags, shared)
    };
    xent::catalogue()
        .iter()
        .filter(|other| suits(other.default_loss().as_ref(), task))
        .map(|other| (likeness(other), other.name))
        .filter(|(likeness, _)| *likeness > (0, 0))
        // Of equals the first of the catalogue.
        .rev()
        .max_by_key(|(likeness, _)| *likeness)
        .map_or_else(usual, |(_, name)| name)
}

fn words(entry: &'static Entry) -> impl Iterator<Item = &'static str> {
    let names = std::iter::once(&entry.name).chain(entry.aliases);
    names.flat_map(|name| name.split('_')).filter(|word| *word != "loss")
}

/// A table that is split and encoded.
#[derive(Clone, Debug)]
pub struct Prepared {
    source: String,
    fingerprint: Fingerprint,
    split: Split,
    notices: Vec<Notice>,
    encoder: Encoder,
    train: Encoded,
    validation: Option<Encoded>,
    test: Encoded,
}

impl Prepared {
    /// Splits a table by `seed` and encodes it by what its training rows show.
    /// Rows without a target are left out.
    ///
    /// # Errors
    /// Whatever is wrong with the table, too few rows for the shares, and no
    /// share for the test.
    pub fn new(
        table: Table,
        target: &str,
        task: Option<Task>,
        (validation, test): (f64, f64),
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        if test == 0.0 {
            return Err(ExperimentError::NoTest);
        }
        let (source, fingerprint) = (table.name().to_owned(), table.fingerprint());
        let table = table.with_known_target(target)?;
        let task = task.map_or_else(|| Task::infer(&table, target), Ok)?;
        let split = Split::new(&table, target, task, validation, test, seed).map_err(|error| {
            // A target that suits no split at all is the better explanation.
            Encoder::fit(&table, target, task).err().unwrap_or(error)
        })?;
        let rows = table.select(&split.train);
        let (encoder, left_out) = Encoder::fit(&rows, target, task)?;
        let notices = [table.notices(), &left_out, &encoder.notices(&table)?].concat();
        let encode = |rows: &[usize]| encoder.encode(&table.select(rows));
        let validation = (!split.validation.is_empty()).then(|| encode(&split.validation));
        Ok(Self {
            train: encoder.encode(&rows)?,
            validation: validation.transpose()?,
            test: encode(&split.test)?,
            source,
            fingerprint,
            split,
            notices,
            encoder,
        })
    }

    /// Turns tables into features.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Which rows train, validate and test.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// What was done to the data.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.encoder.target().task()
    }
}

/// A trained model and its result on the test rows.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model and how it came to be.
    pub fitted: Fitted<Mlp>,
    /// The result on the test rows.
    pub test: TestResult,
    class_weights: Option<Vec<f32>>,
}

/// Trains a model and judges it on the test rows. The metric of an epoch is the
/// accuracy, or R², on the validation rows.
///
/// # Errors
/// A loss that does not suit the target, settings out of range, and training
/// that diverges.
pub fn train(
    prepared: &Prepared,
    configuration: &Configuration,
    observer: &mut dyn Observer,
) -> Result<Trained, ExperimentError> {
    let Configuration { loss, hidden, settings, .. } = configuration;
    if hidden.contains(&0) {
        return Err(ExperimentError::NoUnits);
    }
    let target = prepared.encoder.target();
    loss.check(target)?;
    let class_weights = match (&loss.class_weights, &prepared.train.targets) {
        (None, _) => None,
        (Some(weights), Targets::Classes(classes)) => {
            Some(weights.of(classes, target.classes().len()))
        }
        (Some(_), _) => return Err(FitError::WeightsWithoutClasses.into()),
    };
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
    let model = judge.model(&prepared.encoder, configuration);
    let fitted = fit(model, &problem, settings, observer)?;
    let test = judge.result(&fitted.model, &prepared.test)?;
    Ok(Trained { fitted, test, class_weights })
}

/// How a model learned, as a page.
pub fn training_report(
    prepared: &Prepared,
    configuration: &Configuration,
    trained: &Trained,
) -> Report {
    let Trained { fitted, test, .. } = trained;
    let Configuration { target, task, loss, hidden, settings, .. } = configuration;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut results = vec![fact("loss", short(test.loss))];
    let figures = test.metrics.figures();
    results.extend(figures.iter().map(|figure| fact(figure.name, short(figure.value))));
    let sizes: Vec<String> = hidden.iter().map(usize::to_string).collect();
    let facts = vec![
        fact("target", format!("{target} ({task})")),
        fact("loss", loss.to_string()),
        fact("hidden layers", if hidden.is_empty() { "none".to_owned() } else { sizes.join(", ") }),
        fact("optimizer", format!("{}, rate {}", settings.optimizer, settings.learning_rate)),
        fact("batch size", settings.batch_size.to_string()),
        fact("l1, l2", format!("{}, {}", settings.l1, settings.l2)),
        fact("seed", settings.seed.to_string()),
        fact("epochs", format!("{}, weights of epoch {}", fitted.history.len(), fitted.epoch)),
    ];
    let curve = |name: &str, dashed, value: fn(&Epoch) -> Option<f64>| Series {
        name: name.to_owned(),
        colour: 0,
        dashed,
        points: fitted
            .history
            .iter()
            .map(|epoch| (epoch.epoch as f64, value(epoch).unwrap_or(f64::NAN)))
            .collect(),
    };
    let chart = |y: &str, series| {
        let (title, x, y) = (format!("{y} by epoch"), "epoch".to_owned(), y.to_owned());
        Chart::Lines(LineChart { title, x, y, series, styles: None })
    };
    let mut charts = vec![chart(
        "loss",
        vec![
            curve("training", false, |epoch| Some(epoch.train_loss)),
            curve("validation", true, |epoch| epoch.validation_loss),
        ],
    )];
    if prepared.validation.is_some() {
        let metric = curve("validation", true, |epoch| epoch.metric);
        charts.push(chart(test.metrics.headline().name, vec![metric]));
    }
    let Split { train, validation, test } = &prepared.split;
    let summary = format!(
        "`{target}` of `{}` learned from {} rows, watched on {} and judged on {}.",
        prepared.source,
        train.len(),
        validation.len(),
        test.len()
    );
    let section = |title: &str, block| Section { title: title.to_owned(), blocks: vec![block] };
    let mut sections = vec![
        section("Result on the test rows", Block::Facts(results)),
        section("Training", Block::Charts(charts)),
        section("Configuration", Block::Facts(facts)),
    ];
    if !prepared.notices.is_empty() {
        let notices = prepared.notices.iter().map(ToString::to_string).collect();
        sections.push(section("Data", Block::Notices(notices)));
    }
    Report { title: format!("{loss} on {}", prepared.source), summary: vec![summary], sections }
}

/// The configuration of a run as its file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// What was trained, and how.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// What the class weights came to.
    pub class_weights: Option<Vec<f32>>,
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
        let configuration = Recorded { configuration, class_weights: self.class_weights.clone() };
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

/// A model read back from its run directory.
pub struct Saved {
    /// The run.
    pub run: Run<Recorded>,
    model: Mlp,
    judge: Judge,
}

/// What a model says of each row of a table.
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
        let Recorded { configuration, class_weights } = &run.configuration;
        let target = run.encoder.target();
        let judge = Judge::new(&configuration.loss, class_weights.clone(), target)?;
        let path = directory.file(MODEL);
        let bytes = std::fs::read(&path).map_err(RunError::io(&path))?;
        let model = from_safetensors(judge.model(&run.encoder, configuration), &bytes)
            .map_err(|source| ExperimentError::Weights { path, source })?;
        Ok(Self { run, model, judge })
    }

    /// Judges the model on a table, and says what was done to its data. Rows
    /// without a target are left out.
    ///
    /// # Errors
    /// Whatever is wrong with the table; labels that training has not seen.
    pub fn evaluate(&self, table: Table) -> Result<(TestResult, Vec<Notice>), ExperimentError> {
        let encoder = &self.run.encoder;
        let table = table.with_known_target(encoder.target().column())?;
        let result = self.judge.result(&self.model, &encoder.encode(&table)?)?;
        Ok((result, [table.notices(), &encoder.notices(&table)?].concat()))
    }

    /// Predicts the target for each row of a table, which need not have it, and
    /// says what was done to its data.
    ///
    /// # Errors
    /// Whatever is wrong with the table.
    pub fn predict(&self, table: &Table) -> Result<(Predictions, Vec<Notice>), ExperimentError> {
        let encoder = &self.run.encoder;
        let rows = encoder.encode_features(table)?;
        let head = self.judge.objective.head();
        let predictions = predict(&self.model, head, &rows.features, rows.columns);
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
        Ok((predictions, [table.notices(), &encoder.notices(table)?].concat()))
    }
}

/// What predictions for a target mean, and how good they are.
struct Judge {
    objective: Objective,
    target: Target,
}

impl Judge {
    fn new(
        loss: &WeightedLoss,
        class_weights: Option<Vec<f32>>,
        target: &Target,
    ) -> Result<Self, FitError> {
        let classes = (target.task() != Task::Regression).then(|| target.classes().len());
        let objective = Objective::new(loss.loss.clone(), class_weights, classes)?;
        Ok(Self { objective, target: target.clone() })
    }

    fn model(&self, encoder: &Encoder, configuration: &Configuration) -> Mlp {
        let outputs = self.objective.head().outputs();
        Mlp::new(encoder.width(), &configuration.hidden, outputs, configuration.settings.seed)
    }

    fn examples<'a>(&self, rows: &'a Encoded) -> Examples<'a> {
        let labels = match &rows.targets {
            Targets::Unknown => Labels::Values(&[]),
            Targets::Numbers { standardised, .. } => Labels::Values(standardised),
            Targets::Classes(indices) => {
                Labels::Classes { indices, count: self.target.classes().len() }
            }
        };
        Examples { features: &rows.features, columns: rows.columns, labels }
    }

    fn result(&self, model: &Mlp, rows: &Encoded) -> Result<TestResult, ExperimentError> {
        let (loss, predictions) = self.objective.evaluate(model, &self.examples(rows))?;
        Ok(TestResult { loss, metrics: self.metrics(&predictions, &rows.targets)? })
    }

    fn metrics(&self, predictions: &[f32], targets: &Targets) -> xent::Result<Metrics> {
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

    fn numbers(&self, predictions: &[f32]) -> Vec<f64> {
        predictions.iter().map(|&p| self.target.original_units(p.into())).collect()
    }

    fn log_probabilities(&self, predictions: &[f32]) -> Vec<f64> {
        let (loss, outputs) = (self.objective.loss(), self.objective.head().outputs());
        log_probabilities(predictions, outputs, loss.family(), loss.prediction_domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_with_class_weights_come_back_from_their_text() {
        for text in ["huber:delta=2", "cross_entropy@balanced", "softmax_focal:gamma=1@1,0,2.5"] {
            let loss: WeightedLoss = text.parse().unwrap();
            assert_eq!(loss.to_string(), text);
            let json = serde_json::to_string(&loss).unwrap();
            assert_eq!(serde_json::from_str::<WeightedLoss>(&json).unwrap().to_string(), text);
        }
        for text in ["ce@", "ce@1,-1", "ce@0,0", "ce@1,nan", "ce@balance"] {
            let error = text.parse::<WeightedLoss>().unwrap_err().to_string();
            assert!(error.starts_with("class weights `"), "{error}");
        }
    }

    #[test]
    fn balanced_weights_make_classes_count_the_same() {
        assert_eq!(ClassWeights::Balanced.of(&[0, 0, 0, 1], 2), [2.0 / 3.0, 2.0]);
        assert_eq!(ClassWeights::Given(vec![1.0, 5.0]).of(&[0, 0], 2), [1.0, 5.0]);
    }

    #[test]
    fn a_loss_for_another_task_names_its_sibling() {
        let instead = |text: &str, task| sibling(xent::loss(text).unwrap().as_ref(), task);
        for (text, task, expected) in [
            ("focal", Task::Classes, "softmax_focal"),
            ("hinge", Task::Classes, "multi_margin"),
            ("mse_sigmoid", Task::Classes, "mse_softmax"),
            ("binary_cross_entropy", Task::Classes, "cross_entropy_probabilities"),
            ("binary_cross_entropy_with_logits", Task::Classes, "cross_entropy"),
            ("huber", Task::Classes, "cross_entropy"),
            ("mean_squared_error", Task::Binary, "binary_cross_entropy_with_logits"),
            ("cross_entropy", Task::Regression, "mean_squared_error"),
            ("mse+0.5*mae", Task::Classes, "cross_entropy"),
        ] {
            assert_eq!(instead(text, task), expected, "{text} for {task}");
        }
    }

    #[test]
    fn every_loss_suits_some_task_and_each_usual_loss_its_own() {
        for entry in xent::catalogue() {
            let loss = entry.default_loss();
            assert!(Task::ALL.iter().any(|&task| suits(loss.as_ref(), task)), "{}", entry.name);
        }
        for task in Task::ALL {
            assert!(suits(WeightedLoss::usual(task).loss.as_ref(), task));
        }
    }
}
