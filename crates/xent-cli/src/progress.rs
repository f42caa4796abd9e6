//! Progress of training: a bar on a terminal, else plain lines; on the standard error stream.

use crate::numbers::short;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use xent_train::compare::ComparisonObserver;
use xent_train::data::Task;
use xent_train::experiment::WeightedLoss;
use xent_train::fit::{Epoch, Observer, Step};

/// Shows how far training is.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: bool,
    metric: &'static str,
    epochs: usize,
    /// What is trained, if it is not one model only.
    trial: Option<String>,
}

impl Progress {
    /// For `trainings` models, each of `epochs` epochs.
    pub(crate) fn new(task: Task, epochs: usize, trainings: usize) -> Self {
        let bar = ProgressBar::new((epochs * trainings) as u64);
        let style =
            ProgressStyle::with_template("{bar:24.cyan/dim} {percent:>3}%  {wide_msg} {eta}");
        bar.set_style(style.expect("the template is valid").progress_chars("━╸━"));
        Self {
            bar,
            plain: !std::io::stderr().is_terminal(),
            metric: match task {
                Task::Regression => "R²",
                Task::Binary | Task::Classes => "accuracy",
            },
            epochs,
            trial: None,
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn text(&self, epoch: &Epoch) -> String {
        let mut text =
            format!("epoch {}/{}  loss {}", epoch.epoch, self.epochs, short(epoch.train_loss));
        // Writing to a string cannot fail.
        if let Some(loss) = epoch.validation_loss {
            let _ = write!(text, "  validation {}", short(loss));
        }
        if let Some(metric) = epoch.metric {
            let _ = write!(text, "  {} {metric:.3}", self.metric);
        }
        text
    }
}

impl Observer for Progress {
    fn step(&mut self, _step: &Step) {
        self.bar.tick();
    }

    fn epoch(&mut self, epoch: &Epoch) {
        self.bar.inc(1);
        match &self.trial {
            Some(trial) => self.bar.set_message(trial.clone()),
            None if self.plain => eprintln!("{}", self.text(epoch)),
            None => self.bar.set_message(self.text(epoch)),
        }
    }
}

impl ComparisonObserver for Progress {
    fn trial(&mut self, loss: &WeightedLoss, seed: u64) {
        let trial = format!("seed {seed}  {loss}");
        if self.plain {
            eprintln!("{trial}");
        }
        self.trial = Some(trial);
    }
}
