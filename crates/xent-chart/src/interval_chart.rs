use crate::NothingToDraw;
use crate::axis::{Numbers, decimals, range};
use crate::canvas::{Area, UNIT, WIDTH, label, line, text};
use crate::palette::{Colour, INK, RULE, SOFT};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

/// Means with their spread, one per line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalChart {
    /// What the chart shows.
    pub title: String,
    /// Name, and unit if any, of the axis.
    pub x: String,
    /// The lines, from the top; each has the colour of its position.
    pub intervals: Vec<Interval>,
}

/// A mean with its spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// What was measured.
    pub name: String,
    /// Mean of the measurements.
    pub mean: f64,
    /// Their standard deviation; 0 draws the mean only.
    pub deviation: f64,
}

impl IntervalChart {
    pub(crate) fn size(&self) -> (i32, i32) {
        const LINE: i32 = 46 * UNIT;
        (WIDTH, self.finite().count() as i32 * LINE + 56 * UNIT)
    }

    /// What can be drawn, with the position.
    fn finite(&self) -> impl Iterator<Item = (usize, &Interval)> {
        let is_finite =
            |interval: &Interval| interval.mean.is_finite() && interval.deviation.is_finite();
        self.intervals.iter().enumerate().filter(move |(_, interval)| is_finite(interval))
    }

    pub(crate) fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), NothingToDraw> {
        let x = range(self.finite().flat_map(|(_, interval)| interval.ends()), 0.05)?;
        let numbers = Numbers::of(&x, TICKS);
        let lines = self.finite().count() as f64;
        let mut chart = ChartBuilder::on(area)
            .margin_top(8 * UNIT)
            .margin_right(UNIT)
            .x_label_area_size(44 * UNIT)
            .build_cartesian_2d(x.clone(), lines..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(line(1.0, RULE))
            .axis_style(line(1.0, SOFT))
            .set_all_tick_mark_size(4 * UNIT)
            .x_labels(TICKS)
            .x_label_formatter(&|value| numbers.text(*value))
            .x_desc(&self.x)
            .label_style(text(12.0, SOFT))
            .axis_desc_style(text(12.0, SOFT))
            .draw()?;
        for (row, (position, interval)) in self.finite().enumerate() {
            let (name_y, mark_y) = (row as f64 + 0.3, row as f64 + 0.68);
            let style = line(3.0, Colour::of_curve(position));
            let [low, high] = interval.ends();
            let name = label(13.0, INK);
            let value = text(12.0, SOFT).pos(Pos::new(HPos::Right, VPos::Center));
            let mean = (interval.mean, mark_y);
            chart.draw_series([PathElement::new([(low, mark_y), (high, mark_y)], style)])?;
            chart.draw_series([Circle::new(mean, 5 * UNIT, style.filled())])?;
            chart.draw_series([Text::new(interval.name.clone(), (x.start, name_y), name)])?;
            chart.draw_series([Text::new(interval.label(&x), (x.end, name_y), value)])?;
        }
        Ok(())
    }
}

const TICKS: usize = 6;

impl Interval {
    fn ends(&self) -> [f64; 2] {
        [self.mean - self.deviation, self.mean + self.deviation]
    }

    /// One digit more than the axis, as the comparison is about small differences.
    fn label(&self, axis: &Range<f64>) -> String {
        let decimals = decimals(axis) + 1;
        let mean = format!("{:.decimals$}", self.mean);
        if self.deviation == 0.0 {
            return mean;
        }
        format!("{mean} ± {:.decimals$}", self.deviation)
    }
}
