use std::ops::Range;

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Which colour; curves of one thing share theirs.
    pub colour: usize,
    /// Whether the curve is dashed.
    pub dashed: bool,
    /// Whether the points are dots and not joined.
    pub dots: bool,
    /// x and y in the order of drawing; a point that is not finite is a gap.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// The stretches of points without a gap.
    fn runs(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        self.points.split(|point| !is_finite(point)).filter(|run| !run.is_empty())
    }

    /// The stretches of the curve between two heights.
    pub(crate) fn runs_within(&self, y: &Range<f64>) -> Vec<Vec<(f64, f64)>> {
        let mut stretches = Vec::new();
        for run in self.runs() {
            let mut stretch: Vec<(f64, f64)> = run[..1].to_vec();
            stretch.retain(|point| is_within(y, point.1));
            for ends in run.windows(2) {
                let Some([from, to]) = cut(y, ends[0], ends[1]) else { continue };
                if stretch.last() != Some(&from) {
                    stretches.push(std::mem::replace(&mut stretch, vec![from]));
                }
                stretch.push(to);
            }
            stretches.push(stretch);
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }

    /// The points that can be drawn.
    pub(crate) fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().filter(is_finite)
    }
}

fn is_finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

fn is_within(range: &Range<f64>, value: f64) -> bool {
    (range.start..=range.end).contains(&value)
}

/// The part of a line between two heights.
fn cut(y: &Range<f64>, a: (f64, f64), b: (f64, f64)) -> Option<[(f64, f64); 2]> {
    if a.1.max(b.1) < y.start || a.1.min(b.1) > y.end {
        return None;
    }
    let moved = |from: (f64, f64), to: (f64, f64)| {
        let height = from.1.clamp(y.start, y.end);
        if height == from.1 {
            return from;
        }
        (from.0 + (to.0 - from.0) * ((height - from.1) / (to.1 - from.1)), height)
    };
    Some([moved(a, b), moved(b, a)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_leaves_the_picture_and_comes_back() {
        let points = vec![(0.0, 0.0), (1.0, 4.0), (2.0, 8.0), (3.0, 0.0), (4.0, f64::INFINITY)];
        let series = Series { points, ..Series::default() };
        let inside = [vec![(0.0, 0.0), (0.5, 2.0)], vec![(2.75, 2.0), (3.0, 0.0)]];
        assert_eq!(series.runs_within(&(0.0..2.0)), inside);
        assert_eq!(series.runs_within(&(0.0..9.0))[0].len(), 4);
        assert_eq!(series.runs_within(&(20.0..30.0)), [[]; 0]);
    }
}
