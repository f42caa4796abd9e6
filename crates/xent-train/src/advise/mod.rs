//! Which loss suits the data, and why.
//!
//! ```
//! use xent_train::advise::advise;
//! use xent_train::data::{Dataset, Reading};
//! use xent_train::experiment::Prepared;
//!
//! let data = Dataset::open("diabetes", &Reading::default())?;
//! let prepared = Prepared::new(data, None, (0.1, 0.2), 42)?;
//! let advice = advise(&prepared, 42)?;
//! println!("{}: {}", advice.loss().loss, advice.loss().seen);
//! # Ok::<(), xent_train::experiment::ExperimentError>(())
//! ```

mod evidence;
mod out_of_fold;
mod rules;
mod spread;

use serde::Serialize;

pub use evidence::{Classes, Evidence, Numbers, Residuals, Trial};
pub use rules::Recommendation;
pub use spread::{FAR, Spread};

use crate::compare::usual_losses;
use crate::experiment::{ExperimentError, Prepared, WeightedLoss};

/// Which loss suits the data, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// The losses that what was seen speaks for, the best first; never empty.
    pub recommendations: Vec<Recommendation>,
    /// What does not choose a loss but should be known.
    pub remarks: Vec<String>,
    /// The losses to compare, to test the advice: what is recommended, and what
    /// is usual.
    pub contenders: Vec<WeightedLoss>,
    /// What was seen.
    pub evidence: Evidence,
}

impl Advice {
    /// What to minimise.
    pub fn loss(&self) -> &Recommendation {
        &self.recommendations[0]
    }
}

/// Looks at the training rows, of many at a sample that `seed` draws, and
/// advises a loss. Validation and test rows are not seen. The same seed gives
/// the same advice.
///
/// # Errors
/// A quick model cannot be trained on the data.
pub fn advise(prepared: &Prepared, seed: u64) -> Result<Advice, ExperimentError> {
    let evidence = Evidence::of(prepared, seed)?;
    let recommendations = rules::recommend(&evidence, prepared.task());
    let mut contenders: Vec<WeightedLoss> =
        recommendations.iter().map(|recommended| recommended.loss.clone()).collect();
    if let [_] = contenders[..] {
        contenders.extend(usual_losses(prepared.task()));
    }
    let mut names: Vec<String> = Vec::new();
    contenders.retain(|loss| {
        let name = loss.to_string();
        let is_new = !names.contains(&name);
        names.push(name);
        is_new
    });
    Ok(Advice { remarks: rules::remarks(&evidence), recommendations, contenders, evidence })
}
