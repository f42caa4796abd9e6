//! Data that is made here, so that every model runs on a machine without any.

use std::ops::Range;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt, SeedableRng};

use super::pictures::{CLASS, Pictures};
use super::{Column, Images, Table, Values};

/// The name of the images made here.
pub(super) const SHAPES: &str = "shapes";

const SEED: u64 = 20;
const SIDE: usize = 32;
const IMAGES: usize = 1_600;
const REVIEWS: usize = 1_600;

/// The images of this name: discs, squares, triangles and crosses in any place,
/// size and colours, on 32×32 pixels.
pub(super) fn pictures(name: &str) -> Option<Pictures> {
    const CLASSES: [(&str, Inside); 4] =
        [("cross", cross), ("disc", disc), ("square", square), ("triangle", triangle)];
    if !name.eq_ignore_ascii_case(SHAPES) {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for index in 0..IMAGES {
        let (class, inside) = CLASSES[index % CLASSES.len()];
        classes.push(Some(class.to_owned()));
        pixels.extend(picture(inside, &mut random));
    }
    let column = Column { name: CLASS.to_owned(), values: Values::Texts(classes) };
    let table = Table::new(SHAPES, vec![column]).ok()?;
    Some(Pictures {
        table,
        images: Images::new([3, SIDE, SIDE], pixels),
        files: Vec::new(),
        test: None,
    })
}

/// Whether a point is in a shape around the origin that reaches to ±1.
type Inside = fn(f64, f64) -> bool;

fn disc(x: f64, y: f64) -> bool {
    x * x + y * y <= 1.0
}

fn square(x: f64, y: f64) -> bool {
    x.abs().max(y.abs()) <= 0.85
}

fn triangle(x: f64, y: f64) -> bool {
    y <= 0.8 && 2.0 * x.abs() <= y + 1.0
}

fn cross(x: f64, y: f64) -> bool {
    x.abs().max(y.abs()) <= 1.0 && x.abs().min(y.abs()) <= 0.3
}

/// A bright shape before a dark ground, with noise.
fn picture(inside: Inside, random: &mut ChaCha8Rng) -> Vec<u8> {
    const NOISE: f64 = 30.0;
    let mut colour = |shades: Range<f64>| -> [f64; 3] {
        std::array::from_fn(|_| random.random_range(shades.clone()))
    };
    let (ground, figure) = (colour(0.0..110.0), colour(130.0..256.0));
    let radius: f64 = random.random_range(8.0..14.0);
    let mut middle = || random.random_range(radius..SIDE as f64 - radius);
    let (x0, y0) = (middle(), middle());
    // The tangent of half of the angle by which the shape is turned.
    let turn: f64 = random.random_range(-0.15..0.15);
    let scale = 1.0 + turn * turn;
    let (sin, cos) = (2.0 * turn / scale, (1.0 - turn * turn) / scale);
    let mut pixels = Vec::with_capacity(3 * SIDE * SIDE);
    for channel in 0..3 {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (x, y) = ((x as f64 - x0) / radius, (y as f64 - y0) / radius);
                let is_inside = inside(cos * x + sin * y, cos * y - sin * x);
                let colour = if is_inside { figure[channel] } else { ground[channel] };
                pixels.push((colour + random.random_range(-NOISE..NOISE)) as u8);
            }
        }
    }
    pixels
}

/// Reviews whose words say how good something is; some of them deny it.
pub(super) fn reviews() -> Vec<Column> {
    const THINGS: [&str; 10] =
        ["film", "story", "book", "play", "cast", "ending", "music", "camera", "dinner", "hotel"];
    const GOOD: [&str; 10] = [
        "wonderful",
        "moving",
        "clever",
        "charming",
        "funny",
        "brilliant",
        "warm",
        "lovely",
        "gripping",
        "fine",
    ];
    const BAD: [&str; 10] = [
        "dull", "clumsy", "boring", "flat", "tedious", "dreadful", "cold", "awful", "silly",
        "tired",
    ];
    const FILLERS: [&str; 8] = [
        "as i had hoped",
        "from start to end",
        "to my surprise",
        "this time",
        "for a Monday",
        "they say",
        "if you ask me",
        "in its own way",
    ];
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut pick = |words: &[&'static str]| *words.choose(&mut random).expect("words");
    let (mut texts, mut labels) = (Vec::new(), Vec::new());
    for index in 0..REVIEWS {
        let is_good = index % 2 == 0;
        let mut clauses = Vec::new();
        for _ in 0..1 + index / 2 % 3 {
            let denied = pick(&["", "", "not "]);
            let words = if is_good == denied.is_empty() { &GOOD } else { &BAD };
            clauses.push(format!("the {} was {denied}{}", pick(&THINGS), pick(words)));
        }
        let filler = pick(&FILLERS);
        texts.push(Some(format!("{} , {filler}", clauses.join(" and "))));
        labels.push(Some(if is_good { "good" } else { "bad" }.to_owned()));
    }
    let column = |name: &str, texts| Column { name: name.to_owned(), values: Values::Texts(texts) };
    vec![column("text", texts), column("verdict", labels)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_data_is_the_same_everywhere() {
        let shapes = pictures("Shapes").unwrap();
        assert_eq!((shapes.images.len(), shapes.images.shape()), (IMAGES, [3, SIDE, SIDE]));
        let reviews = Table::new("reviews", reviews()).unwrap();
        assert_eq!(reviews.rows(), REVIEWS);
        let sum: u64 = shapes.images.pixels(0).iter().map(|&pixel| u64::from(pixel)).sum();
        assert_eq!((sum, &reviews.fingerprint().xxh3[..8]), (368_735, "afa51618"));
    }
}
