//! The differentiable operation. Burn brings the predictions, a [`Batch`]
//! brings the loss and all else, so the operation knows nothing of any loss.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{Device, FloatTensor};
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, TensorData, read_sync};

use crate::Batch;

/// Any loss as one operation. The default bodies are right for every backend.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait LossOp: Backend {
    /// The reduced value, of shape `[1]`: the differentiable entry point.
    fn loss_value(predictions: FloatTensor<Self>, batch: &mut Batch<'_>) -> FloatTensor<Self> {
        let (device, dtype) = (predictions.device(), predictions.dtype());
        let predictions = host_data::<Self>(predictions);
        let value = batch.value(predictions.as_slice().expect(IS_F32));
        to_device::<Self>(TensorData::from([value as f32]), dtype, &device)
    }

    /// The reduced value, of shape `[1]`, and its gradient, in the shape of the
    /// predictions and, where the tensor was their only owner, in their memory.
    fn loss_value_and_gradient(
        predictions: FloatTensor<Self>,
        batch: &mut Batch<'_>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (device, dtype) = (predictions.device(), predictions.dtype());
        let mut data = host_data::<Self>(predictions);
        let value = batch.value_and_gradient(data.as_mut_slice().expect(IS_F32));
        (
            to_device::<Self>(TensorData::from([value as f32]), dtype, &device),
            to_device::<Self>(data, dtype, &device),
        )
    }
}

impl LossOp for Flex {}

impl<B: LossOp, C: CheckpointStrategy> LossOp for Autodiff<B, C> {
    fn loss_value(predictions: FloatTensor<Self>, batch: &mut Batch<'_>) -> FloatTensor<Self> {
        let (predictions, node) = predictions.into_parts();
        match ScaleGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (value, gradient) = B::loss_value_and_gradient(predictions, batch);
                prep.finish(gradient, value)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::loss_value(predictions, batch)),
        }
    }
}

/// The backward pass: the gradient is known since the forward pass, and only
/// the gradient of what follows the loss is missing.
#[derive(Debug)]
struct ScaleGradient;

impl<B: Backend> Backward<B, 1> for ScaleGradient {
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let scale = host_data::<B>(upstream).as_slice::<f32>().expect(IS_F32)[0];
        // Nothing usually follows the loss: then one pass over memory is saved.
        let gradient =
            if scale == 1.0 { ops.state } else { B::float_mul_scalar(ops.state, scale.into()) };
        gradients.register::<B>(node.id, gradient);
    }
}

const IS_F32: &str = "host data was converted to f32";

/// The values of a tensor as row-major `f32`: its own memory if it lies on the
/// host, is contiguous, has that type and no other owner, else a copy.
fn host_data<B: Backend>(tensor: FloatTensor<B>) -> TensorData {
    let data = read_sync(B::float_into_data(tensor)).expect("the device can be read");
    data.convert::<f32>()
}

fn to_device<B: Backend>(data: TensorData, dtype: DType, device: &Device<B>) -> FloatTensor<B> {
    B::float_from_data(data.convert_dtype(dtype), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Criterion, HostTargets};
    use burn::backend::flex::FlexTensor;
    use burn::backend::ops::FloatTensorOps;

    /// Predictions as a model makes them: the result of a matrix product.
    fn predictions() -> FlexTensor {
        let matrix = |values: Vec<f32>| FlexTensor::from_data(TensorData::new(values, [2, 2]));
        Flex::float_matmul(matrix(vec![1.0, 2.0, 3.0, 4.0]), matrix(vec![1.0, 0.0, 0.0, 1.0]))
    }

    fn gradient(predictions: FlexTensor) -> FlexTensor {
        let criterion = Criterion::new(xent::loss("mean_squared_error").unwrap());
        let targets = HostTargets::Values(vec![0.0; 4]);
        let mut batch =
            Batch { criterion: &criterion, columns: 2, targets, weights: None, error: None };
        Flex::loss_value_and_gradient(predictions, &mut batch).1
    }

    #[test]
    fn the_gradient_takes_the_memory_of_the_predictions() {
        let predictions = predictions();
        let memory = predictions.bytes().as_ptr();
        let gradient = gradient(predictions);
        assert_eq!(gradient.bytes().as_ptr(), memory);
        assert_eq!(gradient.as_slice::<f32>().unwrap(), [0.5, 1.0, 1.5, 2.0]);
    }

    #[test]
    fn shared_predictions_are_left_alone() {
        let predictions = predictions();
        let gradient = gradient(predictions.clone());
        assert_ne!(gradient.bytes().as_ptr(), predictions.bytes().as_ptr());
        assert_eq!(predictions.as_slice::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    }
}
