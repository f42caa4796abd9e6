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
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        self.points.split(|point| !is_finite(point)).filter(|run| !run.is_empty())
    }

    /// The points that can be drawn.
    pub(crate) fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.iter().copied().filter(is_finite)
    }
}

fn is_finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}
