use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use rayon::prelude::*;

use super::operation::{sizes, tensor, values};

/// Pixels under a kernel.
const KERNEL: usize = 9;

/// The mark of a result that ReLU has made 0.
const CLOSED: u8 = 4;

/// What the backward pass of a convolution needs.
#[derive(Clone, Debug)]
pub(super) struct Convolved {
    shape: Shape,
    /// See [`patches`].
    patches: Arc<Vec<f32>>,
    /// Where in its window each result comes from, from 0 to 3, or [`CLOSED`].
    origin: Arc<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
}

impl Shape {
    /// Pixels of a plane.
    fn area(self) -> usize {
        self.height * self.width
    }

    /// Lines and columns of the windows of the maximum: 2, or 1 where an image
    /// has no more.
    fn window(self) -> [usize; 2] {
        [self.height.min(2), self.width.min(2)]
    }

    /// Height and width of the result; what is left over at the end is left out.
    fn pooled(self) -> [usize; 2] {
        let [lines, columns] = self.window();
        [self.height / lines, self.width / columns]
    }
}

/// Gradients, that of the images only if it was wanted.
pub(super) struct Found<B: Backend> {
    pub(super) images: Option<FloatTensor<B>>,
    pub(super) weights: FloatTensor<B>,
    pub(super) biases: FloatTensor<B>,
}

/// A convolution of 3×3 that keeps the size, the largest of each 2×2, and ReLU,
/// of images `[rows, inputs, height, width]` with weights `[outputs, inputs, 3,
/// 3]` and biases `[outputs]`. Gives `[rows, outputs, height / 2, width / 2]`.
pub(super) fn forward<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    biases: FloatTensor<B>,
) -> (FloatTensor<B>, Convolved) {
    let ([rows, inputs, height, width], device) = (sizes::<B, 4>(&images), images.device());
    let [outputs, ..] = sizes::<B, 4>(&weights);
    let shape = Shape { images: rows, inputs, outputs, height, width };
    let (area, depth) = (shape.area(), inputs * KERNEL);
    let patches = patches(&values::<B>(images), shape);
    let kernel = tensor::<B>(values::<B>(weights), [1, outputs, depth], &device);
    let columns = tensor::<B>(patches.clone(), [rows, depth, area], &device);
    let convolved = values::<B>(B::float_matmul(kernel, columns));
    let biases = values::<B>(biases);
    let [lines, columns] = shape.pooled();
    let mut pooled = vec![0.0f32; rows * outputs * lines * columns];
    let mut origin = vec![0u8; pooled.len()];
    pooled
        .par_chunks_mut(lines * columns)
        .zip(origin.par_chunks_mut(lines * columns))
        .zip(convolved.par_chunks(area))
        .enumerate()
        .for_each(|(plane, ((pooled, origin), convolved))| {
            pool(convolved, biases[plane % outputs], shape, pooled, origin);
        });
    let pooled = tensor::<B>(pooled, [rows, outputs, lines, columns], &device);
    let (patches, origin) = (Arc::new(patches), Arc::new(origin));
    (pooled, Convolved { shape, patches, origin })
}

/// The gradients of weights and biases, and of the images if wanted.
pub(super) fn backward<B: Backend>(
    upstream: FloatTensor<B>,
    weights: FloatTensor<B>,
    convolved: Convolved,
    wants_images: bool,
) -> Found<B> {
    let device = upstream.device();
    let Convolved { shape, patches, origin } = convolved;
    let Shape { images, inputs, outputs, height, width } = shape;
    let (area, depth) = (shape.area(), inputs * KERNEL);
    let [lines, columns] = shape.pooled();
    let upstream = values::<B>(upstream);
    let mut slopes = vec![0.0f32; images * outputs * area];
    slopes
        .par_chunks_mut(area)
        .zip(origin.par_chunks(lines * columns))
        .zip(upstream.par_chunks(lines * columns))
        .for_each(|((slopes, origin), upstream)| unpool(upstream, origin, shape, slopes));
    let mut of_biases = vec![0.0f32; outputs];
    for (plane, upstream) in upstream.chunks_exact(lines * columns).enumerate() {
        let origin = &origin[plane * lines * columns..][..lines * columns];
        let open = upstream.iter().zip(origin).filter(|(_, origin)| **origin != CLOSED);
        of_biases[plane % outputs] += open.map(|(slope, _)| slope).sum::<f32>();
    }
    let slopes = tensor::<B>(slopes, [images, outputs, area], &device);
    let patches = Arc::unwrap_or_clone(patches);
    let patches = tensor::<B>(patches, [images, depth, area], &device);
    let per_image = B::float_matmul(slopes.clone(), B::float_swap_dims(patches, 1, 2));
    let mut of_weights = vec![0.0f32; outputs * depth];
    for image in values::<B>(per_image).chunks_exact(outputs * depth) {
        of_weights.iter_mut().zip(image).for_each(|(sum, slope)| *sum += slope);
    }
    let of_images = wants_images.then(|| {
        let kernel = tensor::<B>(values::<B>(weights), [1, outputs, depth], &device);
        let of_patches = values::<B>(B::float_matmul(B::float_swap_dims(kernel, 1, 2), slopes));
        let of_images = from_patches(&of_patches, shape);
        tensor::<B>(of_images, [images, inputs, height, width], &device)
    });
    Found {
        images: of_images,
        weights: tensor::<B>(of_weights, [outputs, inputs, 3, 3], &device),
        biases: tensor::<B>(of_biases, [outputs], &device),
    }
}

