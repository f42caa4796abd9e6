//! `xent explain` with numbers: an example worked step by step.

use crate::failure::{Failure, Result};
use crate::numbers::{Json, Number, Rows, exact, rows};
use crate::terminal::{HEADING, NAME, QUIET, count, formula, table, wrapped};
use serde::Serialize;
use std::io::Write;
use xent::{Buffers, Call, Domain, Evaluate, Family, Loss, Reduction, Step, Targets};
use xent_chart::short;

/// The type of the numbers of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dtype {
    /// Single precision
    F32,
    /// Double precision
    F64,
}

/// A loss on predictions and targets, as the user wrote them.
pub(crate) struct Example<'a> {
    pub(crate) loss: &'a dyn Loss,
    pub(crate) prediction: String,
    pub(crate) target: String,
    pub(crate) class_weights: Option<&'a str>,
    pub(crate) dtype: Dtype,
}

/// What it comes to: one value per row, or per element for a pointwise loss.
struct Results<T> {
    values: Vec<T>,
    gradient: Vec<T>,
    curvature: Vec<T>,
}

#[derive(Serialize)]
struct ResultsJson<T: Number> {
    loss: String,
    dtype: &'static str,
    value: Vec<Json<T>>,
    gradient: Vec<Json<T>>,
    curvature: Vec<Json<T>>,
}

/// Targets as they were read.
enum Wanted<T> {
    Classes(Vec<i64>),
    Values(Vec<T>),
}

impl<'a> Example<'a> {
    /// Numbers of the kind that the loss takes: small and large mistakes, and none.
    pub(crate) fn usual(loss: &'a dyn Loss) -> Self {
        let predictions = match (loss.family(), loss.prediction_domain()) {
            (Family::Pointwise, Domain::Probability) => vec![0.9, 0.5, 0.1],
            (Family::Pointwise, _) => vec![2.0, 0.5, -1.0],
            (Family::Classwise, Domain::Probability) => vec![0.7, 0.2, 0.1],
            (Family::Classwise, Domain::LogProbability) => [0.7f32, 0.2, 0.1].map(f32::ln).to_vec(),
            (Family::Classwise, _) => vec![2.0, 1.0, 0.1],
        };
        let targets: &[f32] = match (loss.family(), loss.target_domain()) {
            (Family::Classwise, _) => &[0.0],
            (Family::Pointwise, Domain::Real) => &[0.0, 0.0, 0.0],
            (Family::Pointwise, _) => &[1.0, 1.0, 1.0],
        };
        let list =
            |numbers: &[f32]| numbers.iter().copied().map(exact).collect::<Vec<_>>().join(",");
        let (prediction, target) = (list(&predictions), list(targets));
        Self { loss, prediction, target, class_weights: None, dtype: Dtype::F32 }
    }

    /// The command that shows the same numbers.
    pub(crate) fn command(&self) -> String {
        let start = format!("xent explain {}", self.loss.name());
        let numbers = format!("--prediction={} --target={}", self.prediction, self.target);
        // As wide as it can be behind a prompt and an indentation, in 80 columns.
        let gap = if start.len() + numbers.len() < 76 { " " } else { " \\\n    " };
        format!("{start}{gap}{numbers}")
    }
}

