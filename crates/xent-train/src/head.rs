//! Between a model and a loss: how many outputs the model has, what becomes of
//! them before the loss sees them, and how labels become targets.

use burn::tensor::activation::{log_sigmoid, log_softmax, sigmoid, softmax};
use burn::tensor::{Int, Tensor, TensorData};
use xent::{Domain, Family, Loss};
use xent_burn::Targets;

use crate::model::device;

/// What a model is to learn: a label per row.
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a> {
    /// A number per row.
    Values(&'a [f32]),
    /// A class per row.
    Classes {
        /// The index of the class, below `count`.
        indices: &'a [usize],
        /// How many classes there are.
        count: usize,
    },
}

impl Labels<'_> {
    /// How many rows are labelled.
    pub fn rows(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Classes { indices, .. } => indices.len(),
        }
    }

    /// How many classes there are, unless the labels are numbers.
    pub fn classes(&self) -> Option<usize> {
        match *self {
            Self::Values(_) => None,
            Self::Classes { count, .. } => Some(count),
        }
    }
}

/// What stands between the outputs of a model and a loss.
///
/// A classwise loss gets an output per class. A pointwise loss gets one output
/// for numbers and for two classes, and an output per class, one against the
/// rest, for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    family: Family,
    predictions: Domain,
    targets: Domain,
    outputs: usize,
}

impl Head {
    /// The head for labels in `classes` classes, or for numbers if `None`.
    /// `None` comes back if the loss needs classes and there are none.
    pub fn new(loss: &dyn Loss, classes: Option<usize>) -> Option<Self> {
        let outputs = match (loss.family(), classes) {
            (Family::Classwise, None) => return None,
            (Family::Classwise, Some(count)) => count,
            (Family::Pointwise, None | Some(2)) => 1,
            (Family::Pointwise, Some(count)) => count,
        };
        Some(Self {
            family: loss.family(),
            predictions: loss.prediction_domain(),
            targets: loss.target_domain(),
            outputs,
        })
    }

    /// How many outputs the model must have.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Turns outputs of the model into what the loss takes: probabilities,
    /// their logarithms, or the outputs as they are.
    pub fn activate(&self, outputs: Tensor<2>) -> Tensor<2> {
        match (self.predictions, self.family) {
            (Domain::Probability, Family::Pointwise) => sigmoid(outputs),
            (Domain::Probability, Family::Classwise) => softmax(outputs, 1),
            (Domain::LogProbability, Family::Pointwise) => log_sigmoid(outputs),
            (Domain::LogProbability, Family::Classwise) => log_softmax(outputs, 1),
            (Domain::Real | Domain::Logit | Domain::Sign, _) => outputs,
        }
    }

    /// The labels of some rows as the loss takes them: class indices, numbers,
    /// or for a pointwise loss on classes 1 for the class and 0 (or -1, if the
    /// loss wants signs) for the others.
    pub fn targets(&self, labels: Labels<'_>, rows: &[usize]) -> Targets {
        match (labels, self.family) {
            (Labels::Classes { indices, .. }, Family::Classwise) => {
                let classes: Vec<i64> = rows.iter().map(|&row| indices[row] as i64).collect();
                let classes = TensorData::new(classes, [rows.len()]);
                Targets::Classes(Tensor::<1, Int>::from_data(classes, &device().inner()))
            }
            (Labels::Classes { indices, .. }, Family::Pointwise) => {
                self.values(rows.iter().flat_map(|&row| self.indicators(indices[row])).collect())
            }
            (Labels::Values(values), _) => {
                self.values(rows.iter().map(|&row| values[row]).collect())
            }
        }
    }

    fn indicators(&self, class: usize) -> impl Iterator<Item = f32> {
        let other = if self.targets == Domain::Sign { -1.0 } else { 0.0 };
        // One output for two classes says how much speaks for the second.
        let first = usize::from(self.outputs == 1);
        (first..first + self.outputs).map(move |output| if output == class { 1.0 } else { other })
    }

    fn values(&self, values: Vec<f32>) -> Targets {
        let rows = values.len() / self.outputs;
        let values = TensorData::new(values, [rows, self.outputs]);
        Targets::Values(Tensor::from_data(values, &device().inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(loss: &str, classes: Option<usize>) -> Head {
        Head::new(xent::loss(loss).unwrap().as_ref(), classes).unwrap()
    }

    fn activated(loss: &str, classes: Option<usize>, outputs: [[f32; 2]; 1]) -> Vec<f32> {
        let outputs = Tensor::from_data(outputs, &device().inner());
        head(loss, classes).activate(outputs).into_data().try_into_vec().unwrap()
    }

    fn values(targets: Targets) -> (Vec<f32>, [usize; 2]) {
        match targets {
            Targets::Values(values) => {
                (values.clone().into_data().try_into_vec().unwrap(), values.dims())
            }
            Targets::Classes(classes) => panic!("{classes:?}"),
        }
    }

    #[test]
    fn outputs_follow_family_and_classes() {
        assert_eq!(head("mean_squared_error", None).outputs(), 1);
        assert_eq!(head("mean_squared_error", Some(2)).outputs(), 1);
        assert_eq!(head("mean_squared_error", Some(5)).outputs(), 5);
        assert_eq!(head("cross_entropy", Some(2)).outputs(), 2);
        assert_eq!(head("cross_entropy", Some(5)).outputs(), 5);
        assert_eq!(Head::new(xent::loss("cross_entropy").unwrap().as_ref(), None), None);
    }

    #[test]
    fn outputs_become_what_the_loss_takes() {
        let ln3 = 3f32.ln();
        let close = |actual: Vec<f32>, expected: [f32; 2]| {
            let fits = |(a, e): (&f32, &f32)| (a - e).abs() <= 4.0 * f32::EPSILON * e.abs();
            assert!(actual.iter().zip(&expected).all(fits), "{actual:?} {expected:?}");
        };
        close(activated("mean_squared_error", Some(2), [[0.0, ln3]]), [0.0, ln3]);
        close(activated("cross_entropy", Some(2), [[0.0, ln3]]), [0.0, ln3]);
        close(activated("cross_entropy_probabilities", Some(2), [[0.0, ln3]]), [0.25, 0.75]);
        close(activated("binary_cross_entropy", Some(2), [[0.0, ln3]]), [0.5, 0.75]);
        let logs = [0.25f32.ln(), 0.75f32.ln()];
        close(activated("negative_log_likelihood", Some(2), [[0.0, ln3]]), logs);
    }

    #[test]
    fn labels_become_what_the_loss_takes() {
        let two = Labels::Classes { indices: &[0, 1, 1], count: 2 };
        let three = Labels::Classes { indices: &[2, 0, 1], count: 3 };
        let rows = [2, 0];
        assert_eq!(
            values(head("binary_cross_entropy", Some(2)).targets(two, &rows)),
            (vec![1.0, 0.0], [2, 1])
        );
        assert_eq!(values(head("hinge", Some(2)).targets(two, &rows)), (vec![1.0, -1.0], [2, 1]));
        assert_eq!(
            values(head("mean_squared_error", Some(3)).targets(three, &rows)),
            (vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [2, 3])
        );
        assert_eq!(
            values(head("huber", None).targets(Labels::Values(&[1.5, 2.5, 3.5]), &rows)),
            (vec![3.5, 1.5], [2, 1])
        );
        let Targets::Classes(classes) = head("cross_entropy", Some(3)).targets(three, &rows) else {
            panic!("class indices")
        };
        assert_eq!(classes.into_data().try_into_vec_as::<i64>().unwrap(), [1, 2]);
    }
}
