//! What all drawings are made on.

use crate::palette::{Colour, PAPER};
use crate::pixels::Pixels;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// Drawings are in tenths of a pixel, as the library draws at whole units.
pub(crate) const UNIT: i32 = 10;
/// Width of a chart.
pub(crate) const WIDTH: i32 = 440 * UNIT;

/// A part of a drawing.
pub(crate) type Area<B> = DrawingArea<B, Shift>;

/// Why there is no drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no finite value to draw")]
pub struct NothingToDraw;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for NothingToDraw {
    fn from(_: DrawingAreaErrorKind<E>) -> Self {
        Self
    }
}

/// Something to draw, on any kind of canvas.
pub(crate) trait Drawing {
    /// Width and height in units.
    fn size(&self) -> (i32, i32);

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), NothingToDraw>;
}

/// An SVG whose units are those of the drawing.
pub(crate) fn svg(drawing: &impl Drawing) -> Result<String, NothingToDraw> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, unsigned(drawing.size())).into_drawing_area();
        drawing.draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// Pixels, `UNIT` of them for each of the drawing.
pub(crate) fn pixels(drawing: &impl Drawing) -> Result<image::RgbImage, NothingToDraw> {
    let (width, height) = unsigned(drawing.size());
    let paper: RGBColor = PAPER.into();
    let mut image = image::RgbImage::from_pixel(width, height, image::Rgb(paper.rgb().into()));
    {
        let area = Pixels::of(&mut image).into_drawing_area();
        drawing.draw(&area)?;
        area.present()?;
    }
    Ok(image)
}

fn unsigned((width, height): (i32, i32)) -> (u32, u32) {
    (width.unsigned_abs(), height.unsigned_abs())
}

/// Text of this size in pixels; the library writes sizes 1.24 times too small.
pub(crate) fn text(pixels: f64, colour: Colour) -> TextStyle<'static> {
    const FONT: &str = "sans-serif";
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // A font that cannot be read is an error of the first drawing.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
    let colour: RGBColor = colour.into();
    (FONT, pixels * f64::from(UNIT) * 1.24).into_font().color(&colour)
}

/// Text from a point to the right, at half its height.
pub(crate) fn label(pixels: f64, colour: Colour) -> TextStyle<'static> {
    text(pixels, colour).pos(Pos::new(HPos::Left, VPos::Center))
}

/// How wide a text is, in units.
pub(crate) fn text_width(text: &str, style: &TextStyle) -> i32 {
    style.font.layout_box(text).map_or(0, |((left, _), (right, _))| right - left)
}

/// A line of this width in pixels.
pub(crate) fn line(pixels: f64, colour: Colour) -> ShapeStyle {
    RGBColor::from(colour).stroke_width((pixels * f64::from(UNIT)) as u32)
}
