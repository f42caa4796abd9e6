//! Differentiable operations of Burn for what its CPU backend does slowly: many
//! small operations in a row become one, with a backward pass of its own.
//! Products of matrices are Burn's.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{Device, FloatTensor};
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{TensorData, read_sync};

use super::convolution::{self, Convolved};
use super::recurrence::{self, Remembered};

/// The operations, on the values alone and with their gradients.
#[backend_extension(Flex, Autodiff)]
pub(super) trait Operations: Backend {
    /// See [`recurrence::forward`].
    fn recurrence(
        inputs: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        active: &[usize],
    ) -> FloatTensor<Self> {
        recurrence::forward::<Self>(inputs, weights, active).0
    }

    /// See [`convolution::forward`].
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        biases: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        convolution::forward::<Self>(images, weights, biases).0
    }
}

impl Operations for Flex {}

impl<B: Operations, C: CheckpointStrategy> Operations for Autodiff<B, C> {
    fn recurrence(
        inputs: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        active: &[usize],
    ) -> FloatTensor<Self> {
        let ((inputs, input_node), (weights, weight_node)) =
            (inputs.into_parts(), weights.into_parts());
        match RecurrenceBackward.prepare::<C>([input_node, weight_node]).compute_bound().stateful()
        {
            OpsKind::Tracked(prep) => {
                let (state, remembered) = recurrence::forward::<B>(inputs, weights.clone(), active);
                prep.finish((weights, remembered), state)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::recurrence(inputs, weights, active)),
        }
    }

    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        biases: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (images, image_node) = images.into_parts();
        let (weights, weight_node) = weights.into_parts();
        let (biases, bias_node) = biases.into_parts();
        let nodes = [image_node, weight_node, bias_node];
        match ConvolutionBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, convolved) =
                    convolution::forward::<B>(images, weights.clone(), biases);
                prep.finish((weights, convolved), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::convolution(images, weights, biases)),
        }
    }
}

#[derive(Debug)]
struct RecurrenceBackward;

impl<B: Backend> Backward<B, 2> for RecurrenceBackward {
    type State = (FloatTensor<B>, Remembered);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (weights, remembered) = ops.state;
        let (of_inputs, of_weights) = recurrence::backward::<B>(upstream, weights, remembered);
        for (node, gradient) in ops.parents.into_iter().zip([of_inputs, of_weights]) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl<B: Backend> Backward<B, 3> for ConvolutionBackward {
    type State = (FloatTensor<B>, Convolved);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (weights, convolved) = ops.state;
        let [images, weight, bias] = ops.parents;
        // The images themselves need no gradient, and then none is computed.
        let found = convolution::backward::<B>(upstream, weights, convolved, images.is_some());
        let parents =
            [(images, found.images), (weight, Some(found.weights)), (bias, Some(found.biases))];
        for (node, gradient) in parents {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The values of a tensor, row-major: its own memory if it is the only owner,
/// else a copy.
pub(super) fn values<B: Backend>(tensor: FloatTensor<B>) -> Vec<f32> {
    let data = read_sync(B::float_into_data(tensor)).expect("the device can be read");
    data.try_into_vec_as().expect("floats convert to f32")
}

pub(super) fn tensor<B: Backend>(
    values: Vec<f32>,
    shape: impl Into<Vec<usize>>,
    device: &Device<B>,
) -> FloatTensor<B> {
    B::float_from_data(TensorData::new(values, shape.into()), device)
}

/// Runs loops with the widest vectors of the processor, which change no bit.
#[inline(always)]
pub(crate) fn vectorised<R>(loops: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(loops)
}

/// The sizes of a tensor.
pub(super) fn sizes<B: Backend, const D: usize>(tensor: &FloatTensor<B>) -> [usize; D] {
    tensor.shape().dims()
}
