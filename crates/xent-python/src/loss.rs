//! The classes of losses: one for what the catalogue has, and one for what a user traces.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZero;
use std::sync::Arc;
use xent::catalogue::find;
use xent::{Function, Operation, Reduction};

use crate::arguments::{Options, reduction as reduction_named};
use crate::compute::{Want, evaluate};
use crate::failure::exception;
use crate::tensor::{Pair, Small};

/// A loss function: what all losses have in common.
///
/// `xent.losses()` has the classes of the catalogue, `xent.loss(text)` makes a loss from its text
/// form, and `@xent.pointwise` makes one of your own. `xent.Loss(text)` is a loss or a sum of
/// losses, such as `xent.Loss("mse + 0.1*mae")`.
#[pyclass(subclass, frozen, module = "xent")]
pub(crate) struct Loss {
    inner: Arc<dyn xent::Loss>,
    /// Equal for equal losses.
    identity: String,
}

impl Loss {
    fn of(inner: Arc<dyn xent::Loss>) -> Self {
        Self { identity: inner.name(), inner }
    }

    fn values(&self) -> Vec<(&'static str, f64)> {
        let Some(page) = self.inner.page() else { return Vec::new() };
        let names = page.entry().parameters.iter().map(|parameter| parameter.name);
        names.zip(page.values()).collect()
    }
}

#[pymethods]
impl Loss {
    #[new]
    #[classmethod]
    #[pyo3(signature = (text=None, /, **parameters))]
    fn new(
        class: &Bound<'_, PyType>,
        text: Option<&Bound<'_, PyAny>>,
        parameters: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let py = class.py();
        let fail = |error| exception(py, &error);
        match (class.getattr("name")?.extract::<String>(), text, parameters) {
            (Err(_), Some(text), None) => {
                Ok(Self::of(xent::loss(text.extract()?).map_err(fail)?.into()))
            }
            (Err(_), ..) => Err(PyTypeError::new_err(
                "Loss takes the text form of a loss, such as 'huber:delta=1.5'",
            )),
            (Ok(_), Some(_), _) => {
                Err(PyTypeError::new_err(format!("{} takes its parameters by name", class.name()?)))
            }
            (Ok(name), None, parameters) => {
                let entry = find(&name).map_err(fail)?;
                let mut values: Vec<f64> =
                    entry.parameters.iter().map(|parameter| parameter.default).collect();
                for (key, value) in parameters.into_iter().flatten() {
                    let key: String = key.extract()?;
                    let index = entry.parameters.iter().position(|known| known.name == key);
                    let index = index.ok_or_else(|| fail(entry.unknown_parameter(&key)))?;
                    values[index] = value.extract().map_err(|_| {
                        PyTypeError::new_err(format!("{name}: {key} has to be a number"))
                    })?;
                }
                let loss = (entry.build)(&values);
                loss.check().map_err(fail)?;
                Ok(Self::of(loss.into()))
            }
        }
    }

    /// The name in the catalogue; of a sum, its text form; of a custom loss, that of its function.
    #[getter]
    fn name(&self) -> String {
        self.inner.page().map_or_else(|| self.inner.name(), |page| page.entry().name.to_owned())
    }

    /// The parameters and their values.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        self.values().into_iter().try_for_each(|(name, value)| parameters.set_item(name, value))?;
        Ok(parameters)
    }

    /// Whether the loss has an entry in the catalogue: not a sum, and not a custom loss.
    #[getter]
    fn catalogued(&self) -> bool {
        self.inner.page().is_some()
    }

    /// "pointwise": a value for each element; or "classwise": a value for each row of classes.
    #[getter]
    fn family(&self) -> &'static str {
        self.inner.family().name()
    }

    /// What the predictions are: "real", "logit", "probability", "log-probability" or "sign".
    #[getter]
    fn prediction_domain(&self) -> &'static str {
        self.inner.prediction_domain().name()
    }

    /// What targets are that are no class indices: as for the predictions.
    #[getter]
    fn target_domain(&self) -> &'static str {
        self.inner.target_domain().name()
    }

    /// The loss of each row or element, reduced: the mean, a float, unless told otherwise.
    #[pyo3(signature = (predictions, targets, **options))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, predictions, targets, options, Want::Value)
    }

    /// The loss and its gradient by the predictions, as an array like them.
    ///
    /// `out` is an array that takes the gradient; `out=predictions` overwrites the predictions, so
    /// that no second array is needed.
    #[pyo3(
        signature = (predictions, targets, **options),
        text_signature = "($self, predictions, targets, *, out=None, reduction='mean', \
            sample_weight=None, class_weight=None, mask=None, ignore_index=-100, axis=None, \
            when_empty='error', threads=None)"
    )]
    fn value_and_grad<'py>(
        &self,
        py: Python<'py>,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, predictions, targets, options, Want::Gradient)
    }

    /// The loss, its gradient, and its curvature: the diagonal of the Hessian.
    ///
    /// `out` is two arrays, which take gradient and curvature. `curvature_floor` is the least
    /// curvature of a row, before its weight and the reduction.
    #[pyo3(
        signature = (predictions, targets, **options),
        text_signature = "($self, predictions, targets, *, out=None, curvature_floor=None, \
            reduction='mean', sample_weight=None, class_weight=None, mask=None, \
            ignore_index=-100, axis=None, when_empty='error', threads=None)"
    )]
    fn value_grad_curvature<'py>(
        &self,
        py: Python<'py>,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, predictions, targets, options, Want::Curvature)
    }

    /// The weighted sum of the losses, and the sum of the weights: add those of several batches up
    /// and divide, and you have the mean over all of them.
    #[pyo3(
        signature = (predictions, targets, **options),
        text_signature = "($self, predictions, targets, *, sample_weight=None, class_weight=None, \
            mask=None, ignore_index=-100, axis=None, threads=None)"
    )]
    fn sums<'py>(
        &self,
        py: Python<'py>,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, predictions, targets, options, Want::Sums)
    }

    /// The loss with these options, read once for many calls.
    fn _prepared(
        &self,
        reduction: &Bound<'_, PyAny>,
        ignore_index: i64,
        axis: Option<isize>,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<Prepared> {
        let (loss, reduction) = (Arc::clone(&self.inner), reduction_named(reduction)?);
        Ok(Prepared { loss, reduction, ignore_index, axis, threads })
    }

    fn __str__(&self) -> String {
        self.inner.name()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let loss = slf.get();
        if !loss.catalogued() {
            return Ok(format!("xent.Loss('{}')", loss.inner.name()));
        }
        let mut parameters = Vec::new();
        for (name, value) in loss.values() {
            parameters.push(format!("{name}={}", value.into_pyobject(slf.py())?.repr()?));
        }
        Ok(format!("xent.{}({})", slf.get_type().name()?, parameters.join(", ")))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> bool {
        let same_type = other.get_type().is(slf.get_type());
        let other = other.cast::<Self>();
        same_type && other.is_ok_and(|other| other.get().identity == slf.get().identity)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.identity.hash(&mut hasher);
        hasher.finish()
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        if self.catalogued() {
            return Ok((PyTuple::empty(py), self.parameters(py)?));
        }
        Ok((PyTuple::new(py, [self.inner.name()])?, PyDict::new(py)))
    }
}

impl Loss {
    fn run<'py>(
        &self,
        py: Python<'py>,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
        want: Want,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = Options::read(py, options, want)?;
        evaluate(&*self.inner, predictions, targets, &options, want)
    }
}

