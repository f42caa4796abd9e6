//! Progress of training: a live line on a terminal, else plain lines; on the standard error stream.

use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use xent_chart::short;
use xent_train::compare::ComparisonObserver;
use xent_train::data::Task;
use xent_train::experiment::{Configuration, WeightedLoss};
use xent_train::fit::{Epoch, Observer, Step};

/// Shows how far training is.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: bool,
    metric: &'static str,
    epochs: usize,
    trainings: usize,
    /// What is trained, if there are several trainings.
    trial: Option<String>,
    /// How many trainings have begun.
    begun: usize,
    losses: Curve,
    /// What the last epoch came to.
    last: String,
}

impl Progress {
    /// For so many models.
    pub(crate) fn new(configuration: &Configuration, trainings: usize) -> Self {
        let bar = ProgressBar::no_length();
        let template = "{prefix} {bar:12.cyan/dim} {eta:>4}  {wide_msg}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the template is valid").progress_chars("━╸━"));
        Self {
            bar,
            plain: !std::io::stderr().is_terminal(),
            metric: match configuration.task {
                Task::Regression => "R²",
                Task::Binary | Task::Classes => "accuracy",
            },
            epochs: configuration.settings.epochs,
            trainings,
            trial: None,
            begun: 0,
            losses: Curve::default(),
            last: String::new(),
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
    fn step(&mut self, step: &Step) {
        self.losses.push(step.loss);
        if self.plain {
            return;
        }
        let of_training = self.epochs * step.batches;
        let done = self.begun.saturating_sub(1) * of_training;
        let done = (done + (step.epoch - 1) * step.batches + step.batch) as u64;
        if self.bar.length().is_none() {
            self.bar.set_length((self.trainings * of_training) as u64);
            self.bar.set_position(done);
            // What a resumed run did before says nothing of its speed.
            self.bar.reset_eta();
        }
        self.bar.set_position(done);
        let batch = format!("{:>width$}", step.batch, width = step.batches.to_string().len());
        let epoch = format!("epoch {}/{} {batch}/{}", step.epoch, self.epochs, step.batches);
        self.bar.set_prefix(epoch);
        let (loss, curve) = (short(self.losses.level), self.losses.drawn());
        self.bar.set_message(match &self.trial {
            Some(trial) => format!("{trial}  {curve}"),
            None => format!("loss {loss:<8}{}  {curve}", self.last),
        });
    }

    fn epoch(&mut self, epoch: &Epoch) {
        if self.trial.is_some() {
            return;
        }
        if self.plain {
            eprintln!("epoch {}", self.text(epoch));
        }
        self.last = epoch.metric.map_or(String::new(), |m| format!(" {} {m:.3}", self.metric));
    }
}

impl ComparisonObserver for Progress {
    fn trial(&mut self, loss: &WeightedLoss, seed: u64) {
        let trial = format!("seed {seed}  {loss}");
        if self.plain {
            eprintln!("{trial}");
        }
        self.trial = Some(trial);
        self.begun += 1;
        self.losses = Curve::default();
    }
}

/// The losses of batches, smoothed, as a small curve.
#[derive(Default)]
struct Curve {
    /// The smoothed loss.
    level: f64,
    points: Vec<f64>,
    /// How many losses a point stands for.
    stride: usize,
    seen: usize,
}

impl Curve {
    const POINTS: usize = 10;

    fn push(&mut self, loss: f64) {
        const MEMORY: f64 = 0.95;
        self.level = match self.seen {
            0 => loss,
            _ => MEMORY * self.level + (1.0 - MEMORY) * loss,
        };
        self.stride = self.stride.max(1);
        if self.seen.is_multiple_of(self.stride) {
            self.points.push(self.level);
        }
        self.seen += 1;
        if self.points.len() > 2 * Self::POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    fn drawn(&self) -> String {
        const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let pairs = self.points.chunks(2).map(|pair| pair.iter().sum::<f64>() / pair.len() as f64);
        let points: Vec<f64> = pairs.collect();
        let low = points.iter().copied().fold(f64::INFINITY, f64::min);
        let high = points.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let level = |point: &f64| match high > low {
            true => LEVELS[((point - low) / (high - low) * 7.0).round() as usize],
            false => LEVELS[0],
        };
        points.iter().map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_falls_as_the_loss_does_and_stays_small() {
        let mut curve = Curve::default();
        assert_eq!(curve.drawn(), "");
        for step in 0..5000 {
            curve.push(1.0 / (1.0 + f64::from(step)));
        }
        let drawn: Vec<char> = curve.drawn().chars().collect();
        assert!((Curve::POINTS / 2..=Curve::POINTS + 1).contains(&drawn.len()), "{drawn:?}");
        assert_eq!((drawn.first(), drawn.last()), (Some(&'█'), Some(&'▁')));
        assert!(drawn.is_sorted_by(|a, b| a >= b), "{drawn:?}");
    }
}
