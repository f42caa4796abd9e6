//! Supervised learning on tables with the losses of `xent`: reading data,
//! training, metrics, run directories and reports.

pub mod data;
pub mod error;
