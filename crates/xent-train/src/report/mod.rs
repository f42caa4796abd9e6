//! A report as one HTML page that needs nothing else: no network, fonts or
//! scripts.

use std::fmt::Write as _;
use std::ops::Range;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A page: a title, what it comes to in a few paragraphs, and sections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// Paragraphs below it; what stands between backticks is code.
    pub summary: Vec<String>,
    /// The rest, in order.
    pub sections: Vec<Section>,
}

/// A part of a page under its own heading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Heading of the section.
    pub title: String,
    /// What stands below it, in order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Running text; what stands between backticks is code.
    Paragraph(String),
    /// Rows under a header.
    Table(Table),
    /// Counts by two kinds of the same names, shaded by their share of a line.
    Matrix(Matrix),
    /// Charts, side by side where there is room.
    Charts(Vec<Chart>),
    /// Names with what they stand for, such as a configuration.
    Facts(Vec<(String, String)>),
    /// What the reader should know of; what stands between backticks is code.
    Notices(Vec<String>),
}

/// Rows under a header; the first cell of a row names it, the others are
/// aligned as numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// A name for each column.
    pub header: Vec<String>,
    /// The cells of each row.
    pub rows: Vec<Vec<String>>,
}

/// Counts by two kinds of the same names, such as what is and what is predicted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// What the matrix shows: what its lines and its columns are.
    pub caption: String,
    /// A name for each line, and for the column in the same place.
    pub names: Vec<String>,
    /// The counts, line after line.
    pub counts: Vec<Vec<u64>>,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Curves over a common axis.
    Lines(LineChart),
    /// Means with their spread.
    Intervals(IntervalChart),
}

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
    /// What solid and what dashed curves are, if that distinguishes curves of
    /// one name; the legend then has each name once.
    pub styles: Option<[String; 2]>,
}

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

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    link rel="icon" href="data:,";
                    title { (self.title) }
                    style { (PreEscaped(include_str!("report.css"))) (PreEscaped(colour_rules())) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        @for paragraph in &self.summary { p { (with_code(paragraph)) } }
                        @for section in &self.sections {
                            section {
                                h2 { (section.title) }
                                @for block in &section.blocks { (block.html()) }
                            }
                        }
                    }
                }
            }
        }
        .into_string()
    }
}

impl Block {
    fn html(&self) -> Markup {
        match self {
            Self::Paragraph(text) => html! { p { (with_code(text)) } },
            Self::Table(table) => table.html(),
            Self::Matrix(matrix) => matrix.html(),
            Self::Charts(charts) => html! {
                div.charts { @for chart in charts { (chart.html()) } }
            },
            Self::Facts(facts) => html! {
                dl { @for (name, value) in facts { dt { (name) } dd { (value) } } }
            },
            Self::Notices(notices) => html! {
                ul.notices { @for notice in notices { li { (with_code(notice)) } } }
            },
        }
    }
}

