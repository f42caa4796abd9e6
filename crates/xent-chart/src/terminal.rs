//! Panels as lines of text, all of one width.

use crate::axis::{Numbers, ticks};
use crate::dots::{Dots, Pen};
use crate::heat_map::{BANDS, Scale, band_colour};
use crate::palette::Colour;
use crate::{HeatMap, LineChart, NothingToDraw};
use anstyle::{Ansi256Color, Style};
use std::ops::Range;

const QUIET: Style = Style::new().dimmed();
const TITLE: Style = Style::new().bold();
/// Darker where the map is, without colours.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Lines of text, each `width` characters wide when shown.
pub(crate) struct Panel {
    pub(crate) width: usize,
    pub(crate) lines: Vec<String>,
}

impl Panel {
    fn new(width: usize) -> Self {
        Self { width, lines: Vec::new() }
    }

    /// A line of plain text, cut or filled up, in a style.
    fn push(&mut self, text: &str, style: Style) {
        let width = self.width;
        let text: String = text.chars().take(width).collect();
        let text = text.trim_end();
        self.lines
            .push(format!("{style}{text}{style:#}{}", " ".repeat(width - text.chars().count())));
    }

    /// The numbers below the map or the curves, which start after `left` characters.
    fn push_numbers(&mut self, left: usize, ticks: &[(usize, String)]) {
        let mut line = vec![' '; self.width];
        let mut free = 0;
        for (column, number) in ticks {
            let length = number.chars().count();
            let centred = (left + column).saturating_sub(length / 2);
            let start = centred.min(self.width.saturating_sub(length));
            if start >= free {
                line.splice(start..start + length, number.chars());
                free = start + length + 1;
            }
        }
        self.push(&line.into_iter().collect::<String>(), QUIET);
    }

    /// A name in the middle of what is after `left` characters.
    fn push_name(&mut self, left: usize, name: &str) {
        let length = name.chars().count();
        let centred = left + (self.width - left).saturating_sub(length) / 2;
        let indent = centred.min(self.width.saturating_sub(length));
        self.push(&format!("{}{name}", " ".repeat(indent)), QUIET);
    }
}

/// The numbers of a horizontal axis with their columns.
fn columns_of_numbers(axis: &Range<f64>, columns: usize) -> Vec<(usize, String)> {
    let most = (columns / 5).clamp(2, 9);
    let texts = Numbers::of(axis, most);
    let column = |value: f64| {
        let share = (value - axis.start) / (axis.end - axis.start);
        (share * (columns - 1) as f64).round() as usize
    };
    ticks(axis, most).into_iter().map(|value| (column(value), texts.text(value))).collect()
}

/// The numbers of a vertical axis by row, and how wide they are.
fn numbers(axis: &Range<f64>, rows: usize, most: usize) -> (Vec<String>, usize) {
    let texts = Numbers::of(axis, most);
    let mut numbers = vec![String::new(); rows];
    for value in ticks(axis, most) {
        let share = (axis.end - value) / (axis.end - axis.start);
        numbers[(share * (rows - 1) as f64).round() as usize] = texts.text(value);
    }
    let width = numbers.iter().map(|number| number.chars().count()).max().unwrap_or(0);
    (numbers, width)
}

impl LineChart {
    pub(crate) fn panel(
        &self,
        width: usize,
        rows: usize,
        pen: Pen,
    ) -> Result<Panel, NothingToDraw> {
        let [x, y] = self.axes()?;
        let (numbers, left) = numbers(&y, rows, (rows / 2).max(2));
        let columns = width.saturating_sub(left + 2).max(1);
        let mut dots = Dots::new(pen, columns, rows);
        let place = |(at_x, at_y): (f64, f64)| {
            ((at_x - x.start) / (x.end - x.start), (y.end - at_y) / (y.end - y.start))
        };
        for series in &self.series {
            for run in series.runs_within(&y) {
                let ends = run.windows(2).map(|ends| (ends[0], ends[1]));
                let point = run.first().filter(|_| run.len() == 1).map(|&point| (point, point));
                for (from, to) in ends.chain(point) {
                    dots.line(series.colour, place(from), place(to));
                }
            }
        }
        let mut panel = Panel::new(width);
        panel.push(&format!("{}{}", " ".repeat(left + 1), self.y), TITLE);
        for (number, dots) in numbers.iter().zip(dots.rows()) {
            let tick = if number.is_empty() { '│' } else { '┤' };
            panel.lines.push(format!("{QUIET}{number:>left$}{tick}{QUIET:#}{dots} "));
        }
        let ticks = columns_of_numbers(&x, columns);
        let mut rule = vec!['─'; columns];
        ticks.iter().for_each(|(column, _)| rule[*column] = '┴');
        let rule: String = rule.into_iter().collect();
        panel.push(&format!("{}└{rule}", " ".repeat(left)), QUIET);
        panel.push_numbers(left + 1, &ticks);
        panel.push_name(left + 1, &self.x);
        Ok(panel)
    }
}

