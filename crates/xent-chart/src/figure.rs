use crate::canvas::{self, Area, Drawing, UNIT, label, line, text, text_width};
use crate::dots::{Pen, sample};
use crate::heat_map::{BANDS, Scale, band_colour};
use crate::palette::{Colour, INK, PAPER, SOFT};
use crate::terminal::{Panel, scale_line};
use crate::{HeatMap, LineChart, NothingToDraw, Series};
use anstyle::Style;
use image::{ImageFormat, imageops};
use plotters::prelude::*;
use std::io::Cursor;

/// Panels side by side under one title and with one legend: a picture that stands alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What the picture shows; may be empty.
    pub title: String,
    /// Its panels.
    pub panels: Panels,
}

/// The panels of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Panels {
    /// Curves, each colour for one thing in all panels.
    Curves(Vec<LineChart>),
    /// Maps whose colours mean the same.
    Maps(Vec<HeatMap>, Scale),
}

const COLUMNS: usize = 3;
const MARGIN: i32 = 14 * UNIT;
/// Between panels side by side.
const GUTTER: i32 = 20 * UNIT;
const TITLE: i32 = 30 * UNIT;
const LEGEND: i32 = 22 * UNIT;
const SAMPLE: i32 = 22 * UNIT;
const GAP: i32 = 8 * UNIT;

/// Pixels of a PNG for each of the drawing: it is still sharp when printed.
const SHARPNESS: u32 = 2;

impl Figure {
    /// The picture as an SVG file.
    ///
    /// # Errors
    /// A panel has no finite value.
    pub fn svg(&self) -> Result<String, NothingToDraw> {
        let (width, height) = self.size();
        let units = format!("<svg width=\"{width}\" height=\"{height}\"");
        let (width, height) = (width / UNIT, height / UNIT);
        let fitting = "style=\"max-width:100%;height:auto\"";
        let pixels = format!("<svg width=\"{width}\" height=\"{height}\" {fitting}");
        Ok(canvas::svg(self)?.replacen(&units, &pixels, 1))
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// A panel has no finite value.
    pub fn png(&self) -> Result<Vec<u8>, NothingToDraw> {
        let drawn = canvas::pixels(self)?;
        let smaller = |pixels: u32| pixels * SHARPNESS / UNIT as u32;
        let image = imageops::thumbnail(&drawn, smaller(drawn.width()), smaller(drawn.height()));
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).map_err(|_| NothingToDraw)?;
        Ok(file.into_inner())
    }

