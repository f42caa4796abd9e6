//! Any loss of `xent` as one differentiable operation of [Burn](https://burn.dev).
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use xent_burn::{Criterion, Targets};
//!
//! let device = Device::flex().autodiff();
//! let logits = Tensor::<2>::from_data([[2.0, 1.0, 0.1]], &device).require_grad();
//! let labels = Tensor::<1, Int>::from_data([0], &device);
//!
//! let criterion = Criterion::new(xent::loss("cross_entropy")?);
//! let loss = criterion.forward(logits.clone(), Targets::Classes(labels))?;
//! let gradients = loss.backward();
//! assert_eq!(logits.grad(&gradients).unwrap().dims(), [1, 3]);
//! # Ok::<(), xent::Error>(())
//! ```
//!
//! The forward pass computes the value and the gradient at once, exactly as
//! `xent` does on slices; the backward pass multiplies that gradient by the
//! gradient of whatever follows the loss, and does nothing when that is 1.
//!
//! # Where it runs
//!
//! The loss is always computed on the CPU. On Burn's CPU backend `flex` the
//! operation works in the memory of the predictions: it copies nothing if the
//! tensor passed in is the last one to use that memory, and once if it is
//! shared or not contiguous. On a backend with memory of its own the
//! predictions would travel to the host and the gradient back, at the price
//! of a synchronisation per call; only `flex` is enabled here.
//!
//! Losses compute in `f32`: predictions of another floating-point type are
//! converted, and the value and the gradient converted back.

mod op;

use std::iter::repeat_n;
use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::kind::Basic;
use burn::tensor::{Element, Int, Tensor};
use xent::{Call, Error, Evaluate, Family, Loss, Predictions, Reduction, Result, WhenEmpty};

use op::LossOp;

/// What the predictions are compared with. Targets are constants: no gradient
/// flows into them.
#[derive(Debug, Clone)]
pub enum Targets {
    /// A class index per row, of shape `[rows]`.
    Classes(Tensor<1, Int>),
    /// Values or distributions, in the shape of the predictions.
    Values(Tensor<2>),
}

/// A loss with its class weights and reduction, ready to train a model.
#[derive(Debug, Clone)]
pub struct Criterion {
    loss: Arc<dyn Loss>,
    class_weights: Option<Vec<f32>>,
    ignore_index: Option<i64>,
    reduction: Reduction,
    when_empty: WhenEmpty,
}

impl Criterion {
    /// A criterion that averages `loss` over the batch.
    pub fn new(loss: impl Into<Arc<dyn Loss>>) -> Self {
        Self {
            loss: loss.into(),
            class_weights: None,
            ignore_index: None,
            reduction: Reduction::Mean,
            when_empty: WhenEmpty::Error,
        }
    }

    /// Weighs every row by the weight of its class. Needs class targets.
    pub fn class_weights(mut self, weights: impl Into<Vec<f32>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    /// Leaves out the rows whose class index is `index`.
    pub fn ignore_index(mut self, index: i64) -> Self {
        self.ignore_index = Some(index);
        self
    }

    /// How the losses of the batch become one number: mean (the default) or sum.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// What the mean of a batch without any row that counts is: an error (the
    /// default) or zero.
    pub fn when_empty(mut self, when_empty: WhenEmpty) -> Self {
        self.when_empty = when_empty;
        self
    }

    /// The loss of `predictions`, of shape `[rows, columns]`, as a tensor of
    /// shape `[1]` that `backward` can start from. A column is a class for a
    /// classwise loss, and an output of its own for a pointwise one.
    ///
    /// # Errors
    ///
    /// Whatever the loss refuses: shapes that do not fit, a label that is no
    /// class, a probability outside its range, a batch with nothing to average.
    pub fn forward(&self, predictions: Tensor<2>, targets: Targets) -> Result<Tensor<1>> {
        self.evaluate(predictions, targets, None)
    }

    /// As [`forward`](Self::forward), with a weight per row, of shape `[rows]`.
    ///
    /// # Errors
    ///
    /// As for [`forward`](Self::forward), and weights that are negative, not
    /// finite, or not as many as rows.
    pub fn forward_weighted(
        &self,
        predictions: Tensor<2>,
        targets: Targets,
        weights: Tensor<1>,
    ) -> Result<Tensor<1>> {
        self.evaluate(predictions, targets, Some(host_values(weights)))
    }

    fn evaluate(
        &self,
        predictions: Tensor<2>,
        targets: Targets,
        weights: Option<Vec<f32>>,
    ) -> Result<Tensor<1>> {
        let [_, columns] = predictions.dims();
        let mut batch = Batch {
            criterion: self,
            columns,
            targets: targets.into(),
            weights: weights.map(|weights| self.spread(weights, columns)),
            error: None,
        };
        let value = Dispatch::loss_value(predictions.into_dispatch(), &mut batch);
        match batch.error {
            None => Ok(Tensor::from_dispatch(value)),
            Some(error) => Err(error),
        }
    }

    /// The weights in the form the core takes them: one per loss, of which a
    /// row has one if classwise and one per column if pointwise.
    fn spread(&self, rows: Vec<f32>, columns: usize) -> Vec<f32> {
        match self.loss.family() {
            Family::Classwise => rows,
            Family::Pointwise => {
                rows.into_iter().flat_map(|weight| repeat_n(weight, columns)).collect()
            }
        }
    }
}

/// One call of the loss, complete but for the predictions.
struct Batch<'a> {
    criterion: &'a Criterion,
    columns: usize,
    targets: HostTargets,
    weights: Option<Vec<f32>>,
    /// An operation cannot return an error, so the error waits here.
    error: Option<Error>,
}

enum HostTargets {
    Classes(Vec<i64>),
    Values(Vec<f32>),
}

impl From<Targets> for HostTargets {
    fn from(targets: Targets) -> Self {
        match targets {
            Targets::Classes(classes) => Self::Classes(host_values(classes)),
            Targets::Values(values) => Self::Values(host_values(values)),
        }
    }
}

impl Batch<'_> {
    /// The reduced value; NaN after an error.
    fn value(&mut self, predictions: &[f32]) -> f64 {
        let value = self.call(predictions).value();
        self.settle(value)
    }

    /// The reduced value, whose gradient replaces the predictions; NaN after an error.
    fn value_and_gradient(&mut self, predictions: &mut [f32]) -> f64 {
        let value = self.call(predictions).value_and_gradient_in_place();
        self.settle(value)
    }

    fn settle(&mut self, value: Result<f64>) -> f64 {
        value.unwrap_or_else(|error| {
            self.error = Some(error);
            f64::NAN
        })
    }

    fn call<'a, P>(&'a self, predictions: P) -> Call<'a, (P, usize)>
    where
        (P, usize): Predictions<Element = f32>,
    {
        let predictions = (predictions, self.columns);
        let mut call = match &self.targets {
            HostTargets::Classes(classes) => self.criterion.loss.on(predictions, classes),
            HostTargets::Values(values) => self.criterion.loss.on(predictions, values),
        };
        if let Some(weights) = &self.weights {
            call = call.weights(weights);
        }
        if let Some(weights) = &self.criterion.class_weights {
            call = call.class_weights(weights);
        }
        if let Some(index) = self.criterion.ignore_index {
            call = call.ignore_index(index);
        }
        call.reduction(self.criterion.reduction).when_empty(self.criterion.when_empty)
    }
}

/// The values of a tensor in row-major order.
fn host_values<const D: usize, K: Basic, E: Element>(tensor: Tensor<D, K>) -> Vec<E> {
    tensor.into_data().try_into_vec_as().expect("numbers convert")
}
