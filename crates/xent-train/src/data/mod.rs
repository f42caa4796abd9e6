//! Tables for supervised learning: reading, splitting and encoding them.
//!
//! ```
//! use xent_train::data::{Encoder, Split, Table, Task};
//!
//! let table = Table::builtin("wine-quality")?;
//! let task = Task::infer(&table, "quality")?;
//! let split = Split::new(&table, "quality", task, 0.1, 0.2, 42)?;
//! let (encoder, notices) = Encoder::fit(&table.select(&split.train), "quality", task)?;
//! let test = encoder.encode(&table.select(&split.test))?;
//!
//! assert_eq!(task, Task::Classes);
//! assert_eq!(encoder.target().classes().len(), 6);
//! assert_eq!((test.rows, test.columns), (320, 11));
//! assert!(notices.is_empty());
//! # Ok::<(), xent_train::error::DataError>(())
//! ```

mod builtin;
mod encoder;
mod notice;
mod parquet;
mod split;
mod table;
mod task;
mod text;

pub use builtin::{builtin_names, builtin_target};
pub use encoder::{Encoded, Encoder, Feature, Target, Targets};
pub use notice::Notice;
pub use split::Split;
pub use table::{Column, Fingerprint, Table, Values};
pub use task::Task;