    /// The picture in lines of text no wider than `width`, 40 at least, with the escape codes of
    /// terminals. Without colours to rely on, curves have a letter each, and maps are shaded.
    ///
    /// # Errors
    /// A panel has no finite value.
    pub fn text(&self, width: usize, colours: bool) -> Result<String, NothingToDraw> {
        let legend = self.legend();
        let pen = if colours || legend.len() < 2 { Pen::Dots } else { Pen::Marks };
        let mut text = String::new();
        let bold = Style::new().bold();
        if !self.title.is_empty() {
            text += &format!("{bold}{}{bold:#}\n", self.title);
        }
        let names = legend.iter().map(|series| {
            let name: String = series.name.chars().take(width - 3).collect();
            (name.chars().count() + 3, format!("{} {name}", sample(pen, series.colour)))
        });
        text += &flow(names, width);
        let (count, least) = match &self.panels {
            Panels::Curves(charts) => (charts.len(), 36),
            Panels::Maps(maps, scale) => {
                text += &format!("{}\n", scale_line(scale, colours));
                (maps.len(), 30)
            }
        };
        let across = ((width + 1) / (least + 1)).clamp(1, count.max(1));
        let each = (width + 1) / across - 1;
        let panels: Vec<Panel> = match &self.panels {
            Panels::Curves(charts) => {
                let rows = if across == 1 { 14 } else { 10 };
                let panel = |chart: &LineChart| chart.panel(each, rows, pen);
                charts.iter().map(panel).collect::<Result<_, _>>()?
            }
            Panels::Maps(maps, scale) => {
                maps.iter().map(|map| map.panel(each.min(48), scale, colours)).collect()
            }
        };
        for row in panels.chunks(across) {
            for line in 0..row.iter().map(|panel| panel.lines.len()).max().unwrap_or(0) {
                let parts: Vec<&str> = row.iter().map(|panel| panel.lines[line].as_str()).collect();
                text += parts.join(" ").trim_end();
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// The curves that a legend has to name: none if there is only one.
    fn legend(&self) -> Vec<&Series> {
        let Panels::Curves(charts) = &self.panels else { return Vec::new() };
        let mut names: Vec<&Series> = Vec::new();
        for series in charts.iter().flat_map(LineChart::legend) {
            if names.iter().all(|known| known.name != series.name) {
                names.push(series);
            }
        }
        if names.len() < 2 { Vec::new() } else { names }
    }

    /// Where the names of the legend are, from the left and in which row.
    fn places(&self) -> Vec<(i32, i32, &Series)> {
        let (mut x, mut row) = (MARGIN, 0);
        let mut places = Vec::new();
        for series in self.legend() {
            let width = SAMPLE + GAP + text_width(&series.name, &text(13.0, INK)) + 2 * GAP;
            if x > MARGIN && x + width > self.width() {
                (x, row) = (MARGIN, row + 1);
            }
            places.push((x, row, series));
            x += width;
        }
        places
    }

    fn legend_rows(&self) -> i32 {
        match &self.panels {
            // A single map is narrower than what there is to say.
            Panels::Maps(maps, _) if maps.len() == 1 => 2,
            Panels::Maps(..) => 1,
            Panels::Curves(_) => self.places().last().map_or(0, |(_, row, _)| row + 1),
        }
    }

    /// Columns and rows of panels, and the size of each.
    fn grid(&self) -> (i32, i32, (i32, i32)) {
        let (count, size) = match &self.panels {
            Panels::Curves(charts) if charts.len() < 2 => (charts.len(), LineChart::SIZE),
            // Two of them fill a page of text.
            Panels::Curves(charts) => (charts.len(), (350 * UNIT, 260 * UNIT)),
            Panels::Maps(maps, _) => {
                let sizes = maps.iter().map(HeatMap::size);
                (maps.len(), sizes.max_by_key(|size| size.1).unwrap_or_default())
            }
        };
        let columns = count.clamp(1, COLUMNS);
        (columns as i32, count.div_ceil(columns) as i32, size)
    }

    fn width(&self) -> i32 {
        let (columns, _, (width, _)) = self.grid();
        columns * width + (columns - 1) * GUTTER + 2 * MARGIN
    }

    fn head(&self) -> i32 {
        let title = if self.title.is_empty() { 0 } else { TITLE };
        let legend = self.legend_rows() * LEGEND;
        title + legend + if legend > 0 { GAP } else { 0 }
    }
}

impl Drawing for Figure {
    fn size(&self) -> (i32, i32) {
        let (_, rows, (_, height)) = self.grid();
        (self.width(), self.head() + rows * height + MARGIN + GAP)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), NothingToDraw> {
        let (width, height) = self.size();
        let paper: RGBColor = PAPER.into();
        area.draw(&Rectangle::new([(0, 0), (width, height)], paper.filled()))?;
        let mut top = GAP;
        if !self.title.is_empty() {
            let middle = (MARGIN, top + TITLE / 2 - 2 * UNIT);
            area.draw(&Text::new(self.title.clone(), middle, label(16.0, INK)))?;
            top += TITLE;
        }
        self.draw_legend(area, top)?;
        let top = GAP + self.head();
        let (columns, _, (width, height)) = self.grid();
        let place = |index: usize| {
            let (column, row) = (index as i32 % columns, index as i32 / columns);
            let (left, top) = (MARGIN + column * (width + GUTTER), top + row * height);
            area.clone().shrink((left, top), (width, height))
        };
        match &self.panels {
            Panels::Curves(charts) => {
                charts.iter().enumerate().try_for_each(|(index, chart)| chart.draw(&place(index)))
            }
            Panels::Maps(maps, scale) => {
                let draw = |(index, map): (usize, &HeatMap)| map.draw(&place(index), scale);
                maps.iter().enumerate().try_for_each(draw)
            }
        }
    }
}

impl Figure {
    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        top: i32,
    ) -> Result<(), NothingToDraw> {
        for (x, row, series) in self.places() {
            let y = top + row * LEGEND + LEGEND / 2;
            let colour = Colour::of_curve(series.colour);
            if series.dots {
                let fill = RGBColor::from(colour).filled();
                area.draw(&Circle::new((x + SAMPLE / 2, y), 4 * UNIT, fill))?;
            } else {
                let parts = if series.dashed { vec![0, 1] } else { vec![0] };
                let length = if series.dashed { SAMPLE * 2 / 5 } else { SAMPLE };
                for part in parts {
                    let start = x + part * SAMPLE * 3 / 5;
                    let ends = [(start, y), (start + length, y)];
                    area.draw(&PathElement::new(ends, line(2.5, colour)))?;
                }
            }
            let name = Text::new(series.name.clone(), (x + SAMPLE + GAP, y), label(13.0, INK));
            area.draw(&name)?;
        }
        if let Panels::Maps(_, scale) = &self.panels {
            self.draw_scale(area, top + LEGEND / 2, scale)?;
        }
        Ok(())
    }

    fn draw_scale<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        y: i32,
        scale: &Scale,
    ) -> Result<(), NothingToDraw> {
        let mut x = MARGIN;
        let write = |words: &str, x: &mut i32| {
            let style = label(13.0, INK);
            let start = *x;
            *x += text_width(words, &style) + GAP;
            area.draw(&Text::new(words.to_owned(), (start, y), style))
        };
        write(&scale.name, &mut x)?;
        let [least, greatest] = scale.ends();
        write(&least, &mut x)?;
        let (width, height) = (13 * UNIT, 7 * UNIT);
        let start = x;
        for band in 0..BANDS {
            let fill = RGBColor::from(band_colour(band)).filled();
            area.draw(&Rectangle::new([(x, y - height), (x + width, y + height)], fill))?;
            x += width;
        }
        // An outline of a rectangle has no width in SVG.
        let (top, bottom) = (y - height, y + height);
        let frame = [(start, top), (x, top), (x, bottom), (start, bottom), (start, top)];
        area.draw(&PathElement::new(frame, line(1.0, SOFT)))?;
        x += GAP;
        write(&greatest, &mut x)?;
        let (x, y) = match self.legend_rows() {
            1 => (x + 2 * GAP, y),
            _ => (MARGIN, y + LEGEND),
        };
        area.draw(&Text::new(scale.arrows.clone(), (x, y), label(13.0, INK)))?;
        Ok(())
    }
}

/// Words in lines, with their widths.
fn flow(words: impl Iterator<Item = (usize, String)>, width: usize) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for (length, word) in words {
        if used > 0 {
            let fits = used + 2 + length <= width;
            text += if fits { "  " } else { "\n" };
            used = if fits { used + 2 } else { 0 };
        }
        text += &word;
        used += length;
    }
    if used > 0 {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arrow;

    fn curve(name: &str, colour: usize, slope: f64) -> Series {
        let points = (0..=10).map(f64::from).map(|x| (x / 10.0, slope * x)).collect();
        Series { name: name.to_owned(), colour, points, ..Series::default() }
    }

    fn curves(series: Vec<Series>) -> Figure {
        let (x, y) = ("p & q".to_owned(), "loss".to_owned());
        let chart = LineChart { x, y, series, ..LineChart::default() };
        Figure { title: "A <title>".to_owned(), panels: Panels::Curves(vec![chart.clone(), chart]) }
    }

    fn map() -> Figure {
        // Steps of one along the diagonal.
        let values = (0..100).map(|i| f64::from(i / 10 + i % 10)).collect();
        let map = HeatMap {
            title: "slope".to_owned(),
            range: -1.0..1.0,
            values,
            arrows: vec![Arrow { from: (0.0, 0.0), to: (-0.5, -0.5) }],
            mark: Some((0.5, -0.5)),
            ..HeatMap::default()
        };
        let scale = Scale { name: "height".to_owned(), greatest: 18.0, ..Scale::default() };
        Figure { title: String::new(), panels: Panels::Maps(vec![map.clone(), map], scale) }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_legend_names_curves_if_there_are_several() {
        let one = curves(vec![curve("alone", 0, 1.0)]);
        assert!(
            !one.svg().unwrap().contains("alone") && !one.text(80, true).unwrap().contains("alone")
        );
        let two = curves(vec![curve("up", 0, 1.0), curve("down", 1, -1.0)]);
        let svg = two.svg().unwrap();
        assert_eq!((svg.matches("up").count(), svg.matches("down").count()), (1, 1));
        assert!(svg.contains("A &lt;title&gt;") && svg.contains("p &amp; q"), "{svg}");
        assert!(!svg.contains("\n\n"), "an empty line would end it within Markdown");
    }

    #[test]
    fn text_fits_and_tells_curves_apart_without_colours() {
        let two = curves(vec![curve("up", 0, 1.0), curve("down", 1, -1.0)]);
        for width in [40, 80, 100] {
            for (figure, colours) in [(&two, true), (&two, false), (&map(), true), (&map(), false)]
            {
                let text = plain(&figure.text(width, colours).unwrap());
                assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            }
        }
        let text = plain(&two.text(80, false).unwrap());
        assert!(text.contains("****") && text.contains("oooo"), "{text}");
        let text = plain(&map().text(80, false).unwrap());
        assert!(text.contains('X') && text.contains('█'), "{text}");
        // Low to the left and below, high to the right and above.
        let rows: Vec<&str> = text.lines().skip(1).filter(|line| line.contains('▒')).collect();
        let of_panel = |row: &str| row.chars().take(38).collect::<String>();
        assert!(of_panel(rows[0]).trim_end().ends_with('█'), "{text}");
        assert!(!of_panel(rows[rows.len() - 1]).contains('█'), "{text}");
    }

    #[test]
    fn the_same_drawing_is_an_svg_and_a_png() {
        for figure in [curves(vec![curve("up", 0, 1.0)]), map()] {
            let (width, height) = figure.size();
            let header = format!("<svg width=\"{}\" height=\"{}\"", width / UNIT, height / UNIT);
            assert!(figure.svg().unwrap().starts_with(&header));
            let png = image::load_from_memory(&figure.png().unwrap()).unwrap().into_rgb8();
            let sharp = |units: i32| units as u32 * SHARPNESS / UNIT as u32;
            assert_eq!(png.dimensions(), (sharp(width), sharp(height)));
            assert_eq!(png.get_pixel(1, 1).0, [255, 255, 255]);
            let [colour, other] = [0, 1].map(|index| RGBColor::from(Colour::of_curve(index)).rgb());
            let has = |(r, g, b)| png.pixels().any(|pixel| pixel.0 == [r, g, b]);
            assert!(has(colour) || has(other));
        }
    }
}
