use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::rngs::ChaCha8Rng;

use super::initial::Initial;
use super::{Batch, Model, drop_out};

/// Fully connected layers with ReLU between them; without hidden layers, a
/// linear model.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    dropout: f64,
}

impl Mlp {
    /// A model with `hidden` units in each hidden layer. Weights and biases are
    /// uniform in ±1/√inputs of their layer; the same seed gives the same bits.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize, seed: u64) -> Self {
        Self::drawn(inputs, hidden, outputs, &mut Initial::new(seed))
    }

    pub(super) fn drawn(
        inputs: usize,
        hidden: &[usize],
        outputs: usize,
        initial: &mut Initial,
    ) -> Self {
        let sizes: Vec<usize> = [inputs].iter().chain(hidden).chain([&outputs]).copied().collect();
        let layers = sizes.windows(2).map(|size| initial.linear(size[0], size[1])).collect();
        Self { layers, dropout: 0.0 }
    }

    /// The model with a share `dropout` of the hidden units dropping out in each
    /// step of training.
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    pub(super) fn layers(
        &self,
        features: Tensor<2>,
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a model has an output layer");
        let activations = hidden.iter().fold(features, |input, layer| {
            drop_out(relu(layer.forward(input)), self.dropout, random.as_deref_mut())
        });
        last.forward(activations)
    }
}

impl Model for Mlp {
    fn forward(&self, batch: Batch, random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.layers(batch.flat(), random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device;
    use crate::weights::named_weights;
    use burn::tensor::TensorData;

    fn forward(model: &Mlp, features: Vec<f32>, columns: usize) -> Vec<f32> {
        let rows = features.len() / columns;
        let features = Tensor::from_data(TensorData::new(features, [rows, columns]), &device());
        model.forward(Batch::Features(features), None).into_data().try_into_vec().unwrap()
    }

    #[test]
    fn parameters_are_counted() {
        assert_eq!(Mlp::new(10, &[], 3, 0).parameters(), 10 * 3 + 3);
        assert_eq!(Mlp::new(10, &[128, 7], 1, 0).parameters(), 11 * 128 + 129 * 7 + 8);
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let bits = |seed| -> Vec<u32> {
            let weights = named_weights(&Mlp::new(4, &[8], 2, seed));
            weights.iter().flat_map(|weight| weight.values.iter().map(|v| v.to_bits())).collect()
        };
        assert_eq!(bits(7), bits(7));
        assert_ne!(bits(7), bits(8));
    }

    #[test]
    fn initial_weights_fill_their_range() {
        for weight in named_weights(&Mlp::new(16, &[400], 1, 3)) {
            let bound = if weight.name.starts_with("layers.0") { 0.25 } else { 0.05 };
            let largest = weight.values.iter().fold(0.0, |max: f32, v| max.max(v.abs()));
            assert!(largest <= bound, "{} reaches {largest}", weight.name);
            if weight.values.len() >= 400 {
                assert!(largest > 0.95 * bound, "{} only reaches {largest}", weight.name);
                assert!(weight.values.iter().any(|&v| v < -0.9 * bound));
            }
        }
    }

    #[test]
    fn without_hidden_layers_the_model_is_linear() {
        let model = Mlp::new(2, &[], 1, 5);
        let [zero, one, two] = [0.0, 1.0, 2.0].map(|x| forward(&model, vec![x, -x], 2)[0]);
        assert_eq!(two - one, one - zero);
    }

    #[test]
    fn hidden_layers_bend() {
        let model = Mlp::new(1, &[16], 1, 5);
        let [low, zero, high] = [-1.0, 0.0, 1.0].map(|x| forward(&model, vec![x], 1)[0]);
        assert!((high - zero - (zero - low)).abs() > 1e-2);
    }
}
