//! What a case is computed on.

use crate::case::{Case, Extra};
use rayon::prelude::*;
use serde::Serialize;
use xent::{Call, Domain, Element, Evaluate, Family, IGNORE_INDEX, Loss};
use xent::{Predictions, TargetElement, Targets, bf16, f16};

/// A type that cases come in.
pub(crate) trait Sample: Element + TargetElement<Self> {
    fn from_f64(number: f64) -> Self;

    /// A sum that reads every bit and costs next to nothing.
    fn checksum(entries: &[Self]) -> u64;
}

macro_rules! sample {
    ($($float:ty, $convert:expr;)*) => {$(
        impl Sample for $float {
            fn from_f64(number: f64) -> Self {
                $convert(number)
            }

            fn checksum(entries: &[Self]) -> u64 {
                let bits = entries.iter().map(|entry| entry.to_bits());
                bits.fold(0, |sum, bits| bits.wrapping_add(sum)).into()
            }
        }
    )*};
}

sample! {
    f16, f16::from_f64;
    bf16, bf16::from_f64;
    f32, |number| number as f32;
    f64, |number| number;
}

/// Where the targets of a case come from; the Python peers make them by the same rules.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    Labels,
    Distributions,
    Binary,
    Real,
}

impl TargetKind {
    pub(crate) fn of(case: &Case, loss: &dyn Loss) -> Self {
        match (loss.family(), case.extra, loss.target_domain()) {
            (Family::Classwise, Extra::SoftTargets, _) => TargetKind::Distributions,
            (Family::Classwise, ..) => TargetKind::Labels,
            (Family::Pointwise, _, Domain::Probability) => TargetKind::Binary,
            (Family::Pointwise, ..) => TargetKind::Real,
        }
    }
}

/// Labels or numbers.
pub(crate) enum TargetData<T> {
    Labels(Vec<i64>),
    Values(Vec<T>),
}

/// The arguments of a call.
pub(crate) struct Inputs<T> {
    pub(crate) predictions: Vec<T>,
    pub(crate) targets: TargetData<T>,
    pub(crate) weights: Option<Vec<T>>,
    pub(crate) class_weights: Option<Vec<T>>,
    /// Rows, classes, and entries for each of both.
    shape: [usize; 3],
    axis: Option<isize>,
}

impl<T: Sample> Inputs<T> {
    pub(crate) fn new(case: &Case, loss: &dyn Loss) -> Self {
        let classes = case.classes();
        let entries = case.shape.iter().product();
        let rows = entries / classes;
        let real = |stream| make(stream, entries, |u| T::from_f64(8.0 * u - 4.0));
        let weights = |stream, len| make(stream, len, |u| T::from_f64(0.5 + u));
        Self {
            predictions: real(0),
            targets: match TargetKind::of(case, loss) {
                TargetKind::Labels => {
                    TargetData::Labels(labels(rows, classes, case.extra == Extra::IgnoreIndex))
                }
                TargetKind::Distributions => TargetData::Values(distributions(entries, classes)),
                TargetKind::Binary => TargetData::Values(make(1, entries, |u| {
                    T::from_f64(if u < 0.5 { 0.0 } else { 1.0 })
                })),
                TargetKind::Real => TargetData::Values(real(1)),
            },
            weights: (case.extra == Extra::SampleWeights).then(|| weights(2, rows)),
            class_weights: (case.extra == Extra::ClassWeights).then(|| weights(3, classes)),
            shape: [case.shape[0], classes, case.shape.get(2).copied().unwrap_or(1)],
            axis: (loss.family() == Family::Classwise).then_some(1),
        }
    }

    /// What has to be read at least: all of it, but for the predictions of ignored rows.
    pub(crate) fn bytes(&self) -> usize {
        let len = |entries: &Option<Vec<T>>| entries.as_ref().map_or(0, Vec::len);
        let (ignored, targets) = match &self.targets {
            TargetData::Labels(labels) => {
                let ignored = labels.iter().filter(|&&label| label == IGNORE_INDEX).count();
                (ignored * self.shape[1], size_of_val(&labels[..]))
            }
            TargetData::Values(values) => (0, size_of_val(&values[..])),
        };
        let numbers = self.predictions.len() - ignored + len(&self.weights);
        (numbers + len(&self.class_weights)) * size_of::<T>() + targets
    }