/// A loss with all options that are no arrays, for calls that are many and small.
#[pyclass(frozen, module = "xent._xent")]
pub(crate) struct Prepared {
    loss: Arc<dyn xent::Loss>,
    reduction: Reduction,
    ignore_index: i64,
    axis: Option<isize>,
    threads: Option<NonZero<usize>>,
}

#[pymethods]
impl Prepared {
    fn value<'py>(
        &self,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        class_weight: Option<Bound<'py, PyAny>>,
        sample_weight: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = Options { class_weight, sample_weight, ..Options::new(Want::Value) };
        self.run(predictions, targets, given, Want::Value)
    }

    /// Of small tensors, as tensors; None for others.
    fn value_and_grad_of_tensors<'py>(
        &self,
        input: &Bound<'py, PyAny>,
        target: &Bound<'py, PyAny>,
        scale: f64,
    ) -> PyResult<Option<Pair<'py>>> {
        let Self { reduction, ignore_index, axis, .. } = *self;
        Small { loss: &*self.loss, reduction, ignore_index, axis, scale }
            .value_and_grad(input, target)
    }

    #[pyo3(signature = (predictions, targets, class_weight, sample_weight, out=None))]
    fn value_and_grad<'py>(
        &self,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        class_weight: Option<Bound<'py, PyAny>>,
        sample_weight: Option<Bound<'py, PyAny>>,
        out: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = Options { class_weight, sample_weight, out, ..Options::new(Want::Gradient) };
        self.run(predictions, targets, given, Want::Gradient)
    }
}

impl Prepared {
    fn run<'py>(
        &self,
        predictions: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        given: Options<'py>,
        want: Want,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Self { reduction, ignore_index, axis, threads, .. } = *self;
        let options = Options { reduction, ignore_index, axis, threads, ..given };
        evaluate(&*self.loss, predictions, targets, &options, want)
    }
}

/// A pointwise loss from the steps that a traced function took.
#[pyclass(subclass, frozen, extends = Loss, module = "xent._xent")]
pub(crate) struct Expression;

#[pymethods]
impl Expression {
    #[new]
    fn new(
        py: Python<'_>,
        name: &str,
        steps: Vec<Bound<'_, PyTuple>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let steps: PyResult<Vec<Operation>> = steps.iter().map(operation).collect();
        let expression =
            xent::Expression::new(name, steps?).map_err(|error| exception(py, &error))?;
        let identity = format!("{expression:?}");
        let loss = Loss { inner: Arc::new(expression), identity };
        Ok(PyClassInitializer::from(loss).add_subclass(Self))
    }
}

/// A step, given as its name and its arguments.
fn operation(step: &Bound<'_, PyTuple>) -> PyResult<Operation> {
    let name: String = step.get_item(0)?.extract()?;
    let at = |index: usize| step.get_item(index)?.extract::<usize>();
    let number = |index: usize| step.get_item(index)?.extract::<f64>();
    Ok(match name.as_str() {
        "prediction" => Operation::Prediction,
        "target" => Operation::Target,
        "constant" => Operation::Constant(number(1)?),
        "add" => Operation::Add(at(1)?, at(2)?),
        "subtract" => Operation::Subtract(at(1)?, at(2)?),
        "multiply" => Operation::Multiply(at(1)?, at(2)?),
        "divide" => Operation::Divide(at(1)?, at(2)?),
        "power" => Operation::Power(at(1)?, number(2)?),
        "if_less" => Operation::IfLess(at(1)?, at(2)?, at(3)?, at(4)?),
        _ => match Function::ALL.iter().find(|(known, ..)| *known == name) {
            Some(&(_, function, _)) => Operation::Apply(function, at(1)?),
            None => return Err(PyValueError::new_err(format!("unknown operation '{name}'"))),
        },
    })
}
