use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use rand::rngs::ChaCha8Rng;

use super::initial::Initial;
use super::{Batch, Mlp, Model, drop_out};

/// Convolutions of 3×3 that keep the size, each with ReLU and the largest of
/// 2×2, then fully connected layers.
#[derive(Module, Debug)]
pub struct Cnn {
    convolutions: Vec<Conv2d>,
    dense: Mlp,
    dropout: f64,
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
        let convolutions: Vec<Conv2d> =
            sizes.windows(2).map(|size| convolution(size[0], size[1], &mut initial)).collect();
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
            // ReLU and maximum can change places, and so there is less to do.
            images = relu(pooled(convolution.forward(images)));
        }
        let features = drop_out(images.flatten(1, 3), self.dropout, random.as_deref_mut());
        self.dense.layers(features, random)
    }
}

fn convolution(inputs: usize, outputs: usize, initial: &mut Initial) -> Conv2d {
    let bound = 1.0 / (9.0 * inputs as f32).sqrt();
    Conv2d {
        weight: initial.uniform([outputs, inputs, 3, 3], bound),
        bias: Some(initial.uniform([outputs], bound)),
        stride: [1, 1],
        kernel_size: [3, 3],
        dilation: [1, 1],
        groups: 1,
        padding: PaddingConfig2d::Explicit(1, 1, 1, 1),
    }
}

/// A side after the pooling; an odd pixel at the end is left out.
fn halved(side: usize) -> usize {
    if side == 1 { 1 } else { side / 2 }
}

/// The largest of each 2×2.
fn pooled(images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let window = [height.min(2), width.min(2)];
    max_pool2d(images, MaxPoolOptions::new(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device;
    use burn::tensor::TensorData;

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

    #[test]
    fn a_convolution_by_hand() {
        let mut model = Cnn::new([1, 2, 2], &[1], &[], 1, 0.0, 1);
        let device = device();
        let set = |values: Vec<f32>, shape: Vec<usize>| TensorData::new(values, shape);
        let kernel = set(vec![0.0, 0.0, 0.0, 0.0, 1.0, 10.0, 0.0, 0.0, 0.0], vec![1, 1, 3, 3]);
        model.convolutions[0].weight = burn::module::Param::from_data(kernel, &device);
        model.convolutions[0].bias =
            Some(burn::module::Param::from_data(set(vec![0.5], vec![1]), &device));
        // Each pixel and ten times its right neighbour; the largest is 1 + 10·4 + 0.5.
        let features = pooled(model.convolutions[0].forward(Tensor::from_data(
            TensorData::new(vec![1.0, 4.0, 2.0, 3.0], [1, 1, 2, 2]),
            &device,
        )));
        assert_eq!(features.into_data().try_into_vec::<f32>().unwrap(), [41.5]);
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