impl Example<'_> {
    pub(crate) fn run(&self, json: bool, output: &mut dyn Write) -> Result {
        match self.dtype {
            Dtype::F32 => self.show::<f32>(json, output),
            Dtype::F64 => self.show::<f64>(json, output),
        }
    }

    fn show<T: Number>(&self, json: bool, output: &mut dyn Write) -> Result {
        let predictions = rows::<T>("--prediction", &self.prediction)?;
        let targets = self.targets(&predictions)?;
        let results = self.results(&predictions, &targets)?;
        if json {
            serde_json::to_writer(&mut *output, &results.json(self.loss.name()))?;
            writeln!(output)?;
            return Ok(());
        }
        self.heading::<T>(&predictions, output)?;
        write!(output, "{}", self.table(&predictions, &targets, &results)?)?;
        Ok(())
    }

    /// The worked numbers alone, in single precision.
    pub(crate) fn numbers(&self) -> Result<String> {
        let predictions = rows::<f32>("--prediction", &self.prediction)?;
        let targets = self.targets(&predictions)?;
        let results = self.results(&predictions, &targets)?;
        self.table(&predictions, &targets, &results)
    }

    /// As many targets as rows are class indices, as many as predictions are distributions.
    fn targets<T: Number>(&self, predictions: &Rows<T>) -> Result<Wanted<T>> {
        let (option, count) = ("--target", predictions.entries.len());
        let given = rows::<f64>(option, &self.target)?.entries;
        if self.loss.family() == Family::Pointwise
            || (given.len() != predictions.rows && given.len() == count)
        {
            return Ok(Wanted::Values(rows::<T>(option, &self.target)?.entries));
        }
        if given.len() != predictions.rows {
            return Err(Failure::Usage(format!(
                "--target: {} numbers; give {} class indices, one per row, or {count} numbers, \
                 a distribution per row",
                given.len(),
                predictions.rows
            )));
        }
        let index = |&class: &f64| match class.fract() == 0.0 {
            true => Ok(class as i64),
            false => Err(Failure::Usage(format!(
                "--target: {class} is not a class index; give one integer per row, \
                 or a distribution per row"
            ))),
        };
        given.iter().map(index).collect::<Result<_>>().map(Wanted::Classes)
    }

    fn results<T: Number>(&self, predictions: &Rows<T>, targets: &Wanted<T>) -> Result<Results<T>> {
        let weights = self.weights::<T>()?;
        let mut call = self.call(&predictions.entries, predictions.rows, targets.borrowed());
        if let Some(weights) = &weights {
            call = call.class_weights(weights);
        }
        let values = match self.loss.family() {
            Family::Pointwise => predictions.entries.len(),
            Family::Classwise => predictions.rows,
        };
        let zeros = |count| vec![T::default(); count];
        let mut results = Results {
            values: zeros(values),
            gradient: zeros(predictions.entries.len()),
            curvature: zeros(predictions.entries.len()),
        };
        call.evaluate_into(Buffers {
            values: Some(&mut results.values),
            gradient: Some(&mut results.gradient),
            curvature: Some(&mut results.curvature),
        })?;
        Ok(results)
    }

    /// The steps are explained in double precision, whatever the type of the results.
    fn steps<T: Number>(&self, predictions: &Rows<T>, targets: &Wanted<T>) -> Result<Vec<Step>> {
        let wide = |numbers: &[T]| numbers.iter().map(|number| number.to_f64()).collect();
        let entries: Vec<f64> = wide(&predictions.entries);
        let targets = match targets {
            Wanted::Classes(classes) => Wanted::Classes(classes.clone()),
            Wanted::Values(values) => Wanted::Values(wide(values)),
        };
        let weights = self.weights::<f64>()?;
        let mut call = self.call(&entries, predictions.rows, targets.borrowed());
        if let Some(weights) = &weights {
            call = call.class_weights(weights);
        }
        Ok(call.steps()?)
    }

    fn call<'a, T: Number>(
        &'a self,
        entries: &'a [T],
        rows: usize,
        targets: Targets<'a, T>,
    ) -> Call<'a, (&'a [T], usize)> {
        self.loss.on((entries, entries.len() / rows), targets).reduction(Reduction::None)
    }

    fn weights<T: Number>(&self) -> Result<Option<Vec<T>>> {
        let read = |text| rows::<T>("--class-weights", text).map(|weights| weights.entries);
        self.class_weights.map(read).transpose()
    }

    fn heading<T: Number>(&self, predictions: &Rows<T>, output: &mut dyn Write) -> Result {
        let classes = predictions.entries.len() / predictions.rows;
        let size = match self.loss.family() {
            Family::Pointwise => count(predictions.entries.len(), "prediction"),
            Family::Classwise => format!("{} of {classes} classes", count(predictions.rows, "row")),
        };
        let name = self.loss.name();
        writeln!(output, "{NAME}{name}{NAME:#}  {QUIET}{size}, {}{QUIET:#}", T::NAME)?;
        if let Some(catalogued) = self.loss.page() {
            writeln!(output, "{}", formula(catalogued.entry()))?;
        }
        writeln!(output)?;
        Ok(())
    }

    fn table<T: Number>(
        &self,
        predictions: &Rows<T>,
        targets: &Wanted<T>,
        results: &Results<T>,
    ) -> Result<String> {
        match (self.loss.family(), targets) {
            (Family::Pointwise, Wanted::Values(targets)) => {
                Ok(elements(&predictions.entries, targets, results))
            }
            _ => self.rows(predictions, targets, results),
        }
    }

    fn rows<T: Number>(
        &self,
        predictions: &Rows<T>,
        targets: &Wanted<T>,
        results: &Results<T>,
    ) -> Result<String> {
        let classes = predictions.entries.len() / predictions.rows;
        let steps = self.steps(predictions, targets)?;
        let mut text = String::new();
        for row in 0..predictions.rows {
            let at = row * classes..(row + 1) * classes;
            let ignored =
                matches!(targets, Wanted::Classes(classes) if classes[row] == xent::IGNORE_INDEX);
            let note = if ignored { ", ignored" } else { "" };
            text += &format!("{HEADING}row {row}{note}{HEADING:#}\n");
            if !ignored {
                let steps = steps.get(at.clone()).unwrap_or_default();
                text += &steps_table(&predictions.entries[at.clone()], steps);
                text.push('\n');
            }
            text += &format!("value      {}\n", exact(results.values[row]));
            text += &format!("gradient   {}\n", listed(&results.gradient[at.clone()]));
            text += &format!("curvature  {}\n\n", listed(&results.curvature[at]));
        }
        Ok(text)
    }
}

