use crate::axis::Numbers;
use crate::canvas::{Area, UNIT, label, line, text};
use crate::palette::{Colour, INK, PAPER, SOFT, ramp};
use crate::{NothingToDraw, rounded};
use contour::ContourBuilder;
use plotters::prelude::*;
use std::ops::Range;

/// A function of two numbers, seen from above.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// What the map shows.
    pub title: String,
    /// Lines below the title.
    pub notes: Vec<String>,
    /// Name of the horizontal axis.
    pub x: String,
    /// Name of the vertical axis.
    pub y: String,
    /// The ends of both axes.
    pub range: Range<f64>,
    /// The values at the points of a square grid over `range`, row after row from the lowest;
    /// what is not finite counts as the greatest.
    pub values: Vec<f64>,
    /// Arrows over the map.
    pub arrows: Vec<Arrow>,
    /// A point to mark.
    pub mark: Option<(f64, f64)>,
}

/// An arrow over a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrow {
    /// Where it starts.
    pub from: (f64, f64),
    /// Where it ends; a dot stands for an arrow too short to be seen.
    pub to: (f64, f64),
}

/// What the colours of maps mean; all maps of a figure share them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// What the values are.
    pub name: String,
    /// The value of the darkest colour; that of the lightest is 0.
    pub greatest: f64,
    /// What the arrows are.
    pub arrows: String,
}

/// How many colours a map has.
pub(crate) const BANDS: usize = 10;

impl Scale {
    /// The numbers of the lightest and the darkest colour.
    pub(crate) fn ends(&self) -> [String; 2] {
        [0.0, self.greatest].map(|end| rounded(end, 4))
    }

    /// The band of colour of a value.
    pub(crate) fn band(&self, value: f64) -> usize {
        let share = value / self.greatest;
        match share.is_finite() {
            true => ((share * BANDS as f64) as usize).min(BANDS - 1),
            false => BANDS - 1,
        }
    }
}

/// The colour of a band.
pub(crate) fn band_colour(band: usize) -> crate::palette::Rgb {
    ramp(band as f64 / (BANDS - 1) as f64)
}

const SIDE: i32 = 290 * UNIT;
const HEAD: i32 = 30 * UNIT;
const NOTE: i32 = 17 * UNIT;
const LEFT: i32 = 56 * UNIT;
const BELOW: i32 = 44 * UNIT;
const MARGIN: i32 = 12 * UNIT;

/// Corners of a shape.
type Outline = Vec<(f64, f64)>;

impl HeatMap {
    pub(crate) fn size(&self) -> (i32, i32) {
        (LEFT + SIDE + MARGIN, self.head() + SIDE + BELOW)
    }

    fn head(&self) -> i32 {
        HEAD + NOTE * self.notes.len() as i32
    }

    /// How many points the grid has in each direction.
    pub(crate) fn points(&self) -> usize {
        self.values.len().isqrt()
    }

