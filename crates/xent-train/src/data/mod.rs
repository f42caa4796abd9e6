//! Data for supervised learning, tables, texts and images: reading, splitting
//! and encoding them.
//!
//! ```
//! use xent_train::data::{Dataset, Encoder, Reading, Shape, Task};
//!
//! let data = Dataset::open("wine-quality", &Reading::default())?;
//! let task = data.task()?;
//! let split = data.split(task, (0.1, 0.2), 42)?;
//! let (encoder, notices) = Encoder::fit(&data.select(&split.train), task)?;
//! let test = encoder.encode(&data.select(&split.test))?;
//!
//! assert_eq!(task, Task::Classes);
//! assert_eq!(encoder.target().classes().len(), 6);
//! assert_eq!((test.inputs.rows(), test.inputs.shape()), (320, Shape::Features(11)));
//! assert!(notices.is_empty());
//! # Ok::<(), xent_train::error::DataError>(())
//! ```

mod builtin;
mod columns;
mod dataset;
mod encoder;
mod generated;
mod images;
mod json;
mod notice;
mod parquet;
mod pictures;
mod scan;
mod split;
mod table;
mod target;
mod task;
mod text;
mod vocabulary;

pub use builtin::{builtin_names, builtin_target, builtin_text};
pub use columns::{Columns, Feature};
pub use dataset::{Dataset, Reading};
pub use encoder::{Encoded, Encoder, Inputs, Shape};
pub use images::{Augmentation, Images, PixelScale};
pub use notice::Notice;
pub use scan::{Kind, Odd, Piece, Scan};
pub use split::Split;
pub use table::{Column, Fingerprint, Table, Values};
pub use target::{Target, Targets};
pub use task::Task;
pub use vocabulary::Vocabulary;
