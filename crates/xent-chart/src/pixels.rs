//! A canvas of pixels: the library rasterises lines and shapes, and the font its letters.

use image::{Rgb, RgbImage};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;

pub(crate) struct Pixels<'a> {
    image: &'a mut RgbImage,
}

impl<'a> Pixels<'a> {
    pub(crate) fn of(image: &'a mut RgbImage) -> Self {
        Self { image }
    }
}

type Result = std::result::Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Pixels<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.image.dimensions()
    }

    fn ensure_prepared(&mut self) -> Result {
        Ok(())
    }

    fn present(&mut self) -> Result {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Result {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return Ok(()) };
        if let Some(Rgb(below)) = self.image.get_pixel_mut_checked(x, y) {
            let (r, g, b) = colour.rgb;
            for (below, above) in below.iter_mut().zip([r, g, b]) {
                let mixed =
                    f64::from(*below) * (1.0 - colour.alpha) + f64::from(above) * colour.alpha;
                *below = mixed.round() as u8;
            }
        }
        Ok(())
    }

    /// As the SVG places it; the library would place it by the height of the font.
    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (left, top): BackendCoord,
    ) -> Result {
        let unreadable = |error| DrawingErrorKind::FontError(Box::new(error));
        let ((start, _), (end, _)) = style.layout_box(text).map_err(unreadable)?;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Right => start - end,
            HPos::Center => (start - end) / 2,
        };
        let em = style.size() / LINE_HEIGHT;
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * X_HEIGHT * em,
            VPos::Bottom => -0.5 * X_HEIGHT * em,
        };
        // The library puts the baseline at half the size.
        let dy = (baseline - style.size() / 2.0).round() as i32;
        let turn = style.transform();
        let drawn = style.draw(text, (0, 0), |x, y, colour| {
            let (x, y) = turn.transform(x + dx, y + dy);
            self.draw_pixel((left + x, top + y), colour)
        });
        drawn.map_err(unreadable)?
    }
}

/// From the lowest to the highest point of the font, in ems.
const LINE_HEIGHT: f64 = 1.164;
/// Height of a small letter, in ems.
const X_HEIGHT: f64 = 0.547;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{label, text};
    use crate::palette::INK;
    use plotters::prelude::IntoDrawingArea;
    use plotters::style::TextStyle;

    /// The rows that a letter takes, drawn at row 500.
    fn rows(style: &TextStyle) -> [u32; 2] {
        let mut image = RgbImage::from_pixel(1000, 1000, Rgb([255; 3]));
        let area = Pixels::of(&mut image).into_drawing_area();
        area.draw_text("x", style, (500, 500)).unwrap();
        drop(area);
        let dark = image
            .enumerate_rows()
            .filter(|(_, row)| row.clone().any(|(.., pixel)| pixel.0[0] < 99));
        let rows: Vec<u32> = dark.map(|(y, _)| y).collect();
        [rows[0], rows[rows.len() - 1]]
    }

    #[test]
    fn letters_are_where_the_svg_has_them() {
        let [top, bottom] = rows(&label(20.0, INK));
        assert!((500 - top).abs_diff(bottom - 500) < 10, "{top} {bottom}");
        let [top, bottom] = rows(&text(20.0, INK));
        assert!(top > 500 && (640..670).contains(&bottom), "{top} {bottom}");
    }
}
