//! What commands have in common: data and, for `train` and `compare`, how to train.

use crate::failure::{Failure, Result};
use crate::run_directory::named;
use std::path::PathBuf;
use std::str::FromStr;
use xent_train::data::{Augmentation, Dataset, Reading, Task};
use xent_train::experiment::{Configuration, WeightedLoss};
use xent_train::fit::{Schedule, Settings};
use xent_train::model::Architecture;
use xent_train::optimizer::Optimizer;

/// A kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A weighted sum of the features or pixels
    Linear,
    /// Hidden layers with ReLU between them
    Mlp,
    /// 3×3 convolutions with ReLU and 2×2 max-pooling, then a dense layer; for images
    Cnn,
    /// Embedding, LSTM and a dense layer; for texts
    Lstm,
}

/// Which rows judge the result.
#[derive(Clone, Debug)]
enum TestRows {
    Share(f64),
    File(String),
}

impl FromStr for TestRows {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(text.parse().map_or_else(|_| Self::File(text.to_owned()), Self::Share))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Column to predict, by name or position from 0; built-in data has a usual one
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    target: Option<String>,
    /// Column of texts to predict it from, by name or position from 0
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    text: Option<String>,
    /// Column that says how much each row counts
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    sample_weight: Option<String>,
    /// Labels to keep, such as `cat,dog`; all unless given
    #[arg(long, value_name = "LABELS", value_delimiter = ',', help_heading = "Data")]
    classes: Vec<String>,
    /// Size of images, such as `32` or `48x64` (height, width); that of most of them unless given
    #[arg(long, value_name = "PIXELS", value_parser = size, help_heading = "Data")]
    size: Option<[usize; 2]>,
    /// Tokens that are read of a text [default: 128]
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one, help_heading = "Data")]
    max_tokens: Option<usize>,
    /// What to predict; inferred from the column unless given
    #[arg(long, value_parser = named(Task::ALL), help_heading = "Data")]
    task: Option<Task>,
    /// Share of the rows that watch training
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.1,
        allow_hyphen_values = true,
        help_heading = "Data"
    )]
    validation: f64,
    /// Share of the rows that judge the result, or a file with them [default: 0.2, or what the
    /// data has in `test` beside `train`]
    #[arg(long, value_name = "SHARE|FILE", allow_hyphen_values = true, help_heading = "Data")]
    test: Option<TestRows>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Recipe {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Kind of model; by the data unless given
    #[arg(long, value_enum, help_heading = "Model")]
    model: Option<Kind>,
    /// Units of each hidden layer of an mlp, or behind the convolutions of a cnn [default: 128
    /// for an mlp]
    #[arg(long, value_name = "UNITS", value_delimiter = ',', help_heading = "Model")]
    hidden: Vec<usize>,
    /// Channels of each convolution of a cnn [default: 32]
    #[arg(long, value_name = "CHANNELS", value_delimiter = ',', help_heading = "Model")]
    channels: Vec<usize>,
    /// Numbers that stand for a token in an lstm [default: 64]
    #[arg(long, value_name = "NUMBERS", help_heading = "Model")]
    embedding: Option<usize>,
    /// Units of an lstm [default: 64]
    #[arg(long, help_heading = "Model")]
    units: Option<usize>,
    /// Read texts from both ends
    #[arg(long, help_heading = "Model")]
    bidirectional: bool,
    /// Share of the hidden units that drop out in each step [default: 0, for an lstm 0.5]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, help_heading = "Model")]
    dropout: Option<f64>,
    /// How gradients change the weights
    #[arg(
        long,
        default_value = "adam",
        value_parser = named(Optimizer::ALL),
        help_heading = "Training"
    )]
    optimizer: Optimizer,
    /// Learning rate [default: 0.001 for adam, adamw and rmsprop, else 0.01]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, help_heading = "Training")]
    lr: Option<f64>,
    /// How the learning rate changes: constant, cosine, or step:every=EPOCHS,factor=FACTOR
    #[arg(long, default_value = "constant", help_heading = "Training")]
    schedule: Schedule,
    /// Epochs in which the learning rate grows from 0
    #[arg(
        long,
        value_name = "EPOCHS",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        help_heading = "Training"
    )]
    warmup: f64,
    /// How often training sees all rows [default: 50, for a cnn 10, for an lstm 6]
    #[arg(long, help_heading = "Training")]
    epochs: Option<usize>,
    /// Rows per step [default: 64, for a cnn or lstm 32]
    #[arg(long, value_name = "ROWS", help_heading = "Training")]
    batch_size: Option<usize>,
    /// λ of the penalty λ·Σ|w| on the weights
    #[arg(
        long,
        value_name = "λ",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        help_heading = "Training"
    )]
    l1: f64,
    /// λ of the penalty λ/2·Σw² on the weights
    #[arg(
        long,
        value_name = "λ",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        help_heading = "Training"
    )]
    l2: f64,
    /// λ by which the optimizer shrinks all parameters [default: 0.01 for adamw, else 0]
    #[arg(long, value_name = "λ", allow_hyphen_values = true, help_heading = "Training")]
    weight_decay: Option<f64>,
    /// Scale gradients down to this norm
    #[arg(long, value_name = "NORM", allow_hyphen_values = true, help_heading = "Training")]
    clip: Option<f64>,
    /// Mirror images at random, left to right
    #[arg(long, help_heading = "Training")]
    flip: bool,
    /// Shift images at random by up to so many pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 0, help_heading = "Training")]
    crop: usize,
    /// Stop after so many epochs without a lower validation loss, and keep the best weights
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    early_stop: Option<usize>,
    /// Decides the split, the first weights, the order of the rows and all other chance
    #[arg(long, default_value_t = 0, help_heading = "Training")]
    seed: u64,
    /// Directory to write to, instead of a new one in `runs`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Replace what an earlier command wrote to that directory
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

