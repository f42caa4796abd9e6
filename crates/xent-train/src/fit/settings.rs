use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::FitError;
use crate::data::Augmentation;
use crate::optimizer::Optimizer;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How gradients change the weights.
    pub optimizer: Optimizer,
    /// The step size, above 0.
    pub learning_rate: f64,
    /// How the step size changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Epochs in which the step size grows from 0 to its value; 0 or more.
    #[serde(default)]
    pub warm_up: f64,
    /// How often training sees all rows, at least once.
    pub epochs: usize,
    /// Rows per step, at least 1; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// λ of the penalty λ·Σ|w| on weights, not on biases; 0 or more.
    pub l1: f64,
    /// λ of the penalty λ/2·Σw² on weights, not on biases; 0 or more.
    pub l2: f64,
    /// λ by which the optimiser shrinks all parameters; that of the optimiser
    /// if `None`.
    #[serde(default)]
    pub weight_decay: Option<f64>,
    /// The most that the Euclidean norm of the gradient may be, above 0; larger
    /// gradients are scaled to it.
    #[serde(default)]
    pub clip: Option<f64>,
    /// What chance does to images.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Stops after this many epochs without a lower validation loss, and
    /// returns the weights of the lowest one.
    pub early_stop: Option<usize>,
    /// Decides the order of the rows, and everything else that is left to
    /// chance.
    pub seed: u64,
}

/// How the step size changes in the course of training.
///
/// As text: `constant`, `cosine`, `step`, `step:every=10,factor=0.1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// Down to 0 along half a wave.
    Cosine,
    /// By a factor every so many epochs.
    Step {
        /// Epochs between two changes, at least 1.
        every: usize,
        /// What the step size is multiplied by, above 0.
        factor: f64,
    },
}

impl Schedule {
    /// The share of the step size after so many of `epochs` epochs.
    fn share(self, epochs_done: f64, epochs: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                0.5 * (1.0 + (std::f64::consts::PI * (epochs_done / epochs).min(1.0)).cos())
            }
            Self::Step { every, factor } => factor.powi((epochs_done / every as f64) as i32),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Cosine => f.write_str("cosine"),
            Self::Step { every, factor } => write!(f, "step:every={every},factor={factor}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!("schedule `{text}` must be constant, cosine or step:every=EPOCHS,factor=FACTOR")
        };
        let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
        match (name, parameters.is_empty()) {
            ("constant", true) => Ok(Self::Constant),
            ("cosine", true) => Ok(Self::Cosine),
            ("step", _) => {
                let (mut every, mut factor) = (10, 0.1);
                for parameter in parameters.split(',').filter(|parameter| !parameter.is_empty()) {
                    match parameter.split_once('=') {
                        Some(("every", value)) => {
                            every = value.parse().map_err(|_| refused())?;
                        }
                        Some(("factor", value)) => {
                            factor = value.parse().map_err(|_| refused())?;
                        }
                        _ => return Err(refused()),
                    }
                }
                match every > 0 && factor > 0.0 && f64::is_finite(factor) {
                    true => Ok(Self::Step { every, factor }),
                    false => Err(refused()),
                }
            }
            _ => Err(refused()),
        }
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

impl Settings {
    /// The step size of a step: with so many epochs done, and `step` (from 0)
    /// of `steps` in the current one.
    pub(super) fn rate(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        let done = epoch as f64 + step as f64 / steps as f64;
        let next = epoch as f64 + (step + 1) as f64 / steps as f64;
        let grown = if self.warm_up > 0.0 { (next / self.warm_up).min(1.0) } else { 1.0 };
        self.learning_rate * grown * self.schedule.share(done, self.epochs as f64)
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`FitError::Setting`] names the setting and its range.
    pub fn check(&self) -> Result<(), FitError> {
        let check = |name, value: f64, range, legal: bool| {
            if legal { Ok(()) } else { Err(FitError::Setting { name, value, range }) }
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let rate = self.learning_rate;
        check("learning rate", rate, "above 0 and finite", positive(rate))?;
        check("warm-up", self.warm_up, "0 or more and finite", not_negative(self.warm_up))?;
        check("epochs", self.epochs as f64, "at least 1", self.epochs > 0)?;
        check("batch size", self.batch_size as f64, "at least 1", self.batch_size > 0)?;
        let decay = self.weight_decay.unwrap_or(0.0);
        for (name, value) in [("l1", self.l1), ("l2", self.l2), ("weight decay", decay)] {
            check(name, value, "0 or more and finite", not_negative(value))?;
        }
        let clip = self.clip.unwrap_or(1.0);
        check("clip", clip, "above 0 and finite", positive(clip))?;
        let patience = self.early_stop.unwrap_or(1);
        check("early stop", patience as f64, "at least 1", patience > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_round_trip_through_text() {
        for text in ["constant", "cosine", "step:every=3,factor=0.5"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert_eq!("step".parse(), Ok(Schedule::Step { every: 10, factor: 0.1 }));
        for text in ["cosin", "cosine:x=1", "step:every=0", "step:factor=-1", "step:k=1", ""] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_step_size_follows_its_schedule() {
        let settings = |schedule, warm_up| Settings {
            learning_rate: 2.0,
            schedule,
            warm_up,
            epochs: 4,
            ..crate::fit::tests::settings()
        };
        let cosine = settings(Schedule::Cosine, 0.0);
        assert_eq!(cosine.rate(0, 0, 10), 2.0);
        assert!((cosine.rate(2, 0, 10) - 1.0).abs() < 1e-12);
        assert!(cosine.rate(3, 9, 10) < 0.01 && cosine.rate(3, 9, 10) > 0.0);
        let step = settings(Schedule::Step { every: 2, factor: 0.5 }, 0.0);
        let rates: Vec<f64> = (0..4).map(|epoch| step.rate(epoch, 5, 10)).collect();
        assert_eq!(rates, [2.0, 2.0, 1.0, 1.0]);
        let warm = settings(Schedule::Constant, 1.0);
        assert!((warm.rate(0, 0, 10) - 0.2).abs() < 1e-12);
        assert_eq!((warm.rate(0, 9, 10), warm.rate(1, 0, 10)), (2.0, 2.0));
    }
}
