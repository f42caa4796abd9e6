//! What all drawings are made on.

use crate::palette::Colour;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Drawings are in tenths of a pixel, as the library draws at whole units.
pub(crate) const UNIT: i32 = 10;
/// Width of a chart.
pub(crate) const WIDTH: i32 = 440 * UNIT;

/// A part of a drawing.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Why there is no drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no finite value to draw")]
pub struct NothingToDraw;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for NothingToDraw {
    fn from(_: DrawingAreaErrorKind<E>) -> Self {
        Self
    }
}

/// An SVG of this size, with what `draw` draws.
pub(crate) fn svg(
    (width, height): (i32, i32),
    draw: impl FnOnce(&Area) -> Result<(), NothingToDraw>,
) -> Result<String, NothingToDraw> {
    let mut svg = String::new();
    {
        let size = (width as u32, height as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// Text of this size in pixels; the library writes sizes 1.24 times too small.
pub(crate) fn text(pixels: f64, colour: Colour) -> TextStyle<'static> {
    let colour: RGBColor = colour.into();
    ("sans-serif", pixels * f64::from(UNIT) * 1.24).into_font().color(&colour)
}

/// A line of this width in pixels.
pub(crate) fn line(pixels: i32, colour: Colour) -> ShapeStyle {
    RGBColor::from(colour).stroke_width((pixels * UNIT) as u32)
}
