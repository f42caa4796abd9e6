//! Parameters, predictions and targets to try a loss with: random ones, and those that break
//! things.

use crate::oracle::Format;
use fastrand::Rng;
use xent::catalogue::{Entry, Range};
use xent::{Domain, Element, Family, Loss, Targeting, bf16, f16};

/// A number type to test in.
pub trait Tested: Element {
    /// The format to count units of the last place in.
    const FORMAT: Format;
    /// Decimal exponents of the smallest and the largest numbers to try.
    const EXPONENTS: (f64, f64);
    /// Below this, numbers or their wide counterparts lose digits.
    const TINY: f64;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;
    /// The next number away from 0.
    fn next(self) -> Self;
}

macro_rules! tested {
    ($($number:ty: $format:ident, $exponents:expr, $tiny:expr, $nearest:expr;)*) => {$(
        impl Tested for $number {
            const FORMAT: Format = Format::$format;
            const EXPONENTS: (f64, f64) = $exponents;
            const TINY: f64 = $tiny;

            fn from_f64(value: f64) -> Self {
                $nearest(value)
            }

            fn next(self) -> Self {
                Self::from_bits(self.to_bits() + 1)
            }
        }
    )*};
}

tested! {
    f16: F16, (-7.3, 4.8), f16::MIN_POSITIVE.to_f64_const(), Element::narrow;
    bf16: BF16, (-40.0, 38.0), bf16::MIN_POSITIVE.to_f64_const(), Element::narrow;
    f32: F32, (-45.0, 38.0), f32::MIN_POSITIVE as f64, |value| value as f32;
    f64: F64, (-323.0, 300.0), f64::MIN_POSITIVE / f64::EPSILON, |value| value;
}

/// Values for the parameters of a loss: now and then the defaults or the ends of the ranges.
pub fn parameters(rng: &mut Rng, entry: &Entry) -> Vec<f64> {
    let defaults = rng.u8(..4) == 0;
    let pick = |parameter: &xent::catalogue::Parameter| match defaults {
        true => parameter.default,
        false => parameter_in(rng, parameter.range),
    };
    entry.parameters.iter().map(pick).collect()
}

fn parameter_in(rng: &mut Rng, range: Range) -> f64 {
    let between = |rng: &mut Rng, low: f64, high: f64| low + (high - low) * rng.f64();
    match range {
        Range::Positive => 10f64.powf(between(rng, -2.0, 2.0)),
        Range::NonNegative => match rng.u8(..6) {
            0 => 0.0,
            1 => f64::from(rng.u8(1..5)),
            _ => between(rng, 0.0, 5.0),
        },
        Range::Open(low, high) => between(rng, low, high).max(low.next_up()),
        Range::Closed(low, high) => match rng.u8(..6) {
            0 => low,
            1 => high,
            _ => between(rng, low, high),
        },
        Range::ClosedOr(low, high, off) => match rng.u8(..6) {
            0 => off,
            _ => parameter_in(rng, Range::Closed(low, high)),
        },
        Range::OneOf(values) => values[rng.usize(..values.len())],
    }
}

/// A value that `range` does not allow.
pub fn illegal_parameter(range: Range) -> f64 {
    [f64::NAN, -2.0, 0.0, 7.25]
        .into_iter()
        .find(|&value| !value.is_nan() && !range.contains(value))
        .unwrap_or(f64::NAN)
}

/// A number that a domain allows. Unrestricted ones are now moderate, now extreme.
pub fn number<T: Tested>(rng: &mut Rng, domain: Domain) -> T {
    let sign = if rng.bool() { 1.0 } else { -1.0 };
    let value = match domain {
        Domain::Sign => sign,
        Domain::Probability => match rng.u8(..8) {
            0 => 0.0,
            1 => 1.0,
            2 => 10f64.powf(T::EXPONENTS.0 * rng.f64()),
            3 => 1.0 - 2f64.powf(-60.0 * rng.f64()),
            _ => rng.f64(),
        },
        Domain::LogProbability => match rng.u8(..8) {
            0 => -0.0,
            1 => -(10f64.powf(-20.0 * rng.f64())),
            _ => rng.f64().ln() * 30.0,
        },
        Domain::Logit | Domain::Real => match rng.u8(..10) {
            0 => sign * 0.0,
            1 => sign * [1.0, 0.5, 88.0, 104.0, 709.0, 745.0, 1e4][rng.usize(..7)],
            2 | 3 => {
                let (low, high) = T::EXPONENTS;
                sign * 10f64.powf(low + (high - low) * rng.f64())
            }
            4 | 5 => sign * 100.0 * rng.f64(),
            _ => sign * 4.0 * rng.f64(),
        },
    };
    T::from_f64(value)
}

/// A prediction and a target for a pointwise loss, sometimes close together or a parameter apart.
pub fn pair<T: Tested>(rng: &mut Rng, loss: &dyn Loss, parameters: &[f64]) -> (T, T) {
    let target: T = number(rng, loss.target_domain());
    let prediction: T = number(rng, loss.prediction_domain());
    if loss.prediction_domain() != Domain::Real || loss.target_domain() != Domain::Real {
        if loss.prediction_domain() == Domain::Logit && rng.u8(..40) == 0 {
            return match target.to_f64() {
                0.0 => (T::LOWEST, target),
                1.0 => (T::from_f64(f64::INFINITY), target),
                _ => (prediction, target),
            };
        }
        return (prediction, target);
    }
    let near = match (rng.u8(..8), parameters.first()) {
        (0, _) => target,
        (1, _) if target.to_f64() != 0.0 => target.next(),
        (2, Some(&distance)) => T::from_f64(target.to_f64() + distance),
        (3, Some(&distance)) => T::from_f64(target.to_f64() - distance),
        _ => prediction,
    };
    if rounds_to_a_kink(near, target, parameters) { (target, target) } else { (near, target) }
}

