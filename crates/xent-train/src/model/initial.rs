//! First weights.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::device;

/// Draws the first weights of a model; the same seed gives the same bits.
///
/// Burn's own initialisation draws from a generator shared by the whole
/// process, so that two models made at the same time would disturb each other.
pub(super) struct Initial {
    random: ChaCha8Rng,
    device: Device,
}

impl Initial {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), device: device() }
    }

    /// Weights that are uniform in ±`bound`.
    pub(super) fn uniform<const D: usize>(
        &mut self,
        shape: [usize; D],
        bound: f32,
    ) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values: Vec<f32> =
            (0..count).map(|_| self.random.random_range(-bound..=bound)).collect();
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A fully connected layer with weights and biases uniform in ±1/√inputs.
    pub(super) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let bound = 1.0 / (inputs as f32).sqrt();
        Linear {
            weight: self.uniform([inputs, outputs], bound),
            bias: Some(self.uniform([outputs], bound)),
        }
    }
}
