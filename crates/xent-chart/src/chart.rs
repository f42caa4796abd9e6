use crate::canvas::{self, Area, Drawing};
use crate::{IntervalChart, LineChart, NothingToDraw};
use plotters::prelude::DrawingBackend;

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Curves over a common axis.
    Lines(LineChart),
    /// Means with their spread.
    Intervals(IntervalChart),
}

impl Chart {
    /// What the chart shows.
    pub fn title(&self) -> &str {
        match self {
            Self::Lines(chart) => &chart.title,
            Self::Intervals(chart) => &chart.title,
        }
    }

    /// The drawing as SVG for a page with [`style`](crate::style), without title and legend.
    ///
    /// # Errors
    /// There is no finite value.
    pub fn drawing(&self) -> Result<String, NothingToDraw> {
        canvas::svg(self)
    }
}

impl Drawing for Chart {
    fn size(&self) -> (i32, i32) {
        match self {
            Self::Lines(_) => LineChart::SIZE,
            Self::Intervals(chart) => chart.size(),
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), NothingToDraw> {
        match self {
            Self::Lines(chart) => chart.draw(area),
            Self::Intervals(chart) => chart.draw(area),
        }
    }
}
