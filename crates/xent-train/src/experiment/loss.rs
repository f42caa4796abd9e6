use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xent::catalogue::Entry;
use xent::{Catalogued, Domain, Family, Loss};

use super::ExperimentError;
use crate::data::{Target, Task};

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

/// Whether a loss takes the labels of a task.
pub(crate) fn suits(loss: &dyn Loss, task: Task) -> bool {
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
