//! How far a loss of the catalogue is from its formula.

use crate::oracle::{Big, Exact, Formula, Inputs, Shape, ulps};
use crate::sample::{self, RowTarget, Tested};
use fastrand::Rng;
use xent::catalogue::Entry;
use xent::{Buffers, Evaluate, Family, Loss, Reduction};

/// An error that no rounding explains.
const BEYOND_ROUNDING: f64 = 1.0;
/// A change of the inputs, as a share of each, that the wide arithmetic can hardly tell.
const NUDGE: f64 = 1.0 / (1u64 << 50) as f64;
/// What is lost where an `f64` has no digits left, in a factor of a prediction.
const UNDERFLOW: f64 = f64::from_bits(4);
/// How many changes are tried.
const NUDGES: u64 = 8;

/// The greatest errors found, in units of the last place.
#[derive(Clone, Debug, Default)]
pub struct Worst {
    /// Of a value.
    pub value: Found,
    /// Of an entry of a gradient.
    pub gradient: Found,
    /// Of an entry of a curvature.
    pub curvature: Found,
    /// Of a result so small that not all digits of the wide arithmetic exist there.
    pub tiny: Found,
    /// How many values, and entries of gradients and curvatures, were compared.
    pub compared: usize,
    /// How many entries are differences of numbers so close that the wide arithmetic cannot tell
    /// them apart: inputs changed by 2⁻⁵⁰ of themselves change the truth by more than the error.
    /// Or they have a factor that is subnormal in `f64`. They are not counted in ulps.
    pub cancelled: usize,
    /// How many inputs the oracle could not resolve, and so were not compared.
    pub unresolved: usize,
}

/// An error and where it was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The error in units of the last place.
    pub ulps: f64,
    /// The loss, the input, the result and the truth.
    pub at: String,
}

impl Found {
    fn note(&mut self, ulps: f64, at: impl FnOnce() -> String) {
        if ulps > self.ulps {
            *self = Found { ulps, at: at() };
        }
    }
}

/// Compares `cases` random and adversarial inputs, at random parameters.
///
/// # Panics
/// If the page's formula does not parse or does not fit the loss, or the loss refuses an input
/// that its page allows.
pub fn measure<T: Tested>(entry: &Entry, cases: usize, seed: u64) -> Worst {
    let formula = Formula::parse(&entry.page().formula).unwrap_or_else(|error| panic!("{error}"));
    let mut rng = Rng::with_seed(seed);
    let mut worst = Worst::default();
    for _ in 0..cases {
        let values = sample::parameters(&mut rng, entry);
        let loss = (entry.build)(&values);
        let names = entry.parameters.iter().map(|parameter| parameter.name);
        let parameters: Vec<(&str, f64)> = names.zip(values.iter().copied()).collect();
        match loss.family() {
            Family::Pointwise => {
                let (prediction, target) = sample::pair::<T>(&mut rng, loss.as_ref(), &values);
                let inputs = Inputs {
                    shape: Shape::Scalar,
                    prediction: &[prediction.to_f64()],
                    target: &[target.to_f64()],
                    weight: &[1.0],
                    parameters: &parameters,
                };
                let targets = xent::Targets::Values(vec![target].into());
                let predictions = [prediction];
                let call = loss.on(&predictions, targets);
                compare(&mut worst, loss.as_ref(), &formula, &inputs, call);
            }
            Family::Classwise => {
                let classes = [1, 2, 2, 3, 3, 4, 5, 8, 10, 17, 33][rng.usize(..11)];
                let row = sample::row::<T>(&mut rng, loss.as_ref(), classes);
                let share = |class: usize| match &row.target {
                    RowTarget::Label(label) => f64::from(u8::from(class == *label)),
                    RowTarget::Distribution(shares) => shares[class].to_f64(),
                };
                let exactly = |numbers: &[T]| numbers.iter().map(|n| n.to_f64()).collect();
                let prediction: Vec<f64> = exactly(&row.predictions);
                let weight: Vec<f64> = exactly(&row.class_weights);
                let inputs = Inputs {
                    shape: Shape::Row,
                    prediction: &prediction,
                    target: &(0..classes).map(share).collect::<Vec<_>>(),
                    weight: &weight,
                    parameters: &parameters,
                };
                let targets = match &row.target {
                    RowTarget::Label(label) => xent::Targets::from(std::slice::from_ref(label)),
                    RowTarget::Distribution(shares) => xent::Targets::Values(shares.into()),
                };
                let call = loss.on(&row.predictions, targets).class_weights(&row.class_weights);
                compare(&mut worst, loss.as_ref(), &formula, &inputs, call);
            }
        }
    }
    worst
}

