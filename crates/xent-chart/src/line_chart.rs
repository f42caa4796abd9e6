use crate::axis::{Numbers, range, ticks, whole, without_poles};
use crate::canvas::{Area, UNIT, WIDTH, line, text, text_width};
use crate::palette::{Colour, RULE, SOFT};
use crate::{NothingToDraw, Series};
use plotters::prelude::*;
use std::ops::Range;

/// Curves over a common axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// What the chart shows.
    pub title: String,
    /// Name, and unit if any, of the horizontal axis.
    pub x: String,
    /// Name, and unit if any, of the vertical axis.
    pub y: String,
    /// The curves.
    pub series: Vec<Series>,
    /// What solid and what dashed curves are, if that distinguishes curves of one name; the legend
    /// then has each name once.
    pub styles: Option<[String; 2]>,
    /// Whether curves may run away, as at a pole; the vertical axis then shows the rest.
    pub poles: bool,
}

impl LineChart {
    /// The curves that the legend names.
    pub fn legend(&self) -> Vec<&Series> {
        let mut names: Vec<&Series> = Vec::new();
        for series in &self.series {
            if self.styles.is_none() || names.iter().all(|known| known.name != series.name) {
                names.push(series);
            }
        }
        names
    }

    pub(crate) const SIZE: (i32, i32) = (WIDTH, 280 * UNIT);

    pub(crate) fn axes(&self) -> Result<[Range<f64>; 2], NothingToDraw> {
        let heights = self.series.iter().flat_map(Series::finite).map(|point| point.1);
        let y = match self.poles {
            true => range(without_poles(heights), 0.05),
            false => range(heights, 0.05),
        };
        // Also where the curve is nowhere to be seen.
        let places = self.series.iter().flat_map(|series| &series.points).map(|point| point.0);
        Ok([range(places.filter(|place| place.is_finite()), 0.0)?, y?])
    }

    pub(crate) fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), NothingToDraw> {
        let [x, y] = self.axes()?;
        let x_ticks = self.x_ticks(&x);
        let [x_numbers, y_numbers] = [Numbers::of(&x, x_ticks), Numbers::of(&y, Y_TICKS)];
        let numbers = text(12.0, SOFT);
        let widths = ticks(&y, Y_TICKS)
            .into_iter()
            .map(|value| text_width(&y_numbers.text(value), &numbers));
        let number_width = widths.max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin_top(10 * UNIT)
            .margin_right(12 * UNIT)
            .x_label_area_size(44 * UNIT)
            .y_label_area_size(number_width + 36 * UNIT)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(line(1.0, RULE))
            .axis_style(line(1.0, SOFT))
            .set_all_tick_mark_size(4 * UNIT)
            .x_labels(x_ticks)
            .y_labels(Y_TICKS)
            .x_label_formatter(&|value| x_numbers.text(*value))
            .y_label_formatter(&|value| y_numbers.text(*value))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .label_style(numbers)
            .axis_desc_style(text(12.0, SOFT))
            .draw()?;
        for series in &self.series {
            let style = line(2.0, Colour::of_curve(series.colour));
            if series.dots {
                let dot = |point| Circle::new(point, 2 * UNIT, style.filled());
                let seen = series.finite().filter(|point| y.start <= point.1 && point.1 <= y.end);
                chart.draw_series(seen.map(dot))?;
                continue;
            }
            for run in series.runs_within(&y) {
                if let [point] = run[..] {
                    chart.draw_series([Circle::new(point, 3 * UNIT, style.filled())])?;
                } else if series.dashed {
                    let (dash, gap) = (6 * UNIT as u32, 4 * UNIT as u32);
                    chart.draw_series(DashedLineSeries::new(run, dash, gap, style))?;
                } else {
                    chart.draw_series(LineSeries::new(run, style))?;
                }
            }
        }
        Ok(())
    }

    fn x_ticks(&self, x: &Range<f64>) -> usize {
        const MOST: usize = 8;
        let mut points = self.series.iter().flat_map(Series::finite);
        match points.all(|point| point.0.fract() == 0.0) {
            true => whole(x, MOST),
            false => MOST,
        }
    }
}

const Y_TICKS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chart;

    fn lines(points: &[(f64, f64)]) -> LineChart {
        LineChart {
            title: "Loss <by> epoch".to_owned(),
            x: "Epoch & more".to_owned(),
            y: "Loss".to_owned(),
            series: vec![Series {
                name: "focal <γ>".to_owned(),
                points: points.to_vec(),
                ..Series::default()
            }],
            ..LineChart::default()
        }
    }

    fn drawing(points: &[(f64, f64)]) -> Result<String, NothingToDraw> {
        Chart::Lines(lines(points)).drawing()
    }

    #[test]
    fn axes_are_named_and_numbered_as_text() {
        let svg = drawing(&[(1.0, 0.5), (5.0, 0.25)]).unwrap();
        for label in ["Epoch &amp; more", "Loss", "0.30", "0.50", "3"] {
            let is_text = svg.split("<text").any(|text| {
                text.split_once('>').is_some_and(|(_, rest)| rest.trim_start().starts_with(label))
            });
            assert!(is_text, "{label} in {svg}");
        }
        assert!(!svg.contains("1.5"), "half an epoch");
    }

    #[test]
    fn the_legend_has_each_name_once_if_styles_are_named() {
        let mut chart = lines(&[(1.0, 2.0)]);
        chart.series =
            vec![chart.series[0].clone(), Series { dashed: true, ..chart.series[0].clone() }];
        assert_eq!(chart.legend().len(), 2);
        chart.styles = Some(["validation".to_owned(), "training".to_owned()]);
        assert_eq!(chart.legend().len(), 1);
    }

    #[test]
    fn gaps_break_a_curve_and_lone_points_are_dots() {
        let points = [(1.0, 2.0), (2.0, 1.0), (3.0, f64::NAN), (4.0, 1.5), (5.0, f64::INFINITY)];
        let svg = drawing(&points).unwrap();
        let curve = format!("stroke=\"#0072B2\" stroke-width=\"{}\" points", 2 * UNIT);
        assert_eq!(svg.matches(&curve).count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert_eq!(lines(&points).axes().unwrap()[0], 1.0..5.0);
    }

    #[test]
    fn nothing_finite_to_draw_is_said() {
        for points in [&[][..], &[(1.0, f64::NAN)], &[(1.0, f64::MAX), (2.0, f64::MIN)]] {
            assert_eq!(drawing(points), Err(NothingToDraw), "{points:?}");
        }
    }

    #[test]
    fn equal_values_still_have_an_axis() {
        for value in [0.0, 3.0, -1e-9] {
            assert!(drawing(&[(1.0, value)]).is_ok());
            assert!(drawing(&[(1.0, value), (2.0, value)]).is_ok());
        }
    }
}
