//! Small tensors of PyTorch: read where they lie, and made of what was computed, by the C interface
//! of DLPack. By way of arrays, all around the loss would take several times as long as the loss.

#![allow(unsafe_code)]

use dlpark::allocation::dynamic::Initialized;
use dlpark::ffi::DLManagedTensorVersioned;
use dlpark::python::consumer::exchange::ExchangeApi;
use dlpark::{DlpackElement, TensorRef};
use numpy::ndarray::{Array, ArrayViewD, Dimension, arr0};
use pyo3::exceptions::PyBufferError;
use pyo3::intern;
use pyo3::prelude::*;
use xent::{Element, Evaluate, Loss, Reduction, TargetElement, Targeting, Targets};

use crate::compute::SMALL;
use crate::failure::exception;

/// A value and its gradient.
pub(crate) type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// A loss, reduced, and its gradient, of small tensors.
pub(crate) struct Small<'a> {
    pub(crate) loss: &'a dyn Loss,
    pub(crate) reduction: Reduction,
    pub(crate) ignore_index: i64,
    pub(crate) axis: Option<isize>,
    /// What the value is multiplied by.
    pub(crate) scale: f64,
}

impl Small<'_> {
    /// None where the tensors have to be read as arrays: if they are large, of other types than
    /// `float32`, `float64` and, for labels, `int64`, not in row-major order, with the classes not
    /// along the last axis, which would take threads, or of shapes that do not fit, and with a
    /// PyTorch that has no such interface.
    pub(crate) fn value_and_grad<'py>(
        &self,
        input: &Bound<'py, PyAny>,
        target: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Pair<'py>>> {
        let py = input.py();
        let Some(api) = ExchangeApi::from_object(input.as_borrowed())? else { return Ok(None) };
        read(&api, input, |input| {
            read(&api, target, |target| {
                Ok(match self.answer(py, &api, input, target, |value| value as f32)? {
                    None => self.answer(py, &api, input, target, |value: f64| value)?,
                    answer => answer,
                })
            })
        })
    }

    /// None if the input is not of type `T`, or as above.
    fn answer<'py, T: DlpackElement + Element + TargetElement<T>>(
        &self,
        py: Python<'py>,
        api: &ExchangeApi,
        input: &TensorRef<'_>,
        target: &TensorRef<'_>,
        narrow: impl Fn(f64) -> T,
    ) -> PyResult<Option<Pair<'py>>> {
        if !(1..=SMALL).contains(&input.num_elements()) || self.reduction == Reduction::None {
            return Ok(None);
        }
        // SAFETY: PyTorch keeps as many numbers in memory; that nobody changes them meanwhile is up to
        // the caller, as in every operation of PyTorch.
        let (predictions, values, labels) =
            unsafe { (input.cpu_slice::<T>(), target.cpu_slice::<T>(), target.cpu_slice::<i64>()) };
        let Ok(predictions) = predictions else { return Ok(None) };
        let last = input.ndim() as isize - 1;
        if self.axis.is_some_and(|axis| axis != -1 && axis != last) {
            return Ok(None);
        }
        let shape: Vec<usize> = input.shape().iter().map(|&length| length as usize).collect();
        let targets: Targets<'_, T> = match (values, labels) {
            (Ok(values), _) if target.shape() == input.shape() => values.into(),
            (_, Ok(labels)) if self.are_rows(target.shape(), input.shape()) => labels.into(),
            _ => return Ok(None),
        };
        let Ok(predictions) = ArrayViewD::from_shape(shape, predictions) else { return Ok(None) };
        let mut call = self.loss.on(&predictions, targets);
        if let Some(axis) = self.axis {
            call = call.axis(axis);
        }
        let call = call.ignore_index(self.ignore_index).reduction(self.reduction);
        let (value, grad) = call.value_and_gradient().map_err(|error| exception(py, &error))?;
        let value = arr0(narrow(value * self.scale));
        Ok(Some((tensor(py, api, value)?, tensor(py, api, grad)?)))
    }

    /// Whether labels of one shape are for the rows of another, which has the axis of the classes
    /// besides.
    fn are_rows(&self, labels: &[i64], shape: &[i64]) -> bool {
        self.loss.accepts() != Targeting::Values
            && shape.split_last().is_some_and(|(_, rows)| rows == labels)
    }
}

/// What `with` finds in the memory of a tensor; None if that is not to be seen, or not what the
/// tensor stands for.
fn read<R>(
    api: &ExchangeApi,
    tensor: &Bound<'_, PyAny>,
    with: impl FnOnce(&TensorRef<'_>) -> PyResult<Option<R>>,
) -> PyResult<Option<R>> {
    let result = api.with_tensor_view_no_sync(tensor.as_borrowed(), |view, _| {
        // SAFETY: the tensor is alive, and so are the lengths of its axes.
        let Ok(view) = (unsafe { TensorRef::from_raw(view) }) else { return Ok(None) };
        // The memory of some views of complex tensors holds their negatives.
        let is_negated = tensor.call_method0(intern!(tensor.py(), "is_neg"))?.is_truthy()?;
        if is_negated { Ok(None) } else { with(&view) }
    });
    result.unwrap_or(Ok(None))
}

/// The number that a tensor holds.
#[pyfunction]
pub(crate) fn number(tensor: &Bound<'_, PyAny>) -> PyResult<f64> {
    let single = |view: &TensorRef<'_>| {
        // SAFETY: as for the input of a loss.
        let numbers = unsafe { view.cpu_slice::<f32>() };
        Ok(numbers.ok().and_then(<[f32]>::first).copied())
    };
    let api = ExchangeApi::from_object(tensor.as_borrowed())?;
    let number = api.map(|api| read(&api, tensor, single)).transpose()?.flatten();
    match number {
        Some(number) => Ok(f64::from(number)),
        None => tensor.call_method0(intern!(tensor.py(), "item"))?.extract(),
    }
}

/// A tensor in the memory of an array.
fn tensor<'py, T: DlpackElement + Send, D: Dimension>(
    py: Python<'py>,
    api: &ExchangeApi,
    array: Array<T, D>,
) -> PyResult<Bound<'py, PyAny>> {
    let array: Initialized<DLManagedTensorVersioned> = Box::new(array)
        .try_into()
        .map_err(|error| PyBufferError::new_err(format!("a tensor of a result: {error}")))?;
    // SAFETY: nothing was changed since the array, so that memory, type and shape belong together.
    api.managed_tensor_to_py_object_no_sync(unsafe { array.finish() }, py)
}
