use std::fmt;
use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Images of one size with 8 bits per channel. Selections share their pixels.
#[derive(Clone, PartialEq)]
pub struct Images {
    shape: [usize; 3],
    /// Image after image, channel after channel, line after line.
    pixels: Arc<[u8]>,
    /// Which image each row is.
    rows: Vec<usize>,
}

impl Images {
    /// Images of `[channels, height, width]`, image after image, channel after
    /// channel, line after line.
    ///
    /// # Panics
    /// If `pixels` are not a whole number of images.
    pub fn new(shape: [usize; 3], pixels: impl Into<Arc<[u8]>>) -> Self {
        let (size, pixels) = (shape.iter().product::<usize>(), pixels.into());
        assert_eq!(pixels.len() % size, 0, "pixels of whole images");
        Self { shape, rows: (0..pixels.len() / size).collect(), pixels }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The pixels of an image, channel after channel, line after line.
    ///
    /// # Panics
    /// If `row` is not below [`Images::len`].
    pub fn pixels(&self, row: usize) -> &[u8] {
        let size: usize = self.shape.iter().product();
        &self.pixels[self.rows[row] * size..][..size]
    }

    /// The images at these indices (from 0), in that order.
    ///
    /// # Panics
    /// If an index is not below [`Images::len`].
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows = rows.iter().map(|&row| self.rows[row]).collect();
        Self { shape: self.shape, pixels: self.pixels.clone(), rows }
    }

    /// These images and then others of the same shape.
    pub(super) fn followed_by(&self, others: &Self) -> Self {
        let of = |images: &Self| -> Vec<u8> {
            (0..images.len()).flat_map(|row| images.pixels(row).iter().copied()).collect()
        };
        Self::new(self.shape, [of(self), of(others)].concat())
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [channels, height, width] = self.shape;
        write!(f, "{} images of {channels}×{height}×{width}", self.len())
    }
}

/// How pixels become numbers: each channel is standardised to mean 0 and
/// standard deviation 1 over the training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelScale {
    shape: [usize; 3],
    /// Mean of each channel, from 0 to 255.
    mean: Vec<f64>,
    /// Standard deviation of each channel; 1 for a channel that never varies.
    deviation: Vec<f64>,
}

/// What chance does to the images of a batch, so that a model sees more of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Mirrors every other image, left to right.
    pub flip: bool,
    /// Shifts images by up to so many pixels in either direction; what comes in
    /// has the mean colour.
    pub crop: usize,
}

impl PixelScale {
    /// The scale of training images.
    pub fn fit(images: &Images) -> Self {
        let [channels, height, width] = images.shape;
        let area = height * width;
        let moments = (0..channels).map(|channel| {
            let mut counts = [0u64; 256];
            for row in 0..images.len() {
                let pixels = &images.pixels(row)[channel * area..][..area];
                pixels.iter().for_each(|&pixel| counts[usize::from(pixel)] += 1);
            }
            self::of_counts(&counts)
        });
        let (mean, deviation) = moments.unzip();
        Self { shape: images.shape, mean, deviation }
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number that each pixel of a channel becomes.
    fn table(&self, channel: usize) -> [f32; 256] {
        let (mean, deviation) = (self.mean[channel], self.deviation[channel]);
        std::array::from_fn(|pixel| ((pixel as f64 - mean) / deviation) as f32)
    }

    /// Some images as numbers, channel after channel, line after line.
    pub(crate) fn encode(
        &self,
        images: &Images,
        rows: &[usize],
        mut augmentation: Option<(Augmentation, &mut ChaCha8Rng)>,
    ) -> Vec<f32> {
        let [channels, height, width] = self.shape;
        let tables: Vec<[f32; 256]> = (0..channels).map(|channel| self.table(channel)).collect();
        let mut numbers = Vec::with_capacity(rows.len() * channels * height * width);
        for &row in rows {
            let view = match &mut augmentation {
                Some((augmentation, random)) => View::draw(*augmentation, random),
                None => View::default(),
            };
            let planes = images.pixels(row).chunks_exact(height * width);
            for (plane, table) in planes.zip(&tables) {
                view.encode(plane, [height, width], table, &mut numbers);
            }
        }
        numbers
    }
}

/// Mean and standard deviation of pixels that occur so often.
fn of_counts(counts: &[u64; 256]) -> (f64, f64) {
    let values = || counts.iter().enumerate().map(|(pixel, &count)| (pixel as f64, count as f64));
    let total: f64 = values().map(|(_, count)| count).sum();
    let mean = values().map(|(pixel, count)| pixel * count).sum::<f64>() / total;
    let squares: f64 = values().map(|(pixel, count)| (pixel - mean).powi(2) * count).sum();
    let deviation = (squares / total).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}

/// How an image is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    mirrored: bool,
    /// Lines and columns by which it is shifted up and left.
    shift: [isize; 2],
}

