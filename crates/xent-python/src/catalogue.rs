//! The catalogue as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use xent::Targeting;

/// What the catalogue knows of each loss, as dictionaries.
#[pyfunction]
pub(crate) fn entries(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for entry in xent::catalogue() {
        let (page, loss) = (entry.page(), entry.default_loss());
        let parameters = PyList::empty(py);
        for parameter in entry.parameters {
            let item = PyDict::new(py);
            item.set_item("name", parameter.name)?;
            item.set_item("default", parameter.default)?;
            item.set_item("range", parameter.range.to_string())?;
            item.set_item("documentation", parameter.documentation)?;
            parameters.append(item)?;
        }
        let item = PyDict::new(py);
        item.set_item("name", entry.name)?;
        item.set_item("aliases", entry.aliases)?;
        item.set_item("tags", entry.tags)?;
        item.set_item("family", loss.family().name())?;
        item.set_item("predictions", loss.prediction_domain().name())?;
        item.set_item("targets", loss.target_domain().name())?;
        item.set_item(
            "accepts",
            match loss.accepts() {
                Targeting::Values => "values",
                Targeting::Labels => "labels",
                Targeting::LabelsOrDistributions => "labels or distributions",
            },
        )?;
        item.set_item("summary", page.summary)?;
        item.set_item("formula", page.formula)?;
        item.set_item("sections", page.sections)?;
        item.set_item("parameters", parameters)?;
        list.append(item)?;
    }
    Ok(list)
}

/// The functions that a custom loss can be made of: what each is called, and what it is.
#[pyfunction]
pub(crate) fn functions() -> Vec<(&'static str, &'static str)> {
    let function = |&(name, _, documentation): &(_, _, _)| (name, documentation);
    xent::Function::ALL.iter().map(function).collect()
}