impl<T: Number> Wanted<T> {
    fn borrowed(&self) -> Targets<'_, T> {
        match self {
            Self::Classes(classes) => classes.into(),
            Self::Values(values) => Targets::Values(values.into()),
        }
    }
}

impl<T: Number> Results<T> {
    fn json(&self, loss: String) -> ResultsJson<T> {
        let json = |numbers: &[T]| numbers.iter().copied().map(Json).collect();
        ResultsJson {
            loss,
            dtype: T::NAME,
            value: json(&self.values),
            gradient: json(&self.gradient),
            curvature: json(&self.curvature),
        }
    }
}

fn elements<T: Number>(predictions: &[T], targets: &[T], results: &Results<T>) -> String {
    let row = |i: usize| {
        [predictions[i], targets[i], results.values[i], results.gradient[i], results.curvature[i]]
            .map(exact)
    };
    let header = ["prediction", "target", "value", "gradient", "curvature"];
    table(&header, (0..predictions.len()).map(row), 0) + "\n"
}

fn steps_table<T: Number>(predictions: &[T], steps: &[Step]) -> String {
    let has_probability = steps.iter().any(|step| step.probability.is_some());
    let mut header = vec!["class", "prediction", "score", "probability", "target", "term"];
    header.retain(|name| has_probability || *name != "probability");
    let rows = predictions.iter().zip(steps).enumerate().map(|(class, (prediction, step))| {
        [class.to_string(), short(prediction.to_f64()), short(step.score)]
            .into_iter()
            .chain(step.probability.map(short))
            .chain([short(step.target), short(step.term)])
            .collect::<Vec<_>>()
    });
    table(&header, rows, 0)
}

/// Numbers in wrapped lines, aligned below the first.
fn listed<T: Number>(numbers: &[T]) -> String {
    let numbers: Vec<String> = numbers.iter().copied().map(exact).collect();
    wrapped(&numbers.join("  "), 11).trim_start().to_owned()
}
