use crate::NothingToDraw;
use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;
use std::ops::Range;

/// From the least to the greatest value, and a share of that more on both sides.
pub(crate) fn range(
    values: impl Iterator<Item = f64>,
    margin: f64,
) -> Result<Range<f64>, NothingToDraw> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if !(high - low).is_finite() {
        return Err(NothingToDraw);
    }
    if high == low {
        let half = if low == 0.0 { 0.5 } else { low.abs() / 2.0 };
        return Ok(low - half..high + half);
    }
    let extra = margin * (high - low);
    Ok(low - extra..high + extra)
}

/// The values without the ends that run far away from the rest, as a curve does at a pole: what is
/// more than three times as far off as most values are apart is cut.
pub(crate) fn without_poles(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let few = values.len() / 20;
    let last = values.len().saturating_sub(1);
    if let (Some(&low), Some(&high)) = (values.get(few), values.get(last - few)) {
        let most = high - low;
        let (far_below, far_above) =
            (low - values[0] > 3.0 * most, values[last] - high > 3.0 * most);
        values.retain(|&value| {
            most == 0.0
                || (!far_below || value >= low - most / 2.0)
                    && (!far_above || value <= high + most / 2.0)
        });
    }
    values.into_iter()
}

/// Where an axis has its numbers: no more than `most` of them.
pub(crate) fn ticks(axis: &Range<f64>, most: usize) -> Vec<f64> {
    RangedCoordf64::from(axis.clone()).key_points(BoldPoints(most))
}

/// How many numbers an axis of whole numbers has, as half epochs make no sense.
pub(crate) fn whole(axis: &Range<f64>, most: usize) -> usize {
    ((axis.end - axis.start) as usize + 1).clamp(2, most)
}

/// The numbers of an axis, with as many decimals as they need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    decimals: usize,
    is_large: bool,
}

impl Numbers {
    /// For an axis with up to `most` of them.
    pub(crate) fn of(axis: &Range<f64>, most: usize) -> Self {
        let ticks = ticks(axis, most);
        let step = ticks.windows(2).map(|ends| ends[1] - ends[0]).fold(f64::INFINITY, f64::min);
        let is_whole = |decimals: &usize| {
            let scale = 10f64.powi(*decimals as i32);
            ticks
                .iter()
                .all(|tick| (tick * scale - (tick * scale).round()).abs() < 0.01 * step * scale)
        };
        let decimals = (0..decimals(axis)).find(is_whole).unwrap_or_else(|| decimals(axis));
        Self { decimals, is_large: axis.start.abs().max(axis.end.abs()) >= 1e6 }
    }

    pub(crate) fn text(self, value: f64) -> String {
        let Self { decimals, is_large } = self;
        let number = if decimals > 5 || is_large {
            format!("{value:.2e}")
        } else {
            // What is next to 0 is 0, without a sign.
            let scale = 10f64.powi(decimals as i32);
            format!("{:.decimals$}", (value * scale).round() / scale + 0.0)
        };
        number.replace('-', "−")
    }
}

/// Enough decimals to tell a fifth of the axis from the next.
pub(crate) fn decimals(axis: &Range<f64>) -> usize {
    let step = (axis.end - axis.start) / 5.0;
    (-(step.log10().floor())).clamp(0.0, 12.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_decimals_as_they_need() {
        let cases = [
            (0.5, 0.0..1.0, "0.5"),
            (20.0, 0.0..100.0, "20"),
            (2.0, -0.1..3.4, "2"),
            (0.05, 0.0..0.2, "0.05"),
            (0.0015, 0.001..0.002, "0.0015"),
            (-0.0, -10.0..10.0, "0"),
            (-1e-17, -1.0..0.1, "0.0"),
            (-5.0, -10.0..10.0, "−5"),
            (2e9, 0.0..5e9, "2.00e9"),
        ];
        for (value, axis, text) in cases {
            assert_eq!(Numbers::of(&axis, 6).text(value), text);
        }
    }

    #[test]
    fn poles_are_cut_and_nothing_else() {
        let least = |values: Vec<f64>| without_poles(values.into_iter()).fold(0.0, f64::min);
        let grid = || (1..=400).map(|i| f64::from(i) / 400.0);
        assert_eq!(least(grid().map(|p| p.ln()).collect()), (1.0f64 / 400.0).ln());
        let pole = least(grid().map(|p| -1.0 / p).collect());
        assert!((-40.0..-20.0).contains(&pole), "{pole}");
        let jump = (0..400).map(|i| if i < 3 { -1.0 } else { 0.0 }).collect();
        assert_eq!(least(jump), -1.0);
        assert_eq!(least(Vec::new()), 0.0);
    }
}
