//! `xent train`: a model from a table.

use crate::failure::Result;
use crate::progress::Progress;
use crate::recipe::{Ingredients, Recipe, check_free, new_directory, save, stem};
use crate::terminal::{Output, note};
use serde_json::json;
use std::io::Write as _;
use xent_train::experiment::{
    ClassWeights, Configuration, Prepared, WeightedLoss, train, training_report,
};
use xent_train::report::short;
use xent_train::run::TestResult;

/// Train a model on a table with a loss
///
/// The rows are split for training, validation and test; numbers are standardised and text is
/// encoded by what the training rows show. The result goes into a directory: `run.json` with
/// configuration and test result, `history.csv`, `report.html` and the model, which
/// `xent evaluate` and `xent predict` take.
///
/// Targets of a regression are standardised for training, so the loss is in standard deviations;
/// MAE, RMSE and R² are in the units of the column.
///
///   xent train houses.csv --target price
///   xent train houses.csv --target price --model linear --loss huber:delta=2
///   xent train wine-quality --loss cross_entropy --class-weights balanced
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Train {
    /// CSV, TSV or Parquet file, or the name of a built-in table such as wine-quality
    data: String,
    /// What to minimise, such as `huber:delta=2`; by task unless given. `xent list` has all
    #[arg(long)]
    loss: Option<WeightedLoss>,
    /// A weight per class in ascending order of the labels, or `balanced`
    #[arg(long, value_name = "WEIGHTS")]
    class_weights: Option<ClassWeights>,
    #[command(flatten)]
    recipe: Recipe,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Train {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        crate::interrupt::wait_for_writing();
        let Ingredients { table, target, task, hidden, shares, settings } =
            self.recipe.read(&self.data)?;
        let mut loss = self.loss.clone().unwrap_or_else(|| WeightedLoss::usual(task));
        if self.class_weights.is_some() {
            loss.class_weights = self.class_weights.clone();
        }
        let names = [stem(&self.data), &loss.to_string()];
        let directory = self.recipe.out.clone().unwrap_or_else(|| new_directory(&names));
        check_free(&directory, RUN, self.recipe.force)?;

        let prepared = Prepared::new(table, &target, Some(task), shares, settings.seed)?;
        prepared.notices().iter().for_each(note);
        let (validation, test) = shares;
        let configuration =
            Configuration { target, task, loss, hidden, validation, test, settings };
        let mut progress = Progress::new(task, configuration.settings.epochs, 1);
        let trained = train(&prepared, &configuration, &mut progress);
        progress.finish();
        let trained = trained?;
        let report = training_report(&prepared, &configuration, &trained);
        save(&directory, RUN, |run| Ok(trained.save(run, configuration, &prepared, &report)?))?;

        if self.json {
            let result = json!({ "run": directory, "test": trained.test });
            serde_json::to_writer_pretty(&mut *output, &result)?;
            writeln!(output)?;
            return Ok(());
        }
        print_result("Test ", &trained.test, output)?;
        writeln!(output, "Run            {}", directory.display())?;
        Ok(())
    }
}

/// The file that says that a run is complete.
const RUN: &str = "run.json";

/// Prints loss and metrics, a line each.
pub(crate) fn print_result(prefix: &str, result: &TestResult, output: &mut Output) -> Result {
    writeln!(output, "{:15}{}", format!("{prefix}loss"), short(result.loss))?;
    for figure in result.metrics.figures() {
        writeln!(output, "{:15}{}", format!("{prefix}{}", figure.name), short(figure.value))?;
    }
    Ok(())
}