impl Source {
    /// The data, and what to predict.
    pub(crate) fn open(&self, path_or_name: &str) -> Result<(Dataset, Task)> {
        let data = Dataset::open(path_or_name, &self.reading())?;
        let task = self.task.map_or_else(|| data.task(), Ok)?;
        Ok((data, task))
    }

    /// The shares of the rows for validation and test.
    pub(crate) fn shares(&self) -> (f64, f64) {
        let test = match self.test {
            Some(TestRows::Share(share)) => share,
            Some(TestRows::File(_)) | None => 0.2,
        };
        (self.validation, test)
    }

    fn reading(&self) -> Reading {
        Reading {
            target: self.target.clone().unwrap_or_default(),
            text: self.text.clone(),
            weight: self.sample_weight.clone(),
            classes: self.classes.clone(),
            size: self.size,
            most_tokens: self.max_tokens,
            test: match &self.test {
                Some(TestRows::File(path)) => Some(path.clone()),
                Some(TestRows::Share(_)) | None => None,
            },
            header: None,
        }
    }
}

impl Recipe {
    /// The data, and how to train on it, with the usual loss of the task.
    pub(crate) fn read(&self, path_or_name: &str) -> Result<(Dataset, Configuration)> {
        let (data, task) = self.source.open(path_or_name)?;
        self.check_inputs(&data)?;
        let kind = self.model.unwrap_or(match (data.images(), data.text()) {
            (Some(_), _) => Kind::Cnn,
            (None, Some(_)) => Kind::Lstm,
            (None, None) => Kind::Mlp,
        });
        let (validation, test) = self.source.shares();
        let configuration = Configuration {
            data: path_or_name.to_owned(),
            reading: data.reading().clone(),
            task,
            loss: WeightedLoss::usual(task),
            architecture: self.architecture(kind)?,
            dropout: self.dropout.unwrap_or(if kind == Kind::Lstm { 0.5 } else { 0.0 }),
            validation,
            test,
            settings: self.settings(kind),
        };
        Ok((data, configuration))
    }

