//! Progress of training: a bar on a terminal, else plain lines; on the standard error stream.

use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use xent_train::compare::ComparisonObserver;
use xent_train::data::Task;
use xent_train::experiment::{Configuration, WeightedLoss};
use xent_train::fit::{Epoch, Observer, Step};
use xent_train::report::short;

/// Shows how far training is.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: bool,
    metric: &'static str,
    epochs: usize,
    /// Whether it is trials that are followed, not epochs.
    compares: bool,
}

impl Progress {
    /// For so many models.
    pub(crate) fn new(configuration: &Configuration, trainings: usize) -> Self {
        let (task, epochs) = (configuration.task, configuration.settings.epochs);
        let bar = ProgressBar::new((epochs * trainings) as u64);
        let style = ProgressStyle::with_template("{bar:16.cyan/dim} {wide_msg} {eta}");
        bar.set_style(style.expect("the template is valid").progress_chars("━╸━"));
        Self {
            bar,
            plain: !std::io::stderr().is_terminal(),
            metric: match task {
                Task::Regression => "R²",
                Task::Binary | Task::Classes => "accuracy",
            },
            epochs,
            compares: false,
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn text(&self, epoch: &Epoch) -> String {
        let mut text = format!("{}/{}", epoch.epoch, self.epochs);
        // Writing to a string cannot fail.
        if let Some(metric) = epoch.metric {
            let _ = write!(text, "  {} {metric:.3}", self.metric);
        }
        let _ = write!(text, "  loss {}", short(epoch.train_loss));
        if let Some(loss) = epoch.validation_loss {
            let _ = write!(text, "  validation {}", short(loss));
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
        match (self.compares, self.plain) {
            (true, _) => {}
            (false, true) => eprintln!("epoch {}", self.text(epoch)),
            (false, false) => self.bar.set_message(self.text(epoch)),
        }
    }
}

impl ComparisonObserver for Progress {
    fn trial(&mut self, loss: &WeightedLoss, seed: u64) {
        self.compares = true;
        let trial = format!("seed {seed}  {loss}");
        match self.plain {
            true => eprintln!("{trial}"),
            false => self.bar.set_message(trial),
        }
    }
}