/// For each image, channel and pixel of the kernel, a plane of what this pixel
/// of the kernel meets; 0 beyond the image.
fn patches(images: &[f32], shape: Shape) -> Vec<f32> {
    let area = shape.area();
    let mut patches = vec![0.0f32; images.len() * KERNEL];
    patches.par_chunks_mut(KERNEL * area).zip(images.par_chunks(area)).for_each(
        |(patches, plane)| {
            for (pixel, patch) in patches.chunks_exact_mut(area).enumerate() {
                for (to, from) in overlaps(pixel, shape) {
                    patch[to].copy_from_slice(&plane[from]);
                }
            }
        },
    );
    patches
}

/// The sums of what [`patches`] has taken from each pixel.
fn from_patches(patches: &[f32], shape: Shape) -> Vec<f32> {
    let area = shape.area();
    let mut images = vec![0.0f32; patches.len() / KERNEL];
    images.par_chunks_mut(area).zip(patches.par_chunks(KERNEL * area)).for_each(
        |(plane, patches)| {
            for (pixel, patch) in patches.chunks_exact(area).enumerate() {
                for (to, from) in overlaps(pixel, shape) {
                    plane[from].iter_mut().zip(&patch[to]).for_each(|(sum, slope)| *sum += slope);
                }
            }
        },
    );
    images
}

type Range = std::ops::Range<usize>;

/// The stretches of a patch that lie within the image, and where they come from.
fn overlaps(pixel: usize, shape: Shape) -> impl Iterator<Item = (Range, Range)> {
    let Shape { height, width, .. } = shape;
    let (down, right) = (pixel / 3, pixel % 3);
    // Shifted by one pixel at most, in either direction.
    let columns = usize::from(right == 0)..width - usize::from(right == 2).min(width);
    (0..height).filter_map(move |line| {
        let from = (line + down).checked_sub(1).filter(|&from| from < height)?;
        let to = line * width + columns.start..line * width + columns.end.max(columns.start);
        let start = from * width + columns.start + right - 1;
        Some((to.clone(), start..start + to.len()))
    })
}

/// The largest of each window and ReLU, with where it comes from.
fn pool(plane: &[f32], bias: f32, shape: Shape, pooled: &mut [f32], origin: &mut [u8]) {
    let ([lines, columns], [down, right]) = (shape.pooled(), shape.window());
    for line in 0..lines {
        for column in 0..columns {
            let first = line * down * shape.width + column * right;
            let (mut largest, mut place) = (plane[first], 0);
            for other in 1..down * right {
                let value = plane[first + (other / right) * shape.width + other % right];
                if value > largest {
                    (largest, place) = (value, other as u8);
                }
            }
            let value = largest + bias;
            let at = line * columns + column;
            // What is not a number passes, so that divergence is seen.
            let closed = value <= 0.0;
            pooled[at] = if closed { 0.0 } else { value };
            origin[at] = if closed { CLOSED } else { place };
        }
    }
}

/// The slope of each result, at the place that it comes from.
fn unpool(upstream: &[f32], origin: &[u8], shape: Shape, slopes: &mut [f32]) {
    let ([_, columns], [down, right]) = (shape.pooled(), shape.window());
    for (at, (&slope, &place)) in upstream.iter().zip(origin).enumerate() {
        if place != CLOSED {
            let first = at / columns * down * shape.width + at % columns * right;
            let place = usize::from(place);
            slopes[first + (place / right) * shape.width + place % right] = slope;
        }
    }
}