/// Whether the residual meets a parameter only by rounding, so that the side of the kink it is on
/// cannot be told from it.
fn rounds_to_a_kink<T: Tested>(prediction: T, target: T, parameters: &[f64]) -> bool {
    let (p, t) = (prediction.to_f64(), target.to_f64());
    let residual = p - t;
    let exact = p - residual == t && residual + t == p;
    !exact && parameters.contains(&residual.abs())
}

/// The target of a row of classes.
#[derive(Clone, Debug)]
pub enum RowTarget<T> {
    /// The index of a class.
    Label(usize),
    /// A share for each class.
    Distribution(Vec<T>),
}

/// A row of predictions, its target, and weights for the classes.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// The predictions.
    pub predictions: Vec<T>,
    /// The target.
    pub target: RowTarget<T>,
    /// Weights for the classes, all 1 most of the time.
    pub class_weights: Vec<T>,
}

/// A row for a classwise loss: rows as training has them, confident ones, ties, huge offsets, and
/// logits of −∞ for classes that the target leaves out.
pub fn row<T: Tested>(rng: &mut Rng, loss: &dyn Loss, classes: usize) -> Row<T> {
    let domain = loss.prediction_domain();
    let mut predictions: Vec<T> = match domain {
        Domain::Logit | Domain::Real => logits(rng, classes),
        _ => (0..classes).map(|_| number(rng, domain)).collect(),
    };
    let label = rng.usize(..classes);
    let distribution = loss.accepts() == Targeting::LabelsOrDistributions && rng.bool();
    let target = match distribution {
        true => RowTarget::Distribution(shares::<T>(rng, classes)),
        false => RowTarget::Label(label),
    };
    let smoothed = loss.name().contains("label_smoothing");
    if domain == Domain::Logit && !smoothed && rng.u8(..10) == 0 {
        for (class, prediction) in predictions.iter_mut().enumerate() {
            let left_out = match &target {
                RowTarget::Label(label) => class != *label,
                RowTarget::Distribution(shares) => shares[class].to_f64() == 0.0,
            };
            if left_out && rng.bool() {
                *prediction = T::LOWEST;
            }
        }
    }
    let weighted = rng.u8(..3) == 0;
    let weight = |rng: &mut Rng| T::from_f64(if weighted { 4.0 * rng.f64() } else { 1.0 });
    Row { predictions, target, class_weights: (0..classes).map(|_| weight(rng)).collect() }
}

fn logits<T: Tested>(rng: &mut Rng, classes: usize) -> Vec<T> {
    let scale = [1e-6, 0.1, 1.0, 3.0, 20.0, 100.0][rng.usize(..6)];
    let offset = [0.0, 0.0, 0.0, 1e4, -1e4, 50.0][rng.usize(..6)];
    let confident = rng.u8(..4) == 0;
    let winner = rng.usize(..classes);
    let logit = |class: usize| {
        let spread = scale * (2.0 * rng.f64() - 1.0);
        let lead = if confident && class == winner { scale * 30.0 * rng.f64() } else { 0.0 };
        let tie = rng.u8(..8) == 0;
        T::from_f64(offset + lead + if tie { 0.0 } else { spread })
    };
    (0..classes).map(logit).collect()
}

/// A distribution: sometimes on one class, sometimes with zeros.
fn shares<T: Tested>(rng: &mut Rng, classes: usize) -> Vec<T> {
    let kind = rng.u8(..4);
    let whole = rng.usize(..classes);
    let raw: Vec<f64> = (0..classes)
        .map(|class| match kind {
            0 => f64::from(u8::from(class == whole)),
            1 if class != whole && rng.bool() => 0.0,
            _ => 1e-3 + rng.f64(),
        })
        .collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|share| T::from_f64(share / total)).collect()
}

/// Predictions and targets for many rows at once, with labels for a classwise loss.
pub fn batch<T: Tested>(
    rng: &mut Rng,
    loss: &dyn Loss,
    rows: usize,
    classes: usize,
) -> (Vec<T>, BatchTargets<T>) {
    match loss.family() {
        Family::Pointwise => {
            let pairs: Vec<(T, T)> = (0..rows).map(|_| pair(rng, loss, &[])).collect();
            let (predictions, targets) = pairs.into_iter().unzip();
            (predictions, BatchTargets::Values(targets))
        }
        Family::Classwise => {
            let (mut predictions, mut labels) = (Vec::new(), Vec::new());
            for _ in 0..rows {
                predictions.extend(row::<T>(rng, loss, classes).predictions);
                labels.push(rng.usize(..classes) as i64);
            }
            (predictions, BatchTargets::Labels(labels))
        }
    }
}

/// The targets of many rows.
#[derive(Clone, Debug)]
pub enum BatchTargets<T> {
    /// A class index for each row.
    Labels(Vec<i64>),
    /// A number for each prediction.
    Values(Vec<T>),
}