    /// The loss on these inputs, with `predictions` in the place of their own.
    pub(crate) fn call<'a, P>(
        &'a self,
        loss: &'a dyn Loss,
        predictions: P,
    ) -> Call<'a, (P, [usize; 3])>
    where
        P: Predictions<Element = T, Gradient = Vec<T>>,
    {
        let targets = match &self.targets {
            TargetData::Labels(labels) => Targets::from(labels),
            TargetData::Values(values) => Targets::from(values),
        };
        let mut call = loss.on((predictions, self.shape), targets);
        if let Some(axis) = self.axis {
            call = call.axis(axis);
        }
        if let Some(weights) = &self.weights {
            call = call.weights(weights);
        }
        if let Some(weights) = &self.class_weights {
            call = call.class_weights(weights);
        }
        call
    }
}

fn labels(rows: usize, classes: usize, ignore: bool) -> Vec<i64> {
    let label = |row: usize| match ignore && row.is_multiple_of(16) {
        true => IGNORE_INDEX,
        false => (u64::from(bits(1, row)) % classes as u64) as i64,
    };
    (0..rows).into_par_iter().map(label).collect()
}

fn distributions<T: Sample>(entries: usize, classes: usize) -> Vec<T> {
    let mut shares = make(1, entries, |u| u);
    shares.par_chunks_mut(classes).for_each(|row| {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|share| *share /= sum);
    });
    shares.into_par_iter().map(T::from_f64).collect()
}

fn make<T: Send>(stream: u32, len: usize, number: impl Fn(f64) -> T + Sync) -> Vec<T> {
    // 24 bits, so that all arithmetic on the way to an `f32` is exact in any language.
    let uniform = |index| f64::from(bits(stream, index) >> 8) / f64::from(1 << 24);
    (0..len).into_par_iter().map(|index| number(uniform(index))).collect()
}

/// Bits without a pattern that depend on nothing but the index, so that they are made in parallel
/// here and by array operations in Python. Two multiplications and three shifts mix them.
fn bits(stream: u32, index: usize) -> u32 {
    let mut bits = (index as u32).wrapping_add(stream.wrapping_mul(0x9e37_79b9));
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x846c_a68b);
    bits ^ (bits >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::cases;

    #[test]
    fn a_checksum_depends_on_every_entry() {
        let ones = vec![1f32; 100];
        for changed in 0..ones.len() {
            let mut entries = ones.clone();
            entries[changed] = 2.0;
            assert_ne!(f32::checksum(&entries), f32::checksum(&ones), "entry {changed}");
        }
    }

    #[test]
    fn inputs_are_spread_over_their_ranges() {
        let uniform: Vec<f64> = make(0, 10_000, |u| u);
        let mean = uniform.iter().sum::<f64>() / 10_000.0;
        let variance = uniform.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.002);
        assert!(make(1, 10_000, |u| u) != uniform, "streams are different");
    }

    #[test]
    fn a_case_moves_what_it_reads() {
        let bytes = |name: &str| {
            let case = cases().into_iter().find(|case| case.name() == name).expect(name).quick();
            Inputs::<f32>::new(&case, &*xent::loss(&case.loss).expect(name)).bytes()
        };
        // 32 rows of 1000 logits in all but the last.
        assert_eq!(bytes("cross_entropy_f32_32768x1000"), 32_000 * 4 + 32 * 8);
        assert_eq!(bytes("cross_entropy_soft_targets_f32_32768x1000"), 2 * 32_000 * 4);
        assert_eq!(bytes("cross_entropy_class_weights_f32_32768x1000"), 33_000 * 4 + 32 * 8);
        assert_eq!(bytes("cross_entropy_sample_weights_f32_32768x1000"), 32_032 * 4 + 32 * 8);
        assert_eq!(bytes("cross_entropy_ignore_index_f32_32768x1000"), 30_000 * 4 + 32 * 8);
        assert_eq!(bytes("mse_f32_16777216"), 2 * 16_384 * 4);
    }
}