impl View {
    fn draw(Augmentation { flip, crop }: Augmentation, random: &mut ChaCha8Rng) -> Self {
        let mirrored = flip && random.next_u32() % 2 == 1;
        let mut shift = || match crop {
            0 => 0,
            _ => random.random_range(-(crop as i64)..=crop as i64) as isize,
        };
        Self { mirrored, shift: [shift(), shift()] }
    }

    fn encode(
        self,
        plane: &[u8],
        [height, width]: [usize; 2],
        table: &[f32; 256],
        to: &mut Vec<f32>,
    ) {
        if !self.mirrored && self.shift == [0, 0] {
            to.extend(plane.iter().map(|&pixel| table[usize::from(pixel)]));
            return;
        }
        let shifted = |at: usize, shift: isize, size: usize| {
            at.checked_add_signed(shift).filter(|&at| at < size)
        };
        for y in 0..height {
            let line = shifted(y, self.shift[0], height).map(|y| &plane[y * width..][..width]);
            to.extend((0..width).map(|x| {
                let x = if self.mirrored { width - 1 - x } else { x };
                let pixel = line.zip(shifted(x, self.shift[1], width)).map(|(line, x)| line[x]);
                // The mean is 0 once it is standardised.
                pixel.map_or(0.0, |pixel| table[usize::from(pixel)])
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn images() -> Images {
        Images::new([1, 2, 3], vec![0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110])
    }

    #[test]
    fn pixels_are_standardised_by_the_training_images() {
        let images = Images::new([2, 1, 2], vec![1, 3, 7, 7, 1, 3, 7, 7]);
        let scale = PixelScale::fit(&images);
        assert_eq!((&scale.mean[..], &scale.deviation[..]), (&[2.0, 7.0][..], &[1.0, 1.0][..]));
        let other = Images::new([2, 1, 2], vec![2, 5, 7, 8]);
        assert_eq!(scale.encode(&other, &[0], None), [0.0, 3.0, 0.0, 1.0]);
    }

    #[test]
    fn selections_are_of_the_same_pixels() {
        let images = images().select(&[1, 0, 1]);
        assert_eq!(images.len(), 3);
        assert_eq!(images.pixels(0), [60, 70, 80, 90, 100, 110]);
        assert_eq!(images.select(&[1]).pixels(0), [0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn views_mirror_and_shift_and_fill_with_the_mean() {
        let table = std::array::from_fn(|pixel| pixel as f32);
        let encode = |mirrored, shift| {
            let mut numbers = Vec::new();
            View { mirrored, shift }.encode(images().pixels(0), [2, 3], &table, &mut numbers);
            numbers
        };
        assert_eq!(encode(true, [0, 0]), [20.0, 10.0, 0.0, 50.0, 40.0, 30.0]);
        assert_eq!(encode(false, [1, -1]), [0.0, 30.0, 40.0, 0.0, 0.0, 0.0]);
        assert_eq!(encode(true, [0, 1]), [0.0, 20.0, 10.0, 0.0, 50.0, 40.0]);
    }

    #[test]
    fn chance_makes_every_view_and_is_repeatable() {
        let images = images();
        let scale = PixelScale::fit(&images);
        let augmentation = Augmentation { flip: true, crop: 1 };
        let encode = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            scale.encode(&images, &[0; 200], Some((augmentation, &mut random)))
        };
        assert_eq!(encode(1), encode(1));
        let mut views: Vec<Vec<u32>> = encode(1)
            .chunks_exact(6)
            .map(|view| view.iter().map(|number| number.to_bits()).collect())
            .collect();
        views.sort();
        views.dedup();
        assert_eq!(views.len(), 2 * 9);
    }
}
