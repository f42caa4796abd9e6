use crate::NothingToDraw;
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

/// No more ticks than whole numbers, as half epochs make no sense.
pub(crate) fn ticks(axis: &Range<f64>) -> usize {
    ((axis.end - axis.start) as usize + 1).clamp(2, 8)
}

pub(crate) fn tick(value: f64, axis: &Range<f64>) -> String {
    let decimals = decimals(axis);
    let largest = axis.start.abs().max(axis.end.abs());
    if decimals > 5 || largest >= 1e6 {
        format!("{value:.2e}")
    } else {
        format!("{:.decimals$}", value + 0.0)
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
    fn ticks_have_as_many_decimals_as_they_need() {
        assert_eq!(tick(0.5, &(0.0..1.0)), "0.5");
        assert_eq!(tick(20.0, &(0.0..100.0)), "20");
        assert_eq!(tick(0.0015, &(0.001..0.002)), "0.0015");
        assert_eq!(tick(-0.0, &(-10.0..10.0)), "0");
        assert_eq!(tick(2e9, &(0.0..5e9)), "2.00e9");
    }
}
