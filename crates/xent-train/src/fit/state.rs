use std::time::Instant;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Epoch, Fitted};
use crate::model::Model;

/// Everything that the rest of a training depends on.
#[derive(Clone)]
pub struct State<M> {
    pub(crate) model: M,
    /// The weights of the lowest validation loss, with early stopping.
    pub(crate) best_model: Option<M>,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) position: Position,
    pub(crate) history: Vec<Epoch>,
    pub(crate) seconds: Vec<f64>,
    pub(crate) first_gradient_norm: f64,
}

/// How far training is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// How many epochs are done.
    pub(crate) epoch: usize,
    /// How many batches of the next one are done.
    pub(crate) batch: usize,
    /// The sum of the losses of its rows so far.
    pub(crate) sum: f64,
    /// How much these rows count in all.
    pub(crate) weight: f64,
    /// With early stopping, the best epoch so far.
    pub(crate) best: Option<Best>,
}

/// The epoch with the lowest validation loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) loss: f64,
    pub(crate) epoch: usize,
}

impl<M: Model> State<M> {
    pub(super) fn new(model: M, optimizer: ModuleOptimizer, first_gradient_norm: f64) -> Self {
        Self {
            model: numbered(model),
            best_model: None,
            optimizer,
            position: Position::default(),
            history: Vec::new(),
            seconds: Vec::new(),
            first_gradient_norm,
        }
    }

    /// Counts the time since `started` in favour of an epoch, from 0.
    pub(super) fn count_seconds(&mut self, epoch: usize, started: Instant) {
        self.seconds.resize(epoch + 1, 0.0);
        self.seconds[epoch] += started.elapsed().as_secs_f64();
    }

    pub(super) fn into_fitted(self) -> Fitted<M> {
        let last = self.history.len();
        Fitted {
            epoch: self.position.best.map_or(last, |best| best.epoch),
            model: self.best_model.unwrap_or(self.model),
            history: self.history,
            seconds: self.seconds,
            first_gradient_norm: self.first_gradient_norm,
        }
    }
}

/// `model` with its parameters numbered in their order. The optimiser knows
/// them by these numbers, which otherwise are others in each process.
pub(crate) fn numbered<M: Module>(model: M) -> M {
    struct Number(u64);

    impl ModuleMapper for Number {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (_, tensor, mapper) = param.consume();
            self.0 += 1;
            Param::from_mapped_value(ParamId::from(self.0), tensor, mapper)
        }
    }

    model.map(&mut Number(0))
}
