//! Adam and AdamW in one pass over the numbers of a parameter.
//!
//! Burn's own are a dozen operations on tensors, each of which goes through memory: a quarter of
//! the time of a step of an LSTM, whose table of words is large.

use burn::optim::{AdamState, AdaptiveMomentumState, LearningRate};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::model::{host_values, vectorised};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// From how many numbers on a thread is worth its start.
const PIECE: usize = 1 << 14;

/// Adam (Kingma and Ba 2015, arXiv:1412.6980), with a penalty of λ/2·Σw²; or AdamW (Loshchilov and
/// Hutter 2019, arXiv:1711.05101), where weights decay by themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adam {
    pub(super) penalty: f32,
    pub(super) decay: f32,
}

/// What a step is for all numbers of a parameter.
#[derive(Clone, Copy)]
struct Step {
    penalty: f32,
    /// What is left of a weight before the step.
    kept: f32,
    rate: f32,
    epsilon: f32,
}

impl burn::optim::Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let (device, shape) = (weights.device(), weights.shape());
        let (time, mut first, mut second) = match state {
            Some(AdamState { momentum }) => {
                let AdaptiveMomentumState { time, moment_1, moment_2, .. } = momentum;
                (time + 1, host_values(moment_1), host_values(moment_2))
            }
            None => (1, vec![0.0; shape.num_elements()], vec![0.0; shape.num_elements()]),
        };
        let (mut weights, gradient) = (host_values(weights), host_values(gradient));
        let [bias_1, bias_2] = [BETA_1, BETA_2].map(|beta| 1.0 - beta.powi(time as i32));
        let step = Step {
            penalty: self.penalty,
            kept: 1.0 - rate as f32 * self.decay,
            rate: rate as f32 * bias_2.sqrt() / bias_1,
            epsilon: EPSILON * bias_2.sqrt(),
        };
        weights
            .par_chunks_mut(PIECE)
            .zip(first.par_chunks_mut(PIECE))
            .zip(second.par_chunks_mut(PIECE))
            .zip(gradient.par_chunks(PIECE))
            .for_each(|(((weights, first), second), gradient)| {
                vectorised(
                    #[inline(always)]
                    || step.take(weights, first, second, gradient),
                );
            });
        let tensor = |values| Tensor::from_data(TensorData::new(values, shape.clone()), &device);
        let momentum = AdaptiveMomentumState::new(time, tensor(first), tensor(second));
        (tensor(weights), Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        AdamState::new(state.momentum.to_device(device))
    }
}

impl Step {
    #[inline(always)]
    fn take(self, weights: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        let moments = first.iter_mut().zip(second);
        for ((weight, (first, second)), gradient) in weights.iter_mut().zip(moments).zip(gradient) {
            let gradient = gradient + self.penalty * *weight;
            *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
            *second = BETA_2 * *second + (1.0 - BETA_2) * (gradient * gradient);
            *weight = self.kept * *weight - self.rate * *first / (second.sqrt() + self.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device;
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::{AdamConfig, AdamWConfig};

    /// Some steps from the same weights, along gradients that change.
    fn weights_after_steps<O: burn::optim::Optimizer>(optimizer: &O) -> Vec<f32> {
        let count = PIECE + 5;
        let device = device().inner();
        let numbers = |scale: f32| -> Tensor<1> {
            let values: Vec<f32> = (0..count).map(|i| (i as f32 * scale).sin()).collect();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        };
        let (mut weights, mut state) = (numbers(1.0), None);
        for step in 1..=5 {
            let gradient = numbers(0.3 * step as f32);
            (weights, state) = optimizer.step(0.01, weights, gradient, state);
        }
        host_values(weights)
    }

    #[test]
    fn steps_are_those_of_burn() {
        let penalised = AdamConfig::new()
            .with_epsilon(EPSILON)
            .with_weight_decay(Some(WeightDecayConfig::new(0.1)))
            .build();
        let decayed = AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(0.1).build();
        let pairs = [
            (Adam { penalty: 0.1, decay: 0.0 }, weights_after_steps(&penalised)),
            (Adam { penalty: 0.0, decay: 0.1 }, weights_after_steps(&decayed)),
        ];
        for (ours, expected) in pairs {
            for (actual, expected) in weights_after_steps(&ours).into_iter().zip(expected) {
                assert!((actual - expected).abs() <= 2e-6, "{actual} is not {expected}");
            }
        }
    }
}
