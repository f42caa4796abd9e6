//! The Python package `xent`: what the files in `python/xent` are built on.
//!
//! Nothing here knows a single loss: names, parameters and pages come from the catalogue.

mod arguments;
mod catalogue;
mod compute;
mod failure;
mod loss;
mod tensor;
mod workers;

use pyo3::prelude::*;

/// The native half of the package `xent`.
#[pymodule(gil_used = false)]
mod _xent {
    #[pymodule_export]
    use crate::catalogue::{entries, functions};
    #[pymodule_export]
    use crate::loss::{Expression, Loss};
    #[pymodule_export]
    use crate::tensor::number;
}
