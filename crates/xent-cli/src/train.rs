//! `xent train`: a model from a table, texts or images.

use crate::failure::{Failure, Result};
use crate::interrupt::{self, interrupted, wait_for_step};
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::run_directory::{check_free, new_directory, stem};
use crate::terminal::{Output, count, note, quoted};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xent_chart::short;
use xent_train::advise::{Recommendation, advise};
use xent_train::checkpoint::{Checkpoint, Checkpoints};
use xent_train::data::{Dataset, Fingerprint};
use xent_train::error::RunError;
use xent_train::experiment::{
    ClassWeights, Configuration, ExperimentError, Keeping, Prepared, Trained, WeightedLoss,
    train_kept, training_report,
};
use xent_train::fit::FitError;
use xent_train::run::{RunDirectory, TestResult};

/// Train a model with a loss
///
/// Data is a table, a table with a column of texts (--text), a folder of images with a folder per
/// class (and perhaps `train` and `test` above them), CIFAR-10 or MNIST. The rows are split for
/// training, validation and test; everything is standardised and encoded by what the training rows
/// show. The result goes into a directory: `run.json` with configuration and test result,
/// `history.csv`, `report.html`, `checkpoints` and the model, which `xent evaluate` and
/// `xent predict` take. A run that was interrupted or killed goes on with --resume.
///
/// Targets of a regression are standardised for training, so the loss is in standard deviations;
/// MAE, RMSE and R² are in the units of the column.
///
///   xent train houses.csv --target price --loss huber:delta=2
///   xent train wine-quality --class-weights balanced
///   xent train photos --flip --crop 4
///   xent train reviews.tsv --text 0 --target 1
///   xent train --resume runs/photos-cross_entropy
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Train {
    /// Table (CSV, TSV, JSONL, Parquet), folder of images, or name of built-in data such as
    /// wine-quality, shapes or reviews
    #[arg(required_unless_present = "resume")]
    data: Option<String>,
    /// What to minimise, such as `huber:delta=2`; what `xent advise` says unless given. `xent list`
    /// has all
    #[arg(long)]
    loss: Option<WeightedLoss>,
    /// A weight per class in ascending order of the labels, or `balanced`
    #[arg(long, value_name = "WEIGHTS")]
    class_weights: Option<ClassWeights>,
    #[command(flatten)]
    recipe: Recipe,
    /// Go on with a run that was interrupted or killed, to the same bits as if it were not
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "loss", "class_weights", "Source", "Recipe"])]
    resume: Option<PathBuf>,
    /// Seconds between two checkpoints; 0 for one after each step
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    checkpoint_every: f64,
    /// How many checkpoints to keep
    #[arg(long, value_name = "CHECKPOINTS", default_value_t = 3)]
    keep: usize,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What a training is, as its checkpoints have it.
#[derive(Serialize, Deserialize)]
struct About {
    fingerprint: Fingerprint,
    configuration: Configuration,
}

