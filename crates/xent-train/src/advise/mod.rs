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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, Dataset, Table, Task, Values};
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};

    /// Advice for a target that `draw` makes of two features in ±1.
    fn advised(seed: u64, draw: impl Fn(&mut ChaCha8Rng, f64, f64) -> f64) -> Advice {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut columns = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..1_200 {
            let (x, z) = (random.random_range(-1.0..1.0), random.random_range(-1.0..1.0));
            let values = [x, z, draw(&mut random, x, z)];
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        let names = ["x", "z", "y"].map(str::to_owned);
        let column = |(name, numbers)| Column { name, values: Values::Numbers(numbers) };
        let columns = names.into_iter().zip(columns).map(column).collect();
        let data = Dataset::of_table(Table::new("t", columns).unwrap(), "y");
        advise(&Prepared::new(data, None, (0.1, 0.2), seed).unwrap(), seed).unwrap()
    }

    fn name(advice: &Advice) -> String {
        advice.loss().loss.to_string()
    }

    /// Nearly Gaussian, by the sum of twelve uniform numbers.
    fn noise(random: &mut ChaCha8Rng) -> f64 {
        (0..12).map(|_| random.random_range(-0.5..0.5)).sum()
    }

    fn usual(task: Task) -> String {
        WeightedLoss::usual(task).to_string()
    }

    #[test]
    fn outliers_call_for_a_bounded_pull_and_their_absence_does_not() {
        for seed in 0..3 {
            let share = ChaCha8Rng::seed_from_u64(seed).random_range(0.03..0.15);
            let clean = advised(seed, |random, x, z| 3.0 * x - z + 0.3 * noise(random));
            assert_eq!(name(&clean), usual(Task::Regression));
            let dirty = advised(seed, |random, x, z| {
                let scale = if random.random_bool(share) { 20.0 } else { 0.3 };
                3.0 * x - z + scale * noise(random)
            });
            assert!(name(&dirty).starts_with("huber:delta="), "{}", name(&dirty));
        }
    }

    #[test]
    fn many_zeros_keep_the_mean() {
        for seed in 0..3 {
            let share = ChaCha8Rng::seed_from_u64(seed).random_range(0.3..0.7);
            let advice = advised(seed, |random, x, _| {
                if random.random_bool(share) { 0.0 } else { (x + noise(random)).exp() }
            });
            assert_eq!(name(&advice), usual(Task::Regression));
            assert!(advice.loss().seen.contains("of the targets are 0"), "{}", advice.loss().seen);
        }
    }

    #[test]
    fn wrong_labels_make_a_bounded_loss_the_runner_up_and_right_ones_do_not() {
        for seed in 0..3 {
            let rate = ChaCha8Rng::seed_from_u64(seed).random_range(0.15..0.3);
            let side = |wrong: bool, x: f64, z: f64| f64::from(u8::from((x + z > 0.0) != wrong));
            let right = advised(seed, |_, x, z| side(false, x, z));
            let wrong = advised(seed, |random, x, z| side(random.random_bool(rate), x, z));
            assert_eq!([name(&right), name(&wrong)], [usual(Task::Binary), usual(Task::Binary)]);
            assert!(right.recommendations[1..].is_empty());
            assert_eq!(wrong.recommendations[1].loss.to_string(), "mse_sigmoid");
        }
    }

    #[test]
    fn rare_classes_call_for_weights_and_a_loss_for_them_is_the_runner_up() {
        for seed in 0..3 {
            let logit = |x: f64, common: f64| 4.0 * x - common;
            let drawn = |common: f64| {
                advised(seed, move |random, x, _| {
                    let yes = xent::information::sigmoid(logit(x, common));
                    f64::from(u8::from(random.random_bool(yes)))
                })
            };
            let (even, rare) = (drawn(0.0), drawn(4.0));
            assert_eq!(name(&even), usual(Task::Binary));
            assert_eq!(name(&rare), format!("{}@balanced", usual(Task::Binary)));
            assert!(rare.loss().seen.contains("raise the macro-F1"), "{}", rare.loss().seen);
            let focal = |advice: &Advice| {
                let losses = advice.recommendations.iter().map(|other| other.loss.to_string());
                losses.skip(1).any(|loss| loss == "sigmoid_focal")
            };
            assert_eq!([&even, &rare].map(focal), [false, true]);
        }
    }

    #[test]
    fn advice_is_the_same_for_a_seed_and_can_be_compared() {
        let draw = |random: &mut ChaCha8Rng, x: f64, z: f64| x * z + noise(random);
        let json = |advice: &Advice| serde_json::to_string(advice).unwrap();
        let advice = advised(7, draw);
        assert_eq!(json(&advice), json(&advised(7, draw)));
        assert!(advice.contenders.len() > 1);
        for loss in &advice.contenders {
            assert_eq!(
                loss.to_string().parse::<WeightedLoss>().unwrap().to_string(),
                loss.to_string()
            );
        }
    }
}
