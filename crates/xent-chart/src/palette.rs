use anstyle::{Ansi256Color, Style};
use plotters::style::RGBColor;
use std::fmt::{self, Display};

/// A colour of drawings, on light pages and on dark ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    /// The variable of style sheets that holds it.
    name: &'static str,
    light: Rgb,
    dark: Rgb,
}

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(u8, u8, u8);

/// What is behind the drawing.
pub(crate) const PAPER: Colour =
    Colour { name: "paper", light: Rgb(0xFF, 0xFF, 0xFF), dark: Rgb(0x16, 0x18, 0x1B) };
/// Names and titles.
pub(crate) const INK: Colour =
    Colour { name: "ink", light: Rgb(0x1C, 0x1E, 0x21), dark: Rgb(0xE8, 0xEA, 0xED) };
/// Axes and their numbers.
pub(crate) const SOFT: Colour =
    Colour { name: "soft", light: Rgb(0x5C, 0x61, 0x67), dark: Rgb(0xA3, 0xA9, 0xB0) };
/// Lines that guide the eye.
pub(crate) const RULE: Colour =
    Colour { name: "rule", light: Rgb(0xE3, 0xE5, 0xE8), dark: Rgb(0x30, 0x34, 0x3A) };

/// Colours of curves that readers with any colour vision tell apart (after Okabe and Ito).
const CURVES: [Colour; 7] = [
    Colour { name: "c0", light: Rgb(0x00, 0x72, 0xB2), dark: Rgb(0x4A, 0xA8, 0xE0) },
    Colour { name: "c1", light: Rgb(0xD5, 0x5E, 0x00), dark: Rgb(0xF5, 0x89, 0x4A) },
    Colour { name: "c2", light: Rgb(0x00, 0x9E, 0x73), dark: Rgb(0x35, 0xC7, 0x9C) },
    Colour { name: "c3", light: Rgb(0xB5, 0x47, 0x8A), dark: Rgb(0xE5, 0x93, 0xC2) },
    Colour { name: "c4", light: Rgb(0xB9, 0x80, 0x00), dark: Rgb(0xF0, 0xB8, 0x40) },
    Colour { name: "c5", light: Rgb(0x56, 0xA4, 0xD9), dark: Rgb(0x9B, 0xD3, 0xF7) },
    Colour { name: "c6", light: Rgb(0x6B, 0x6B, 0x6B), dark: Rgb(0xB4, 0xB4, 0xB4) },
];

impl Colour {
    /// The colour of the curves of this number.
    pub(crate) fn of_curve(index: usize) -> Self {
        CURVES[index % CURVES.len()]
    }

    /// The colour in a terminal, whose background is dark or light.
    pub(crate) fn in_terminal(self) -> Style {
        Ansi256Color::from(self.dark).on_default()
    }
}

impl From<Colour> for RGBColor {
    fn from(colour: Colour) -> Self {
        colour.light.into()
    }
}

impl From<Rgb> for RGBColor {
    fn from(Rgb(r, g, b): Rgb) -> Self {
        Self(r, g, b)
    }
}

/// The colour of terminals that is nearest, of the 216 that they mix themselves.
impl From<Rgb> for Ansi256Color {
    fn from(Rgb(r, g, b): Rgb) -> Self {
        const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        let nearest = |part: u8| {
            (0..6).min_by_key(|&level| LEVELS[usize::from(level)].abs_diff(part)).unwrap_or(0)
        };
        Self(16 + 36 * nearest(r) + 6 * nearest(g) + nearest(b))
    }
}

/// From little to much, light to dark, in a single hue that every reader sees.
const RAMP: [Rgb; 3] = [Rgb(0xF7, 0xFB, 0xFF), Rgb(0x9E, 0xCA, 0xE1), Rgb(0x21, 0x71, 0xB5)];

/// The colour of a share between 0 and 1.
pub(crate) fn ramp(share: f64) -> Rgb {
    let position = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let index = (position as usize).min(RAMP.len() - 2);
    let (Rgb(r, g, b), Rgb(r1, g1, b1)) = (RAMP[index], RAMP[index + 1]);
    let mixed = |a: u8, b: u8| {
        (f64::from(a) + (f64::from(b) - f64::from(a)) * (position - index as f64)).round() as u8
    };
    Rgb(mixed(r, r1), mixed(g, g1), mixed(b, b1))
}

impl Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(r, g, b) = self;
        write!(f, "#{r:02X}{g:02X}{b:02X}")
    }
}

/// The variable of [`style`] with the colour of the curves of this number, for a legend:
/// `var(--c0)`.
pub fn curve_colour(index: usize) -> String {
    format!("var(--{})", Colour::of_curve(index).name)
}

/// A style sheet for drawings below `selector`: the colours of a light or a dark page as
/// variables (`--paper`, `--ink`, `--soft`, `--rule`, and `--c0` and so on for curves), and rules
/// that put them in the place of the colours in the drawing, which are those of a light page.
pub fn style(selector: &str) -> String {
    let colours = || [PAPER, INK, SOFT, RULE].into_iter().chain(CURVES);
    let variables = |rgb: fn(&Colour) -> Rgb| -> String {
        colours().map(|colour| format!("--{}:{};", colour.name, rgb(&colour))).collect()
    };
    let (light, dark) = (variables(|colour| colour.light), variables(|colour| colour.dark));
    let rules = colours().flat_map(|Colour { name, light, .. }| {
        ["stroke", "fill"].map(|property| {
            format!("{selector} [{property}=\"{light}\"]{{{property}:var(--{name})}}")
        })
    });
    format!(
        ":root{{color-scheme:light dark;{light}}}\
         @media (prefers-color-scheme:dark){{:root{{{dark}}}}}{}",
        rules.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_has_every_colour_for_light_and_dark_pages() {
        let style = style(".chart");
        for rule in [
            ":root{color-scheme:light dark;--paper:#FFFFFF;",
            "@media (prefers-color-scheme:dark){:root{--paper:#16181B;",
            ".chart [stroke=\"#0072B2\"]{stroke:var(--c0)}",
            ".chart [fill=\"#5C6167\"]{fill:var(--soft)}",
        ] {
            assert!(style.contains(rule), "{rule} in {style}");
        }
        assert_eq!(curve_colour(CURVES.len() + 1), "var(--c1)");
    }

    #[test]
    fn no_colour_stands_for_two() {
        let colours = [PAPER, INK, SOFT, RULE].into_iter().chain(CURVES);
        let mut lights: Vec<_> = colours.map(|colour| colour.light.to_string()).collect();
        lights.sort();
        lights.dedup();
        assert_eq!(lights.len(), 4 + CURVES.len());
    }
}
