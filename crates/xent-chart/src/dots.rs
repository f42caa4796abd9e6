//! A canvas of Braille dots: two across and four down in each character.

use crate::palette::Colour;

/// The bit of each dot in the code of its character, by column and row.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
const BLANK: u32 = 0x2800;
/// What curves are drawn with where there are no colours to tell them apart.
const MARKS: [char; 6] = ['*', 'o', '+', 'x', '#', '%'];

/// What curves are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pen {
    /// Dots, in colours if there are several.
    Dots,
    /// A letter for each curve.
    Marks,
}

pub(crate) struct Dots {
    pen: Pen,
    columns: usize,
    /// The dots of each character, and the number of the curve that was there last.
    cells: Vec<(u8, usize)>,
}

/// A character of curve number `index` in a legend.
pub(crate) fn sample(pen: Pen, index: usize) -> String {
    let colour = Colour::of_curve(index).in_terminal();
    match pen {
        Pen::Dots => format!("{colour}⠤⠤{colour:#}"),
        Pen::Marks => mark(index).to_string(),
    }
}

fn mark(index: usize) -> char {
    MARKS[index % MARKS.len()]
}

impl Dots {
    pub(crate) fn new(pen: Pen, columns: usize, rows: usize) -> Self {
        Self { pen, columns, cells: vec![(0, 0); columns * rows] }
    }

    /// Draws a line between two points in shares of width and height, from the left and the top.
    pub(crate) fn line(&mut self, curve: usize, from: (f64, f64), to: (f64, f64)) {
        let (width, height) = (self.columns * 2, self.cells.len() / self.columns * 4);
        let dot = |share: f64, count: usize| share * (count - 1) as f64;
        let (x0, y0) = (dot(from.0, width), dot(from.1, height));
        let (x1, y1) = (dot(to.0, width), dot(to.1, height));
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let share = step as f64 / steps;
            let (x, y) = (x0 + share * (x1 - x0), y0 + share * (y1 - y0));
            self.set(curve, x.round() as usize, y.round() as usize);
        }
    }

    fn set(&mut self, curve: usize, x: usize, y: usize) {
        let cell = &mut self.cells[y / 4 * self.columns + x / 2];
        *cell = (cell.0 | BITS[x % 2][y % 4], curve);
    }

    /// The lines of text, each as wide as the canvas.
    pub(crate) fn rows(&self) -> impl Iterator<Item = String> {
        self.cells.chunks(self.columns).map(|cells| {
            let mut row = String::new();
            for &(dots, curve) in cells {
                let dotted = char::from_u32(BLANK + u32::from(dots)).unwrap_or(' ');
                let colour = Colour::of_curve(curve).in_terminal();
                match (dots, self.pen) {
                    (0, _) => row.push(' '),
                    (_, Pen::Marks) => row.push(mark(curve)),
                    (_, Pen::Dots) => row += &format!("{colour}{dotted}{colour:#}"),
                }
            }
            row
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(pen: Pen) -> Vec<String> {
        let mut dots = Dots::new(pen, 3, 2);
        dots.line(0, (0.0, 0.0), (1.0, 0.0));
        dots.line(1, (0.0, 1.0), (0.0, 1.0));
        dots.rows().map(|row| anstream::adapter::strip_str(&row).to_string()).collect()
    }

    #[test]
    fn lines_become_dots_or_marks() {
        assert_eq!(drawn(Pen::Dots), ["⠉⠉⠉", "⡀  "]);
        assert_eq!(drawn(Pen::Marks), ["***", "o  "]);
    }
}