impl HeatMap {
    /// Twice as wide as high, as characters are twice as high as wide.
    pub(crate) fn panel(&self, width: usize, scale: &Scale, colours: bool) -> Panel {
        let rows = (width.saturating_sub(6) / 2).max(2);
        let (numbers, left) = numbers(&self.range, rows, TICKS);
        let columns = width - left - 1;
        let mut panel = Panel::new(width);
        panel.push(&format!("{}{}", " ".repeat(left + 1), self.title), TITLE);
        for note in &self.notes {
            panel.push(&format!("{}{note}", " ".repeat(left + 1)), QUIET);
        }
        for (row, number) in numbers.iter().enumerate() {
            let mut line = format!("{QUIET}{number:>left$}{QUIET:#} ");
            for column in 0..columns {
                let half =
                    |half: usize| self.band((column, columns), (2 * row + half, 2 * rows), scale);
                if self.is_marked((column, columns), (row, rows)) {
                    line += &marked(half(0), colours);
                } else if colours {
                    let (above, below) = (colour(half(0)), colour(half(1)));
                    let style = above.on(below);
                    line += &format!("{style}▀{style:#}");
                } else {
                    line.push(shade(half(0)));
                }
            }
            panel.lines.push(line);
        }
        panel.push_numbers(left + 1, &columns_of_numbers(&self.range, columns));
        panel.push_name(left + 1, &format!("→ {}", self.x));
        panel.push_name(left + 1, &format!("↑ {}", self.y));
        panel
    }

    /// The band in the middle of a cell, counted from the left and from the top.
    fn band(
        &self,
        (x, columns): (usize, usize),
        (y, rows): (usize, usize),
        scale: &Scale,
    ) -> usize {
        let points = self.points();
        let nearest = |cell: usize, cells: usize| {
            (((cell as f64 + 0.5) / cells as f64) * (points - 1) as f64).round() as usize
        };
        scale.band(self.values[nearest(rows - 1 - y, rows) * points + nearest(x, columns)])
    }

    fn is_marked(&self, (x, columns): (usize, usize), (y, rows): (usize, usize)) -> bool {
        let cell = |value: f64, cells: usize| {
            let share = (value - self.range.start) / (self.range.end - self.range.start);
            ((share * cells as f64) as usize).min(cells - 1)
        };
        self.mark.is_some_and(|at| (cell(at.0, columns), rows - 1 - cell(at.1, rows)) == (x, y))
    }
}

const TICKS: usize = 5;

/// The colours and their numbers, in a line.
pub(crate) fn scale_line(scale: &Scale, colours: bool) -> String {
    let swatch = |band: usize| match colours {
        true => {
            let style = Style::new().bg_color(Some(colour(band).into()));
            format!("{style}  {style:#}")
        }
        false => shade(band).to_string(),
    };
    let swatches: String = (0..BANDS).map(swatch).collect();
    {
        let [least, greatest] = scale.ends();
        format!("{} {least} {swatches} {greatest}", scale.name)
    }
}

fn colour(band: usize) -> Ansi256Color {
    band_colour(band).into()
}

fn shade(band: usize) -> char {
    SHADES[band * SHADES.len() / BANDS]
}

fn marked(band: usize, colours: bool) -> String {
    if !colours {
        return "X".to_owned();
    }
    let style = Colour::of_curve(1).in_terminal().bg_color(Some(colour(band).into())).bold();
    format!("{style}●{style:#}")
}
