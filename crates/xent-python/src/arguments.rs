//! The arguments of a call as arrays that the core can read: where they lie if they lie right,
//! else in a copy that NumPy makes.

use numpy::{
    Element, PyArrayDescr, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::num::NonZero;
use xent::{IGNORE_INDEX, Reduction, Targeting, Targets, WhenEmpty};

use crate::compute::Want;
use crate::failure::{no_reduction, shape, unsupported};

/// What a call may leave out.
pub(crate) struct Options<'py> {
    pub(crate) reduction: Reduction,
    pub(crate) sample_weight: Option<Bound<'py, PyAny>>,
    pub(crate) class_weight: Option<Bound<'py, PyAny>>,
    pub(crate) mask: Option<Bound<'py, PyAny>>,
    pub(crate) ignore_index: i64,
    pub(crate) axis: Option<isize>,
    pub(crate) when_empty: WhenEmpty,
    pub(crate) threads: Option<NonZero<usize>>,
    /// What the curvature is where its own value is less.
    pub(crate) curvature_floor: Option<f64>,
    /// Where the gradient goes.
    pub(crate) out: Option<Bound<'py, PyAny>>,
    /// Where the curvature goes.
    pub(crate) curvature_out: Option<Bound<'py, PyAny>>,
}

impl<'py> Options<'py> {
    /// Those of a call that leaves all out.
    pub(crate) fn new(want: Want) -> Self {
        Self {
            reduction: if want == Want::Sums { Reduction::Sum } else { Reduction::default() },
            sample_weight: None,
            class_weight: None,
            mask: None,
            ignore_index: IGNORE_INDEX,
            axis: None,
            when_empty: WhenEmpty::default(),
            threads: None,
            curvature_floor: None,
            out: None,
            curvature_out: None,
        }
    }

    pub(crate) fn read(
        py: Python<'py>,
        given: Option<&Bound<'py, PyDict>>,
        want: Want,
    ) -> PyResult<Self> {
        let mut options = Self::new(want);
        for (name, value) in given.into_iter().flatten() {
            options.set(py, name.cast::<PyString>()?.to_str()?, value, want)?;
        }
        Ok(options)
    }

    fn set(
        &mut self,
        py: Python<'py>,
        name: &str,
        value: Bound<'py, PyAny>,
        want: Want,
    ) -> PyResult<()> {
        let some = |value: Bound<'py, PyAny>| (!value.is_none()).then_some(value);
        match name {
            "reduction" if want != Want::Sums => self.reduction = reduction(&value)?,
            "when_empty" if want != Want::Sums => self.when_empty = when_empty(&value)?,
            "sample_weight" => self.sample_weight = some(value),
            "class_weight" => self.class_weight = some(value),
            "mask" => self.mask = some(value),
            "ignore_index" => self.ignore_index = value.extract()?,
            "axis" => self.axis = value.extract()?,
            "threads" => {
                let wrong = |_| {
                    let text = format!("threads: {value} is no number of threads; give 1 or more");
                    unsupported(py, text)
                };
                self.threads = value.extract().map_err(wrong)?;
            }
            "curvature_floor" if want == Want::Curvature => {
                self.curvature_floor = value.extract()?;
            }
            "out" if want == Want::Gradient => self.out = some(value),
            "out" if want == Want::Curvature && value.is_none() => {}
            "out" if want == Want::Curvature => {
                let (gradient, curvature) = value.extract().map_err(|_| {
                    PyTypeError::new_err("out: must be two arrays, for gradient and curvature")
                })?;
                (self.out, self.curvature_out) = (Some(gradient), Some(curvature));
            }
            _ => {
                let text = format!("got an unexpected keyword argument '{name}'");
                return Err(PyTypeError::new_err(text));
            }
        }
        Ok(())
    }
}

pub(crate) fn reduction(value: &Bound<'_, PyAny>) -> PyResult<Reduction> {
    match value.extract() {
        Ok("none") => Ok(Reduction::None),
        Ok("sum") => Ok(Reduction::Sum),
        Ok("mean") => Ok(Reduction::Mean),
        _ => {
            let text = format!("{} is none of 'mean', 'sum' and 'none'", value.repr()?);
            Err(no_reduction(value.py(), text))
        }
    }
}

