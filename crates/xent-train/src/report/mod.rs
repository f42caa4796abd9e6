//! A report as one HTML page that needs nothing else: no network, fonts or
//! scripts.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use xent_chart::{Chart, LineChart, NothingToDraw, curve_colour};

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
                    style {
                        (PreEscaped(xent_chart::style(".chart")))
                        (PreEscaped(include_str!("report.css")))
                    }
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
                div.charts { @for chart in charts { (figure(chart)) } }
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

/// A table that scrolls where it is too wide, under a caption that does not.
fn scrolling(caption: &str, table: &Markup) -> Markup {
    html! {
        figure.table {
            figcaption { (caption) }
            div.scroll tabindex="0" { (table) }
        }
    }
}

impl Table {
    fn html(&self) -> Markup {
        html! {
            (scrolling(&self.caption, &html! {
                table {
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
            }))
        }
    }
}

impl Matrix {
    fn html(&self) -> Markup {
        html! {
            (scrolling(&self.caption, &html! {
                table.matrix {
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
            }))
        }
    }
}

/// A chart under its title, with its legend.
fn figure(chart: &Chart) -> Markup {
    html! {
        figure {
            figcaption { (chart.title()) }
            @if let Chart::Lines(chart) = chart { (legend(chart)) }
            @match chart.drawing() {
                Ok(svg) => div.chart role="img" aria-label=(chart.title()) { (PreEscaped(svg)) },
                Err(NothingToDraw) => p { "There is no finite value to draw." },
            }
        }
    }
}

fn legend(chart: &LineChart) -> Markup {
    html! {
        ul.legend {
            @for series in chart.legend() {
                @let dashed = series.dashed && chart.styles.is_none();
                li {
                    i.dashed[dashed].dot[series.dots] style=(format!("color:{}", curve_colour(series.colour))) {}
                    (series.name)
                }
            }
            @if let Some([solid, dashed]) = &chart.styles {
                li { i {} (solid) }
                li { i.dashed {} (dashed) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xent_chart::{Interval, IntervalChart, Series};

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
    fn the_legend_has_each_name_once_if_styles_are_named() {
        let mut chart = lines(&[(1.0, 2.0)]);
        chart.series =
            vec![chart.series[0].clone(), Series { dashed: true, ..chart.series[0].clone() }];
        let items = |chart: &LineChart| legend(chart).into_string().matches("<li>").count();
        assert_eq!(items(&chart), 2);
        chart.styles = Some(["validation".to_owned(), "training".to_owned()]);
        assert_eq!(items(&chart), 3);
        assert!(legend(&chart).into_string().contains("validation"));
    }

    #[test]
    fn text_between_backticks_is_code() {
        let html = page(vec![Block::Notices(vec!["`a<b`: 1 left out".to_owned()])]);
        assert!(html.contains("<li><code>a&lt;b</code>: 1 left out</li>"));
    }

    #[test]
    fn nothing_finite_to_draw_is_said() {
        for points in [&[][..], &[(1.0, f64::NAN)], &[(1.0, f64::MAX), (2.0, f64::MIN)]] {
            let html = page(vec![Block::Charts(vec![Chart::Lines(lines(points))])]);
            assert!(html.contains("no finite value to draw"), "{points:?}");
        }
    }
}
