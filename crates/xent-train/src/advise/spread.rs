use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::statistics::{Data, OrderStatistics};

/// How many robust deviations from the median a value is an outlier.
pub const FAR: f64 = 5.0;

/// Where numbers lie and how far they scatter, by statistics that outliers do
/// not move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The robust deviation: the median distance to the median, times the 1.4826
    /// that makes it the standard deviation of a Gaussian.
    pub deviation: f64,
    /// Share of the numbers beyond [`FAR`] robust deviations from the median.
    pub outliers: f64,
    /// Quartile skewness, (upper quartile + lower quartile − 2·median) /
    /// (upper quartile − lower quartile): from −1 to 1, and 0 if symmetric.
    pub skewness: f64,
}

impl Spread {
    /// Of finite numbers; `None` if half of them or more are equal, so that
    /// there is no scale to measure by.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        if numbers.is_empty() {
            return None;
        }
        let mut sorted = Data::new(numbers.to_vec());
        let (median, low, high) =
            (sorted.median(), sorted.lower_quartile(), sorted.upper_quartile());
        let distances: Vec<f64> = numbers.iter().map(|number| (number - median).abs()).collect();
        let deviation = Data::new(distances.clone()).median() / standard_normal().inverse_cdf(0.75);
        (deviation > 0.0 && high > low).then(|| Self {
            median,
            deviation,
            outliers: share(&distances, |distance| *distance > FAR * deviation),
            skewness: ((high - median) - (median - low)) / (high - low),
        })
    }

    /// The share of outliers that a Gaussian has.
    pub fn gaussian_outliers() -> f64 {
        2.0 * standard_normal().sf(FAR)
    }
}

fn standard_normal() -> Normal {
    Normal::new(0.0, 1.0).expect("a deviation of 1 is legal")
}

/// The share of `values` of which something holds; 0 of none.
pub(super) fn share<T>(values: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| holds(value)).count() as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};

    #[test]
    fn a_spread_follows_scale_and_place_and_no_outlier() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..50 {
            let (scale, place) = (random.random_range(0.01..100.0), random.random_range(-9.0..9.0));
            let far = random.random_range(1..100);
            let middle: Vec<f64> = (-500..=500).map(f64::from).collect();
            let clean = Spread::of(&middle).unwrap();
            assert_eq!((clean.median, clean.outliers), (0.0, 0.0));
            assert!(clean.skewness.abs() < 1e-12);
            assert!((clean.deviation / (250.0 * 1.482_602_218_505_602) - 1.0).abs() < 1e-12);

            // As many far above as far below leave the median where it is.
            let outliers = (0..far).flat_map(|_| [-1e9, 1e9]);
            let numbers: Vec<f64> = middle.into_iter().chain(outliers).collect();
            let moved: Vec<f64> = numbers.iter().map(|number| number * scale + place).collect();
            let spread = Spread::of(&moved).unwrap();
            assert!((spread.median - place).abs() <= 1e-9 * place.abs().max(1.0));
            assert_eq!(spread.outliers, 2.0 * f64::from(far) / moved.len() as f64);
            assert!(spread.deviation / scale < clean.deviation * 1.25);
        }
    }

    #[test]
    fn skewness_has_a_sign_and_ties_have_no_spread() {
        let squares: Vec<f64> = (0..100).map(|n| f64::from(n * n)).collect();
        let negated: Vec<f64> = squares.iter().map(|number| -number).collect();
        let skewness = |numbers: &[f64]| Spread::of(numbers).unwrap().skewness;
        assert!(skewness(&squares) > 0.1);
        assert!((skewness(&negated) + skewness(&squares)).abs() < 1e-12);
        assert_eq!(Spread::of(&[0.0, 0.0, 0.0, 4.0, 9.0]), None);
        assert_eq!(Spread::of(&[]), None);
    }
}
