//! From arrays to results: where the gradient goes, and who computes it.

use numpy::{
    PyArrayDescr, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;
use std::sync::atomic::AtomicBool;
use xent::{
    Buffers, Call, Error, Evaluate, Floored, Loss, Predictions, Reduction, Sums, TargetElement,
    WhenEmpty, bf16, f16,
};

use crate::arguments::{Held, Options, Reading, as_array, converted, fitted, kind};
use crate::failure::{exception, shape, unsupported};
use crate::workers::run_on_pool;

/// Up to how many predictions the thread of the caller computes alone: about what a pool of
/// threads takes to wake up.
pub(crate) const SMALL: usize = 1 << 15;

/// What a method of a loss gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Value,
    Gradient,
    Curvature,
    Sums,
}

/// Evaluates a loss on predictions of any type that the core has; other numbers become `float64`.
pub(crate) fn evaluate<'py>(
    loss: &dyn Loss,
    predictions: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
    options: &Options<'py>,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    match options.curvature_floor {
        Some(floor) => of_any_type(&Floored::new(loss, floor), predictions, targets, options, want),
        None => of_any_type(loss, predictions, targets, options, want),
    }
}

fn of_any_type<'py>(
    loss: &dyn Loss,
    predictions: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
    options: &Options<'py>,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    let py = predictions.py();
    if let Ok(array) = predictions.cast::<PyArrayDyn<f32>>() {
        return Request { loss, options, want }.answer(array, targets);
    }
    if let Ok(array) = predictions.cast::<PyArrayDyn<f64>>() {
        return Request { loss, options, want }.answer(array, targets);
    }
    if let Ok(array) = predictions.cast::<PyArrayDyn<f16>>() {
        return Request { loss, options, want }.answer(array, targets);
    }
    let array = as_array(predictions)?;
    let kind = kind("predictions", &array)?;
    if kind == b'V' {
        return Request { loss, options, want }.answer(array.cast::<PyArrayDyn<bf16>>()?, targets);
    }
    let itemsize = if kind == b'f' { array.dtype().getattr("itemsize")?.extract()? } else { 8 };
    let native = PyArrayDescr::new(py, format!("=f{itemsize}"))?;
    of_any_type(loss, &converted(&array.into_any(), &native, "A")?, targets, options, want)
}

/// What a call asks for.
#[derive(Clone, Copy)]
struct Request<'a, 'py> {
    loss: &'a dyn Loss,
    options: &'a Options<'py>,
    want: Want,
}

/// The numbers that a call comes to.
enum Answer {
    Reduced(f64),
    Sums(Sums),
    /// The values are in their buffer.
    Values,
}

/// Options as the core takes them.
#[derive(Clone, Copy)]
struct Settings<'a, T> {
    weights: Option<&'a [T]>,
    mask: Option<&'a [bool]>,
    class_weights: Option<&'a [T]>,
    ignore_index: i64,
    axis: Option<isize>,
    reduction: Reduction,
    when_empty: WhenEmpty,
}

impl<'a, T: xent::Element> Settings<'a, T> {
    fn apply<P: Predictions<Element = T>>(
        self,
        mut call: Call<'a, P>,
        interrupt: Option<&'a AtomicBool>,
    ) -> Call<'a, P> {
        if let Some(weights) = self.weights {
            call = call.weights(weights);
        }
        if let Some(mask) = self.mask {
            call = call.mask(mask);
        }
        if let Some(weights) = self.class_weights {
            call = call.class_weights(weights);
        }
        if let Some(axis) = self.axis {
            call = call.axis(axis);
        }
        if let Some(interrupt) = interrupt {
            call = call.interrupt(interrupt);
        }
        call.ignore_index(self.ignore_index).reduction(self.reduction).when_empty(self.when_empty)
    }
}

