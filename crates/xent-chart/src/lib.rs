//! Charts as SVG, PNG, and text for terminals.

mod axis;
mod canvas;
mod chart;
mod interval_chart;
mod line_chart;
mod number;
mod palette;
mod series;

pub use canvas::NothingToDraw;
pub use chart::Chart;
pub use interval_chart::{Interval, IntervalChart};
pub use line_chart::LineChart;
pub use number::short;
pub use palette::{curve_colour, style};
pub use series::Series;
