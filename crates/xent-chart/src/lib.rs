//! Charts as SVG, PNG, and text for terminals.

mod axis;
mod canvas;
mod chart;
mod dots;
mod figure;
mod heat_map;
mod interval_chart;
mod line_chart;
mod number;
mod palette;
mod pixels;
mod series;
mod terminal;

pub use canvas::NothingToDraw;
pub use chart::Chart;
pub use figure::{Figure, Panels};
pub use heat_map::{Arrow, HeatMap, Scale};
pub use interval_chart::{Interval, IntervalChart};
pub use line_chart::LineChart;
pub use number::{rounded, short};
pub use palette::{curve_colour, style};
pub use series::Series;