fn when_empty(value: &Bound<'_, PyAny>) -> PyResult<WhenEmpty> {
    match value.extract() {
        Ok("error") => Ok(WhenEmpty::Error),
        Ok("zero") => Ok(WhenEmpty::Zero),
        _ => {
            let text = format!("when_empty: {} is neither 'error' nor 'zero'", value.repr()?);
            Err(unsupported(value.py(), text))
        }
    }
}

/// An object as a NumPy array.
pub(crate) fn as_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    if let Ok(array) = object.cast::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let array = object.py().import("numpy")?.call_method1("asarray", (object,))?;
    Ok(array.cast_into()?)
}

/// An array of another type or order, as NumPy converts it; itself if there is nothing to do.
pub(crate) fn converted<'py>(
    array: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyArrayDescr>,
    requirements: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let numpy = array.py().import("numpy")?;
    numpy.call_method1("require", (array, dtype, requirements))
}

/// The kind of the numbers of an array: `f`loat, `i`nteger, `u`nsigned, `b`ool, `V` for bfloat16.
pub(crate) fn kind(argument: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<u8> {
    let dtype = array.dtype();
    let kind = dtype.kind();
    let known = match kind {
        b'f' => dtype.itemsize() <= size_of::<f64>(),
        b'i' | b'u' | b'b' => true,
        b'V' => dtype.typeobj().name()? == "bfloat16",
        _ => false,
    };
    if known {
        return Ok(kind);
    }
    Err(PyTypeError::new_err(format!(
        "{argument}: cannot compute with the type {dtype}; convert it with astype to float32, \
         float64, float16 or bfloat16"
    )))
}

/// How the predictions are read: in which order of axes, and which of those are the classes.
pub(crate) struct Reading {
    /// The axes in the order that they are read in.
    pub(crate) axes: Vec<usize>,
    /// Where the classes then are; none for a pointwise loss.
    pub(crate) axis: Option<isize>,
    /// The lengths of the axes of rows.
    pub(crate) rows: Vec<usize>,
}

impl Reading {
    /// Moves the axis of the classes to where the entries then follow each other in memory, if
    /// there is such a place: the order of the rows stays, and nothing has to be copied.
    pub(crate) fn new<T: Element>(
        family: xent::Family,
        predictions: &Bound<'_, PyArrayDyn<T>>,
        axis: Option<isize>,
    ) -> Self {
        let dimensions = predictions.ndim();
        let mut axes: Vec<usize> = (0..dimensions).collect();
        let mut rows = predictions.shape().to_vec();
        let given = usize::try_from(match axis.unwrap_or(-1) {
            axis if axis < 0 => axis + dimensions as isize,
            axis => axis,
        });
        let (xent::Family::Classwise, Ok(given)) = (family, given) else {
            return Self { axes, axis, rows };
        };
        if given >= dimensions {
            return Self { axes, axis, rows };
        }
        rows.remove(given);
        if predictions.is_c_contiguous() {
            return Self { axes, axis, rows };
        }
        let (shape, strides) = (predictions.shape(), predictions.strides());
        let follow_each_other = |axes: &[usize]| {
            let mut step = size_of::<T>() as isize;
            axes.iter().rev().all(|&axis| {
                let fits = strides[axis] == step || shape[axis] == 1;
                step *= shape[axis] as isize;
                fits
            })
        };
        for place in (0..dimensions).rev() {
            let mut moved: Vec<usize> = (0..dimensions).filter(|&axis| axis != given).collect();
            moved.insert(place, given);
            if follow_each_other(&moved) {
                return Self { axes: moved, axis: Some(place as isize), rows };
            }
        }
        axes.sort_unstable();
        Self { axes, axis, rows }
    }

    /// How many classes there are, in predictions of this shape; 0 for a pointwise loss.
    pub(crate) fn classes(&self, shape: &[usize]) -> usize {
        let rows: usize = self.rows.iter().product();
        let all: usize = shape.iter().product();
        if self.rows.len() == shape.len() { 0 } else { all.checked_div(rows).unwrap_or(0) }
    }

    /// Whether the axes are read in the order of the array.
    pub(crate) fn is_as_given(&self) -> bool {
        self.axes.is_sorted()
    }

    /// The shape in the order of reading.
    pub(crate) fn shape(&self, shape: &[usize]) -> Vec<usize> {
        self.axes.iter().map(|&axis| shape[axis]).collect()
    }

    /// An array in the order of reading back in its own order.
    pub(crate) fn restore<'py, T: Element>(
        &self,
        array: Bound<'py, PyArrayDyn<T>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
        if self.is_as_given() {
            return Ok(array);
        }
        let mut inverse = vec![0; self.axes.len()];
        self.axes.iter().enumerate().for_each(|(place, &axis)| inverse[axis] = place);
        array.permute(Some(inverse))
    }
}