impl<'py> Request<'_, 'py> {
    fn answer<T>(
        self,
        predictions: &Bound<'py, PyArrayDyn<T>>,
        targets: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: numpy::Element + xent::Element + TargetElement<T>,
    {
        let (py, Self { loss, options, want }) = (predictions.py(), self);
        if !predictions.is_aligned() {
            let copy = converted(predictions, &dtype::<T>(py), "A")?;
            return self.answer(copy.cast::<PyArrayDyn<T>>()?, targets);
        }
        let reading = Reading::new(loss.family(), predictions, options.axis);
        let held = Held::new(targets, loss.accepts(), predictions.shape(), &reading)?;
        let targets = held.targets()?;
        let sample_weight = options.sample_weight.as_ref();
        let weights = sample_weight.map(|given| weights::<T>(given, &reading.rows)).transpose()?;
        let mask = options.mask.as_ref();
        let mask = mask.map(|given| fitted::<bool>("mask", given, &reading.rows, None));
        let mask = mask.transpose()?;
        let class_weight = options.class_weight.as_ref();
        let class_weights = class_weight.map(|given| {
            fitted::<T>("class_weight", given, &[reading.classes(predictions.shape())], None)
        });
        let class_weights = class_weights.transpose()?;
        let settings = Settings {
            weights: slice(&weights)?,
            mask: slice(&mask)?,
            class_weights: slice(&class_weights)?,
            ignore_index: options.ignore_index,
            axis: reading.axis,
            reduction: options.reduction,
            when_empty: options.when_empty,
        };
        let like_predictions = |out: &Option<_>| -> PyResult<_> {
            out.as_ref().map(|out| array_like(out, predictions)).transpose()
        };
        let out = like_predictions(&options.out)?;
        let curvature_out = like_predictions(&options.curvature_out)?;
        let by_row = options.reduction == Reduction::None && want != Want::Sums;
        let shape = reading.shape(predictions.shape());
        let last = reading.axis.is_none_or(|axis| axis == -1 || axis + 1 == shape.len() as isize);
        let alone = predictions.len() <= SMALL && last;

        let in_place = want == Want::Gradient && !by_row;
        let replaced = out.as_ref().filter(|out| in_place && same_memory(out, predictions));
        if let Some(out) = replaced {
            let mut memory = writable("out", out)?;
            let mut view = memory.as_array_mut().permuted_axes(reading.axes.clone());
            let value = self.run(py, alone, |interrupt| {
                settings.apply(loss.on(&mut view, targets), interrupt).value_and_gradient_in_place()
            })?;
            return Ok((value, out).into_pyobject(py)?.into_any());
        }

        let values = by_row.then(|| PyArrayDyn::<T>::zeros(py, &reading.rows[..], false));
        let fresh = || PyArrayDyn::<T>::zeros(py, &shape[..], false);
        // A derivative goes where it is wanted at once, if that is laid out as it is computed.
        let derivative = |out: &Option<Bound<'py, PyArrayDyn<T>>>| -> PyResult<_> {
            let Some(out) = out else { return Ok(fresh()) };
            let out_as_read = out.permute(Some(reading.axes.clone()))?;
            let direct = out_as_read.is_c_contiguous() && !same_memory(out, predictions);
            Ok(if direct { out_as_read } else { fresh() })
        };
        let gradient = matches!(want, Want::Gradient | Want::Curvature).then(|| derivative(&out));
        let curvature = (want == Want::Curvature).then(|| derivative(&curvature_out));
        let (gradient, curvature) = (gradient.transpose()?, curvature.transpose()?);
        let answer = {
            let source = readable("predictions", predictions)?;
            let view = source.as_array().permuted_axes(reading.axes.clone());
            let borrowed = |array: &Option<_>| array.as_ref().map(|array| writable("out", array));
            let (mut values, mut gradient, mut curvature) = (
                borrowed(&values).transpose()?,
                borrowed(&gradient).transpose()?,
                borrowed(&curvature).transpose()?,
            );
            let buffers = Buffers {
                values: slice_mut(&mut values)?,
                gradient: slice_mut(&mut gradient)?,
                curvature: slice_mut(&mut curvature)?,
            };
            self.run(py, alone, |interrupt| {
                let call = settings.apply(loss.on(&view, targets), interrupt);
                match (want, by_row) {
                    (Want::Sums, _) => call.sums().map(Answer::Sums),
                    (_, true) => call.evaluate_into(buffers).map(|_| Answer::Values),
                    (_, false) => call.value_into(buffers).map(Answer::Reduced),
                }
            })?
        };
        let value = match (answer, values) {
            (Answer::Sums(sums), _) => {
                return Ok((sums.loss, sums.weight).into_pyobject(py)?.into_any());
            }
            (Answer::Reduced(value), _) => PyFloat::new(py, value).into_any(),
            (Answer::Values, values) => values.into_pyobject(py)?.into_any(),
        };
        let returned = |derivative, out: Option<Bound<'py, PyArrayDyn<T>>>| -> PyResult<_> {
            let derivative = reading.restore(derivative)?;
            let Some(out) = out else { return Ok(derivative) };
            if !same_memory(&out, &derivative) {
                derivative.copy_to(&out)?;
            }
            Ok(out)
        };
        let Some(gradient) = gradient else { return Ok(value) };
        let gradient = returned(gradient, out)?;
        let Some(curvature) = curvature else {
            return Ok((value, gradient).into_pyobject(py)?.into_any());
        };
        let curvature = returned(curvature, curvature_out)?;
        Ok((value, gradient, curvature).into_pyobject(py)?.into_any())
    }

    /// Computes without the interpreter; alone means without other threads.
    fn run<R: Send>(
        self,
        py: Python<'py>,
        alone: bool,
        compute: impl FnOnce(Option<&AtomicBool>) -> Result<R, Error> + Send,
    ) -> PyResult<R> {
        let result = match alone {
            true => py.detach(|| compute(None)),
            false => run_on_pool(py, self.options.threads, |interrupt| compute(Some(interrupt)))?,
        };
        result.map_err(|error| exception(py, &error))
    }
}