impl Train {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let every = Duration::try_from_secs_f64(self.checkpoint_every).map_err(|_| {
            Failure::Usage(format!("--checkpoint-every is {}: give seconds", self.checkpoint_every))
        })?;
        wait_for_step();
        match &self.resume {
            Some(directory) => self.resume(directory, every, output),
            None => self.start(self.data.as_deref().unwrap_or_default(), every, output),
        }
    }

    fn start(&self, data: &str, every: Duration, output: &mut Output) -> Result {
        let (dataset, mut configuration) = self.recipe.read(data)?;
        if let Some(directory) = &self.recipe.out {
            check_free(directory, RUN, self.recipe.force)?;
            check_free(directory, CHECKPOINTS, self.recipe.force)?;
        }
        configuration.settings.check().map_err(ExperimentError::from)?;
        let fingerprint = dataset.fingerprint();
        let prepared = prepare(dataset, &configuration)?;
        let weighted = |loss: WeightedLoss| WeightedLoss {
            class_weights: self.class_weights.clone().or(loss.class_weights),
            loss: loss.loss,
        };
        configuration.loss = weighted(self.loss.clone().unwrap_or(configuration.loss));
        if self.loss.is_none() {
            // What is wrong with the arguments comes before the advice.
            prepared.parameters(&configuration)?;
            configuration.loss = weighted(advised(&prepared, configuration.settings.seed)?);
        }
        let names = [stem(data), &configuration.loss.to_string()];
        let directory = self.recipe.out.clone().unwrap_or_else(|| new_directory(&names));
        let about = About { fingerprint, configuration };
        let is_new = !directory.exists();
        let done = self.train(&directory, &about, &prepared, None, every, output);
        let goes_on = matches!(done, Ok(()) | Err(Failure::Interrupted(_)));
        if !goes_on && is_new && directory.exists() {
            // The error that matters is the first one.
            let _ = std::fs::remove_dir_all(&directory);
        }
        done
    }

    fn resume(&self, directory: &Path, every: Duration, output: &mut Output) -> Result {
        let run = RunDirectory::unfinished(directory)?;
        let (checkpoint, damaged) = Checkpoint::latest(&run)?;
        for error in damaged {
            note(&format!("{error}; the checkpoint before it is used"));
        }
        let about: About = checkpoint.about()?;
        let Configuration { data, reading, .. } = &about.configuration;
        let dataset = Dataset::open(data, reading)?;
        if dataset.fingerprint() != about.fingerprint {
            return Err(ExperimentError::ChangedData(data.clone()).into());
        }
        let prepared = prepare(dataset, &about.configuration)?;
        let (epochs, batches) = checkpoint.progress();
        let done = format!("{} and {}", count(epochs, "epoch"), count_batches(batches));
        note(&format!("resumed after {done}"));
        self.train(directory, &about, &prepared, Some(checkpoint), every, output)
    }

    fn train(
        &self,
        directory: &Path,
        about: &About,
        prepared: &Prepared,
        from: Option<Checkpoint>,
        every: Duration,
        output: &mut Output,
    ) -> Result {
        let configuration = &about.configuration;
        let parameters = prepared.parameters(configuration)?;
        note(&format!("{} with {parameters} parameters", configuration.architecture.name()));
        if from.is_none() && self.recipe.force {
            discard(directory)?;
        }
        let run = RunDirectory::create(directory)?;
        let about = serde_json::to_value(about)?;
        let keeping = Keeping {
            checkpoints: Checkpoints::new(&run, self.keep, every, &about),
            from,
            interrupted: &interrupted,
        };
        let mut progress = Progress::new(configuration, 1);
        let trained = train_kept(prepared, configuration, &mut progress, Some(keeping));
        progress.finish();
        let trained = trained.map_err(|error| match error {
            ExperimentError::Fit(error @ FitError::Interrupted { .. }) => {
                let resume =
                    format!("xent train --resume {}", quoted(&directory.to_string_lossy()));
                Failure::Interrupted(format!("{error}; go on with `{resume}`"))
            }
            error => error.into(),
        })?;
        let report = training_report(prepared, configuration, &trained);
        interrupt::without(|| trained.save(&run, configuration.clone(), prepared, &report))?;
        self.print(directory, &trained, output)
    }

    fn print(&self, directory: &Path, trained: &Trained, output: &mut Output) -> Result {
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

/// The folder that says that there is a run.
const CHECKPOINTS: &str = "checkpoints";

fn prepare(data: Dataset, configuration: &Configuration) -> Result<Prepared> {
    let Configuration { task, validation, test, settings, .. } = configuration;
    let prepared = Prepared::new(data, Some(*task), (*validation, *test), settings.seed)?;
    prepared.notices().iter().for_each(note);
    Ok(prepared)
}

/// The loss that suits the data, and a line that says why.
fn advised(prepared: &Prepared, seed: u64) -> Result<WeightedLoss> {
    let advice = advise(prepared, seed)?;
    let Recommendation { loss, seen, .. } = advice.loss();
    note(&format!("{loss}, since {seen}; choose another with --loss"));
    Ok(loss.clone())
}

/// Removes the run that is in a directory, its end first.
fn discard(directory: &Path) -> Result {
    let (run, checkpoints) = (directory.join(RUN), directory.join(CHECKPOINTS));
    if run.exists() {
        std::fs::remove_file(&run).map_err(|source| RunError::Io { path: run, source })?;
    }
    if checkpoints.exists() {
        std::fs::remove_dir_all(&checkpoints)
            .map_err(|source| RunError::Io { path: checkpoints, source })?;
    }
    Ok(())
}

fn count_batches(number: usize) -> String {
    let plural = if number == 1 { "" } else { "es" };
    format!("{number} batch{plural}")
}

/// Prints loss and metrics, a line each.
pub(crate) fn print_result(prefix: &str, result: &TestResult, output: &mut Output) -> Result {
    writeln!(output, "{:15}{}", format!("{prefix}loss"), short(result.loss))?;
    for figure in result.metrics.figures() {
        writeln!(output, "{:15}{}", format!("{prefix}{}", figure.name), short(figure.value))?;
    }
    Ok(())
}