/// An argument with an entry for each of `lengths`, as numbers of type `T` one after the other. One
/// that has as many entries in another shape is refused; a wrong number of them the core refuses.
pub(crate) fn fitted<'py, T: Element>(
    argument: &'static str,
    object: &Bound<'py, PyAny>,
    lengths: &[usize],
    axes: Option<&[usize]>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    let py = object.py();
    if axes.is_none()
        && let Ok(array) = object.cast::<PyArrayDyn<T>>()
        && array.shape() == lengths
        && array.is_c_contiguous()
        && array.is_aligned()
    {
        return borrowed(argument, array);
    }
    let array = as_array(object)?;
    kind(argument, &array)?;
    let long = |lengths: &[usize]| -> Vec<usize> {
        lengths.iter().copied().filter(|&length| length != 1).collect()
    };
    let shapes = (array.shape(), lengths);
    let as_many = shapes.0.iter().product::<usize>() == lengths.iter().product::<usize>();
    if as_many && long(shapes.0) != long(lengths) {
        let text = |lengths: &[usize]| format!("the shape {lengths:?}");
        return Err(shape(py, argument, text(lengths), text(shapes.0)));
    }
    let array = array.into_any();
    let array = match axes {
        Some(axes) if as_many => {
            array.call_method1("reshape", (lengths,))?.call_method1("transpose", (axes,))?
        }
        _ => array,
    };
    borrowed(argument, converted(&array, &dtype::<T>(py), "CA")?.cast::<PyArrayDyn<T>>()?)
}

fn borrowed<'py, T: Element>(
    argument: &'static str,
    array: &Bound<'py, PyArrayDyn<T>>,
) -> PyResult<PyReadonlyArrayDyn<'py, T>> {
    array.try_readonly().map_err(|error| {
        unsupported(array.py(), format!("{argument}: {error}: another call is writing to it"))
    })
}

/// Targets, borrowed.
pub(crate) enum Held<'py, T: Element> {
    Bytes(PyReadonlyArrayDyn<'py, u8>),
    Short(PyReadonlyArrayDyn<'py, i32>),
    Long(PyReadonlyArrayDyn<'py, i64>),
    Values(PyReadonlyArrayDyn<'py, T>),
}

impl<'py, T: Element + xent::Element + xent::TargetElement<T>> Held<'py, T> {
    /// Integers are class indices where the loss knows classes; all else becomes numbers of the
    /// type of the predictions.
    pub(crate) fn new(
        object: &Bound<'py, PyAny>,
        accepts: Targeting,
        predictions: &[usize],
        reading: &Reading,
    ) -> PyResult<Self> {
        let array = as_array(object)?;
        let kind = kind("targets", &array)?;
        if accepts == Targeting::Values || matches!(kind, b'f' | b'V') {
            let axes = (!reading.is_as_given()).then_some(&reading.axes[..]);
            return Ok(Self::Values(fitted("targets", object, predictions, axes)?));
        }
        let rows = &reading.rows;
        Ok(match (kind, array.dtype().itemsize()) {
            (b'b', _) | (b'u', 1) => Self::Bytes(fitted("targets", object, rows, None)?),
            (b'i', 4) => Self::Short(fitted("targets", object, rows, None)?),
            _ => Self::Long(fitted("targets", object, rows, None)?),
        })
    }

    pub(crate) fn targets(&self) -> PyResult<Targets<'_, T>> {
        Ok(match self {
            Self::Bytes(array) => array.as_slice()?.into(),
            Self::Short(array) => array.as_slice()?.into(),
            Self::Long(array) => array.as_slice()?.into(),
            Self::Values(array) => array.as_slice()?.into(),
        })
    }
}
