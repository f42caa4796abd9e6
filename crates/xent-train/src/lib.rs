//! Supervised learning on tables, texts and images with the losses of `xent`:
//! reading data, choosing a loss, training, metrics, run directories and reports.

pub mod advise;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod error;
pub mod exact;
pub mod experiment;
pub mod fit;
pub mod head;
pub mod metrics;
pub mod model;
pub mod optimizer;
pub mod report;
pub mod run;
pub mod score;
pub mod weights;