    /// Refuses options that other inputs have.
    fn check_inputs(&self, data: &Dataset) -> Result {
        let (images, texts) = (data.images(), data.text().is_some());
        let given = [
            ("--size", self.source.size.is_some(), images.is_some(), "images"),
            ("--flip", self.flip, images.is_some(), "images"),
            ("--crop", self.crop > 0, images.is_some(), "images"),
            ("--max-tokens", self.source.max_tokens.is_some(), texts, "texts"),
        ];
        if let Some((option, .., inputs)) = given.iter().find(|given| given.1 && !given.2) {
            return Err(Failure::Usage(format!("{option} is for {inputs}; leave it out")));
        }
        let side = images.map(|images| images.shape()[1..].iter().copied().min().unwrap_or(0));
        match side {
            Some(side) if 2 * self.crop > side => Err(Failure::Usage(format!(
                "--crop {}: the images have a side of {side} pixels; shift by half of that or less",
                self.crop
            ))),
            _ => Ok(()),
        }
    }

    fn architecture(&self, kind: Kind) -> Result<Architecture> {
        let given = [
            ("--hidden", !self.hidden.is_empty(), &[Kind::Mlp, Kind::Cnn][..]),
            ("--channels", !self.channels.is_empty(), &[Kind::Cnn]),
            ("--embedding", self.embedding.is_some(), &[Kind::Lstm]),
            ("--units", self.units.is_some(), &[Kind::Lstm]),
            ("--bidirectional", self.bidirectional, &[Kind::Lstm]),
            ("--dropout", self.dropout.is_some(), &[Kind::Mlp, Kind::Cnn, Kind::Lstm]),
        ];
        let name = |kind: &Kind| format!("--model {}", format!("{kind:?}").to_lowercase());
        if let Some((option, _, kinds)) =
            given.iter().find(|(_, is_given, kinds)| *is_given && !kinds.contains(&kind))
        {
            let others: Vec<String> = kinds.iter().map(name).collect();
            return Err(Failure::Usage(format!("{option} is for {}", others.join(" or "))));
        }
        let or = |sizes: &[usize], usual: &[usize]| {
            if sizes.is_empty() { usual.to_vec() } else { sizes.to_vec() }
        };
        Ok(match kind {
            Kind::Linear => Architecture::Linear,
            Kind::Mlp => Architecture::Mlp { hidden: or(&self.hidden, &[128]) },
            Kind::Cnn => Architecture::Cnn {
                channels: or(&self.channels, &[32]),
                hidden: self.hidden.clone(),
            },
            Kind::Lstm => Architecture::Lstm {
                embedding: self.embedding.unwrap_or(64),
                units: self.units.unwrap_or(64),
                bidirectional: self.bidirectional,
            },
        })
    }

    fn settings(&self, kind: Kind) -> Settings {
        let (epochs, batch_size) = match kind {
            Kind::Linear | Kind::Mlp => (50, 64),
            Kind::Cnn => (10, 32),
            Kind::Lstm => (6, 32),
        };
        Settings {
            optimizer: self.optimizer,
            learning_rate: self.lr.unwrap_or_else(|| self.optimizer.default_learning_rate()),
            schedule: self.schedule,
            warm_up: self.warmup,
            epochs: self.epochs.unwrap_or(epochs),
            batch_size: self.batch_size.unwrap_or(batch_size),
            l1: self.l1,
            l2: self.l2,
            weight_decay: self.weight_decay,
            clip: self.clip,
            augmentation: Augmentation { flip: self.flip, crop: self.crop },
            early_stop: self.early_stop,
            seed: self.seed,
        }
    }
}

/// `32` is a square, `48x64` are height and width.
fn size(text: &str) -> std::result::Result<[usize; 2], String> {
    let (height, width) = text.split_once(['x', '×']).unwrap_or((text, text));
    Ok([at_least_one(height)?, at_least_one(width)?])
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("`{text}` is no whole number above 0")),
    }
}
