use burn::backend::Dispatch;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use rand::rngs::ChaCha8Rng;

use super::initial::Initial;
use super::operation::Operations as _;
use super::{Batch, Mlp, Model, drop_out};

/// Convolutions of 3×3 that keep the size, each with ReLU and the largest of
/// 2×2, then fully connected layers.
#[derive(Module, Debug)]
pub struct Cnn {
    convolutions: Vec<Convolution>,
    dense: Mlp,
    dropout: f64,
}

/// A convolution of 3×3 that keeps the size, with the largest of each 2×2 and
/// ReLU, as one operation.
#[derive(Module, Debug)]
struct Convolution {
    /// Of shape `[outputs, inputs, 3, 3]`.
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Cnn {
    /// A model for images of `[channels, height, width]`. Weights and biases
    /// are uniform in ±1/√inputs of their unit; the same seed gives the same
    /// bits.
    pub fn new(
        [inputs, mut height, mut width]: [usize; 3],
        channels: &[usize],
        hidden: &[usize],
        outputs: usize,
        dropout: f64,
        seed: u64,
    ) -> Self {
        let mut initial = Initial::new(seed);
        let sizes: Vec<usize> = std::iter::once(&inputs).chain(channels).copied().collect();
        let convolutions: Vec<Convolution> =
            sizes.windows(2).map(|size| Convolution::new(size[0], size[1], &mut initial)).collect();
        for _ in channels {
            [height, width] = [height, width].map(halved);
        }
        let features = sizes[channels.len()] * height * width;
        let dense = Mlp::drawn(features, hidden, outputs, &mut initial).with_dropout(dropout);
        Self { convolutions, dense, dropout }
    }
}

impl Model for Cnn {
    fn forward(&self, batch: Batch, mut random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Batch::Images(mut images) = batch else {
            unreachable!("an architecture is checked before it is built")
        };
        for convolution in &self.convolutions {
            images = convolution.forward(images);
        }
        let features = drop_out(images.flatten(1, 3), self.dropout, random.as_deref_mut());
        self.dense.layers(features, random)
    }
}

impl Convolution {
    fn new(inputs: usize, outputs: usize, initial: &mut Initial) -> Self {
        let bound = 1.0 / (9.0 * inputs as f32).sqrt();
        Self {
            weight: initial.uniform([outputs, inputs, 3, 3], bound),
            bias: initial.uniform([outputs], bound),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.val().into_dispatch(), self.bias.val().into_dispatch());
        Tensor::from_dispatch(Dispatch::convolution(images.into_dispatch(), weight, bias))
    }
}

/// A side after the pooling; an odd pixel at the end is left out.
fn halved(side: usize) -> usize {
    if side == 1 { 1 } else { side / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device;
    use burn::tensor::TensorData;
    use burn::tensor::activation::relu;
    use burn::tensor::module::{conv2d, max_pool2d};
    use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
    use rand::{RngExt, SeedableRng};

    fn forward(model: &Cnn, pixels: Vec<f32>, shape: [usize; 4]) -> Vec<f32> {
        let images = Tensor::from_data(TensorData::new(pixels, shape), &device());
        model.forward(Batch::Images(images), None).into_data().try_into_vec().unwrap()
    }

    #[test]
    fn parameters_are_counted() {
        let model = Cnn::new([3, 32, 32], &[32], &[], 10, 0.0, 1);
        assert_eq!(model.parameters(), 32 * (27 + 1) + (32 * 16 * 16 + 1) * 10);
        let deep = Cnn::new([1, 28, 28], &[8, 16], &[5], 2, 0.0, 1);
        let expected = 8 * 10 + 16 * (8 * 9 + 1) + (16 * 7 * 7 + 1) * 5 + 6 * 2;
        assert_eq!(deep.parameters(), expected);
    }

    /// Burn's own operations, which the one operation stands for.
    fn reference(images: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let window = [height.min(2), width.min(2)];
        relu(max_pool2d(conv2d(images, weight, Some(bias), options), MaxPoolOptions::new(window)))
    }

    #[test]
    fn value_and_gradients_are_those_of_burns_operations() {
        let random = |shape: &[usize], seed: u64| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
            TensorData::new(values, shape.to_vec())
        };
        for [inputs, outputs, height, width] in
            [[3, 4, 6, 8], [2, 3, 5, 7], [1, 2, 1, 4], [2, 2, 1, 1]]
        {
            let device = device();
            let images = Tensor::<4>::from_data(random(&[3, inputs, height, width], 1), &device);
            let images = images.require_grad();
            let layer = Convolution {
                weight: Param::from_data(random(&[outputs, inputs, 3, 3], 2), &device),
                bias: Param::from_data(random(&[outputs], 3), &device),
            };
            let (weight, bias) = (layer.weight.val(), layer.bias.val());
            let results = [
                layer.forward(images.clone()),
                reference(images.clone(), weight.clone(), bias.clone()),
            ];
            let found = results.map(|output| {
                let values = output.clone().into_data().try_into_vec::<f32>().unwrap();
                let gradients = (output.clone() * output).sum().backward();
                let host = |data: TensorData| data.try_into_vec::<f32>().unwrap();
                [
                    values,
                    host(images.grad(&gradients).unwrap().into_data()),
                    host(weight.grad(&gradients).unwrap().into_data()),
                    host(bias.grad(&gradients).unwrap().into_data()),
                ]
            });
            for (actual, expected) in found[0].iter().flatten().zip(found[1].iter().flatten()) {
                let error = (actual - expected).abs();
                assert!(error <= 2e-5 * expected.abs().max(1.0), "{actual} is not {expected}");
            }
        }
    }

    #[test]
    fn images_of_one_pixel_and_of_odd_sides_pass() {
        for shape in [[1, 1, 1], [3, 1, 5], [1, 7, 3]] {
            let model = Cnn::new(shape, &[4, 4, 4], &[], 2, 0.0, 1);
            let count = 2 * shape.iter().product::<usize>();
            let [channels, height, width] = shape;
            let outputs = forward(&model, vec![1.0; count], [2, channels, height, width]);
            assert_eq!((outputs.len(), &outputs[..2]), (4, &outputs[2..]));
        }
    }
}