    pub(crate) fn draw<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        scale: &Scale,
    ) -> Result<(), NothingToDraw> {
        let axis = &self.range;
        let (numbers, ticks) = (text(12.0, SOFT), Numbers::of(axis, TICKS));
        area.draw(&Text::new(self.title.clone(), (LEFT, 12 * UNIT), label(14.0, INK)))?;
        for (line, note) in self.notes.iter().enumerate() {
            let middle = (LEFT, HEAD + UNIT + NOTE * line as i32);
            area.draw(&Text::new(note.clone(), middle, label(12.0, SOFT)))?;
        }
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.head())
            .margin_right(MARGIN)
            .x_label_area_size(BELOW)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(axis.clone(), axis.clone())?;
        chart.draw_series([Rectangle::new(
            [(axis.start, axis.start), (axis.end, axis.end)],
            RGBColor::from(band_colour(0)).filled(),
        )])?;
        for (band, outline) in self.bands(scale)? {
            let colour: RGBColor = band_colour(band).into();
            chart.draw_series([Polygon::new(outline, colour.filled())])?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(line(1.0, SOFT))
            .set_all_tick_mark_size(4 * UNIT)
            .x_labels(TICKS)
            .y_labels(TICKS)
            .x_label_formatter(&|value| ticks.text(*value))
            .y_label_formatter(&|value| ticks.text(*value))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .label_style(numbers.clone())
            .axis_desc_style(numbers)
            .draw()?;
        let unit = (axis.end - axis.start) / f64::from(SIDE);
        for arrow in &self.arrows {
            let (from, to) = (arrow.from, arrow.to);
            let ink: RGBColor = INK.into();
            match arrow.head(4.0 * f64::from(UNIT) * unit) {
                None => {
                    chart.draw_series([Circle::new(from, UNIT, ink.filled())])?;
                }
                Some(head) => {
                    chart.draw_series([PathElement::new([from, to], line(1.1, INK))])?;
                    chart.draw_series([Polygon::new(head, ink.filled())])?;
                }
            }
        }
        if let Some(mark) = self.mark {
            for (radius, colour) in [(7, PAPER), (5, Colour::of_curve(1))] {
                let fill = RGBColor::from(colour).filled();
                chart.draw_series([Circle::new(mark, radius * UNIT, fill)])?;
            }
        }
        Ok(())
    }

    /// The outlines of what is at least in each band, in the order to paint them.
    fn bands(&self, scale: &Scale) -> Result<Vec<(usize, Outline)>, NothingToDraw> {
        let points = self.points();
        if points < 2 || !scale.greatest.is_finite() || scale.greatest <= 0.0 {
            return Err(NothingToDraw);
        }
        let greatest = scale.greatest;
        let clamped = |value: &f64| match value.is_nan() {
            true => greatest,
            false => value.clamp(0.0, greatest),
        };
        let values: Vec<f64> = self.values.iter().map(clamped).collect();
        let thresholds: Vec<f64> =
            (1..BANDS).map(|band| greatest * band as f64 / BANDS as f64).collect();
        let contours = ContourBuilder::new(points, points, true).contours(&values, &thresholds);
        let step = (self.range.end - self.range.start) / (points - 1) as f64;
        // The points of the grid are in the middle of the cells of the library.
        let place = |position: f64| {
            (self.range.start + (position - 0.5) * step).clamp(self.range.start, self.range.end)
        };
        let mut bands = Vec::new();
        for (band, contour) in contours.map_err(|_| NothingToDraw)?.iter().enumerate() {
            for polygon in &contour.geometry().0 {
                let holes = polygon.interiors().iter().map(|hole| (band, hole));
                for (band, ring) in std::iter::once((band + 1, polygon.exterior())).chain(holes) {
                    bands
                        .push((band, ring.coords().map(|at| (place(at.x), place(at.y))).collect()));
                }
            }
        }
        Ok(bands)
    }
}

const TICKS: usize = 5;

impl Arrow {
    /// A triangle at the end, if the arrow is longer than it.
    fn head(&self, length: f64) -> Option<Outline> {
        let ((x0, y0), (x1, y1)) = (self.from, self.to);
        let whole = (x1 - x0).hypot(y1 - y0);
        if whole < length {
            return None;
        }
        let (dx, dy) = ((x1 - x0) / whole * length, (y1 - y0) / whole * length);
        let (x, y) = (x1 - 0.4 * dx, y1 - 0.4 * dy);
        Some(vec![
            (x + dx, y + dy),
            (x - dy * 0.5 - dx * 0.2, y + dx * 0.5 - dy * 0.2),
            (x + dy * 0.5 - dx * 0.2, y - dx * 0.5 - dy * 0.2),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_rise_along_a_slope() {
        let values = (0..100).map(|i| f64::from(i / 10 + i % 10)).collect();
        let map = HeatMap { range: -1.0..1.0, values, ..HeatMap::default() };
        let bands = map.bands(&Scale { greatest: 18.0, ..Scale::default() }).unwrap();
        let numbers: Vec<usize> = bands.iter().map(|(band, _)| *band).collect();
        assert_eq!(numbers, (1..BANDS).collect::<Vec<_>>());
        for (band, outline) in bands {
            let lowest = outline.iter().map(|(x, y)| x + y).fold(f64::INFINITY, f64::min);
            let expected = -2.0 + 4.0 * band as f64 / BANDS as f64;
            assert!((lowest - expected).abs() < 0.05, "{band}: {lowest}");
        }
    }
}
