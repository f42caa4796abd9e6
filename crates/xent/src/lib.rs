//! Loss functions, exact and fast.
//!
//! ```
//! use xent::{CrossEntropy, Evaluate};
//!
//! // Two rows of three logits, and the class of each row.
//! let logits = [2.0f32, 1.0, 0.1, 0.0, 3.0, 0.0];
//! let (value, gradient) =
//!     CrossEntropy::default().on((&logits, 3), &[0, 1]).value_and_gradient()?;
//! # assert!(value < 0.5 && gradient.len() == 6);
//! # Ok::<(), xent::Error>(())
//! ```
//!
//! - Every loss is a struct in [`losses`], and a line of the [`catalogue`](mod@catalogue): `xent::loss("focal:gamma=2")`.
//! - [`Evaluate::on`] sets a loss on predictions and targets: slices or `ndarray` arrays of `f32`
//!   or `f64`. A [`Call`] takes weights, masks and a reduction, and computes values, gradients
//!   and curvatures into new buffers, given ones, or in place.
//! - A loss of your own implements [`Pointwise`] or [`Classwise`]; only its value is needed. An
//!   [`Expression`] is one put together at run time.
//! - Results are as if computed exactly and rounded once; `CONFORMANCE.md` in the repository has
//!   the errors measured. Where a formula has a kink, as Huber at a residual of delta, the side is
//!   that of the rounded residual.
//! - [`information`] has entropy, KL divergence, softmax and its relatives as plain functions;
//!   [`adversarial`] the losses of a GAN; [`penalty`] L1 and L2; [`WeightedSum`] adds losses up,
//!   and [`Floored`] keeps a curvature from being too small.

pub mod adversarial;
mod call;
pub mod catalogue;
mod dispatch;
mod engine;
mod error;
mod expression;
mod family;
mod floor;
pub mod information;
pub mod losses;
mod number;
pub mod penalty;
mod predictions;
mod reduce;
mod sum;
mod targets;

pub use call::{Call, Evaluate, IGNORE_INDEX};
#[doc(inline)]
pub use catalogue::{Catalogued, entries as catalogue, loss};
pub use engine::Buffers;
pub use error::{Error, Result};
pub use expression::{Expression, Function, Operation};
pub use family::classwise::{Class, Classwise, Link, Step};
#[doc(hidden)]
pub use family::classwise::{row_steps, rows_as_planes, run_rows};
pub use family::pointwise::Pointwise;
pub use family::{Block, BlockTargets, Domain, Family, Kernel, Loss, Order, Outputs, Targeting};
pub use floor::Floored;
pub use half::{bf16, f16};
pub use losses::*;
pub use number::{Double, Dual, Element, Real};
pub use predictions::{Predictions, PredictionsMut};
pub use reduce::{Reduction, Sums, WhenEmpty};
pub use sum::WeightedSum;
pub use targets::{Labels, TargetElement, Targets};