/// Weights of rows; those of samples go for all outputs of a sample.
fn weights<'py, T: numpy::Element>(
    given: &Bound<'py, PyAny>,
    rows: &[usize],
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let array = as_array(given)?;
    let lengths = array.shape();
    if lengths.len() >= rows.len() || !rows.starts_with(lengths) {
        return fitted("sample_weight", given, rows, None);
    }
    let mut column = lengths.to_vec();
    column.resize(rows.len(), 1);
    let numpy = given.py().import("numpy")?;
    let column = array.call_method1("reshape", (column,))?;
    fitted("sample_weight", &numpy.call_method1("broadcast_to", (column, rows))?, rows, None)
}

/// The array that a derivative goes to.
fn array_like<'py, T: numpy::Element>(
    out: &Bound<'py, PyAny>,
    predictions: &Bound<'py, PyArrayDyn<T>>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let py = out.py();
    let Ok(array) = out.cast::<PyArrayDyn<T>>() else {
        let text = format!("out: must be an array of {}, as the predictions are", dtype::<T>(py));
        return Err(PyTypeError::new_err(text));
    };
    if array.shape() != predictions.shape() {
        let text = |lengths: &[usize]| format!("the shape {lengths:?}");
        let (expected, actual) = (text(predictions.shape()), text(array.shape()));
        return Err(shape(py, "out", expected, actual));
    }
    if !array.is_aligned() {
        return Err(unsupported(py, "out: its numbers are not aligned in memory".to_owned()));
    }
    Ok(array.clone())
}

fn same_memory<T: numpy::Element>(
    a: &Bound<'_, PyArrayDyn<T>>,
    b: &Bound<'_, PyArrayDyn<T>>,
) -> bool {
    a.data() == b.data() && a.shape() == b.shape() && a.strides() == b.strides()
}

fn readable<'py, T: numpy::Element>(
    argument: &str,
    array: &Bound<'py, PyArrayDyn<T>>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let in_use = |error| unsupported(array.py(), format!("{argument}: {error}"));
    array.try_readonly().map_err(in_use)
}

fn writable<'py, T: numpy::Element>(
    argument: &str,
    array: &Bound<'py, PyArrayDyn<T>>,
) -> PyResult<PyReadwriteArrayDyn<'py, T>> {
    let in_use = |error| unsupported(array.py(), format!("{argument}: {error}"));
    array.try_readwrite().map_err(in_use)
}

fn slice<'a, T: numpy::Element>(
    array: &'a Option<PyReadonlyArrayDyn<'_, T>>,
) -> PyResult<Option<&'a [T]>> {
    Ok(array.as_ref().map(|array| array.as_slice()).transpose()?)
}

fn slice_mut<'a, T: numpy::Element>(
    array: &'a mut Option<PyReadwriteArrayDyn<'_, T>>,
) -> PyResult<Option<&'a mut [T]>> {
    Ok(array.as_mut().map(|array| array.as_slice_mut()).transpose()?)
}