fn compare<T: Tested, P: xent::Predictions<Element = T>>(
    worst: &mut Worst,
    loss: &dyn Loss,
    formula: &Formula,
    inputs: &Inputs<'_>,
    call: xent::Call<'_, P>,
) {
    let Ok(exact) = formula.evaluate(inputs, T::FORMAT) else {
        worst.unresolved += 1;
        return;
    };
    let entries = inputs.prediction.len();
    let mut value = [T::default()];
    let (mut gradient, mut curvature) = (vec![T::default(); entries], vec![T::default(); entries]);
    call.reduction(Reduction::None)
        .evaluate_into(Buffers {
            values: Some(&mut value),
            gradient: Some(&mut gradient),
            curvature: Some(&mut curvature),
        })
        .unwrap_or_else(|error| panic!("{} refuses {inputs:?}: {error}", loss.name()));
    let largest = inputs.prediction.iter().fold(1.0, |largest: f64, z| largest.max(z.abs()));
    let groups = [
        (&mut worst.value, &value[..], values as fn(&Exact) -> &[Big]),
        (&mut worst.gradient, &gradient, |exact| &exact.gradient),
        (&mut worst.curvature, &curvature, |exact| &exact.curvature),
    ];
    for (found, results, truths_of) in groups {
        let truths = truths_of(&exact);
        for (index, (result, truth)) in results.iter().zip(truths).enumerate() {
            worst.compared += 1;
            let (result, rounded) = (result.to_f64(), truth.to_f64());
            let error = ulps(result, truth, T::FORMAT);
            let off = (result - rounded).abs();
            let moved = |nudged: Exact| (truths_of(&nudged)[index].to_f64() - rounded).abs();
            if error > BEYOND_ROUNDING
                && (off <= largest * UNDERFLOW
                    || nudged::<T>(formula, inputs).any(|nudged| moved(nudged) >= off))
            {
                worst.cancelled += 1;
                continue;
            }
            let tiny = rounded.abs() < T::TINY;
            let found = if tiny { &mut worst.tiny } else { &mut *found };
            found.note(error, || {
                let (name, prediction, target) = (loss.name(), inputs.prediction, inputs.target);
                format!(
                    "{name} in {}, entry {index}: got {result:?}, truth {truth:.20}; \
                     prediction {prediction:?}, target {target:?}, weight {:?}",
                    T::NAME,
                    inputs.weight
                )
            });
        }
    }
}

fn values(exact: &Exact) -> &[Big] {
    std::slice::from_ref(&exact.value)
}

/// The truth for inputs that are each a little larger or smaller.
fn nudged<T: Tested>(formula: &Formula, inputs: &Inputs<'_>) -> impl Iterator<Item = Exact> {
    (0..NUDGES).filter_map(|seed| {
        let mut rng = Rng::with_seed(seed);
        let mut nudge = |numbers: &[f64]| -> Vec<f64> {
            let ends = [1.0 - NUDGE, 1.0 + NUDGE];
            numbers.iter().map(|number| number * ends[usize::from(rng.bool())]).collect()
        };
        let prediction = nudge(inputs.prediction);
        // A label is what it is, and no share.
        let is_label = inputs.target.iter().all(|&target| target == 0.0 || target == 1.0);
        let target = if is_label { inputs.target.to_vec() } else { nudge(inputs.target) };
        let inputs = Inputs { prediction: &prediction, target: &target, ..*inputs };
        formula.evaluate(&inputs, T::FORMAT).ok()
    })
}
