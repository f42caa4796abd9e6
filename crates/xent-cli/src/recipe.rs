//! What `train` and `compare` have in common: data and how to train.

use crate::failure::{Failure, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use xent_train::data::{Table, Task, builtin_target};
use xent_train::error::RunError;
use xent_train::fit::Settings;
use xent_train::optimizer::Optimizer;
use xent_train::run::RunDirectory;

/// The shape of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Architecture {
    /// A weighted sum of the features
    Linear,
    /// Hidden layers with ReLU between them
    Mlp,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Recipe {
    /// Column to predict; built-in tables have a usual one
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// What to predict; inferred from the column unless given
    #[arg(long, value_parser = named(Task::ALL))]
    task: Option<Task>,
    /// Shape of the model
    #[arg(long, value_enum, default_value_t = Architecture::Mlp)]
    model: Architecture,
    /// Units of each hidden layer of an mlp, first to last [default: 128]
    #[arg(long, value_name = "UNITS", value_delimiter = ',')]
    hidden: Vec<usize>,
    /// How gradients change the weights
    #[arg(long, default_value = "adam", value_parser = named(Optimizer::ALL))]
    optimizer: Optimizer,
    /// Learning rate [default: 0.001 for adam and adamw, else 0.01]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    lr: Option<f64>,
    /// How often training sees all rows
    #[arg(long, default_value_t = 50)]
    epochs: usize,
    /// Rows per step
    #[arg(long, value_name = "ROWS", default_value_t = 64)]
    batch_size: usize,
    /// λ of the penalty λ·Σ|w| on the weights
    #[arg(long, value_name = "λ", default_value_t = 0.0, allow_hyphen_values = true)]
    l1: f64,
    /// λ of the penalty λ/2·Σw² on the weights
    #[arg(long, value_name = "λ", default_value_t = 0.0, allow_hyphen_values = true)]
    l2: f64,
    /// Share of the rows that watch training
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, allow_hyphen_values = true)]
    validation: f64,
    /// Share of the rows that judge the result
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, allow_hyphen_values = true)]
    test: f64,
    /// Decides the split, the first weights and the order of the rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stop after so many epochs without a lower validation loss, and keep the best weights
    #[arg(long, value_name = "EPOCHS")]
    early_stop: Option<usize>,
    /// Directory to write to, instead of a new one in `runs`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace what an earlier command wrote to that directory
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

/// A table with the column to predict, and how.
pub(crate) struct Ingredients {
    pub(crate) table: Table,
    pub(crate) target: String,
    pub(crate) task: Task,
    pub(crate) hidden: Vec<usize>,
    pub(crate) shares: (f64, f64),
    pub(crate) settings: Settings,
}

impl Recipe {
    pub(crate) fn read(&self, data: &str) -> Result<Ingredients> {
        let hidden = match (self.model, self.hidden.is_empty()) {
            (Architecture::Linear, true) => Vec::new(),
            (Architecture::Linear, false) => {
                return Err(Failure::Usage(
                    "--hidden: a linear model has no hidden layers; use --model mlp".to_owned(),
                ));
            }
            (Architecture::Mlp, true) => vec![128],
            (Architecture::Mlp, false) => self.hidden.clone(),
        };
        let table = Table::open(data)?;
        let target = self.target.clone().or_else(|| builtin_target(data).map(str::to_owned));
        let target = target.ok_or_else(|| {
            let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
            Failure::Usage(format!(
                "--target is needed: which column of {data} to predict; it has {}",
                names.join(", ")
            ))
        })?;
        let task = self.task.map_or_else(|| Task::infer(&table, &target), Ok)?;
        Ok(Ingredients {
            table,
            target,
            task,
            hidden,
            shares: (self.validation, self.test),
            settings: self.settings(),
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            optimizer: self.optimizer,
            learning_rate: self.lr.unwrap_or_else(|| self.optimizer.default_learning_rate()),
            epochs: self.epochs,
            batch_size: self.batch_size,
            l1: self.l1,
            l2: self.l2,
            early_stop: self.early_stop,
            seed: self.seed,
        }
    }
}

/// A directory in `runs` that does not exist yet, named after what is in it.
pub(crate) fn new_directory(parts: &[&str]) -> PathBuf {
    let plain = |c: char| if c.is_alphanumeric() || "._=@".contains(c) { c } else { '-' };
    let name: String = parts.join("-").chars().map(plain).collect();
    let runs = Path::new("runs");
    let numbered = (2..).map(|number| runs.join(format!("{name}-{number}")));
    std::iter::once(runs.join(&name))
        .chain(numbered)
        .find(|path| !path.exists())
        .expect("there are endlessly many names")
}

/// The name of a table without folders and extension.
pub(crate) fn stem(data: &str) -> &str {
    Path::new(data).file_stem().and_then(|stem| stem.to_str()).unwrap_or("data")
}

/// Refuses a directory that `marker` says is in use, before any work is done.
pub(crate) fn check_free(path: &Path, marker: &str, force: bool) -> Result {
    let taken = |problem: &str| Err(Failure::Usage(format!("{}: {problem}", path.display())));
    if path.exists() && !path.is_dir() {
        return taken("this is a file; --out is a directory");
    }
    match path.join(marker).exists() && !force {
        true => taken(&format!(
            "there is a {marker} already; choose another --out, or replace it with --force"
        )),
        false => Ok(()),
    }
}

/// Writes to a directory, so that neither a failure nor an interruption leaves a part of it:
/// `marker`, which says that all is there, goes first and comes last.
pub(crate) fn save(
    path: &Path,
    marker: &str,
    write: impl FnOnce(&RunDirectory) -> Result,
) -> Result {
    crate::interrupt::without(|| {
        let is_new = !path.exists();
        let old = path.join(marker);
        if old.exists() {
            std::fs::remove_file(&old).map_err(|source| RunError::Io { path: old, source })?;
        }
        let written = RunDirectory::create(path).map_err(Failure::from).and_then(|run| write(&run));
        if written.is_err() && is_new {
            // The error that matters is the first one.
            let _ = std::fs::remove_dir_all(path);
        }
        written
    })
}

/// Reads one of `all` by its name.
fn named<T, const N: usize>(all: [T; N]) -> impl TypedValueParser<Value = T>
where
    T: Copy + ToString + Send + Sync + 'static,
{
    let names = all.map(|value| clap::builder::PossibleValue::new(value.to_string()));
    PossibleValuesParser::new(names).map(move |name| {
        all.into_iter().find(|value| value.to_string() == name).expect("only names are possible")
    })
}