/// Text with what stands between backticks as code.
fn with_code(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

impl Table {
    fn html(&self) -> Markup {
        html! {
            div.scroll tabindex="0" {
                table {
                    caption { (self.caption) }
                    thead { tr { @for name in &self.header { th scope="col" { (name) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (index, cell) in row.iter().enumerate() {
                                    @if index == 0 { th scope="row" { (cell) } }
                                    @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Matrix {
    fn html(&self) -> Markup {
        html! {
            div.scroll tabindex="0" {
                table.matrix {
                    caption { (self.caption) }
                    thead { tr { th {} @for name in &self.names { th scope="col" { (name) } } } }
                    tbody {
                        @for (name, counts) in self.names.iter().zip(&self.counts) {
                            @let total = counts.iter().sum::<u64>().max(1) as f64;
                            tr {
                                th scope="row" { (name) }
                                @for count in counts {
                                    @let share = *count as f64 / total;
                                    td style=(format!("--share:{share:.3}")) { (count) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Chart {
    fn html(&self) -> Markup {
        let (title, drawing) = match self {
            Self::Lines(chart) => (&chart.title, chart.svg()),
            Self::Intervals(chart) => (&chart.title, chart.svg()),
        };
        html! {
            figure {
                figcaption { (title) }
                @if let Self::Lines(chart) = self { (chart.legend()) }
                @match drawing {
                    Ok(svg) => div.chart role="img" aria-label=(title) { (PreEscaped(svg)) },
                    Err(_) => p { "There is no finite value to draw." },
                }
            }
        }
    }
}

/// A number to six digits, for readers.
pub fn short(number: f64) -> String {
    const DIGITS: i32 = 6;
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let scientific = format!("{number:.*e}", DIGITS as usize - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match exponent {
        -4..DIGITS => without_zeros(&format!("{number:.*}", (DIGITS - 1 - exponent) as usize)),
        _ => format!("{}e{exponent}", without_zeros(digits)),
    }
}

fn without_zeros(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

/// Colours that readers with any colour vision tell apart (after Okabe and
/// Ito). In the drawings they are names, which the style sheet turns into the
/// colour for a light or a dark page.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xB5, 0x47, 0x8A),
    RGBColor(0xB9, 0x80, 0x00),
    RGBColor(0x56, 0xA4, 0xD9),
    RGBColor(0x6B, 0x6B, 0x6B),
];
const INK: RGBColor = RGBColor(0, 0, 0);
const SOFT: RGBColor = RGBColor(0x80, 0x80, 0x80);
const RULE: RGBColor = RGBColor(0xC0, 0xC0, 0xC0);

/// Drawings are in tenths of a pixel, as the library draws at whole units.
const UNIT: i32 = 10;
const WIDTH: i32 = 440 * UNIT;

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

fn colour_rules() -> String {
    let mut rules = String::new();
    for (index, RGBColor(r, g, b)) in COLOURS.iter().enumerate() {
        let name = format!("#{r:02X}{g:02X}{b:02X}");
        let _ = write!(
            rules,
            ".chart [stroke=\"{name}\"]{{stroke:var(--c{index})}}\
             .chart [fill=\"{name}\"]{{fill:var(--c{index})}}\
             .c{index}{{color:var(--c{index})}}"
        );
    }
    rules
}

/// Text of this size in pixels; the library writes sizes 1.24 times too small.
fn text(pixels: f64, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", pixels * f64::from(UNIT) * 1.24).into_font().color(&colour)
}

/// Why there is no drawing: it has no finite values.
struct NothingToDraw;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for NothingToDraw {
    fn from(_: DrawingAreaErrorKind<E>) -> Self {
        Self
    }
}

impl LineChart {
    fn legend(&self) -> Markup {
        let mut names: Vec<&Series> = Vec::new();
        for series in &self.series {
            if self.styles.is_none() || names.iter().all(|known| known.name != series.name) {
                names.push(series);
            }
        }
        html! {
            ul.legend {
                @for series in names {
                    @let dashed = series.dashed && self.styles.is_none();
                    li {
                        i.{ "c" (series.colour % COLOURS.len()) }.dashed[dashed] {}
                        (series.name)
                    }
                }
                @if let Some([solid, dashed]) = &self.styles {
                    li { i {} (solid) }
                    li { i.dashed {} (dashed) }
                }
            }
        }
    }

    fn svg(&self) -> Result<String, NothingToDraw> {
        let finite = || {
            let points = self.series.iter().flat_map(|series| &series.points);
            points.filter(|(x, y)| x.is_finite() && y.is_finite())
        };
        let x = range(finite().map(|point| point.0), 0.0)?;
        let y = range(finite().map(|point| point.1), 0.05)?;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, 280 * UNIT as u32))
                .into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin_top(10 * UNIT)
                .margin_right(12 * UNIT)
                .x_label_area_size(44 * UNIT)
                .y_label_area_size(62 * UNIT)
                .build_cartesian_2d(x.clone(), y.clone())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(RULE.stroke_width(UNIT as u32))
                .axis_style(SOFT.stroke_width(UNIT as u32))
                .set_all_tick_mark_size(4 * UNIT)
                .x_labels(ticks(&x))
                .y_labels(6)
                .x_label_formatter(&|value| tick(*value, &x))
                .y_label_formatter(&|value| tick(*value, &y))
                .x_desc(&self.x)
                .y_desc(&self.y)
                .label_style(text(12.0, SOFT))
                .axis_desc_style(text(12.0, SOFT))
                .draw()?;
            for series in &self.series {
                let style = colour(series.colour).stroke_width(2 * UNIT as u32);
                for run in series.runs() {
                    if series.dots {
                        let dot = |&point| Circle::new(point, 2 * UNIT, style.filled());
                        chart.draw_series(run.iter().map(dot))?;
                    } else if let [point] = run {
                        chart.draw_series([Circle::new(*point, 3 * UNIT, style.filled())])?;
                    } else if series.dashed {
                        let points = run.iter().copied();
                        let dashes =
                            DashedLineSeries::new(points, 6 * UNIT as u32, 4 * UNIT as u32, style);
                        chart.draw_series(dashes)?;
                    } else {
                        chart.draw_series(LineSeries::new(run.iter().copied(), style))?;
                    }
                }
            }
            area.present()?;
        }
        Ok(svg)
    }
}

impl Series {
    /// The stretches of points without a gap.
    fn runs(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        self.points.split(|(x, y)| !x.is_finite() || !y.is_finite()).filter(|run| !run.is_empty())
    }
}

impl IntervalChart {
    fn svg(&self) -> Result<String, NothingToDraw> {
        const LINE: i32 = 46 * UNIT;
        let finite: Vec<(usize, &Interval)> = self
            .intervals
            .iter()
            .enumerate()
            .filter(|(_, interval)| interval.mean.is_finite() && interval.deviation.is_finite())
            .collect();
        let ends = finite.iter().flat_map(|(_, interval)| interval.ends());
        let x = range(ends, 0.05)?;
        let lines = finite.len() as i32;
        let height = lines * LINE + 56 * UNIT;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32))
                .into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin_top(8 * UNIT)
                .margin_right(UNIT)
                .x_label_area_size(44 * UNIT)
                .build_cartesian_2d(x.clone(), f64::from(lines)..0.0)?;
            chart
                .configure_mesh()
                .disable_y_mesh()
                .disable_y_axis()
                .light_line_style(TRANSPARENT)
                .bold_line_style(RULE.stroke_width(UNIT as u32))
                .axis_style(SOFT.stroke_width(UNIT as u32))
                .set_all_tick_mark_size(4 * UNIT)
                .x_labels(6)
                .x_label_formatter(&|value| tick(*value, &x))
                .x_desc(&self.x)
                .label_style(text(12.0, SOFT))
                .axis_desc_style(text(12.0, SOFT))
                .draw()?;
            for (line, (position, interval)) in finite.into_iter().enumerate() {
                let (name_y, mark_y) = (line as f64 + 0.3, line as f64 + 0.68);
                let style = colour(position);
                let [low, high] = interval.ends();
                let name = text(13.0, INK).pos(Pos::new(HPos::Left, VPos::Center));
                let value = text(12.0, SOFT).pos(Pos::new(HPos::Right, VPos::Center));
                let spread = PathElement::new(
                    [(low, mark_y), (high, mark_y)],
                    style.stroke_width(3 * UNIT as u32),
                );
                chart.draw_series([spread])?;
                chart.draw_series([Circle::new(
                    (interval.mean, mark_y),
                    5 * UNIT,
                    style.filled(),
                )])?;
                chart.draw_series([Text::new(interval.name.clone(), (x.start, name_y), name)])?;
                chart.draw_series([Text::new(interval.label(&x), (x.end, name_y), value)])?;
            }
            area.present()?;
        }
        Ok(svg)
    }
}

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

/// From the least to the greatest value, and a share of that more on both sides.
fn range(values: impl Iterator<Item = f64>, margin: f64) -> Result<Range<f64>, NothingToDraw> {
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
fn ticks(axis: &Range<f64>) -> usize {
    ((axis.end - axis.start) as usize + 1).clamp(2, 8)
}

fn tick(value: f64, axis: &Range<f64>) -> String {
    let decimals = decimals(axis);
    let largest = axis.start.abs().max(axis.end.abs());
    if decimals > 5 || largest >= 1e6 {
        format!("{value:.2e}")
    } else {
        format!("{:.decimals$}", value + 0.0)
    }
}

/// Enough decimals to tell a fifth of the axis from the next.
fn decimals(axis: &Range<f64>) -> usize {
    let step = (axis.end - axis.start) / 5.0;
    (-(step.log10().floor())).clamp(0.0, 12.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

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
            styles: None,
        }
    }

    fn page(blocks: Vec<Block>) -> String {
        let section = Section { title: "A & B".to_owned(), blocks };
        Report {
            title: "<script>alert(1)</script>".to_owned(),
            summary: vec!["1 < 2".to_owned()],
            sections: vec![section],
        }
        .html()
    }

    #[test]
    fn short_numbers_have_six_digits() {
        let cases = [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (2.0 / 3.0, "0.666667"),
            (4.122307e-9, "4.12231e-9"),
            (123456.7, "123457"),
            (1234567.0, "1.23457e6"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn text_is_escaped_everywhere() {
        let intervals = IntervalChart {
            title: "t".to_owned(),
            x: "<x>".to_owned(),
            intervals: vec![Interval { name: "<n>".to_owned(), mean: 1.0, deviation: 0.1 }],
        };
        let html = page(vec![
            Block::Paragraph("<p1>".to_owned()),
            Block::Table(Table {
                caption: "<c>".to_owned(),
                header: vec!["<h>".to_owned()],
                rows: vec![vec!["<r>".to_owned(), "<d>".to_owned()]],
            }),
            Block::Charts(vec![
                Chart::Lines(lines(&[(1.0, 2.0), (2.0, 1.0)])),
                Chart::Intervals(intervals),
            ]),
            Block::Facts(vec![("<k>".to_owned(), "<v>".to_owned())]),
            Block::Notices(vec!["<note>".to_owned()]),
        ]);
        for tag in [
            "<script", "<p1", "<c>", "<h>", "<r>", "<d>", "<k>", "<v>", "<note", "<n>", "<x>",
            "<by>", "<γ>", "1 < 2",
        ] {
            assert!(!html.contains(tag), "{tag}");
        }
        for text in ["&lt;script&gt;", "1 &lt; 2", "A &amp; B", "Epoch &amp; more", "&lt;n&gt;"] {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn the_page_needs_nothing_from_outside() {
        let html = page(vec![Block::Charts(vec![Chart::Lines(lines(&[(1.0, 2.0), (2.0, 1.0)]))])]);
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        for reference in ["http:", "https:", "url(", "@import", "src="] {
            assert!(!outside.contains(reference), "{reference}");
        }
    }

    #[test]
    fn axes_are_named_and_numbered_as_text() {
        let svg = lines(&[(1.0, 0.5), (5.0, 0.25)]).svg().ok().unwrap();
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
        let items = |chart: &LineChart| chart.legend().into_string().matches("<li>").count();
        assert_eq!(items(&chart), 2);
        chart.styles = Some(["validation".to_owned(), "training".to_owned()]);
        assert_eq!(items(&chart), 3);
        assert!(chart.legend().into_string().contains("validation"));
    }

    #[test]
    fn text_between_backticks_is_code() {
        let html = page(vec![Block::Notices(vec!["`a<b`: 1 left out".to_owned()])]);
        assert!(html.contains("<li><code>a&lt;b</code>: 1 left out</li>"));
    }

    #[test]
    fn gaps_break_a_curve_and_lone_points_are_dots() {
        let points = [(1.0, 2.0), (2.0, 1.0), (3.0, f64::NAN), (4.0, 1.5), (5.0, f64::INFINITY)];
        let svg = lines(&points).svg().ok().unwrap();
        let curve = format!("stroke=\"#0072B2\" stroke-width=\"{}\" points", 2 * UNIT);
        assert_eq!(svg.matches(&curve).count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
    }

    #[test]
    fn nothing_finite_to_draw_is_said() {
        for points in [&[][..], &[(1.0, f64::NAN)], &[(1.0, f64::MAX), (2.0, f64::MIN)]] {
            let html = page(vec![Block::Charts(vec![Chart::Lines(lines(points))])]);
            assert!(html.contains("no finite value to draw"), "{points:?}");
        }
    }

    #[test]
    fn equal_values_still_have_an_axis() {
        for value in [0.0, 3.0, -1e-9] {
            assert!(lines(&[(1.0, value)]).svg().is_ok());
            assert!(lines(&[(1.0, value), (2.0, value)]).svg().is_ok());
        }
    }

    #[test]
    fn ticks_have_as_many_decimals_as_they_need() {
        assert_eq!(tick(0.5, &(0.0..1.0)), "0.5");
        assert_eq!(tick(20.0, &(0.0..100.0)), "20");
        assert_eq!(tick(0.0015, &(0.001..0.002)), "0.0015");
        assert_eq!(tick(-0.0, &(-10.0..10.0)), "0");
        assert_eq!(tick(2e9, &(0.0..5e9)), "2.00e9");
    }
}
